"""A plan: cement laid on a specimen, where it went and what it comes near to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sacrofem.case.case import Case
from sacrofem.case.unused import unused_plan_keys
from sacrofem.cement.mixture import CementMaterial
from sacrofem.cement.needle import Needle
from sacrofem.cement.reach import Reach
from sacrofem.cement.safety import Safety
from sacrofem.cement.spread import CementRegion
from sacrofem.mechanics.measures.zones import ReferencePlan
from sacrofem.mechanics.parts.gaplaw import GapCement
from sacrofem.mechanics.parts.interface import Filler
from sacrofem.specimen.cement import Site, cement_of, place
from sacrofem.system.arrays import FloatArray, IntArray

RESOLVED = 20
"""Least number of tets, filled to half or more, in which a bolus has a shape."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Cement laid on a specimen.

    Attributes
    ----------
    case : Case
        The specimen's case with the cement of this plan.
    material : CementMaterial
    region : CementRegion
        What the injections placed.
    coverage : (p, q)
        Share of the gap that cement fills at the gap points, a spot included.
    spot_ml : float
        Cement of the spot alone.
    safety : Safety
        What needles and cement come near to.
    reach : Reach
        Which fractures cement comes to.
    notes : tuple of str
        What a reader has to know of this plan, beside what comes first of all: `first_notes`.
    """

    case: Case
    material: CementMaterial
    region: CementRegion
    coverage: FloatArray
    spot_ml: float
    safety: Safety
    reach: Reach
    notes: tuple[str, ...] = ()

    @property
    def in_gap(self) -> GapCement:
        """What cement in the gap is made of, and how it holds."""
        section = self.case.cement
        return GapCement(cement_filler(self.material), section.in_gap, section.interface_n_per_mm3)

    @property
    def needles(self) -> tuple[Needle, ...]:
        """In the order of their injections."""
        return tuple(placed.injection.needle for placed in self.region.injections)

    @property
    def reference(self) -> ReferencePlan | None:
        """What fixes the measuring zones; None without cement in bone."""
        fraction = self.region.fraction
        return ReferencePlan(fraction, self.region.placed_ml) if fraction.any() else None

    @property
    def first_notes(self) -> list[str]:
        """What stands before all other notes of a result: fractures that the plan does not reach."""
        return self.reach.sentences()

    @property
    def volumes_ml(self) -> Mapping[str, float]:
        """Volumes in ml under the keys of ``comparison.json``, a spot included."""
        region = self.region
        return {
            "requested_ml": region.requested_ml + self.spot_ml,
            "placed_ml": region.in_bone_ml + region.in_gap_ml + region.in_lesion_ml + self.spot_ml,
            "in_bone_ml": region.in_bone_ml,
            "in_gap_ml": region.in_gap_ml + self.spot_ml,
            "in_lesion_ml": region.in_lesion_ml,
            "withheld_ml": region.withheld_ml,
        }

    def to_json(self) -> dict[str, Any]:
        """The key ``cement`` of ``comparison.json``."""
        return {
            **self.volumes_ml,
            "leaked_ml": dict(self.safety.leaked_ml),
            "clearance_mm": dict(self.safety.clearance_mm),
            "reached": self.reach.reached,
            "covered_share": dict(self.reach.covered_share),
        }


def cement_filler(material: CementMaterial) -> Filler:
    """A gap full of a cement."""
    return Filler(material.modulus_mpa, material.poisson)


def lay(case: Case, site: Site) -> Plan:
    """Lay the cement of a case on a site.

    Raises
    ------
    InputError
        A needle misses the bone, there is no room for the volume, or a spot misses the fracture.
    """
    placed = place(case, site)
    region, spot_ml = placed.region, 0.0
    if case.cement.spot is not None:
        covered = float((site.space.gap.areas * placed.coverage).sum() * case.fracture.aperture_mm / 1e3)
        spot_ml = covered - region.in_gap_ml
    notes = [*unused_plan_keys(case), *placed.safety.sentences()]
    filled = int(np.count_nonzero(region.fraction >= 0.5))
    if 0 < filled < RESOLVED or (region.injections and not filled):
        notes.append(
            f"cement fills half or more of {filled} tets only: its volume is exact, its shape is not resolved; "
            "use a finer mesh"
        )
    return Plan(
        case, cement_of(case), region, placed.coverage, spot_ml, placed.safety, placed.reach, tuple(notes)
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class PackedPlan:
    """A plan without its zeros, so that thousands fit into memory."""

    plan: Plan
    tets: IntArray
    fraction: FloatArray
    points: IntArray
    coverage: FloatArray
    shape: tuple[int, tuple[int, ...]]

    @classmethod
    def of(cls, plan: Plan) -> PackedPlan:
        """Pack a plan."""
        fraction, coverage, nothing = plan.region.fraction, plan.coverage, np.zeros(0)
        tets, points = np.flatnonzero(fraction), np.flatnonzero(coverage)
        empty = replace(plan, region=replace(plan.region, fraction=nothing, coverage=nothing), coverage=nothing)
        return cls(
            empty, tets, fraction[tets], points, coverage.ravel()[points], (len(fraction), coverage.shape)
        )  # fmt: skip

    def unpacked(self) -> Plan:
        """The whole plan again."""
        fraction, coverage = np.zeros(self.shape[0]), np.zeros(self.shape[1])
        fraction[self.tets] = self.fraction
        coverage.ravel()[self.points] = self.coverage
        region = replace(self.plan.region, fraction=fraction, coverage=coverage)
        return replace(self.plan, region=region, coverage=coverage)
