"""Which inputs decide: elementary effects (Morris) and Sobol' indices with confidence intervals, through SALib.

Morris 1991, Technometrics 33: μ* is the mean size of the effect of moving one factor by a step, σ its scatter (which
interaction and curvature make). Sobol' 2001, Math. Comput. Simul. 55: S1 is the share of the variance that a factor
explains alone, ST the share that is lost where it is fixed; Saltelli et al. 2010 sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.study.design import Study, shares

KINDS = ("morris", "sobol-indices")
CONFIDENCE = 0.95
_RESAMPLES = 1000


@dataclass(frozen=True)
class Index:
    """One index of one factor for one measure.

    Attributes
    ----------
    measure, factor : str
        Columns of the table.
    index : str
        ``mu_star``, ``mu`` and ``sigma`` in units of the measure over the whole range of the factor; ``S1``, ``ST``.
    value : float
    half_width : float or None
        Of the 95 % confidence interval, by bootstrap; None where there is none.
    """

    measure: str
    factor: str
    index: str
    value: float
    half_width: float | None


def _salib(name: str) -> Any:
    try:
        return import_module(f"SALib.{name}")
    except ImportError as error:
        raise EnvironmentFailure("a study of sensitivity needs SALib: pip install 'sacrofem[study]'") from error


def _problem(names: Sequence[str]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}


def samples(kind: str, count: int, size: int, *, levels: int = 4, seed: int = 0) -> NDArray[np.float64]:
    """(n, count) places in [0, 1]: ``size`` trajectories of Morris, or ``size`` (count + 2) of Saltelli.

    Raises
    ------
    EnvironmentFailure
        SALib is not installed.
    """
    problem = _problem([str(k) for k in range(count)])
    if kind == "morris":
        return np.asarray(_salib("sample.morris").sample(problem, size, num_levels=levels, seed=seed))
    return np.asarray(_salib("sample.sobol").sample(problem, size, calc_second_order=False, seed=seed))


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

    Raises
    ------
    InputError
        Another design, an unknown column, or scenarios without a value: their numbers.
    """
    if study.design.kind not in KINDS:
        raise InputError(
            f"a design {study.design.kind} has no indices", field="design.kind", mend=f"use {' or '.join(KINDS)}"
        )
    found: list[Index] = []
    names = list(study.columns)
    places = shares(study.design, len(names))
    for measure in measures:
        values = _values(rows, measure)
        if float(np.ptp(values)) == 0.0:
            # Nothing moves it: no variance to share out.
            kinds = ("mu_star",) if study.design.kind == "morris" else ("S1", "ST")
            found += [Index(measure, name, kind, 0.0, 0.0) for kind in kinds for name in names]
        elif study.design.kind == "morris":
            got = _salib("analyze.morris").analyze(
                _problem(names), places, values, num_levels=study.design.levels, conf_level=CONFIDENCE,
                num_resamples=_RESAMPLES, seed=study.design.seed,
            )  # fmt: skip
            for kind in ("mu_star", "mu", "sigma"):
                widths = got["mu_star_conf"] if kind == "mu_star" else [None] * len(names)
                found += _listed(measure, names, kind, got[kind], widths)
        else:
            got = _salib("analyze.sobol").analyze(
                _problem(names), values, calc_second_order=False, conf_level=CONFIDENCE, num_resamples=_RESAMPLES,
                seed=study.design.seed,
            )  # fmt: skip
            for kind in ("S1", "ST"):
                found += _listed(measure, names, kind, got[kind], got[f"{kind}_conf"])
    return found


def _listed(measure: str, names: Sequence[str], kind: str, values: Any, widths: Any) -> list[Index]:
    return [
        Index(measure, name, kind, float(value), None if width is None else float(width))
        for name, value, width in zip(names, values, widths, strict=True)
    ]


def _values(rows: Sequence[Mapping[str, Any]], measure: str) -> NDArray[np.float64]:
    if not any(measure in row for row in rows):
        raise InputError("no such measure in the table", field="--measure", value=measure, mend="name a column of it")
    missing = [number for number, row in enumerate(rows, 1) if not isinstance(row.get(measure), int | float)]
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        raise InputError(
            f"{len(missing)} scenarios have no {measure}: {shown}",
            field="results.csv",
            mend="run the study again with --retry-failed, or choose another measure: indices need every scenario",
        )
    return np.array([float(row[measure]) for row in rows])
