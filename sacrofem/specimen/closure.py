"""Contact in the gap of a comparison: the solves, and whether it mattered against the bonded law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sacrofem.mechanics.equilibrium.statics import Solved, Statics
from sacrofem.mechanics.measures.catalogue import changes
from sacrofem.mechanics.measures.measures import Measures
from sacrofem.mechanics.parts.contact import ContactState
from sacrofem.specimen.model import Model, Progress

Values = Mapping[str, float | None]
Records = dict[str, Solved]


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


def bonded_reason(model: Model) -> str | None:
    """Why a model in contact has no bonded answer to compare with; None where it has."""
    return "an open gap has no bonded law" if model.case.fracture.filler == "open" else None


def solve_closed(model: Model, statics: Statics, bonded: Records, progress: Progress) -> Records:
    """Before and after with contact, each from its bonded answer where there is one."""
    records = {}
    for name, coverage, bone in (
        ("before", np.zeros_like(model.coverage), model.bone),
        ("after", model.coverage, model.treated),
    ):
        contact = model.contact(coverage, bone)
        if contact is None:
            records[name] = bonded[name]
            continue
        progress(f"solving {name}, contact")
        loose = model.case.cement.in_gap == "contact"
        records[name] = statics.solve(
            name, bone, model.gap(coverage, bone, cement_bonded=not loose),
            fraction=model.region.fraction if name == "after" else None, coverage=coverage,
            contact=contact, start=bonded.get(name),
        )  # fmt: skip
    return records


def closure(
    model: Model, records: Mapping[str, Solved], measured: Mapping[str, Measures], bonded: Mapping[str, Measures]
) -> Closure:
    """What contact did, from the measures of both laws."""
    reason = bonded_reason(model)
    states = {name: records[name].state.contact for name in ("before", "after")}
    area = float(model.space.gap.areas.sum())
    friction = model.case.fracture.friction_coefficient
    if reason is not None:
        return Closure(friction, states, None, None, reason, area)
    values = {name: bonded[name].values for name in states}
    shift = {name: changes(values[name], measured[name].values).relative for name in states}
    return Closure(
        friction, states, {**values, "change": changes(values["before"], values["after"]).relative}, shift, None, area
    )
