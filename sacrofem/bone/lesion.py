"""Lytic lesions: where they are, what density is left, and how far their border is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from sacrofem.bone.overlap import element_reach, volume_mean, volume_share
from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

LesionKind = Literal["focal", "infiltrative"]
Triple = tuple[float, float, float]

#: Width of the rim over which a focal lesion passes into bone, mm: narrow against every lesion, wide
#: enough that a mesh of any size sees no jump.
RIM_MM = 1.0


@dataclass(frozen=True)
class Lesion:
    """A lytic ellipsoid, axes along the anatomical frame.

    Parameters
    ----------
    kind
        ``"focal"``: bone is lost evenly up to a narrow rim. ``"infiltrative"``: loss is greatest in
        the centre and fades to nothing at the border of the zone.
    centre_mm, radii_mm
        Centre and semi-axes.
    density_factor
        Density over that of sound bone where the loss is greatest; above 1 for a blastic lesion.
    bone_volume_fraction
        BV/TV where the loss is greatest; 0 (no trabeculae left) unless known.

    Raises
    ------
    InputError
        For values that are no lesion.
    """

    kind: LesionKind
    centre_mm: Triple
    radii_mm: Triple
    density_factor: float = 0.0
    bone_volume_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(LesionKind):
            raise InputError("no such lesion", field="lesion.kind", value=self.kind, mend="use focal or infiltrative")
        for name in ("centre_mm", "radii_mm"):
            value = getattr(self, name)
            if np.shape(value) != (3,) or not np.isfinite(value).all():
                raise InputError("needs three finite numbers", field=f"lesion.{name}", value=value, mend="give x, y, z")
            object.__setattr__(self, name, tuple(float(x) for x in value))
        if min(self.radii_mm) <= 0.0:
            raise InputError(
                "radii must be positive", field="lesion.radii_mm", value=self.radii_mm, mend="give semi-axes in mm"
            )
        for name, most in (("density_factor", 10.0), ("bone_volume_fraction", 1.0)):
            value = getattr(self, name)
            if not 0.0 <= value <= most:
                raise InputError(f"must lie in [0, {most:g}]", field=f"lesion.{name}", value=value, mend="0 is no bone")


def border_distance(points: FloatArray, lesion: Lesion) -> FloatArray:
    """Signed distance to the border of the lesion, negative inside.

    The foot point y on the ellipsoid with semi-axes r solves y_i = r_i² x_i / (t + r_i²); t is found by bisection,
    because Newton's method fails near the medial plane (Eberly, Distance from a Point to an Ellipsoid [K]).

    Parameters
    ----------
    points : (n, 3)
        mm.

    Returns
    -------
    (n,) mm.
    """
    radii = np.asarray(lesion.radii_mm)
    # A coordinate of exactly zero has no root on the medial axis; a shift far below rounding of the result has.
    x = np.maximum(np.abs(np.asarray(points, dtype=float) - lesion.centre_mm), 1e-12 * radii.min())
    # Counted from the pole at -min(r)², the root keeps its digits; it spans decades, hence geometric means.
    beyond = radii**2 - radii.min() ** 2
    low, high = (x * radii)[:, beyond == 0.0].max(axis=1), np.linalg.norm(x * radii, axis=1)
    for _ in range(60):
        middle = np.sqrt(low * high)
        outside = np.sum((radii * x / (middle[:, None] + beyond)) ** 2, axis=1) > 1.0
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    foot = radii**2 * x / (np.sqrt(low * high)[:, None] + beyond)
    inside = np.sum((x / radii) ** 2, axis=1) < 1.0
    return np.asarray(np.where(inside, -1.0, 1.0) * np.linalg.norm(x - foot, axis=1))


def lesion_membership(points: FloatArray, lesion: Lesion) -> FloatArray:
    """How far each point belongs to the lesion: 1 where the loss is greatest, 0 in sound bone.

    Focal: a smooth step over ``RIM_MM`` centred on the border (narrower in a very small lesion).
    Infiltrative: (1 − g²)² with g = 1 on the border of the zone.
    """
    relative = (np.asarray(points, dtype=float) - lesion.centre_mm) / lesion.radii_mm
    squared = np.sum(relative**2, axis=1)
    if lesion.kind == "infiltrative":
        return np.asarray(np.maximum(1.0 - squared, 0.0) ** 2)
    rim = min(RIM_MM, min(lesion.radii_mm))
    membership = (squared < 1.0).astype(float)
    # Outside this band of the gauge the border is further than the rim, whatever the axes.
    near = np.abs(np.sqrt(squared) - 1.0) * min(lesion.radii_mm) <= rim
    step = np.clip(0.5 - border_distance(np.asarray(points)[near], lesion) / rim, 0.0, 1.0)
    membership[near] = step * step * (3.0 - 2.0 * step)
    return np.asarray(membership)


def element_membership(mesh: TetMesh, lesion: Lesion) -> FloatArray:
    """(m,) volume average of the membership over each tet."""
    centroids, reach = mesh.centroids, element_reach(mesh)
    relative = (centroids - lesion.centre_mm) / lesion.radii_mm
    # Elements that no point of the zone and its rim can reach.
    gauge_reach = (reach + RIM_MM) / min(lesion.radii_mm)
    near = np.flatnonzero(np.linalg.norm(relative, axis=1) < 1.0 + gauge_reach)
    membership = np.zeros(len(mesh.tets))
    membership[near] = volume_mean(mesh, lambda points: lesion_membership(points, lesion), near)
    return np.clip(membership, 0.0, 1.0)


def lesion_share(mesh: TetMesh, lesion: Lesion) -> FloatArray:
    """Share of each tet that lies inside the border of the lesion.

    Raises
    ------
    InputError
        If no bone lies inside.
    """
    share = volume_share(mesh, lambda points: border_distance(points, lesion))
    if not share.any():
        distance = np.linalg.norm(mesh.points - lesion.centre_mm, axis=1).min()
        raise InputError(
            f"no bone lies in the lesion; the nearest mesh point is {distance:.1f} mm from its centre",
            field="lesion.centre_mm", value=lesion.centre_mm, mend="move the centre into the bone",
        )  # fmt: skip
    return share


def lesion_density(where: TetMesh | FloatArray, density: FloatArray, lesion: Lesion) -> FloatArray:
    """Density with the lesion in it: ρ (1 − w (1 − density_factor)), w the membership.

    Parameters
    ----------
    where : TetMesh or (n, 3)
        A mesh, whose tets are averaged, or points in mm.
    density : (m,) or (n,)
        Density of sound bone, g/cm³.
    """
    member = element_membership(where, lesion) if isinstance(where, TetMesh) else lesion_membership(where, lesion)
    return density * (1.0 - member * (1.0 - lesion.density_factor))


def lesion_bone_volume_fraction(
    where: TetMesh | FloatArray, bone_volume_fraction: FloatArray, lesion: Lesion
) -> FloatArray:
    """BV/TV with the lesion in it: the given BV/TV of sound bone blended into that of the lesion by membership."""
    member = element_membership(where, lesion) if isinstance(where, TetMesh) else lesion_membership(where, lesion)
    return bone_volume_fraction + member * (lesion.bone_volume_fraction - bone_volume_fraction)
