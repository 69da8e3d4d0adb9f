"""Many cement plans on one specimen: the state before cement is solved once, all treated states side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from sacrofem.errors import InputError
from sacrofem.mechanics.batch.solver import BatchSolver, MaterialState, touched
from sacrofem.mechanics.measures.zones import ReferencePlan, Zones
from sacrofem.mechanics.space.principal import principal_strains
from sacrofem.specimen.comparison import Comparison, comparison_of, in_common_zones
from sacrofem.specimen.plan import PackedPlan, Plan
from sacrofem.specimen.recipe import Recipe, after_recipe, before_recipe
from sacrofem.specimen.setup import Setup
from sacrofem.specimen.solution import Solution
from sacrofem.system.arrays import FloatArray
from sacrofem.system.progress import stage
from sacrofem.system.threads import step_by_step

# A batch of lanes takes as long as about six fresh solves, however many of its lanes are used, and has kernels of its
# own to compile.
FEW = 6


class Sweep:
    """Plans on one specimen, ready to be solved.

    Parameters
    ----------
    specimen : Setup
    plans : sequence of Plan
        Their order is kept.
    before : Solution
        Of the same specimen.
    intact : Solution, optional
        Of the unbroken bone: every comparison has it then.
    common_zones
        Measure in a zone common to all plans as well.

    Raises
    ------
    InputError
        There is no plan, or one has something in contact: those are solved one by one.
    """

    def __init__(
        self,
        specimen: Setup,
        plans: Sequence[Plan | PackedPlan],
        before: Solution,
        *,
        intact: Solution | None = None,
        common_zones: bool = False,
    ) -> None:
        if not plans:
            raise InputError("no plan is given", field="plans", mend="give one at least")
        specimen.case.check_one_load("a sweep of plans")
        self.specimen, self.before, self.intact = specimen, before, intact
        self._plans = [plan if isinstance(plan, PackedPlan) else PackedPlan.of(plan) for plan in plans]
        for packed in self._plans:
            if specimen.gap_law.touches(packed.plan.in_gap):
                raise InputError(
                    "contact is not linear, and plans are solved together as linear problems",
                    field="fracture.closure" if specimen.gap_law.closes else "cement.in_gap",
                    value="contact",
                    mend='use "bonded", or compare the cases one by one',
                )
        self._common = self._common_zones() if common_zones else None

    def __len__(self) -> int:
        return len(self._plans)

    @cached_property
    def engine(self) -> BatchSolver:
        """Set up for whatever any of the plans changes."""
        stage("setting up plans")
        specimen = self.specimen
        bone = specimen.bone.elasticity
        baseline = _state(before_recipe(specimen.space, bone, specimen.gap_law))
        tets, pairs = touched(baseline, (self._state(packed.unpacked()) for packed in self._plans))
        return BatchSolver(
            specimen.space, specimen.parts, baseline, tets, pairs,
            tolerance=specimen.case.solver.tolerance,
            start=self.before.state.displacement,
            method="fresh" if len(self._plans) <= FEW else "auto",
            assembly=specimen.case.solver.assembly,
        )  # fmt: skip

    @cached_property
    def _strains(self) -> dict[str, FloatArray]:
        """Principal strains of what all plans are compared with."""
        known = (self.before, *([] if self.intact is None else [self.intact]))
        return {solution.name: principal_strains(solution.space, solution.state.displacement) for solution in known}

    def _state(self, plan: Plan) -> MaterialState:
        return _state(self._recipe(plan))

    def _recipe(self, plan: Plan) -> Recipe:
        return after_recipe(self.specimen.space, self.specimen.bone.elasticity, self.specimen.gap_law, plan)

    def _common_zones(self) -> Zones:
        """Zones that leave out the cement of every plan."""
        fraction = np.zeros(len(self.specimen.mesh.tets))
        for packed in self._plans:
            np.maximum.at(fraction, packed.tets, packed.fraction)
        largest = max(packed.plan.region.placed_ml for packed in self._plans)
        return self.specimen.zone_finder.zones(ReferencePlan(fraction, largest) if fraction.any() else None)

    def solve(self, places: Sequence[int] | None = None, *, audit: float = 0.0, seed: int = 0) -> Iterator[Comparison]:
        """One comparison a plan, in their order; no more than a batch is held at a time.

        Parameters
        ----------
        places
            Only these plans, by their places in the sequence.
        audit
            Share of the plans, drawn at random, that are solved afresh as well and compared.
        seed
            Of that draw.

        Raises
        ------
        SolverError
            A solve failed or did not balance, or an audited one is off by more than 1e-8 in energy norm.
        """
        chosen = self._plans if places is None else [self._plans[place] for place in places]
        return step_by_step(self._solved(chosen, audit, seed), self.specimen.case.solver.threads)

    def _solved(self, chosen: Sequence[PackedPlan], audit: float, seed: int) -> Iterator[Comparison]:
        specimen = self.specimen
        pending: list[tuple[Plan, Recipe]] = []

        def states() -> Iterator[MaterialState]:
            for packed in chosen:
                plan = packed.unpacked()
                pending.append((plan, self._recipe(plan)))
                yield _state(pending[-1][1])

        lean = specimen.without_caches()
        for solved in self.engine.solve(states(), audit=audit, seed=seed):
            plan, recipe = pending.pop(0)
            record = specimen.statics.recorded(
                recipe.name, solved.solution, solved.internal, recipe.bone, recipe.gap, fraction=recipe.fraction,
                coverage=recipe.coverage,
            )  # fmt: skip
            comparison = comparison_of(
                self.before, Solution(lean, plan, record), intact=self.intact, zones=specimen.zones(plan),
                strain=self._strains,
            )  # fmt: skip
            if self._common is not None:
                comparison = in_common_zones(comparison, self._common, len(self._plans))
            yield comparison


def _state(recipe: Recipe) -> MaterialState:
    return MaterialState(recipe.bone, recipe.gap)
