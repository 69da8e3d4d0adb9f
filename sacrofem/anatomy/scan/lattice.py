"""A solid known by its signed distance on a lattice: what a scanned surface and a label map become."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.solid import Landmarks
from sacrofem.system.arrays import FloatArray

BAND = 3.0
"""Distances are exact up to so many spacings from the surface; further out they are counted in lattice steps."""
TRUNCATION_MM = 8.0
"""Where two solids are compared, distances beyond that count as that: what one lacks pulls no more."""


@dataclass(frozen=True, eq=False)
class LatticeSolid:
    """Signed distance on a regular lattice, linear between its nodes.

    Parameters
    ----------
    values : (nx, ny, nz)
        Signed distance at the nodes, mm, negative inside; positive on the whole border of the lattice.
    corner : (3,)
        First node, mm, in the axes of the file.
    spacing_mm
        Of the nodes, the same in all directions.
    frame
        Where points that are asked for lie.
    landmarks
        In that frame; None before they were found.
    """

    values: NDArray[np.float32]
    corner: FloatArray
    spacing_mm: float
    frame: Frame = field(default_factory=Frame.identity)
    landmarks: Landmarks | None = None
    symmetric: bool = False

    def placed(self, frame: Frame, landmarks: Landmarks | None = None) -> LatticeSolid:
        """The same solid in another frame."""
        return replace(self, frame=frame, landmarks=landmarks)

    @property
    def bounds(self) -> FloatArray:
        """(2, 3) box around the solid in its frame, mm."""
        inside = self.frame.place(self.inner_nodes())
        return np.array([inside.min(axis=0) - self.spacing_mm, inside.max(axis=0) + self.spacing_mm])

    def inner_nodes(self) -> FloatArray:
        """(n, 3) nodes inside the solid, mm, in the axes of the file."""
        return self.corner + self.spacing_mm * np.argwhere(self.values < 0.0)

    def signed_distance(self, points: FloatArray) -> FloatArray:
        """(n,) signed distance in mm at (n, 3) points of the frame, negative inside."""
        points = np.atleast_2d(np.asarray(points, dtype=float))
        place = (self.frame.back(points) - self.corner).T / self.spacing_mm
        top = np.array(self.values.shape)[:, None] - 1.0
        nearest = np.clip(place, 0.0, top)
        value = ndimage.map_coordinates(self.values, nearest, order=1, prefilter=False, output=np.float64)
        return np.asarray(value + self.spacing_mm * np.linalg.norm(place - nearest, axis=0))

    @property
    def volume_mm3(self) -> float:
        """Volume by the share of every cell that lies inside, mm³."""
        # A node counts in full half a spacing below the surface and not at all half a spacing above it.
        return float(np.clip(0.5 - self.values / self.spacing_mm, 0.0, 1.0).sum()) * self.spacing_mm**3


def truncated(distance: FloatArray) -> FloatArray:
    """Distances between ±`TRUNCATION_MM`."""
    return np.asarray(np.clip(distance, -TRUNCATION_MM, TRUNCATION_MM))


def far_distance(values: FloatArray, spacing_mm: float) -> FloatArray:
    """Distances that are exact in a band around the surface, counted in steps beyond it.

    Parameters
    ----------
    values
        Signed distance; where it is unknown ±inf of the right sign.
    spacing_mm
        Of the lattice.
    """
    inside = values < 0.0
    # Half a step: the surface lies between the last node of one kind and the first of the other.
    depth = ndimage.distance_transform_edt(inside, sampling=spacing_mm)
    height = ndimage.distance_transform_edt(~inside, sampling=spacing_mm)
    counted = np.where(inside, -(depth - 0.5 * spacing_mm), height - 0.5 * spacing_mm)
    # Where a surface has a hole its sign turns far from any triangle: no distance exceeds that to the other sign.
    bound = np.abs(counted) + 0.5 * spacing_mm
    return np.where(np.isfinite(values) & (np.abs(values) <= bound), values, counted)


@dataclass(frozen=True)
class Cleaned:
    """What was done to a solid so that it is one piece without hollows.

    Attributes
    ----------
    dropped_ml : tuple of float
        Volumes of further pieces, the largest first.
    filled_ml : tuple of float
        Volumes of hollows inside.
    """

    dropped_ml: tuple[float, ...]
    filled_ml: tuple[float, ...]


def cleaned(values: FloatArray, spacing_mm: float) -> tuple[FloatArray, Cleaned]:
    """The largest piece of a solid, its closed hollows filled."""
    cell = spacing_mm**3 / 1e3
    inside = values < 0.0
    label, count = ndimage.label(inside)
    sizes = np.bincount(label.ravel(), minlength=count + 1)
    main = 1 + int(sizes[1:].argmax()) if count else 0
    solid = label == main if count else inside
    dropped = tuple(sorted((cell * float(size) for k, size in enumerate(sizes) if k not in (0, main)), reverse=True))
    label, count = ndimage.label(~solid)
    hollow = ~solid & (label != label[0, 0, 0])
    hollows = np.bincount(label[hollow], minlength=1)
    filled = tuple(sorted((cell * float(size) for size in hollows if size), reverse=True))
    solid = solid | hollow
    changed = solid != inside
    if not changed.any():
        return values, Cleaned(dropped, filled)
    # Around what was taken away or filled there is no surface any more, and no distance to it.
    lost = ndimage.binary_dilation(changed, iterations=1)
    signed = np.where(solid, -np.abs(values), np.abs(values))
    return far_distance(np.where(lost, np.where(solid, -np.inf, np.inf), signed), spacing_mm), Cleaned(dropped, filled)
