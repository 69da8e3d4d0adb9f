"""The cement of a case on a mesh: which needles, which spread, where it went and what it comes near to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from sacrofem.anatomy.solid import Landmarks
from sacrofem.case.case import Case
from sacrofem.case.fracture import Fracture
from sacrofem.cement.flow import Flow, FlowLaw, Medium
from sacrofem.cement.injection import Injection
from sacrofem.cement.mixture import CementMaterial, cement_material
from sacrofem.cement.needle import Needle
from sacrofem.cement.planners import plan_needles
from sacrofem.cement.reach import Reach, fracture_reach
from sacrofem.cement.safety import Limits, Safety, ala_share, plan_safety
from sacrofem.cement.shapes import LONG_AXIS_COLUMN, SHORT_AXIS_COLUMN, Column, Ellipsoid, Spread
from sacrofem.cement.spread import CementRegion, place_cement, spot_coverage
from sacrofem.cement.structures import Structures
from sacrofem.errors import InputError
from sacrofem.mechanics.measures.zones import fracture_pairs
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

Distance = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Site:
    """What cement is placed into: the same for every plan on one mesh.

    Attributes
    ----------
    mesh : TetMesh
    space : Space
    landmarks : Landmarks
    inside : callable or None
        Signed distance of the bone, where it is known: the planners ask it.
    pores : (m,)
        1 - BV/TV.
    lesion_fraction : (m,)
        Share of each tet inside the lesion.
    """

    mesh: TetMesh
    space: Space
    landmarks: Landmarks
    inside: Distance | None
    pores: FloatArray
    lesion_fraction: FloatArray
    _media: dict[FlowLaw, Medium] = field(default_factory=dict, repr=False)

    @cached_property
    def structures(self) -> Structures:
        """What needles and cement have to keep clear of."""
        return Structures(self.mesh, self.landmarks)

    def medium(self, law: FlowLaw) -> Medium:
        """What a flow runs through; one for every law, as it keeps its arrival times."""
        if law not in self._media:
            self._media[law] = Medium(self.mesh, self.pores, self.space.gap.points.reshape(-1, 3), law)
        return self._media[law]


def cement_of(case: Case) -> CementMaterial:
    """The cement of a case: a named material with the case's own constants, where given."""
    material = cement_material(case.cement.material)
    return CementMaterial(
        **{
            **vars(material),
            "modulus_mpa": case.cement.modulus_mpa or material.modulus_mpa,
            "poisson": material.poisson if case.cement.poisson is None else case.cement.poisson,
        }
    )


def needle_plan(case: Case, site: Site) -> tuple[Injection, ...]:
    """The injections of a case: its own, or those of the named approach on every treated side."""
    cement = case.cement
    spread = _spread(case)
    if cement.injections:
        return tuple(
            Injection(Needle(i.entry_mm, i.target_mm, i.gauge), i.volume_ml, spread) for i in cement.injections
        )
    if cement.volume_ml == 0:
        return ()
    # Where no fracture lies beside the joint, the needle keeps to the usual plane there.
    beside = case.fracture if case.fracture.beside_joint else Fracture()
    needles = [
        needle
        for side in case.treated_sides
        for needle in plan_needles(
            cement.approach,
            site.landmarks,
            side,
            cement.needles,
            site.structures,
            joint_distance_mm=beside.joint_distance_mm,
            fracture_tilt_deg=beside.tilt_deg,
            signed_distance=site.inside,
            gauge=cement.gauge,
        )
    ]
    if case.lesion.kind != "none" and case.fracture.zone == "none" and cement.needles == 1:
        # Without a fracture the needle is for the lesion: same direction, tip in its centre.
        needles = [_moved(needle, case.lesion.centre_mm) for needle in needles]
    return tuple(Injection(needle, cement.volume_ml / len(needles), spread) for needle in needles)


def _moved(needle: Needle, tip: tuple[float, float, float]) -> Needle:
    back = needle.length_mm * needle.direction
    x, y, z = (float(t - b) for t, b in zip(tip, back, strict=True))
    return Needle((x, y, z), tip, needle.gauge)


def _spread(case: Case) -> Spread | Flow:
    cement = case.cement
    if cement.spread == "ellipsoid":
        return Ellipsoid(cement.ellipsoid_aspect)
    withdrawn = cement.approach == "long-axis" and not cement.injections
    if cement.spread == "flow":
        line = cement.column_length_mm
        law = FlowLaw(cement.flow.permeability, cement.flow.gap, cement.flow.cortex, cement.flow.tissue)
        return Flow(law, (LONG_AXIS_COLUMN.length_mm if withdrawn else 0.0) if line is None else line)
    if cement.column_length_mm is not None:
        return Column(cement.column_length_mm)
    return LONG_AXIS_COLUMN if withdrawn else SHORT_AXIS_COLUMN


@dataclass(frozen=True, eq=False)
class Placed:
    """What the needles of a case placed.

    Attributes
    ----------
    region : CementRegion
    coverage : (p, q)
        Share of the gap that is cement, a spot included.
    safety : Safety
        What needles and cement come near to.
    reach : Reach
        Which fractures cement comes to.
    """

    region: CementRegion
    coverage: FloatArray
    safety: Safety
    reach: Reach


def place(case: Case, site: Site) -> Placed:
    """Place the cement of a case."""
    gap = site.space.gap if len(site.space.gap.areas) else None
    in_gap = case.cement.in_gap != "none"
    region = place_cement(
        needle_plan(case, site),
        site.mesh,
        site.pores,
        gap,
        case.fracture.aperture_mm,
        in_gap=in_gap,
        lesion_fraction=site.lesion_fraction,
        keep_clear=site.structures.keep_clear,
        stop=case.cement.stop_at_encroachment,
        together=case.cement.sequence == "together",
        media=site.medium,
    )
    coverage = _with_spot(case, site, region)
    limits = Limits(case.safety.needle_clearance_mm, case.safety.cement_clearance_mm, case.safety.leaked_ml)
    own_joint = case.cement.approach == "transiliac" and not case.cement.injections
    points = site.space.gap
    filled = ala_share(
        site.structures,
        region.fraction * site.pores * site.mesh.volumes / 1e3,
        points.points.reshape(-1, 3),
        (coverage * points.areas).ravel() * case.fracture.aperture_mm / 1e3,
    )
    safety = plan_safety(region, site.structures, limits, own_joint=own_joint, filled=filled)
    reach = Reach()
    if gap is not None:
        reach = fracture_reach(region, coverage, gap, fracture_pairs(site.mesh), site.mesh)
    # Arrival times are large, and what they were needed for is done.
    region = replace(region, injections=tuple(replace(placed, arrival=None) for placed in region.injections))
    return Placed(region, coverage, safety, reach)


def _with_spot(case: Case, site: Site, region: CementRegion) -> FloatArray:
    """(p, q) share of the gap that is cement, a spot included."""
    gap = site.space.gap
    coverage = region.coverage if region.coverage.size else np.zeros(gap.areas.shape)
    if case.cement.spot is None:
        return coverage
    if not len(gap.areas):
        raise InputError("a spot needs a fracture", field="cement.spot", mend="set fracture.zone")
    centre = case.cement.spot.centre
    middle = np.average(gap.points.reshape(-1, 3), axis=0, weights=gap.areas.ravel())
    if centre is None:
        # The centroid of a curved fracture need not lie on it.
        nearest = int(np.argmin(np.linalg.norm(gap.points.reshape(-1, 3) - middle, axis=1)))
        middle = gap.points.reshape(-1, 3)[nearest]
    spot = spot_coverage(gap, middle if centre is None else np.asarray(centre), case.cement.spot.radius_mm)
    return np.asarray(np.maximum(coverage, spot))
