"""From the scenarios of a group to their records: plain numbers under the names of ``comparison.json``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sacrofem.case.case import Case
from sacrofem.errors import SacrofemError, one_line
from sacrofem.specimen.compare import compare
from sacrofem.specimen.comparison import Comparison, in_common_zones
from sacrofem.specimen.plan import PackedPlan
from sacrofem.specimen.specimen import Specimen
from sacrofem.specimen.sweep import Sweep
from sacrofem.system.threads import step_by_step, threads

Record = Mapping[str, Any]
Values = Mapping[str, Any]
#: Solves the cases at some places of a group: (place, record), each as soon as it is finished.
Evaluate = Callable[[Sequence[Case], Sequence[int]], Iterator[tuple[int, Record]]]


class GroupSolver:
    """Solves scenarios group by group, and keeps the set-up of the last group.

    A scenario's numbers are those of its case alone; what a group shares is its specimen and the state before cement.

    Parameters
    ----------
    number_of_threads
        Of the solver.
    """

    common_zones = False
    """Whether a group is measured in a zone common to all its plans as well."""
    with_intact = False
    """Whether records hold the unbroken bone too."""

    def __init__(self, number_of_threads: int = 1) -> None:
        self._threads = number_of_threads
        self._group: _Group | None = None

    def __call__(self, cases: Sequence[Case], places: Sequence[int]) -> Iterator[tuple[int, Record]]:
        """Solve the cases at these places of a group."""
        return step_by_step(self._records(cases, places), self._threads)

    def _records(self, cases: Sequence[Case], places: Sequence[int]) -> Iterator[tuple[int, Record]]:
        if len(cases) == 1 or cases[0].touches:
            # Contact is not linear: equal cases may share a group, and are solved one by one all the same.
            for place in places:
                yield place, self._alone(cases[place])
            return
        try:
            group = self._set_up(cases)
        except SacrofemError as error:
            for place in places:
                yield place, failure(error)
            return
        good = [place for place in places if place in group.places]
        for place in places:
            if place not in group.places:
                yield place, failure(group.refused[place])
        done = 0
        try:
            for place, comparison in zip(good, group.solve(good), strict=True):
                yield place, record(comparison)
                done += 1
        except SacrofemError:
            # One that cannot be solved stops its whole batch: the rest is done one by one.
            for place in good[done:]:
                yield place, self._one(group, place)

    def _one(self, group: _Group, place: int) -> Record:
        try:
            return record(next(group.solve([place])))
        except SacrofemError as error:
            return failure(error)

    def _alone(self, case: Case) -> Record:
        try:
            comparison = compare(case, intact=self.with_intact)
            if self.common_zones:
                comparison = in_common_zones(comparison, comparison.specimen.zones(comparison.plan), 1)
            return record(comparison)
        except SacrofemError as error:
            return failure(error)

    def _set_up(self, cases: Sequence[Case]) -> _Group:
        if self._group is None or self._group.cases != list(cases):
            self._group = None
            self._group = _Group(cases, intact=self.with_intact, common_zones=self.common_zones)
        return self._group


class IntactGroupSolver(GroupSolver):
    """As `GroupSolver`; records hold the unbroken bone too, solved once for every group."""

    with_intact = True


class CommonZonesGroupSolver(GroupSolver):
    """As `GroupSolver`; records hold what is measured in a zone common to all plans of their group too."""

    common_zones = True


class _Group:
    """A specimen with the plans that can be laid on it, and why the others cannot."""

    def __init__(self, cases: Sequence[Case], *, intact: bool, common_zones: bool) -> None:
        self.cases = list(cases)
        self.refused: dict[int, SacrofemError] = {}
        specimen = Specimen(cases[0])
        plans: dict[int, PackedPlan] = {}
        for place, case in enumerate(cases):
            try:
                plans[place] = PackedPlan.of(specimen.plan_of(case))
            except SacrofemError as error:
                self.refused[place] = error
        self.places = {place: number for number, place in enumerate(plans)}
        self._sweep: Sweep | None = None
        if plans:
            whole = specimen.solve(intact=True) if intact else None
            self._sweep = Sweep(
                specimen, list(plans.values()), specimen.solve(), intact=whole, common_zones=common_zones
            )

    def solve(self, places: Sequence[int]) -> Iterator[Comparison]:
        """The comparisons at these places."""
        if self._sweep is None or not places:
            return iter(())
        return self._sweep.solve([self.places[place] for place in places])


class OneByOne(ABC):
    """Solves scenarios one by one, with one thread each, and keeps what `values` makes of them."""

    @abstractmethod
    def values(self, comparison: Comparison) -> Values:
        """The numbers of a record."""

    def __call__(self, cases: Sequence[Case], places: Sequence[int]) -> Iterator[tuple[int, Record]]:
        """Solve the cases at these places of a group."""
        with threads(1):
            for place in places:
                try:
                    yield place, {"status": "done", "error": "", "values": self.values(compare(cases[place]))}
                except SacrofemError as error:
                    yield place, failure(error)


def failure(error: BaseException) -> Record:
    """The record of a scenario that could not be solved."""
    return {"status": "failed", "error": f"{type(error).__name__}: {one_line(error)}", "values": {}}


def record(comparison: Comparison) -> Record:
    """The record of a solved scenario: every measure and what cement did, but no time and no place."""
    values: dict[str, Any] = {}
    for key in comparison.before:
        values[f"{key}_before"] = comparison.before[key]
        values[f"{key}_after"] = comparison.after[key]
        values[f"{key}_change"] = comparison.change[key]
        if comparison.intact is not None:
            values[f"{key}_intact"] = comparison.intact[key]
    if (common := comparison.common_zones) is not None:
        for key in common.before:
            for part in ("before", "after", "change"):
                values[f"{key}_common_zones_{part}"] = getattr(common, part)[key]
    cement = comparison.cement
    for key in ("requested_ml", "placed_ml", "in_bone_ml", "in_gap_ml", "in_lesion_ml", "withheld_ml"):
        values[f"cement_{key}"] = cement[key]
    values["cement_leaked_ml"] = float(sum(cement["leaked_ml"].values()))
    clearance = cement["clearance_mm"]
    values["cement_clearance_mm"] = min(clearance.values()) if clearance else None
    values["cement_nearest"] = min(clearance, key=lambda name: clearance[name]) if clearance else None
    values["cement_missed"] = ", ".join(name for name, met in cement["reached"].items() if not met) or None
    values["validity"] = comparison.validity.state
    values["safety_verdict"] = comparison.safety.verdict
    values["safety_violated"] = comparison.safety.violated
    return {"status": "done", "error": "", "values": values}
