"""What stands in a study.toml: factors, design and scenarios, checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from sacrofem.case.fields import within
from sacrofem.case.frozen import Anything, as_frozen
from sacrofem.case.problems import refused
from sacrofem.case.schema import SCHEMA
from sacrofem.case.section import FilePath, Section, not_true
from sacrofem.study.store import RESERVED, is_formula

Kind = Literal["grid", "list", "one-at-a-time", "latin-hypercube", "sobol", "morris", "sobol-indices"]
MOST_SCENARIOS = 100_000

_Keys = Annotated[Mapping[str, Anything], as_frozen]
_END = within(-1e9, 1e9, "the key itself has bounds of its own")
_COUNT = within(0, MOST_SCENARIOS, "more are not kept in one table")


_LONGEST_NAME = 200
_PARTS = ("_before", "_after", "_change")


def column_problem(name: str) -> str | None:
    """Why a factor cannot be called so in the table, None where it can."""
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        return "must be a short text in one line"
    if name.startswith("'") or is_formula(name):
        return "a spreadsheet would take it for a formula"
    if name.casefold() in RESERVED or name.casefold().endswith(_PARTS):
        return "is a column of every table already"
    return None


class Factor(Section):
    """[[factors]]: what is varied.

    Either ``path`` with ``values``, or ``path`` with ``low`` and ``high`` for a sampled design, or ``name`` with
    ``levels`` that each set several keys at once under a label.
    """

    path: str = Field(default="", description="dotted key of the case, such as cement.volume_ml")
    name: str = Field(default="", description="column of the table; not given: the path")
    values: tuple[Anything, ...] = Field(default=(), description="levels of the factor")
    low: Annotated[float | None, _END] = Field(
        default=None, description="lower end in a sampled design, in the unit of the key"
    )
    high: Annotated[float | None, _END] = Field(
        default=None, description="upper end in a sampled design, in the unit of the key"
    )
    log: bool = Field(default=False, description="sample the logarithm")
    levels: tuple[_Keys, ...] = Field(
        default=(),
        description='tables of dotted keys with a "label": {label = "long", "cement.approach" = "long-axis"}',
    )

    @model_validator(mode="after")
    def _consistent(self) -> Factor:
        if not self.column:
            raise refused("needs a path", "name a key of the case, such as cement.volume_ml", "path")
        given = [bool(self.values), self.low is not None or self.high is not None, bool(self.levels)]
        if sum(given) != 1:
            raise refused("needs one of values, low and high, or levels", "give one of them", "")
        if problem := column_problem(self.column):
            raise refused(problem, "name it otherwise", "name" if self.name else "path", self.column)
        if self.levels and not (self.name and not self.path):
            raise refused("levels go with a name and no path", "give a name, and leave the path out", "path")
        if given[1]:
            if self.low is None or self.high is None or not self.low < self.high:
                raise refused("needs low < high", "give both, the smaller one as low", "low", self.low)
            if self.log and not self.low > 0.0:
                raise refused("a logarithm needs low > 0", "leave log out, or begin above 0", "low", self.low)
        if any("label" not in level for level in self.levels):
            raise refused("every level needs a label", 'add label = "..." to each', "levels")
        labels = [level["label"] for level in self.levels]
        for label in labels:
            text = isinstance(label, str) and label.isprintable() and 0 < len(label) <= _LONGEST_NAME
            if not text and (isinstance(label, bool) or not isinstance(label, int | float)):
                raise refused("a label is a short text in one line, or a number", 'write "..."', "levels", label)
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise refused("two levels have one label", "give each a label of its own", "levels", twice)
        return self

    @property
    def column(self) -> str:
        """Its name in the table."""
        return self.name or self.path

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the case that it varies."""
        return tuple(dict.fromkeys(key for level in self.levels for key in self.changes(level))) or (self.path,)

    def changes(self, level: Any) -> dict[str, Any]:
        """The keys of the case that a level sets."""
        if self.levels:
            return {key: value for key, value in level.items() if key != "label"}
        return {self.path: level}

    def shown(self, level: Any) -> Any:
        """What stands in the table for a level."""
        return level["label"] if self.levels else level

    def at(self, share: float) -> Any:
        """The level at a share in [0, 1) of the way from low to high, or of the list of levels."""
        if self.low is None or self.high is None:
            levels = self.levels or self.values
            return levels[min(int(share * len(levels)), len(levels) - 1)]
        if self.log:
            return float(np.exp(np.log(self.low) + share * (np.log(self.high) - np.log(self.low))))
        return float(self.low + share * (self.high - self.low))


class Design(Section):
    """[design]: how factors make scenarios."""

    kind: Kind = Field(
        default="grid", description="grid, list, one-at-a-time, latin-hypercube, sobol, morris or sobol-indices"
    )
    samples: Annotated[int, _COUNT] = Field(
        default=0,
        description="count of samples of latin-hypercube and sobol; trajectories of morris; base samples of "
        "sobol-indices",
    )
    levels: Annotated[int, within(2, 32, "finer steps than any factor is known to")] = Field(
        default=4, description="of morris: an even count of steps of every factor"
    )
    second_order: bool = Field(default=False, description="of sobol-indices: pairs too, at twice the scenarios")
    seed: Annotated[int, within(0, 2**32 - 1, "32 bits of the generators")] = Field(
        default=0, description="of the draw, no unit"
    )
    replicates: Annotated[int, within(1, 100, "a mean needs no more")] = Field(
        default=1, description="count of meshes of the same size for every scenario (mesh.replicate 0, 1, ...)"
    )


class MeasuringZones(Section):
    """[zones]: where scenarios are measured beside the zones of their own plans."""

    common: bool = Field(
        default=False,
        description="measure scenarios that share a specimen in one zone common to all their plans too, in columns "
        "of their own (..._common_zones_before, _after, _change)",
    )


class StudyFile(Section):
    """The content of a study.toml."""

    schema_version: Annotated[Literal[2], not_true] = Field(
        default=SCHEMA, alias="schema", description="version of these names, no unit"
    )
    name: str = Field(min_length=1, max_length=200, description="what results are called")
    preset: str | None = Field(default=None, description="named case that is varied; not given: sif-bilateral")
    base: FilePath | None = Field(default=None, description="case file, relative to the study")
    case: _Keys = Field(default_factory=dict, validate_default=True, description="laid over the base")
    design: Design = Field(default_factory=Design)
    zones: MeasuringZones = Field(default_factory=MeasuringZones)
    factors: tuple[Factor, ...] = Field(default=(), description="what is varied")
    scenarios: tuple[_Keys, ...] = Field(default=(), description="of a list design: dotted keys")
