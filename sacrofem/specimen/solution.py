"""A solution: one solved state of a specimen, with its fields, checks and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sacrofem.mechanics.equilibrium.state import State
from sacrofem.mechanics.equilibrium.statics import Solved
from sacrofem.mechanics.linear.solver import LinearSolution
from sacrofem.mechanics.measures.catalogue import NEEDS_NO_PLAN
from sacrofem.mechanics.measures.measures import Measures, measure
from sacrofem.mechanics.measures.statefields import StateFields
from sacrofem.mechanics.measures.zones import Zones
from sacrofem.mechanics.parts.reactions import Reactions
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.fields import HasFields
from sacrofem.specimen.plan import Plan
from sacrofem.specimen.setup import Setup
from sacrofem.specimen.show import drawn
from sacrofem.system.arrays import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class Solution(HasFields):
    """One solved state.

    Attributes
    ----------
    specimen : Setup
        What was solved, without what can be found again.
    plan : Plan or None
        The cement in it.
    solved : Solved
        State, linear solution, reactions and checks.
    bonded : Solved or None
        Where something is in contact: the same state with everything bonded, which contact was looked for from.
    """

    specimen: Setup
    plan: Plan | None
    solved: Solved
    bonded: Solved | None = None

    def __repr__(self) -> str:
        return f"Solution({self.name!r} of {self.specimen!r}: {self.linear.method})"

    # ------------------------------------------------------------------ what was solved
    @property
    def name(self) -> str:
        """``"intact"``, ``"before"`` or ``"after"``."""
        return self.state.name

    @property
    def state(self) -> State:
        """Displacement, moduli, gap and cement of the state."""
        return self.solved.state

    @cached_property
    def fields(self) -> StateFields:
        """All fields by name."""
        state = self.state
        return StateFields(
            self.space,
            state.displacement,
            state.bone.youngs,
            state.bone.poisson,
            density=self.specimen.bone.density,
            cement_fraction=state.fraction,
            gap_stiffness=state.gap,
            contact=state.contact,
            coverage=state.coverage,
            cortex_thickness=state.cortex.thickness,
        )

    @property
    def density(self) -> FloatArray:
        """(m,) density that the modulus of bone was found from, without cement, g/cm³."""
        return self.specimen.bone.density

    @property
    def cement_fraction(self) -> FloatArray:
        """(m,) share of the pores of each tet that cement fills."""
        return self.state.fraction

    @property
    def space(self) -> Space:
        """Displacements on the split mesh."""
        return self.specimen.space

    @property
    def mesh(self) -> TetMesh:
        """The split mesh."""
        return self.specimen.mesh

    @property
    def linear(self) -> LinearSolution:
        """Method, iterations, true residual and seconds of the solve."""
        return self.solved.solution

    @property
    def reactions(self) -> Reactions:
        """What joints and ligaments put on the sacrum."""
        return self.solved.reactions

    @property
    def checks(self) -> Mapping[str, float | None]:
        """Residual and imbalances of force, moment, energy and fracture, relative."""
        return self.solved.checks

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of this state has to know, beside the notes of specimen and plan."""
        wanted = self.specimen.case.solver.tolerance
        if self.linear.residual <= wanted:
            return ()
        return (
            f"the {self.name} solve stopped at a relative residual of {self.linear.residual:.1e}, "
            f"above solver.tolerance = {wanted:g}",
        )

    def plot(self, name: str = "von_mises") -> Any:
        """A matplotlib figure of a field on a section through the fracture.

        Raises
        ------
        InputError
            No such field.
        """
        return drawn(self, name)

    # ------------------------------------------------------------------ measures
    def measured(self, zones: Zones, *, bonded: bool = False, strain: FloatArray | None = None) -> Measures:
        """All measures in given zones.

        Parameters
        ----------
        zones
        bonded
            Of the bonded answer instead, where something is in contact.
        strain : (m q, 3), optional
            `principal_strain`, where it is known already.
        """
        solved = self.bonded if bonded and self.bonded is not None else self.solved
        return measure(
            self.space,
            solved.state,
            zones,
            resultant=self.specimen.loading.resultant,
            reactions=solved.reactions,
            aperture_mm=self.specimen.gap_law.aperture_mm,
            empty_gap=self.specimen.gap_law.open,
            strain=strain,
        )

    @cached_property
    def measures(self) -> Mapping[str, float | None]:
        """The measures that need no plan: motion of the gap, stiffness, energy, shares of the load.

        Those of bone leave cement out and belong to a comparison.
        """
        values = self.measured(self.specimen.zones()).values
        return {key: values[key] for key in NEEDS_NO_PLAN}

    @property
    def provenance(self) -> dict[str, Any]:
        """Case, state, mesh, bone and solver that these numbers come from."""
        return {
            "case": self.specimen.case.name if self.plan is None else self.plan.case.name,
            "state": self.name,
            "mesh": {**self.specimen.mesh_info, "origin": self.specimen.mesh_origin},
            "bone": self.specimen.bone.provenance.to_json(),
            "given_in_python": list(self.specimen.given.what),
            "method": self.linear.method,
            "iterations": self.linear.iterations,
            "residual": self.linear.residual,
        }

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("specimen", "plan", "solved", "bonded")}
