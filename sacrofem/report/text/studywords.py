"""A study in words: what its factors are called, what was varied, and what its designs and bands mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from sacrofem.report.text.table import label, unit
from sacrofem.study.design import Study
from sacrofem.study.store import MISSING
from sacrofem.study.studyfile import Factor

PARTS = ("before", "after", "change")
_MOST_LISTED = 5
_UNITS: Mapping[str, str] = {
    "n_per_mm3": "N/mm³",
    "g_cm3": "g/cm³",
    "mpa": "MPa",
    "deg": "°",
    "ml": "ml",
    "mm2": "mm²",
    "mm": "mm",
    "um": "µm",
    "n": "N",
    "s": "s",
}
_DESIGNS: Mapping[str, str] = {
    "grid": "every combination of",
    "list": "a list over",
    "one-at-a-time": "one at a time, from the first values, of",
    "latin-hypercube": "a Latin hypercube over",
    "sobol": "a Sobol’ sequence over",
    "morris": "{samples} trajectories of Morris over",
    "sobol-indices": "{samples} base samples for Sobol’ indices over",
}
INDEX_NOTE: Mapping[str, str] = {
    "morris": "Morris: μ* is the mean size of the effect of moving a factor over its whole range, μ its mean with "
    "sign, σ its scatter, which interaction and curvature make. A change is a share of the value before cement.",
    "sobol-indices": "Sobol’: S1 is the share of the variance that a factor explains alone, ST the share that is lost "
    "where it is fixed, S2 what a pair explains beyond that. Intervals (95 %) are bootstraps; an index whose interval "
    "holds 0 says nothing.",
}
BANDED = "Bars on points are the shipped mesh band of the default case, on the scenarios that are this case."
NOT_BANDED = (
    "There is no mesh band: the shipped one belongs to the default case alone. sacrofem converge computes one of "
    "a case."
)


def factor_name(column: str) -> str:
    """A factor as people call it: "cement volume" for ``cement.volume_ml``."""
    found = factor_unit(column)
    return _spaced(column.removesuffix(f"_{found[0]}") if found else column)


def factor_label(column: str) -> str:
    """The same with its unit, for an axis or a heading: "cement volume / ml"."""
    found = factor_unit(column)
    return f"{factor_name(column)} / {found[1]}" if found else factor_name(column)


def factor_unit(column: str) -> tuple[str, str] | None:
    """Suffix of a key of the case, and the unit that it stands for; None for a pure number or a name of one's own."""
    if "." not in column:
        return None
    return next(((suffix, name) for suffix, name in _UNITS.items() if column.endswith(f"_{suffix}")), None)


def _spaced(text: str) -> str:
    return text.replace(".", " ").replace("_", " ")


def heading(column: str, measures: Sequence[str]) -> str:
    """Heading of a column of the table: of a factor, or of a part of one of the measures."""
    for key in measures:
        for part in PARTS:
            if column == f"{key}_{part}":
                name = unit(key)[0]
                shown = f" / {name}" if name and part != "change" else ""
                return f"{label(key)}, {part}{shown}"
    return factor_label(column)


def sentence(study: Study, rows: Sequence[Mapping[str, Any]], solved: int) -> str:
    """What was varied and how much of it is solved, in two sentences.

    Parameters
    ----------
    study
    rows
        Of its table.
    solved
        How many have a result.
    """
    design = _DESIGNS[study.design.kind].format(samples=study.design.samples)
    if study.factors:
        varied = [f"{factor_name(factor.column)} ({_levels(factor)})" for factor in study.factors]
    else:
        varied = [f"{factor_name(name)} ({_listed([row.get(name) for row in rows], name)})" for name in study.columns]
    state = "all solved" if solved == len(rows) else f"{solved} solved, {len(rows) - solved} without a result"
    missing = sum(row.get("status") == MISSING for row in rows)
    more = f" Unfinished: {missing} are not solved yet; the same `sacrofem study run` goes on." if missing else ""
    return f"{len(rows)} scenarios: {design} {'; '.join(varied)}. {state[0].upper()}{state[1:]}.{more}"


def _levels(factor: Factor) -> str:
    if factor.low is not None and factor.high is not None:
        text = f"{factor.low:g} to {factor.high:g}{_unit(factor.column)}"
        return text + (", logarithmic" if factor.log else "")
    return _listed([factor.shown(level) for level in factor.levels or factor.values], factor.column)


def _listed(values: Sequence[Any], column: str) -> str:
    known = list(dict.fromkeys(shown(value) for value in values if value is not None))
    numbers = [value for value in values if is_number(value)]
    if len(known) <= _MOST_LISTED:
        return ", ".join(known) + (_unit(column) if numbers else "")
    if len(numbers) == len(values):
        return f"{min(numbers):g} to {max(numbers):g}{_unit(column)}, {len(known)} values"
    return f"{', '.join(known[:_MOST_LISTED])} and {len(known) - _MOST_LISTED} more"


def _unit(column: str) -> str:
    found = factor_unit(column)
    return f" {found[1]}" if found else ""


def shown(value: Any) -> str:
    """A level as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else "–" if value is None else str(value)


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value of the table is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def span(rows: Sequence[Mapping[str, Any]], column: str) -> str:
    """The range of a change over rows, in words."""
    values = [100.0 * float(row[column]) for row in rows if is_number(row.get(column))]
    if not values:
        return "no value"
    low, high = f"{min(values):+.0f} %", f"{max(values):+.0f} %"
    return low if low == high else f"{low} to {high}"
