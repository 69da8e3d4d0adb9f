"""The fields of a state of a comparison: what figures draw and result files carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sacrofem.mechanics.measures.statefields import StateFields

if TYPE_CHECKING:
    from sacrofem.specimen.comparison import Comparison


def state_fields(comparison: Comparison, name: str) -> StateFields:
    """All fields of the state of this name."""
    model, state = comparison.model, comparison.states[name]
    bonded = model.case.cement.in_gap != "contact"
    bone = model.treated if name == "after" else model.bone
    return StateFields(
        comparison.space,
        state.displacement,
        state.youngs,
        state.poisson,
        density=model.density,
        cement_fraction=state.fraction,
        gap_stiffness=None if name == "intact" else model.gap(state.coverage, bone, cement_bonded=bonded),
        contact=state.contact,
        coverage=state.coverage,
        cortex_thickness=state.membrane_thickness,
    )
