"""What grows from a needle: a family of nested regions, whether of a shape or of a flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sacrofem.cement.flow import Arrival
from sacrofem.cement.needle import Needle
from sacrofem.cement.shapes import Spread
from sacrofem.mesh.tetmesh import FloatArray


@dataclass(frozen=True, eq=False)
class ShapeFront:
    """A shape at a needle: its regions, and that none of it is outside the bone.

    Parameters
    ----------
    spread : Spread
    needle : Needle
    """

    spread: Spread
    needle: Needle

    @property
    def largest(self) -> float:
        """Where growth ends, mm."""
        return self.spread.max_radius_mm

    def size(self, points: FloatArray) -> FloatArray:
        """(n,) the s at which the region reaches each of (n, 3) points."""
        needle = self.needle
        return self.spread.size(points, np.asarray(needle.target_mm), needle.direction, needle.length_mm)

    def slope(self, points: FloatArray) -> FloatArray:
        """(n,) ones: s is a length."""
        return np.ones(len(points))

    def bounds(self, points: FloatArray, reach_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n,) least and (n,) greatest size within ``reach_mm`` (n,) of each of the points: it changes by 1 at most."""
        size = self.size(points)
        return size - reach_mm, size + reach_mm

    def in_pores(self, s: float) -> None:
        """Not known without the mesh."""

    @property
    def outside_points(self) -> FloatArray:
        """(0, 3): a shape keeps to the bone."""
        return np.empty((0, 3))

    def outside_volumes(self, s: float) -> FloatArray:
        """(0,)."""
        return np.empty(0)


#: The regions are {size < s}.
Front = ShapeFront | Arrival
