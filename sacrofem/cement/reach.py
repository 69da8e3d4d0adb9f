"""Which fractures the cement of a plan reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import KDTree

from sacrofem.cement.spread import CementRegion
from sacrofem.mesh.gap import GapPoints
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import BoolArray, FloatArray

LEAST_SHARE = 0.01
"""Of the area of a fracture: cement on less of it holds nothing together [D]."""


@dataclass(frozen=True)
class Reach:
    """How far cement comes to the fractures.

    Attributes
    ----------
    covered_share : mapping of str to float
        Share of the area of each fracture that cement reaches, whether or not it may stay in the gap.
    distance_mm : mapping of str to float
        From each fracture to the nearest cement, to about an edge length; 0 where it is reached, infinite without any.
    """

    covered_share: Mapping[str, float] = field(default_factory=dict)
    distance_mm: Mapping[str, float] = field(default_factory=dict)

    @property
    def reached(self) -> dict[str, bool]:
        """Whether cement reaches each fracture: at least 1 % of its area."""
        return {name: share >= LEAST_SHARE for name, share in self.covered_share.items()}

    def sentences(self) -> list[str]:
        """What a reader has to know first: fractures that are not reached, the nearest first."""
        missed = sorted((n for n, met in self.reached.items() if not met), key=lambda n: self.distance_mm[n])
        if not missed:
            return []
        named = ", ".join(f"{name} ({self._away(name)})" for name in missed[:4])
        named += f" and {len(missed) - 4} more" if len(missed) > 4 else ""
        if len(missed) == len(self.covered_share):
            return [f"cement reaches no fracture: {named}; what it changes is the bone around it, not the fracture"]
        return [f"cement does not reach all fractures: not {named}"]

    def _away(self, name: str) -> str:
        share, distance = self.covered_share[name], self.distance_mm[name]
        if share > 0.0:
            return f"touched on {100.0 * share:.2g} % of its area"
        return f"{distance:.1f} mm away" if np.isfinite(distance) else "no cement"


def fracture_reach(
    region: CementRegion, coverage: FloatArray, gap: GapPoints, fractures: Mapping[str, BoolArray], mesh: TetMesh
) -> Reach:
    """Which fractures a region reaches.

    Parameters
    ----------
    region : CementRegion
        With the arrivals of its injections.
    coverage : (p, q)
        Share of the gap that is cement, a spot included.
    gap : GapPoints
    fractures : mapping of str to (p,) bool
        Which pairs belong to each.
    mesh : TetMesh
    """
    met = np.asarray(coverage, dtype=float).copy()
    points = gap.points.reshape(-1, 3)
    if not met.any():
        # Where cement may not stay in the gap it has come there all the same.
        for placed in region.injections:
            if placed.arrival is not None:
                met = np.maximum(met, (placed.arrival.size(points) <= placed.radius_mm).reshape(met.shape))
    filled = mesh.points[mesh.tets[region.fraction > 0.0]].mean(axis=1)
    cement = np.concatenate([filled, points[met.ravel() > 0.0]])
    nearest = KDTree(cement) if len(cement) else None
    share, distance = {}, {}
    for name, mine in fractures.items():
        areas = gap.areas[mine]
        share[name] = float((areas * met[mine]).sum() / areas.sum())
        away = np.inf if nearest is None else float(nearest.query(gap.points[mine].reshape(-1, 3))[0].min())
        distance[name] = 0.0 if share[name] > 0.0 else away
    return Reach(share, distance)
