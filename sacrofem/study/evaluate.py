"""From the scenarios of a group to their records: plain numbers under the names of ``comparison.json``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sacrofem.case.case import Case
from sacrofem.errors import SacrofemError, one_line
from sacrofem.specimen.comparison import Comparison, compare, measure_states, statics_of
from sacrofem.specimen.plans import Plans
from sacrofem.system.threads import threads

Record = Mapping[str, Any]
Values = Mapping[str, Any]
#: Solves the cases at some places of a group: (place, record), each as soon as it is finished.
Evaluate = Callable[[Sequence[Case], Sequence[int]], Iterator[tuple[int, Record]]]


class GroupSolver:
    """Solves scenarios group by group, and keeps the set-up of the last group.

    Parameters
    ----------
    number_of_threads
        Of the solver.
    """

    def __init__(self, number_of_threads: int = 1) -> None:
        self._threads = number_of_threads
        self._cases: list[Case] | None = None
        self._plans: Plans | None = None
        self._refused: dict[int, SacrofemError] = {}

    def __call__(self, cases: Sequence[Case], places: Sequence[int]) -> Iterator[tuple[int, Record]]:
        """Solve the cases at these places of a group; its other cases fix zones and set-up."""
        with threads(self._threads):
            if len(cases) == 1:
                yield 0, self._alone(cases[0])
                return
            try:
                self._set_up(cases)
            except SacrofemError as error:
                for place in places:
                    yield place, failure(error)
                return
            assert self._plans is not None
            good = [place for place in places if place not in self._refused]
            for place in places:
                if place in self._refused:
                    yield place, failure(self._refused[place])
            done = 0
            try:
                for place, comparison in zip(good, self._plans.solve(good), strict=True):
                    yield place, record(comparison, self._intact())
                    done += 1
            except SacrofemError:
                # One that cannot be solved stops its whole batch: the rest is done one by one.
                for place in good[done:]:
                    yield place, self._one(place)

    def _one(self, place: int) -> Record:
        assert self._plans is not None
        try:
            return record(next(self._plans.solve([place])), self._intact())
        except SacrofemError as error:
            return failure(error)

    def _alone(self, case: Case) -> Record:
        try:
            return record(compare(case))
        except SacrofemError as error:
            return failure(error)

    def _intact(self) -> Values | None:
        """The measures of the unbroken bone, for records that have them."""
        return None

    def _set_up(self, cases: Sequence[Case]) -> None:
        if self._cases == list(cases):
            return
        self._cases, self._plans, self._refused = None, None, {}
        self._plans = Plans(cases, refused=self._refused)
        self._cases = list(cases)


class IntactGroupSolver(GroupSolver):
    """As `GroupSolver`; records hold the unbroken bone too, solved once for every group."""

    _values: Values | None = None

    def _set_up(self, cases: Sequence[Case]) -> None:
        if self._cases != list(cases):
            self._values = None
        super()._set_up(cases)

    def _alone(self, case: Case) -> Record:
        try:
            comparison = compare(case, intact=True)
        except SacrofemError as error:
            return failure(error)
        return record(comparison, comparison.intact)

    def _intact(self) -> Values | None:
        if self._values is None:
            assert self._plans is not None
            model = self._plans.model
            solved = statics_of(model).solve("intact", model.bone, None)
            self._values = measure_states(model, {"intact": solved}, self._plans.zones)["intact"].values
        return self._values


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


def record(comparison: Comparison, intact: Values | None = None) -> Record:
    """The record of a solved scenario: every measure and what cement did, but no time and no place."""
    values: dict[str, Any] = {}
    for key in comparison.before:
        values[f"{key}_before"] = comparison.before[key]
        values[f"{key}_after"] = comparison.after[key]
        values[f"{key}_change"] = comparison.change[key]
        if intact is not None:
            values[f"{key}_intact"] = intact[key]
    cement = comparison.cement
    for key in ("requested_ml", "placed_ml", "in_bone_ml", "in_gap_ml", "in_lesion_ml", "withheld_ml"):
        values[f"cement_{key}"] = cement[key]
    values["cement_leaked_ml"] = float(sum(cement["leaked_ml"].values()))
    clearance = cement["clearance_mm"]
    values["cement_clearance_mm"] = min(clearance.values()) if clearance else None
    values["cement_nearest"] = min(clearance, key=lambda name: clearance[name]) if clearance else None
    values["safety_violated"] = comparison.safety.violated
    return {"status": "done", "error": "", "values": values}
