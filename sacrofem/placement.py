"""The cement of a case on a mesh: which needles, which shape, and where it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from sacrofem.anatomy.solid import Landmarks
from sacrofem.case import Case
from sacrofem.cement.mixture import CementMaterial, cement_material
from sacrofem.cement.needle import Injection, Needle, long_axis_needles, short_axis_needles
from sacrofem.cement.shapes import LONG_AXIS_COLUMN, SHORT_AXIS_COLUMN, Column, Ellipsoid, Spread
from sacrofem.cement.spread import CementRegion, place_cement, spot_coverage
from sacrofem.errors import InputError
from sacrofem.mechanics.space import Space
from sacrofem.mesh.tetmesh import FloatArray, TetMesh

if TYPE_CHECKING:
    from sacrofem.model import Model

Distance = Callable[[FloatArray], FloatArray]


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


def needle_plan(case: Case, landmarks: Landmarks, inside: Distance | None) -> tuple[Injection, ...]:
    """The injections of a case: its own, or those of the named approach on every treated side."""
    cement = case.cement
    if cement.injections:
        return tuple(
            Injection(Needle(i.entry_mm, i.target_mm, i.gauge), i.volume_ml, _spread(case)) for i in cement.injections
        )
    if cement.volume_ml == 0:
        return ()
    planner = short_axis_needles if cement.approach == "short-axis" else long_axis_needles
    needles = [
        needle
        for side in case.treated_sides
        for needle in planner(
            landmarks,
            side,
            cement.needles,
            joint_distance_mm=case.fracture.joint_distance_mm,
            signed_distance=inside,
        )
    ]
    if case.lesion.kind != "none" and case.fracture.zone == "none" and cement.needles == 1:
        # Without a fracture the needle is for the lesion: same direction, tip in its centre.
        needles = [_moved(needle, case.lesion.centre_mm) for needle in needles]
    return tuple(Injection(needle, cement.volume_ml / len(needles), _spread(case)) for needle in needles)


def _moved(needle: Needle, tip: tuple[float, float, float]) -> Needle:
    back = needle.length_mm * needle.direction
    x, y, z = (float(t - b) for t, b in zip(tip, back, strict=True))
    return Needle((x, y, z), tip, needle.gauge)


def _spread(case: Case) -> Spread:
    if case.cement.spread == "ellipsoid":
        return Ellipsoid(case.cement.ellipsoid_aspect)
    if case.cement.column_length_mm is not None:
        return Column(case.cement.column_length_mm)
    return SHORT_AXIS_COLUMN if case.cement.approach == "short-axis" or case.cement.injections else LONG_AXIS_COLUMN


def place(
    case: Case,
    mesh: TetMesh,
    space: Space,
    landmarks: Landmarks,
    inside: Distance | None,
    pores: FloatArray,
    lesion_fraction: FloatArray,
) -> tuple[CementRegion, FloatArray]:
    """What the needles of a case placed, and the share of the gap (p, q) that is cement, a spot included."""
    gap = space.gap if len(space.gap.areas) else None
    in_gap = case.cement.in_gap != "none"
    injections = needle_plan(case, landmarks, inside)
    region = place_cement(
        injections, mesh, pores, gap, case.fracture.aperture_mm, in_gap=in_gap, lesion_fraction=lesion_fraction
    )
    coverage = region.coverage
    if case.cement.spot is not None:
        if gap is None:
            raise InputError("a spot needs a fracture", field="cement.spot", mend="set fracture.zone")
        centre = case.cement.spot.centre
        middle = np.average(gap.points.reshape(-1, 3), axis=0, weights=gap.areas.ravel())
        if centre is None:
            # The centroid of a curved fracture need not lie on it.
            nearest = int(np.argmin(np.linalg.norm(gap.points.reshape(-1, 3) - middle, axis=1)))
            middle = gap.points.reshape(-1, 3)[nearest]
        spot = spot_coverage(gap, middle if centre is None else np.asarray(centre), case.cement.spot.radius_mm)
        coverage = np.maximum(coverage, spot)
    return region, coverage


def volumes_ml(model: Model) -> Mapping[str, float]:
    """Cement volumes of a model in ml under the keys of ``comparison.json``."""
    region, gap = model.region, model.space.gap
    in_gap = region.in_gap_ml
    spot = 0.0
    if model.case.cement.spot is not None:
        covered = float((gap.areas * model.coverage).sum() * model.case.fracture.aperture_mm / 1e3)
        spot = covered - in_gap
    placed = region.in_bone_ml + in_gap + region.in_lesion_ml + spot
    return {
        "requested_ml": region.requested_ml + spot,
        "placed_ml": placed,
        "in_bone_ml": region.in_bone_ml,
        "in_gap_ml": in_gap + spot,
        "in_lesion_ml": region.in_lesion_ml,
        "withheld_ml": 0.0,
    }
