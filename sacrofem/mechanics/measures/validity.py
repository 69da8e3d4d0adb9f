"""Whether numbers lie inside what small displacement and elasticity can say: inside, amber, or outside the model.

Each check has two bounds. Above the first a reader must know of it; above the second the assumption is broken and the
numbers are no headline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray

Standing = Literal["inside", "amber", "outside"]
_ORDER: tuple[Standing, ...] = ("inside", "amber", "outside")


@dataclass(frozen=True)
class Check:
    """One number against its bounds.

    Attributes
    ----------
    words : str
        What the number is.
    unit : str
        Of number and bounds as they are shown: ``%``, ``mm`` or ``°``.
    amber, outside : float
        Bounds: up to the first the number is inside, above the second outside.
    source : str
        Where the bounds are from.
    number : float or None
        The larger of those before and after cement; None where it means nothing.
    at : str
        The state of that number, ``before`` or ``after``.
    reason : str
        Why there is no number.
    """

    words: str
    unit: str
    amber: float
    outside: float
    source: str
    number: float | None = None
    at: str = ""
    reason: str = ""

    @property
    def state(self) -> Standing:
        """Where the number stands."""
        if self.number is None or self.number <= self.amber:
            return "inside"
        return "amber" if self.number <= self.outside else "outside"

    @property
    def bound(self) -> float:
        """The bound that the number passes, or the first one."""
        return self.outside if self.state == "outside" else self.amber

    def __str__(self) -> str:
        def shown(value: float) -> str:
            scaled = 100.0 * value if self.unit == "%" else value
            return f"{scaled:,.0f}" if scaled >= 100.0 else f"{scaled:.2g}"

        space = "" if self.unit == "°" else " "
        number = "–" if self.number is None else shown(self.number)
        return f"{self.words} {number}{space}{self.unit} {self.at} cement (bound {shown(self.bound)}{space}{self.unit})"

    def to_json(self) -> dict[str, Any]:
        """As plain data; percentages as shares."""
        return {
            "state": self.state,
            "number": self.number,
            "bound": self.bound,
            "amber": self.amber,
            "outside": self.outside,
            "unit": "" if self.unit == "%" else self.unit,
            "at": self.at,
            "what": self.words,
            "source": self.source,
            "reason": self.reason,
        }


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "gap_strain": Check(
            "gap strain", "%", 0.3, 1.0,
            "mean micromotion over aperture; above 30 % a gap law without geometry is off by its square, a tenth [D]; "
            "granulation tissue bears up to 100 % (Perren [K])",
        ),
        "micromotion": Check(
            "micromotion", "mm", 1.0, 2.0,
            "mean; less than 1 mm is what fixations are held to (Peng 2021 [A]); faces that were opposite are so no "
            "more beyond 2 mm, the gap of a reduced fracture (PMC4633425 [A])",
        ),
        "beyond_yield": Check(
            "cancellous bone beyond yield", "%", 0.02, 0.5,
            "share of the volume above 0.8 % compressive or 0.7 % tensile strain (Morgan & Keaveny 2001 [K]); 2 % is "
            "where the yield load is read off, above one half more bone yields than does not [D]",
        ),
        "rotation": Check(
            "rotation", "°", 2.1, 6.8,
            "95th percentile over the bone; small-displacement theory is off by half its square in strain: a tenth of "
            "the tensile yield strain at 2.1°, all of it at 6.8° [D]",
        ),
    }
)  # fmt: skip
"""All checks, without numbers."""


@dataclass(frozen=True)
class Extremes:
    """The numbers of one state that its validity rests on; None where they mean nothing, with the reason.

    Attributes
    ----------
    gap_strain, micromotion, beyond_yield, rotation : float or None
        Share, mm, share, degrees.
    reasons : mapping of str to str
    """

    gap_strain: float | None
    micromotion: float | None
    beyond_yield: float | None
    rotation: float | None
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class Validity:
    """The verdict on all numbers of a comparison.

    Attributes
    ----------
    checks : mapping of str to Check
    """

    checks: Mapping[str, Check] = field(default_factory=dict)

    @property
    def state(self) -> Standing:
        """The worst of the checks."""
        return max((check.state for check in self.checks.values()), key=_ORDER.index, default="inside")

    @property
    def outside(self) -> bool:
        """Whether the numbers are no headline."""
        return self.state == "outside"

    @property
    def text(self) -> str:
        """The verdict in a sentence: the checks that make it."""
        state = self.state
        if state == "inside":
            return "inside the model"
        words = "outside the model" if state == "outside" else "at the edge of the model"
        named = "; ".join(str(check) for check in self.checks.values() if check.state == state)
        return f"{words}: {named}" + ("; its numbers are no headline" if state == "outside" else "")

    def to_json(self) -> dict[str, Any]:
        """The key ``validity`` of ``comparison.json``."""
        checks = {name: check.to_json() for name, check in self.checks.items()}
        return {"state": self.state, "text": self.text, "checks": checks}


def validity(states: Mapping[str, Extremes]) -> Validity:
    """The verdict from the numbers of several states.

    Parameters
    ----------
    states : mapping of str to Extremes
        By name, such as ``before`` and ``after``.
    """
    found = {}
    for key, check in CHECKS.items():
        numbers = {name: value for name, one in states.items() if (value := getattr(one, key)) is not None}
        if numbers:
            at = max(numbers, key=lambda name: numbers[name])
            found[key] = replace(check, number=numbers[at], at=at)
        else:
            reason = next((one.reasons[key] for one in states.values() if key in one.reasons), "")
            found[key] = replace(check, reason=reason)
    return Validity(found)


def rotations(space: Space, displacement: FloatArray) -> FloatArray:
    """(m,) rotation of each tet in degrees, from the displacement of its corners."""
    corners = displacement[space.mesh.tets]
    gradient = np.einsum("mai,maj->mij", corners, space.barycentric_gradients)
    spin = gradient - gradient.transpose(0, 2, 1)
    angle = 0.5 * np.sqrt(spin[:, 2, 1] ** 2 + spin[:, 0, 2] ** 2 + spin[:, 1, 0] ** 2)
    return np.asarray(np.degrees(angle))
