"""Scatter of a change over meshes of the same size: what a single mesh cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sacrofem.study.design import REPLICATE, Study


@dataclass(frozen=True)
class Scatter:
    """Of one measure over the meshes of every scenario.

    Attributes
    ----------
    measure : str
        Column of the table.
    groups : int
        Scenarios that have a value on two meshes or more.
    deviation : float
        Standard deviation over the meshes of one scenario, pooled over the scenarios by their degrees of freedom.
    widest : float
        Largest value less smallest, in the scenario where that is most.
    """

    measure: str
    groups: int
    deviation: float
    widest: float


def scatter(study: Study, rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> list[Scatter]:
    """Scatter of columns over ``mesh.replicate``; a column without two values in any scenario is left out.

    Parameters
    ----------
    study
    rows
        Of its table, as `store.value_of` reads them.
    measures
        Columns.
    """
    others = [column for column in study.columns if column != REPLICATE]
    found = []
    for measure in measures if REPLICATE in study.columns else ():
        groups: dict[tuple[str, ...], list[float]] = {}
        for row in rows:
            if row.get(measure) is not None:
                groups.setdefault(tuple(repr(row[column]) for column in others), []).append(float(row[measure]))
        several = [np.array(values) for values in groups.values() if len(values) > 1]
        if several:
            squares = sum(((values - values.mean()) ** 2).sum() for values in several)
            freedom = sum(len(values) - 1 for values in several)
            widest = max(float(np.ptp(values)) for values in several)
            found.append(Scatter(measure, len(several), float(np.sqrt(squares / freedom)), widest))
    return found
