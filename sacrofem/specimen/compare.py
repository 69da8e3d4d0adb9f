"""The main job: one case, or two solutions, compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import overload

from sacrofem.anatomy.solid import Landmarks
from sacrofem.case.case import MAIN_LOAD, Case
from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.comparison import Comparison, comparison_of
from sacrofem.specimen.plan import PackedPlan
from sacrofem.specimen.solution import Solution
from sacrofem.specimen.specimen import Specimen
from sacrofem.specimen.sweep import Sweep
from sacrofem.system.progress import stage
from sacrofem.system.threads import threads


@overload
def compare(
    case: Case, /, *, intact: bool = False, mesh: TetMesh | None = None, landmarks: Landmarks | None = None
) -> Comparison: ...


@overload
def compare(before: Solution, after: Solution, /, *, intact: Solution | None = None) -> Comparison: ...


def compare(
    case: Case | Solution,
    after: Solution | None = None,
    /,
    *,
    intact: bool | Solution | None = False,
    mesh: TetMesh | None = None,
    landmarks: Landmarks | None = None,
) -> Comparison:
    """What cement does: solve a case before and after it, or compare two solutions.

    Parameters
    ----------
    case
        Solved before and after its own cement; or the solution before cement.
    after
        The solution with cement, of the same specimen.
    intact
        Solve the unfractured bone too: the same mesh with twin faces tied. Beside two solutions: its solution.
    mesh, landmarks
        A mesh of one's own, fractured already, and its landmarks: see `Specimen`.

    Raises
    ------
    InputError
        The case cannot be built, or the solutions do not belong together.
    SolverError
        A solve failed or did not balance.
    """
    if isinstance(case, Solution):
        if after is None:
            raise InputError("one solution is given", field="after", mend="give the solution with cement too")
        with threads(case.specimen.case.solver.threads):
            stage("measuring")
            return comparison_of(case, after, intact=intact if isinstance(intact, Solution) else None)
    return compare_specimen(Specimen(case, mesh=mesh, landmarks=landmarks), intact=bool(intact))


def compare_specimen(specimen: Specimen, *, intact: bool = False) -> Comparison:
    """Solve a specimen before and after the cement of its own case."""
    plan = specimen.plan()
    whole = specimen.solve_loads(intact=True) if intact else {}
    before, after = specimen.solve_loads(), specimen.solve_loads(plan)
    main = compare(before[MAIN_LOAD], after[MAIN_LOAD], intact=whole.get(MAIN_LOAD))
    if not specimen.further:
        return main
    with threads(specimen.case.solver.threads):
        zones = specimen.zones(plan)
        further = {
            name: comparison_of(before[name], after[name], intact=whole.get(name), zones=zones)
            for name in specimen.further
        }
    return replace(main, loads=further)


def compare_plans(
    cases: Sequence[Case], *, common_zones: bool = False, audit: float = 0.0, seed: int = 0
) -> Iterator[Comparison]:
    """Compare many cement plans of one case: the state before cement is solved once, the others side by side.

    Parameters
    ----------
    cases : sequence of Case
        They differ in ``cement`` only.
    common_zones
        Measure in a zone common to all plans as well: each comparison's ``common_zones``.
    audit, seed
        Share of plans that are solved afresh as a check, and the seed of their draw.

    Yields
    ------
    Comparison
        In the order of the cases; each with the numbers of `compare`.

    Raises
    ------
    InputError
        There is no case, the cases differ in more than cement, or a plan cannot be placed.
    SolverError
        A solve failed or did not balance, or an audited one is off by more than 1e-8 in energy norm.
    """
    if not cases:
        raise InputError("no plan is given", field="cases", mend="give one case at least")
    specimen = Specimen(cases[0])
    plans = [PackedPlan.of(specimen.plan_of(case)) for case in cases]
    yield from Sweep(specimen, plans, specimen.solve(), common_zones=common_zones).solve(audit=audit, seed=seed)
