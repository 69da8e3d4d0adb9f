"""What grows from a needle: a family of nested regions, whether of a shape or of a flow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sacrofem.cement.flow import FlowArrival
from sacrofem.cement.needle import Needle
from sacrofem.cement.shapes import Spread
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ShapeArrival:
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


@dataclass(frozen=True, eq=False)
class FirstArrival:
    """Flows from several needles at once: the region is reached by the first of them.

    Parameters
    ----------
    arrivals : tuple of FlowArrival
    """

    arrivals: tuple[FlowArrival, ...]

    @property
    def largest(self) -> float:
        """The s up to which no region touches the border of its lattice."""
        return min(arrival.largest for arrival in self.arrivals)

    def first(self, points: FloatArray) -> IntArray:
        """(n,) number of the needle whose cement reaches each of (n, 3) points first."""
        return np.asarray(np.argmin([arrival.size(points) for arrival in self.arrivals], axis=0))

    def size(self, points: FloatArray) -> FloatArray:
        """(n,) time of the first arrival at (n, 3) points."""
        return np.asarray(np.min([arrival.size(points) for arrival in self.arrivals], axis=0))

    def slope(self, points: FloatArray) -> FloatArray:
        """(n,) how much it changes in a mm."""
        slopes = np.array([arrival.slope(points) for arrival in self.arrivals])
        return np.asarray(np.take_along_axis(slopes, self.first(points)[None], axis=0)[0])

    def bounds(self, points: FloatArray, reach_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n,) least and (n,) greatest arrival time within ``reach_mm`` (n,) of the points, or more than that."""
        low, high = zip(*(arrival.bounds(points, reach_mm) for arrival in self.arrivals), strict=True)
        return np.asarray(np.min(low, axis=0)), np.asarray(np.min(high, axis=0))

    def in_pores(self, s: float) -> None:
        """Not known: lattices overlap."""

    @cached_property
    def _own_cells(self) -> list[BoolArray]:
        """Which cells outside the bone each flow reaches before the others do."""
        return [self.first(arrival.outside_points) == number for number, arrival in enumerate(self.arrivals)]

    @property
    def outside_points(self) -> FloatArray:
        """(k, 3) middles of the cells outside the bone, needle after needle."""
        return np.concatenate([arrival.outside_points for arrival in self.arrivals])

    @property
    def outside_owner(self) -> IntArray:
        """(k,) number of the needle that each of them belongs to."""
        return np.repeat(np.arange(len(self.arrivals)), [len(arrival.outside_points) for arrival in self.arrivals])

    def outside_volumes(self, s: float) -> FloatArray:
        """(k,) mm³ of each of these cells that the region fills."""
        return np.concatenate(
            [np.where(own, f.outside_volumes(s), 0.0) for own, f in zip(self._own_cells, self.arrivals, strict=True)]
        )


#: The regions are {size < s}.
Arrival = ShapeArrival | FlowArrival | FirstArrival
