"""Many cement plans on one model: one mesh, one fracture, one load, each plan a comparison.

The state before cement is solved once, every treated state by the scenario engine, and all are
measured in one set of zones that the union of the plans fixes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sacrofem.case.case import Case
from sacrofem.cement.safety import Safety
from sacrofem.cement.spread import CementRegion
from sacrofem.errors import InputError, SacrofemError
from sacrofem.mechanics.batch.scenarios import Scenario, ScenarioEngine, touched
from sacrofem.mechanics.equilibrium.kernels import warm_up
from sacrofem.mechanics.equilibrium.statics import Solved
from sacrofem.mechanics.measures.zones import Zones
from sacrofem.specimen.cement import cement_of
from sacrofem.specimen.comparison import Comparison, comparison_of, measure_states, statics_of, zones_of
from sacrofem.specimen.model import Model, Progress, prepare, with_cement
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.threads import threads

__all__ = ["Plans", "compare_plans"]

# A batch of lanes takes as long as about six fresh solves, however many of its lanes are used, and has kernels of its
# own to compile.
FEW = 6


@dataclass(frozen=True, eq=False)
class _Placed:
    """A plan's cement without the zeros, so that a thousand plans fit into memory."""

    case: Case
    tets: IntArray
    fraction: FloatArray
    points: IntArray
    coverage: FloatArray
    region: CementRegion
    safety: Safety
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, model: Model) -> _Placed:
        tets, points = np.flatnonzero(model.region.fraction), np.flatnonzero(model.coverage)
        empty = np.zeros(0)
        return cls(
            model.case, tets, model.region.fraction[tets], points, model.coverage.ravel()[points],
            replace(model.region, fraction=empty, coverage=empty), model.safety, model.warnings,
        )  # fmt: skip

    def on(self, model: Model) -> Model:
        """The model with this plan's cement."""
        fraction = np.zeros(len(model.mesh.tets))
        fraction[self.tets] = self.fraction
        coverage = np.zeros(model.coverage.shape)
        coverage.ravel()[self.points] = self.coverage
        region = replace(self.region, fraction=fraction, coverage=coverage)
        return replace(
            model, case=self.case, region=region, coverage=coverage, cement=cement_of(self.case), safety=self.safety,
            warnings=self.warnings,
        )  # fmt: skip


class Plans:
    """Cement plans of one case, ready to be solved.

    Parameters
    ----------
    cases : sequence of Case
        They differ in ``cement`` only; their order is kept.
    progress
        Called with the name of each stage as it begins.
    model : Model, optional
        Of any of the cases, prepared already.
    refused : dict, optional
        Filled with the error of each plan, by its place, that cannot be placed; without it the first one is raised.

    Attributes
    ----------
    model : Model
        Of the first case.
    engine : ScenarioEngine
    zones : Zones
        From the union of all plans.
    before : Solved

    Raises
    ------
    InputError
        There is no case, the cases differ in more than cement, or a plan cannot be placed.
    """

    model: Model
    engine: ScenarioEngine
    zones: Zones
    before: Solved

    def __init__(
        self,
        cases: Sequence[Case],
        *,
        progress: Progress | None = None,
        model: Model | None = None,
        refused: dict[int, SacrofemError] | None = None,
    ) -> None:
        if not cases:
            raise InputError("no plan is given", field="cases", mend="give one case at least")
        say = progress or (lambda stage: None)
        self.model = prepare(cases[0], say) if model is None else with_cement(model, cases[0])
        say(f"placing {len(cases)} plans")
        self._placed: dict[int, _Placed] = {}
        for place, case in enumerate(cases):
            try:
                self._placed[place] = self._place(case)
            except SacrofemError as error:
                if refused is None:
                    raise
                refused[place] = error
        baseline = self._scenario(self.model, treated=False)
        placed_models = (placed.on(self.model) for placed in self._placed.values())
        tets, pairs = touched(baseline, (self._scenario(model) for model in placed_models))
        say("kernels (compiled once)")
        warm_up()
        self._statics = statics_of(self.model)
        say("solving before")
        bone = self.model.bone
        self.before = self._statics.solve("before", bone, baseline.gap)
        say("setting up scenarios")
        self.engine = ScenarioEngine(
            self.model.space, self.model.membrane, self.model.supports, self.model.force, baseline, tets, pairs,
            tolerance=self.model.case.solver.tolerance,
            start=self.before.state.displacement,
            method="fresh" if len(cases) <= FEW else "auto",
        )  # fmt: skip
        self.zones = zones_of(self._union())
        self._before = measure_states(self.model, {"before": self.before}, self.zones)

    def _place(self, case: Case) -> _Placed:
        model = with_cement(self.model, case)
        if model.touches:
            raise InputError(
                "contact is not linear, and plans are solved together as linear problems",
                field="fracture.closure" if case.fracture.closure == "contact" else "cement.in_gap",
                value="contact",
                mend='use "bonded", or compare the cases one by one',
            )
        return _Placed.of(model)

    def __len__(self) -> int:
        return len(self._placed)

    def _scenario(self, model: Model, *, treated: bool = True) -> Scenario:
        if not treated:
            return Scenario(model.bone, model.gap(np.zeros_like(model.coverage), model.bone))
        if model.fillers[0] != self.model.fillers[0]:
            raise InputError(
                "differs between the plans, and the unfilled gap takes its modulus from it",
                field="cement.material",
                value=model.case.cement.material,
                mend="give the same in all plans, or another fracture.filler",
            )
        return Scenario(model.treated, model.gap(model.coverage, model.treated))

    def _union(self) -> Model:
        """A model whose cement is everywhere that any plan puts some."""
        fraction = np.zeros(len(self.model.mesh.tets))
        for placed in self._placed.values():
            np.maximum.at(fraction, placed.tets, placed.fraction)
        largest = max(self._placed.values(), key=lambda placed: placed.region.placed_ml)
        return replace(self.model, region=replace(largest.region, fraction=fraction, coverage=self.model.coverage))

    def solve(self, places: Sequence[int] | None = None, *, audit: float = 0.0, seed: int = 0) -> Iterator[Comparison]:
        """One comparison a plan, in the order of the cases; no more than a batch is held at a time.

        Parameters
        ----------
        places
            Only these plans, by their places among the cases.
        audit
            Share of the plans, drawn at random, that are solved afresh as well and compared.
        seed
            Of that draw.

        Raises
        ------
        SolverError
            A solve failed or did not balance, or an audited one is off by more than 1e-8 in energy norm.
        """
        pending: list[tuple[Model, Scenario]] = []
        chosen = list(self._placed.values()) if places is None else [self._placed[place] for place in places]

        def scenarios() -> Iterator[Scenario]:
            for placed in chosen:
                model = placed.on(self.model)
                pending.append((model, self._scenario(model)))
                yield pending[-1][1]

        for solved in self.engine.solve(scenarios(), audit=audit, seed=seed):
            model, scenario = pending.pop(0)
            after = self._statics.recorded(
                "after", solved.solution, solved.internal, scenario.bone, scenario.gap,
                fraction=model.region.fraction, coverage=model.coverage,
            )  # fmt: skip
            records = {"before": self.before, "after": after}
            measured = self._before | measure_states(model, {"after": after}, self.zones)
            yield comparison_of(model, records, measured, self.zones)


def compare_plans(
    cases: Sequence[Case], *, audit: float = 0.0, seed: int = 0, progress: Progress | None = None
) -> Iterator[Comparison]:
    """Compare many cement plans of one case; see `Plans`.

    Parameters
    ----------
    cases : sequence of Case
        They differ in ``cement`` only.
    audit, seed
        Share of plans that are solved afresh as a check, and the seed of their draw.
    progress
        Called with the name of each stage as it begins.

    Yields
    ------
    Comparison
        In the order of the cases.
    """
    if not cases:
        raise InputError("no plan is given", field="cases", mend="give one case at least")
    with threads(cases[0].solver.threads):
        yield from Plans(cases, progress=progress).solve(audit=audit, seed=seed)
