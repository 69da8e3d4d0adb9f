"""An image in LPS mm, and what holds of the headers of all formats: bounds, places, files beside."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sacrofem.anatomy.scan.labels import Label
from sacrofem.bone.imagefacts import ImageFacts
from sacrofem.errors import EnvironmentFailure, InputError, cut
from sacrofem.system.arrays import FloatArray

AGAIN = "export it again from DICOM"
DAMAGED = "the file may be damaged or cut short: export it again"
#: From a micro-CT to a slice every 10 cm [D].
_VOXEL_MM = (1e-3, 100.0)
#: Some scanners count from the start of their table, some files from the patient's feet; none from 1 km away [D].
_FARTHEST_MM = 1e6
_MOST_VOXELS = 4_000_000_000
_LONGEST = 100_000
# Below this turn of an axis its skew is rounding: float32 quaternions and four decimals of text.
_ROUNDING_DEG = 0.1
# Gantries tilt by up to 30 degrees [K]; axes that lie closer together than this span no volume.
_LEAST_SINE = 0.3


@dataclass(frozen=True, eq=False)
class Image:
    """Numbers on a grid, as stored with slope and intercept applied.

    Attributes
    ----------
    values : (layers, ni, nj, nk)
        One layer, but for a segmentation whose segments overlap.
    affine : (4, 4)
        Voxel index (i, j, k, 1) of a voxel's centre to LPS mm; axes need not be orthogonal.
    facts : ImageFacts
    labels : tuple of Label
        Labels that the file names.
    cropped : bool
        Whether the format cuts an image to what it holds: its border is not that of the scan.
    """

    values: NDArray[np.generic]
    affine: FloatArray
    facts: ImageFacts
    labels: tuple[Label, ...] = ()
    cropped: bool = False


def library(name: str) -> Any:
    """A library of the extra ``ct``.

    Raises
    ------
    EnvironmentFailure
        It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise EnvironmentFailure(f"reading images needs {name}: pip install 'sacrofem[ct]'") from error


@contextmanager
def foreign(path: Path) -> Iterator[None]:
    """Turns whatever a library raises over the bytes of a file into one refusal, and keeps it quiet."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            yield
        except (InputError, EnvironmentFailure, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = cut(error, 80) or type(error).__name__
            raise InputError(f"not a readable image ({reason})", file=path, mend=DAMAGED) from error


def check_shape(path: Path, shape: Sequence[int], field: str) -> tuple[int, int, int]:
    """The three axes of an image; further ones may have one entry.

    Raises
    ------
    InputError
        Not three axes, or more voxels than any scan has.
    """
    shape = [int(count) for count in shape]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) != 3:
        raise InputError(
            f"has {len(shape)} dimensions", file=path, field=field, value=" ".join(map(str, shape)),
            mend="give one three-dimensional image",
        )  # fmt: skip
    if min(shape) < 1 or max(shape) > _LONGEST or (voxels := shape[0] * shape[1] * shape[2]) > _MOST_VOXELS:
        declared = (
            f"declares {voxels} voxels" if min(shape) >= 1 and max(shape) <= _LONGEST else "is no size of an image"
        )
        raise InputError(declared, file=path, field=field, value=" ".join(map(str, shape)), mend=DAMAGED)
    return shape[0], shape[1], shape[2]


def check_spacing(path: Path, field: str, spacing: Sequence[float]) -> None:
    """Refuse what is no edge length of a voxel, mm."""
    if not all(_VOXEL_MM[0] <= step <= _VOXEL_MM[1] for step in spacing):
        raise InputError(
            f"is no spacing of voxels ({_VOXEL_MM[0]:g} to {_VOXEL_MM[1]:g} mm)", file=path, field=field,
            value=" ".join(f"{step:g}" for step in spacing), mend=AGAIN,
        )  # fmt: skip


def check_place(path: Path, field: str, point: FloatArray) -> None:
    """Refuse a point in mm that lies nowhere near a scanner."""
    # Also where it is no number.
    if not np.abs(point).max() <= _FARTHEST_MM:
        value = " ".join(f"{x:.4g}" for x in point)
        raise InputError("lies nowhere near a scanner", file=path, field=field, value=value, mend=AGAIN)


def unoriented(path: Path, what: str) -> InputError:
    """The refusal of an image that does not say where its axes lead; the same in every format."""
    return InputError(
        f"{what}: its orientation is unknown, and with it which side is left", file=path,
        mend=f"{AGAIN} with its orientation",
    )  # fmt: skip


def placed(path: Path, affine: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """An affine that can be one of a scan, and a note where its axes are not orthogonal.

    Raises
    ------
    InputError
        Not finite, too far away, too fine, too coarse, or flat.
    """
    steps = affine[:3, :3]
    if not np.isfinite(steps).all():
        raise InputError("its axes are no numbers", file=path, mend=AGAIN)
    check_place(path, "origin", affine[:3, 3])
    with np.errstate(over="ignore"):
        length = np.linalg.norm(steps, axis=0)
    check_spacing(path, "spacing", [float(step) for step in length])
    unit = steps / length
    cosine = max(abs(float(unit[:, a] @ unit[:, b])) for a, b in ((0, 1), (0, 2), (1, 2)))
    skew = float(np.degrees(np.arcsin(min(cosine, 1.0))))
    if abs(np.linalg.det(unit)) < _LEAST_SINE:
        raise InputError(f"its axes lie {90 - skew:.3g}° from one another and span no volume", file=path, mend=AGAIN)
    if skew <= _ROUNDING_DEG:
        return affine, ()
    return affine, (f"its axes are {skew:.3g}° off a right angle, as of a tilted gantry, and are taken as they are",)


def orientation(affine: FloatArray) -> str:
    """Where the axes of an image in LPS mm lead, such as ``RAS``."""
    codes = library("nibabel").orientations.aff2axcodes(affine, labels=(("R", "L"), ("A", "P"), ("I", "S")))
    return "".join(code or "?" for code in codes)


def facts_of(
    path: Path, kind: str, shape: Sequence[int], affine: FloatArray, files: Sequence[Path], notes: Sequence[str]
) -> ImageFacts:
    """What is said of an image."""
    voxel = tuple(float(step) for step in np.linalg.norm(affine[:3, :3], axis=0))
    return ImageFacts(
        str(path), kind, tuple(shape), voxel, orientation(affine), tuple(map(str, files or [path])), tuple(notes)
    )


def beside(path: Path, name: str, field: str) -> Path:
    """The file of data that a detached header may name: of the header's own stem, in its folder, and no link.

    Raises
    ------
    InputError
        Naming what the header names.
    """
    stem = path.name.rpartition(".")[0]
    mend = f"no other file is read: join header and data in one file, or call the data {stem}.raw beside it"
    if not name.startswith(f"{stem}.") or name == path.name or any(mark in name for mark in "/\\\0%*? "):
        raise InputError("names another file", file=path, field=field, value=name, mend=mend)
    data = path.parent / name
    if data.is_symlink():
        raise InputError("is a link to another file", file=path, field=field, value=name, mend=mend)
    if not data.is_file():
        mend = "put header and data into one folder"
        raise InputError("no such file beside the header", file=path, field=field, value=name, mend=mend)
    return data
