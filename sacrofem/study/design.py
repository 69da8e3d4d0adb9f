"""A study: a base case, factors by dotted path, and the scenarios that a design makes of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sacrofem.case.case import Case
from sacrofem.case.identity import digest
from sacrofem.case.presets import DEFAULT_PRESET
from sacrofem.case.problems import CaseError
from sacrofem.case.schema import SCHEMA, translated_study
from sacrofem.case.tomlfile import LARGEST_STUDY, overlap, read_toml
from sacrofem.errors import InputError, SacrofemError
from sacrofem.study.sampling import shares
from sacrofem.study.studyfile import MOST_SCENARIOS, Design, Factor, StudyFile
from sacrofem.system.htmltable import table

REPLICATE = "mesh.replicate"
"""Column of the mesh among those of the same size."""

_SAMPLED = ("latin-hypercube", "sobol", "morris", "sobol-indices")


@dataclass(frozen=True)
class Scenario:
    """One row of a study: its place, its factors as the table shows them, and its case."""

    number: int
    factors: Mapping[str, Any]
    case: Case


@dataclass(frozen=True)
class Study:
    """A study read and checked whole.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Of the factors.
    scenarios : tuple of Scenario
    design : Design
    factors : tuple of Factor
        Of every design but a list.
    base : Case or None
        What factors change; with it `to_json` can describe the study.
    listed : tuple of dict
        Changes of a list.
    common_zones : bool
        Whether scenarios that share a specimen are measured in one zone common to all of them too.
    """

    name: str
    columns: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    design: Design = field(default_factory=Design)
    factors: tuple[Factor, ...] = ()
    base: Case | None = None
    listed: tuple[Mapping[str, Any], ...] = ()
    common_zones: bool = False

    @property
    def digest(self) -> str:
        """Hash of all cases in their order."""
        return digest([scenario.case.to_dict() for scenario in self.scenarios])

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `study_of` makes the same study, whatever became of the files that it was read from."""
        assert self.base is not None
        return {
            "schema": SCHEMA,
            "name": self.name,
            "base": self.base.to_dict(),
            "design": self.design.model_dump(mode="json"),
            "zones": {"common": self.common_zones},
            "factors": [factor.model_dump(mode="json", exclude_defaults=True) for factor in self.factors],
            "scenarios": [dict(row) for row in self.listed],
        }

    def _repr_html_(self) -> str:
        return study_html(self)

    def groups(self) -> list[tuple[Scenario, ...]]:
        """Scenarios that differ in cement only, in the order of their first ones: they share mesh and set-up."""
        found: dict[str, list[Scenario]] = {}
        for scenario in self.scenarios:
            found.setdefault(group_key(scenario.case), []).append(scenario)
        return [tuple(group) for group in found.values()]


def group_key(case: Case) -> str:
    """The same for cases that differ in cement (and name, threads and memory) only."""
    content = case.to_dict()
    content.pop("name")
    solver = {key: value for key, value in content["solver"].items() if key not in ("threads", "memory_gib")}
    # Contact in the gap is not linear: such cases are solved one by one.
    loose = case.touches
    content |= {"solver": solver, "cement": content["cement"] if loose else case.cement.material}
    return digest(content)


def read_study(path: Path, changes: Mapping[str, Any] | None = None) -> Study:
    """Read a study file and check every scenario before anything is solved.

    Parameters
    ----------
    path
    changes
        Dotted keys of a case, laid over the base of the study.

    Raises
    ------
    InputError
        Naming the file, the field or scenario, and the mend.
    """
    data, translations = translated_study(read_toml(path, "study", LARGEST_STUDY))
    try:
        content = StudyFile.model_validate(data)
    except ValidationError as error:
        raise CaseError.of(error, StudyFile, file=path) from None
    base = _base(content, path)
    varied = ["name", *(key for factor in content.factors for key in factor.keys), *itertools.chain(*content.scenarios)]
    for key, value in (changes or {}).items():
        if any(overlap(key, other) for other in varied):
            raise InputError("is the study's to say", field=f"--set {key}", value=value, mend="leave it out")
    told = (*base.translations, *translations)
    base = base.with_(**changes) if changes else base
    return _study(content, base.noting(told), path)


def study_of(data: Mapping[str, Any], *, file: Path) -> Study:
    """The study that `Study.to_json` described.

    Parameters
    ----------
    data
    file
        Where it was found, for errors.

    Raises
    ------
    InputError
        It is no such description, or one that this version cannot read.
    """
    mend = "run the study again with `sacrofem study run`: what is solved is kept"
    try:
        described, _ = translated_study({key: value for key, value in data.items() if key != "base"})
        content = StudyFile.model_validate(described)
        base = Case.from_dict(data["base"])
    except (AttributeError, KeyError, TypeError, ValidationError, InputError):
        raise InputError("describes no study that this version can read", file=file, mend=mend) from None
    return _study(content, base, file)


def _study(content: StudyFile, base: Case, path: Path) -> Study:
    columns = tuple(dict.fromkeys(factor.column for factor in content.factors)) or tuple(
        dict.fromkeys(key for row in content.scenarios for key in row)
    )
    if len(columns) < len(content.factors):
        raise InputError("two factors have one name", file=path, field="factors", mend="give each a name of its own")
    if content.design.replicates > 1:
        _check_replicates(content, columns, path)
        columns = (*columns, REPLICATE)
    scenarios = []
    for number, (factors, changes) in enumerate(_replicated(content, path), 1):
        try:
            case = base.with_(**changes)
        except SacrofemError as error:
            raise InputError(f"scenario {number}: {error}", file=path, field="factors") from None
        case.check_one_load("a scenario", file=path)
        scenarios.append(Scenario(number, factors, case.with_(name=content.name)))
        _check_count(number, path)
    if not scenarios:
        raise InputError("no scenario", file=path, field="factors", mend="give [[factors]] or [[scenarios]]")
    return Study(
        content.name, columns, tuple(scenarios), content.design, content.factors, base, content.scenarios,
        content.zones.common,
    )  # fmt: skip


def _replicated(content: StudyFile, path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every row on every mesh."""
    count = content.design.replicates
    for factors, changes in _rows(content, path):
        for number in range(count):
            mesh = {REPLICATE: number} if count > 1 else {}
            yield factors | mesh, changes | mesh


def _check_replicates(content: StudyFile, columns: Sequence[str], path: Path) -> None:
    design = content.design
    if design.kind in ("morris", "sobol-indices"):
        raise InputError(
            f"go with no {design.kind}", file=path, field="design.replicates", value=design.replicates,
            mend=f"make {REPLICATE} a factor of it",
        )  # fmt: skip
    if REPLICATE in columns:
        raise InputError(
            f"{REPLICATE} is a factor already", file=path, field="design.replicates", value=design.replicates,
            mend="leave one out",
        )  # fmt: skip


def _check_count(count: int, path: Path) -> None:
    if count > MOST_SCENARIOS:
        raise InputError(
            f"{count} scenarios are more than {MOST_SCENARIOS}", file=path, field="factors", mend="use a sampled design"
        )


def _base(content: StudyFile, path: Path) -> Case:
    if content.base is not None:
        if content.preset is not None:
            raise InputError("base and preset are both given", file=path, field="base", mend="leave one out")
        base = Case.from_toml(path.parent / content.base)
    else:
        base = Case.preset(content.preset or DEFAULT_PRESET)
    try:
        return base.with_(**content.case)
    except InputError as error:
        raise InputError(
            error.problem, file=path, field=f"case.{error.field}", value=error.value, mend=error.mend
        ) from None


def _rows(content: StudyFile, path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Factors as shown and keys to change, scenario by scenario."""
    design, factors = content.design, content.factors
    if (design.kind == "list") != bool(content.scenarios) or (content.scenarios and factors):
        raise InputError(
            "a list has [[scenarios]] and no factors, every other design the reverse", file=path, field="design.kind",
            value=design.kind, mend='use kind = "list" with [[scenarios]]',
        )  # fmt: skip
    if design.kind == "list":
        for row in content.scenarios:
            yield dict(row), dict(row)
        return
    sampled = design.kind in _SAMPLED
    if sampled != bool(design.samples):
        raise InputError(
            f"samples go with {', '.join(_SAMPLED)}, and with no other design", file=path, field="design.samples",
            value=design.samples, mend="give a number of samples there and only there",
        )  # fmt: skip
    if design.kind == "morris" and design.levels % 2:
        raise InputError("is odd", file=path, field="design.levels", value=design.levels, mend="give an even number")
    if design.second_order and design.kind != "sobol-indices":
        raise InputError(
            "goes with sobol-indices alone", file=path, field="design.second_order", value=True, mend="leave it out"
        )
    if design.kind == "sobol-indices" and design.samples & (design.samples - 1):
        raise InputError(
            "is no power of two", file=path, field="design.samples", value=design.samples, mend="give 64, 128, 256, ..."
        )
    if not sampled and (open_ := next((f for f in factors if f.low is not None), None)):
        raise InputError(
            "has low and high, and the design takes values", file=path, field=f"factors.{open_.column}",
            mend="give values, or a sampled design",
        )  # fmt: skip
    if not factors:
        return
    if design.kind == "grid":
        _check_count(math.prod(len(factor.levels or factor.values) for factor in factors), path)
    for levels in _levels(design, factors):
        shown = {factor.column: factor.shown(level) for factor, level in zip(factors, levels, strict=True)}
        changes: dict[str, Any] = {}
        for factor, level in zip(factors, levels, strict=True):
            changes |= factor.changes(level)
        yield shown, changes


def _levels(design: Design, factors: Sequence[Factor]) -> Iterator[tuple[Any, ...]]:
    if design.kind == "grid":
        yield from itertools.product(*((factor.levels or factor.values) for factor in factors))
        return
    if design.kind == "one-at-a-time":
        first = tuple((factor.levels or factor.values)[0] for factor in factors)
        yield first
        for place, factor in enumerate(factors):
            for level in (factor.levels or factor.values)[1:]:
                yield (*first[:place], level, *first[place + 1 :])
        return
    for row in shares(design, len(factors)):
        yield tuple(factor.at(float(share)) for factor, share in zip(factors, row, strict=True))


_MOST_ROWS = 20


def study_html(study: Study) -> str:
    """The first scenarios of a study."""
    rows = [(scenario.number, *scenario.factors.values()) for scenario in study.scenarios[:_MOST_ROWS]]
    more = len(study.scenarios) - len(rows)
    caption = f"Study {study.name}: {len(study.scenarios)} scenarios" + (f", {more} more below" if more > 0 else "")
    return table(("scenario", *study.columns), rows, caption)
