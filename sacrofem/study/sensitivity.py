"""Which inputs decide: elementary effects (Morris) and Sobol' indices with confidence intervals, through SALib.

Morris 1991: μ* is the mean size of the effect of moving one factor by a step, σ its scatter (which
interaction and curvature make). Sobol' 2001: S1 is the share of the variance that a factor
explains alone, ST the share that is lost where it is fixed, S2 what a pair explains beyond its two S1; sampling as in
Saltelli 2010. Intervals are bootstraps with the seed of the design.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sacrofem.errors import InputError
from sacrofem.study.design import Study
from sacrofem.study.sampling import salib, salib_problem, shares
from sacrofem.study.store import Store
from sacrofem.study.studyfile import Design

KINDS = ("morris", "sobol-indices")
INDICES = "sensitivity.csv"
CONFIDENCE = 0.95
_RESAMPLES = 1000
_MOST_NAMED = 10

SAME = 1e-9
"""Spread of a measure relative to its size below which nothing moved it: solves agree no better."""


@dataclass(frozen=True)
class Index:
    """One index of one factor for one measure.

    Attributes
    ----------
    measure, factor : str
        Columns of the table; of ``S2`` both factors, joined by " × ".
    index : str
        ``mu_star``, ``mu`` and ``sigma`` in units of the measure over the whole range of the factor; ``S1``, ``ST``
        and ``S2``, shares of the variance.
    value : float
    half_width : float or None
        Of the 95 % confidence interval, by bootstrap; None where there is none.
    """

    measure: str
    factor: str
    index: str
    value: float
    half_width: float | None


def indices(study: Study, rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> list[Index]:
    """Indices of the measures of a finished study.

    Parameters
    ----------
    study
        Of a design of `KINDS`.
    rows
        Of its table, in its order: values by column.
    measures
        Columns.

    Returns
    -------
    list of Index
        Measure by measure, index by index, factor by factor.

    Raises
    ------
    InputError
        Another design, another number of rows, an unknown column, or scenarios without a value: their numbers.
    EnvironmentFailure
        SALib is not installed.
    """
    if study.design.kind not in KINDS:
        raise InputError(
            f"a design {study.design.kind} has no indices", field="design.kind", mend=f"use {' or '.join(KINDS)}"
        )
    if len(rows) != len(study.scenarios):
        raise InputError(
            f"has {len(rows)} rows for {len(study.scenarios)} scenarios", file="results.csv",
            mend="run the study to its end",
        )  # fmt: skip
    found: list[Index] = []
    names = list(study.columns)
    places = shares(study.design, len(names))
    for measure in measures:
        values = _values(rows, measure)
        if np.ptp(values) <= SAME * np.abs(values).max():
            found += _nothing(study.design, names, measure)
        elif study.design.kind == "morris":
            found += _morris(study.design, names, measure, places, values)
        else:
            found += _sobol(study.design, names, measure, values)
    return found


def write_indices(store: Store, found: Sequence[Index]) -> None:
    """Write ``sensitivity.csv`` beside the table of a study; floats with all their digits.

    Raises
    ------
    EnvironmentFailure
        It cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["measure", "factor", "index", "value", "half_width_95"])
    for index in found:
        width = "" if index.half_width is None else repr(index.half_width)
        writer.writerow([index.measure, index.factor, index.index, repr(index.value), width])
    store.put(store.folder / INDICES, text.getvalue())


def _morris(
    design: Design, names: Sequence[str], measure: str, places: NDArray[np.float64], values: NDArray[np.float64]
) -> Iterator[Index]:
    got = salib("analyze.morris").analyze(
        salib_problem(names), places, values, num_levels=design.levels, conf_level=CONFIDENCE, num_resamples=_RESAMPLES,
        seed=np.random.default_rng(design.seed),
    )  # fmt: skip
    yield from _listed(measure, names, "mu_star", got["mu_star"], got["mu_star_conf"])
    for kind in ("mu", "sigma"):
        yield from _listed(measure, names, kind, got[kind], [None] * len(names))


def _sobol(design: Design, names: Sequence[str], measure: str, values: NDArray[np.float64]) -> Iterator[Index]:
    # A generator, as SALib takes the number 0 for no seed at all and draws from NumPy's global state.
    got = salib("analyze.sobol").analyze(
        salib_problem(names), values, calc_second_order=design.second_order, conf_level=CONFIDENCE,
        num_resamples=_RESAMPLES, seed=np.random.default_rng(design.seed),
    )  # fmt: skip
    for kind in ("S1", "ST"):
        yield from _listed(measure, names, kind, got[kind], got[f"{kind}_conf"])
    if design.second_order:
        pairs = list(itertools.combinations(range(len(names)), 2))
        yield from _listed(
            measure, _pairs(names), "S2", [got["S2"][pair] for pair in pairs], [got["S2_conf"][pair] for pair in pairs]
        )


def _nothing(design: Design, names: Sequence[str], measure: str) -> Iterator[Index]:
    """Indices of what nothing moves: there is no variance to share out, and SALib would share out noise."""
    if design.kind == "morris":
        kinds = {"mu_star": names, "mu": names, "sigma": names}
    else:
        kinds = {"S1": names, "ST": names} | ({"S2": _pairs(names)} if design.second_order else {})
    for kind, of in kinds.items():
        width = None if kind in ("mu", "sigma") else 0.0
        yield from _listed(measure, of, kind, [0.0] * len(of), [width] * len(of))


def _pairs(names: Sequence[str]) -> list[str]:
    return [f"{one} × {other}" for one, other in itertools.combinations(names, 2)]


def _listed(
    measure: str, names: Sequence[str], kind: str, values: Sequence[Any], widths: Sequence[Any]
) -> Iterator[Index]:
    for name, value, width in zip(names, values, widths, strict=True):
        yield Index(measure, name, kind, float(value), None if width is None else float(width))


def _values(rows: Sequence[Mapping[str, Any]], measure: str) -> NDArray[np.float64]:
    if not any(measure in row for row in rows):
        raise InputError("no such measure in the table", field="--measure", value=measure, mend="name a column of it")
    missing = [number for number, row in enumerate(rows, 1) if not _is_number(row.get(measure))]
    if missing:
        shown = ", ".join(map(str, missing[:_MOST_NAMED])) + (", ..." if len(missing) > _MOST_NAMED else "")
        raise InputError(
            f"{len(missing)} scenarios have no {measure}: {shown}",
            file="results.csv",
            mend="run the study again with --retry-failed, or choose another measure: indices need every scenario",
        )
    return np.array([float(row[measure]) for row in rows])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
