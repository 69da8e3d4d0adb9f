"""A label map made a smooth solid."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sacrofem.anatomy.scan.lattice import LatticeSolid, cleaned, far_distance
from sacrofem.anatomy.scan.surface import Checks, check_pieces
from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

_MARGIN = 5
# Of the constrained smoothing: it stops sooner where the surface hardly moves.
_ITERATIONS, _LEAST_CHANGE = 200, 0.005


def label_solid(
    mask: NDArray[np.bool_], affine: FloatArray, file: str, spacing_mm: float | None = None
) -> tuple[LatticeSolid, Checks, tuple[str, ...]]:
    """The smooth solid of a segmented bone.

    The surface is relaxed towards least curvature while it stays between the voxels of either kind (Whitaker 2000, as
    in ITK's AntiAliasBinaryImageFilter): no staircase, and never more than half a voxel from the segmentation.

    Parameters
    ----------
    mask : (nx, ny, nz)
        True in the bone.
    affine : (4, 4)
        From indices to LPS mm.
    file
        Named in refusals.
    spacing_mm
        Of the lattice; by default half a voxel, between 1 and 1.5 mm.

    Raises
    ------
    InputError
        An empty label, one that touches the border of the image, several bones, or too large a one.
    """
    from sacrofem.anatomy.scan.surface import EXTENT_MM

    if not mask.any():
        raise InputError("the label is empty", file=file, field="anatomy.labels", mend="name another label")
    places = np.argwhere(mask)
    low, high = places.min(axis=0), places.max(axis=0)
    if (low == 0).any() or (high == np.array(mask.shape) - 1).any():
        raise InputError(
            "the label touches the border of the image: the bone is cut off", file=file, field="anatomy.labels",
            mend="give an image that holds the whole sacrum",
        )  # fmt: skip
    voxel = np.linalg.norm(affine[:3, :3], axis=0)
    extent = float(((high - low + 1) * voxel).max())
    if not 0.8 * EXTENT_MM[0] <= extent <= EXTENT_MM[1]:
        raise InputError(
            f"the label is {extent:.4g} mm at its longest; a sacrum is {EXTENT_MM[0]:g} to {EXTENT_MM[1]:g} mm",
            file=file, field="anatomy.labels", mend="name the sacrum's label, and check the voxel size",
        )  # fmt: skip
    cut = np.pad(mask[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))], _MARGIN)
    level = _relaxed(cut)
    step = float(np.clip(0.5 * voxel.mean(), 1.0, 1.5)) if spacing_mm is None else spacing_mm
    shift = affine.copy()
    shift[:3, 3] += affine[:3, :3] @ (low - _MARGIN)
    ends = np.array(np.meshgrid(*[[2.0, n - 3.0] for n in cut.shape], indexing="ij")).reshape(3, -1).T
    box = ends @ shift[:3, :3].T + shift[:3, 3]
    corner = box.min(axis=0)
    shape = np.ceil((box.max(axis=0) - corner) / step).astype(int) + 1
    axes = [corner[d] + step * np.arange(shape[d]) for d in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    index = (points - shift[:3, 3]) @ np.linalg.inv(shift[:3, :3]).T
    sampled = ndimage.map_coordinates(level, index.T, order=1, mode="nearest").reshape(shape)
    # Least curvature shrinks what is round and thin: the level is that which keeps the volume of the voxels.
    wanted = round(np.count_nonzero(mask) * abs(float(np.linalg.det(affine[:3, :3]))) / step**3)
    sampled = sampled - np.clip(np.partition(sampled.ravel(), wanted)[wanted], -0.5, 0.5)
    slope = np.linalg.norm(np.stack(np.gradient(sampled, step)), axis=0)
    near = np.abs(sampled) < 1.5
    distance = np.where(near, sampled / np.maximum(slope, 0.05), np.where(sampled < 0, -np.inf, np.inf))
    values, done = cleaned(far_distance(distance, step), step)
    solid = LatticeSolid(values.astype(np.float32), corner, step)
    notes = check_pieces(solid, done.dropped_ml, done.filled_ml, file)
    checks = Checks(
        0, 0, 1 + len(done.dropped_ml), sum(done.dropped_ml), sum(done.filled_ml), 0.0, solid.volume_mm3 / 1e3,
        0.5 * float(voxel.max()),
    )  # fmt: skip
    return solid, checks, tuple(notes)


def _relaxed(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Level set of a mask, negative inside, in voxels."""
    sitk: Any = import_module("SimpleITK")
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    level = sitk.AntiAliasBinary(image, _LEAST_CHANGE, _ITERATIONS)
    return -np.asarray(sitk.GetArrayFromImage(level), dtype=np.float32)
