"""Needles, and what is injected through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

if TYPE_CHECKING:
    pass

Triple = tuple[float, float, float]
Gauge = Literal[10, 11, 13]

#: Outer diameters, mm; standard gauge table [K].
OUTER_DIAMETER_MM: Mapping[int, float] = MappingProxyType({10: 3.40, 11: 3.05, 13: 2.41})


@dataclass(frozen=True)
class Needle:
    """A straight needle from its entry on the bone to its tip.

    Parameters
    ----------
    entry_mm, target_mm
        Entry point and tip, mm, anatomical frame.
    gauge
        10, 11 or 13.

    Raises
    ------
    InputError
        Points that are not finite or coincide, or another gauge.
    """

    entry_mm: Triple
    target_mm: Triple
    gauge: Gauge = 11

    def __post_init__(self) -> None:
        for name in ("entry_mm", "target_mm"):
            value = getattr(self, name)
            if np.shape(value) != (3,) or not np.isfinite(value).all():
                raise InputError(
                    "needs three finite numbers", field=f"cement.injections.{name}", value=value, mend="give x, y, z"
                )
            object.__setattr__(self, name, tuple(float(x) for x in value))
        if self.gauge not in get_args(Gauge):
            raise InputError(
                "no such needle", field="cement.injections.gauge", value=self.gauge, mend="use 10, 11 or 13"
            )
        if self.length_mm < 1e-6:
            raise InputError(
                "entry and target coincide",
                field="cement.injections.entry_mm", value=self.entry_mm, mend="give two different points",
            )  # fmt: skip

    @property
    def length_mm(self) -> float:
        """Distance from entry to tip."""
        return float(np.linalg.norm(np.subtract(self.target_mm, self.entry_mm)))

    @property
    def direction(self) -> FloatArray:
        """(3,) unit vector from entry to tip."""
        return np.asarray(np.subtract(self.target_mm, self.entry_mm) / self.length_mm)

    @property
    def diameter_mm(self) -> float:
        """Outer diameter."""
        return OUTER_DIAMETER_MM[self.gauge]
