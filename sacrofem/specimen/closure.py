"""Contact in the gap of a comparison, and whether it mattered against the bonded law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sacrofem.mechanics.measures.catalogue import changes
from sacrofem.mechanics.measures.measures import Measures
from sacrofem.mechanics.parts.contact import ContactState
from sacrofem.specimen.solution import Solution

Values = Mapping[str, float | None]


@dataclass(frozen=True, eq=False)
class Closure:
    """How contact in the gap compares with the bonded law.

    Attributes
    ----------
    friction : float
    states : mapping of str to ContactState or None
        Of ``"before"`` and ``"after"``; None where nothing in the gap can touch.
    bonded : mapping of str to mapping, or None
        Measures before and after with everything bonded, and their ``"change"``.
    shift : mapping of str to mapping, or None
        (contact - bonded) / bonded of every measure, before and after.
    reason : str or None
        Why there is no bonded answer.
    """

    friction: float
    states: Mapping[str, ContactState | None]
    bonded: Mapping[str, Values] | None
    shift: Mapping[str, Values] | None
    reason: str | None
    fracture_mm2: float

    @property
    def mattered(self) -> bool:
        """Whether anything touched in the end, or cement was free to part."""
        states = [state for state in self.states.values() if state is not None]
        return any(bool(state.closed.any()) or not state.rigid.all() for state in states)

    def to_json(self) -> dict[str, Any]:
        """The value of ``contact`` in ``comparison.json``."""
        return {
            "friction": self.friction,
            "mattered": self.mattered,
            "before": self._state("before"),
            "after": self._state("after"),
            "bonded": None if self.bonded is None else {name: dict(values) for name, values in self.bonded.items()},
            "shift": None if self.shift is None else {name: dict(values) for name, values in self.shift.items()},
            "reason": self.reason,
        }

    def _state(self, name: str) -> dict[str, Any] | None:
        state = self.states[name]
        if state is None:
            return None
        return {
            "closed_share": state.closed_mm2 / self.fracture_mm2,
            "closed_mm2": state.closed_mm2,
            "cement_closed_mm2": state.cement_closed_mm2,
            "penetration_um": 1e3 * state.penetration_mm,
            "dissipated_nmm": state.dissipated_nmm,
            "steps": [asdict(step) for step in state.steps],
        }

    def notes(self) -> list[str]:
        """What a reader of the result has to know, in sentences."""
        if not self.mattered:
            return ["nothing in the gap touches: the contact result is the bonded result"]
        parts = []
        for name, state in self.states.items():
            if state is None:
                continue
            share = 100 * state.closed_mm2 / self.fracture_mm2
            text = f"{name}: bone touches on {share:.2g} % of the fracture"
            if state.cement_closed_mm2 or not state.rigid.all():
                text += f", cement on {100 * state.cement_closed_mm2 / self.fracture_mm2:.2g} %"
            parts.append(text)
        note = f"contact in the gap, friction {self.friction:g}; " + "; ".join(parts)
        if self.shift is None:
            return [note]
        key = "micromotion_mean_um"
        moved = [
            f"{100 * shift:+.2g} % {name}" for name, values in self.shift.items() if (shift := values[key]) is not None
        ]
        if moved:
            note += f"; against the bonded law it changes mean micromotion by {' and '.join(moved)}"
        return [note]


def closure(
    before: Solution, after: Solution, measured: Mapping[str, Measures], bonded: Mapping[str, Measures]
) -> Closure:
    """What contact did, from the measures of both laws."""
    specimen = after.specimen
    states = {solution.name: solution.state.contact for solution in (before, after)}
    area = float(specimen.space.gap.areas.sum())
    friction = specimen.gap_law.friction
    if specimen.gap_law.open:
        return Closure(friction, states, None, None, "an open gap has no bonded law", area)
    values = {name: bonded[name].values for name in states}
    shift = {name: changes(values[name], measured[name].values).relative for name in states}
    return Closure(
        friction, states, {**values, "change": changes(values["before"], values["after"]).relative}, shift, None, area
    )
