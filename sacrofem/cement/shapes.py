"""The shapes in which cement spreads from a needle: families of nested regions, grown until they hold the volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

#: A 9 ml sphere has 12.9 mm radius [D], wider than most alae: a bolus that needs more
#: than this has run out of bone.
MAX_RADIUS_MM = 20.0


@runtime_checkable
class Spread(Protocol):
    """A family of nested regions around a needle tip, {points whose ``size`` is below s}, growing with s."""

    @property
    def max_radius_mm(self) -> float:
        """Largest s."""
        ...

    def size(self, points: FloatArray, tip: FloatArray, direction: FloatArray, depth_mm: float) -> FloatArray:
        """The s at which the region reaches each of (n, 3) points.

        It is 0 at the tip, changes by at most 1 mm per mm, and does not know the volume, so that more
        cement contains less cement. ``direction`` is the unit vector from entry to tip, ``depth_mm`` the
        length of the needle in bone.
        """
        ...


def _check(name: str, value: float, lowest: float, mend: str) -> None:
    if not (np.isfinite(value) and value >= lowest):
        raise InputError(f"must be at least {lowest:g}", field=f"cement.spread.{name}", value=value, mend=mend)


@dataclass(frozen=True)
class Column:
    """A capsule: everything within the radius of a piece of the needle's axis, from the tip backwards.

    Parameters
    ----------
    length_mm
        Length of the piece, cut off at the entry; 0 gives a sphere.
    max_radius_mm
        Where growth ends.
    """

    length_mm: float = 15.0
    max_radius_mm: float = MAX_RADIUS_MM

    def __post_init__(self) -> None:
        _check("length_mm", self.length_mm, 0.0, "15 mm suits a short-axis needle")
        _check("max_radius_mm", self.max_radius_mm, 1.0, f"{MAX_RADIUS_MM:g} mm is the default")

    def size(self, points: FloatArray, tip: FloatArray, direction: FloatArray, depth_mm: float) -> FloatArray:
        """Distance from the axis piece, mm."""
        relative = points - tip
        behind = np.clip(-(relative @ direction), 0.0, min(self.length_mm, depth_mm))
        return np.asarray(np.linalg.norm(relative + behind[:, None] * direction, axis=1))


@dataclass(frozen=True)
class Ellipsoid:
    """A prolate ellipsoid along the needle, centred at the tip.

    Parameters
    ----------
    aspect
        Long over short axis, at least 1.
    max_radius_mm
        Where growth of the short semi-axis ends.
    """

    aspect: float = 1.5
    max_radius_mm: float = MAX_RADIUS_MM

    def __post_init__(self) -> None:
        _check("aspect", self.aspect, 1.0, "1 is a sphere")
        _check("max_radius_mm", self.max_radius_mm, 1.0, f"{MAX_RADIUS_MM:g} mm is the default")

    def size(self, points: FloatArray, tip: FloatArray, direction: FloatArray, depth_mm: float) -> FloatArray:
        """Short semi-axis of the ellipsoid through each point, mm."""
        relative = points - tip
        along = relative @ direction
        across = relative - along[:, None] * direction
        return np.asarray(np.sqrt(np.einsum("nx,nx->n", across, across) + (along / self.aspect) ** 2))


#: Column of a short-axis needle [K]: with its round ends it spans most of the depth of an ala.
SHORT_AXIS_COLUMN = Column(15.0)
#: Column left by a withdrawn long-axis needle, which lays cement down along the fracture (Smith & Gilula 2006 [A]);
#: its length [D].
LONG_AXIS_COLUMN = Column(40.0)
