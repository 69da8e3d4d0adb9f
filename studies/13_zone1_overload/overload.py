"""Where a sacrum overloads first: the place of its highest strain, by Denis zone, as a scenario of a study."""

from __future__ import annotations

from typing import Any

import numpy as np

from sacrofem.anatomy.regions import denis_zone, level_of
from sacrofem.mechanics.measures.measures import YIELD_STRAIN_COMPRESSION, YIELD_STRAIN_TENSION
from sacrofem.mechanics.space.principal import principal_strains
from sacrofem.specimen.comparison import Comparison
from sacrofem.study.evaluate import OneByOne, Values

HIGHEST = 0.01
"""Share of the cancellous volume that counts as overloaded first."""


def overload(comparison: Comparison) -> dict[str, Any]:
    """Where the most strained hundredth of the cancellous bone lies before cement.

    The failure index is the larger of compressive strain over 0.8 % and tensile over 0.7 % (as for the yield load);
    bone within 5 mm of supports and load is left out, as there.

    Returns
    -------
    dict
        ``overload_zone1_share`` to ``3``: shares of that hundredth by Denis zone; ``bone_zone1_share`` to ``3``: of all
        cancellous bone, for comparison; ``overload_s1_share``, ``s2``: by level; ``overload_index``: the index at its
        border; ``yield_load_n``.
    """
    specimen = comparison.specimen
    zone = specimen.zones(comparison.plan).volume["cancellous"]
    strain = principal_strains(comparison.space, comparison.solutions["before"].state.displacement)[zone.index]
    index = np.maximum(-strain[:, 0] / YIELD_STRAIN_COMPRESSION, strain[:, 2] / YIELD_STRAIN_TENSION)
    points = comparison.space.integration()[0].reshape(-1, 3)[zone.index]
    order = np.argsort(-index)
    share = np.cumsum(zone.weight[order]) / zone.weight.sum()
    top = order[: int(np.searchsorted(share, HIGHEST)) + 1]
    part, level = denis_zone(points, specimen.landmarks), level_of(points, specimen.landmarks)
    values: dict[str, Any] = {}
    for number in (1, 2, 3):
        mine = part == number
        values[f"overload_zone{number}_share"] = float(zone.weight[top][mine[top]].sum() / zone.weight[top].sum())
        values[f"bone_zone{number}_share"] = float(zone.weight[mine].sum() / zone.weight.sum())
    for number, name in enumerate(("s1", "s2", "s3")):
        values[f"overload_{name}_share"] = float(zone.weight[top][level[top] == number].sum() / zone.weight[top].sum())
    values["overload_index"] = float(index[top[-1]])
    values["yield_load_n"] = comparison.before["yield_load_n"]
    return values


class OverloadSolver(OneByOne):
    """Keeps where each sacrum overloads; for `run_study(factory=OverloadSolver)`."""

    def values(self, comparison: Comparison) -> Values:
        """See `overload`."""
        return overload(comparison)
