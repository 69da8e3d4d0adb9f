"""The input range: how far the inputs that nobody knows well move every measure, one at a time.

What is varied: filler 0.2-10 MPa (Lacroix & Prendergast to Geris and above, PMC5082538 [T]), aperture 0.5-2 mm
(hairline [K] to the 2 mm of a cadaver model, PMC4633425 [A]), modulus floor 5-20 MPa [D], cement in the gap bonded or
in contact, joint elastic or fixed (Hu 2017 [A]). Each is taken to both of its ends alone; how two of
them act together is not part of the range.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sacrofem.case.case import Case
from sacrofem.mechanics.measures.catalogue import MEASURES
from sacrofem.specimen.compare import compare
from sacrofem.study.convergence import PARTS, Values
from sacrofem.study.ladder import ladder
from sacrofem.system.progress import stage, stages_of

FILLER_MPA = (0.2, 10.0)
APERTURE_MM = (0.5, 2.0)
FLOOR_MPA = (5.0, 20.0)


@dataclass(frozen=True, eq=False)
class Run:
    """The case with one input at one end of its range; the first run of a range has none."""

    name: str
    changes: Mapping[str, Any]
    before: Values
    after: Values
    change: Values

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"name": self.name, "changes": dict(self.changes), **{part: dict(getattr(self, part)) for part in PARTS}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """From what `to_json` gave."""
        return cls(**data)


@dataclass(frozen=True, eq=False)
class InputRange:
    """What uncertain inputs do to a case.

    Attributes
    ----------
    mesh : str
        The mesh that all runs share: of the case's ladder the one below its own.
    runs : tuple of Run
        The case itself, then each input at each end.
    """

    mesh: str
    runs: tuple[Run, ...]

    def ranges(self, before: Values, after: Values, change: Values) -> dict[str, dict[str, list[float] | None]]:
        """The content of ``input_range`` in ``comparison.json``: lowest and highest of all runs.

        Parameters
        ----------
        before, after, change
            Of the case on its own mesh: the range holds them too.
        """
        found: dict[str, dict[str, list[float] | None]] = {}
        for key in MEASURES:
            own = {"before": before.get(key), "after": after.get(key), "change": change.get(key)}
            if all(value is None for value in own.values()):
                continue
            found[key] = {part: self._range(key, part, own[part]) for part in PARTS}
        return found

    def _range(self, key: str, part: str, own: float | None) -> list[float] | None:
        values = [getattr(run, part).get(key) for run in self.runs]
        if own is None or any(value is None for value in values):
            return None
        return [min(own, *values), max(own, *values)]

    def about(self) -> dict[str, Any]:
        """Which mesh the range comes from, and what was varied."""
        return {"mesh": self.mesh, "varied": [run.name for run in self.runs[1:]]}

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"mesh": self.mesh, "runs": [run.to_json() for run in self.runs]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> InputRange:
        """From what `to_json` gave."""
        return cls(data["mesh"], tuple(Run.from_json(run) for run in data["runs"]))


def variations(case: Case) -> list[tuple[str, dict[str, Any]]]:
    """What is varied in a case: a name and the changed keys of each run. What a case does not have is left out."""
    return [(name, changes) for name, changes in _wanted(case) if case.with_(**changes) != case]


def _wanted(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    fracture = case.fracture
    broken = fracture.zone != "none" or bool(fracture.surfaces)
    if broken and fracture.filler == "granulation" and fracture.state == "subacute":
        for modulus in FILLER_MPA:
            yield f"filler {modulus:g} MPa", {"fracture.filler_modulus_mpa": modulus}
    if broken and fracture.state == "subacute":
        for aperture in APERTURE_MM:
            yield f"aperture {aperture:g} mm", {"fracture.aperture_mm": aperture}
    for floor in FLOOR_MPA if case.materials.moduli is None else ():
        yield f"modulus floor {floor:g} MPa", {"materials.floor_mpa": floor}
    if broken and case.cement.spot is None:
        in_gap, changes = _other_cement(case)
        yield f"cement in the gap: {in_gap}", changes
    joint = "fixed" if case.supports.kind == "elastic" else "elastic"
    yield f"joint {joint}", {"supports.kind": joint}


def _other_cement(case: Case) -> tuple[str, dict[str, Any]]:
    """The other of `bonded` and `contact`.

    No cement in the gap is no end of the range: where cement only touches, no filler holds the gap either, and it can
    move more than with filler in place of that cement.
    """
    if case.cement.in_gap == "bonded":
        return "contact", {"cement.in_gap": "contact"}
    rubs = case.fracture.closure == "contact"
    return "bonded", {"cement.in_gap": "bonded"} | ({} if rubs else {"fracture.friction": None})


def input_range(case: Case) -> InputRange:
    """Solve a case with each uncertain input at both ends of its range.

    Parameters
    ----------
    case

    Raises
    ------
    InputError
        The case cannot be built.
    SolverError
        A solve failed or did not balance.
    """
    case.check_one_load("an input range")
    name, base = "its own", case
    # A table of moduli is of one mesh.
    if case.anatomy.kind != "mesh" and case.materials.moduli is None:
        rung = ladder(case).below
        name, base = rung.name, rung.case
    runs = []
    for label, changes in [("as it is", {}), *variations(base)]:
        with _one_stage(f"{name}: {label}"):
            result = compare(base.with_(**changes) if changes else base)
            runs.append(Run(label, changes, dict(result.before), dict(result.after), dict(result.change)))
    return InputRange(name, tuple(runs))


@contextmanager
def _one_stage(name: str) -> Iterator[None]:
    """A run as one stage: a range has so many of them that its own ones would bury it."""
    stage(name)
    with stages_of(name, logging.DEBUG):
        yield
