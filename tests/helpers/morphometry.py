"""Dimensions of a sacrum measured off its mesh, as one would measure a dry bone with callipers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sacrofem.anatomy.regions import axial_position
from sacrofem.anatomy.solid import LEVELS, Landmarks, Side
from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

ENDPLATE_DEPTH_MM = 2.0
"""The endplate's diameters are taken this far below it, clear of its rounded rim."""


@dataclass(frozen=True)
class SacrumMeasures:
    """Measured dimensions, named as the parameters of the built-in sacrum; mm and ml."""

    straight_length_mm: float
    ventral_arc_mm: float
    alar_breadth_mm: float
    endplate_transverse_mm: float
    endplate_ap_mm: float
    anterior_heights_mm: tuple[float, ...]
    anterior_widths_mm: tuple[float, ...]
    posterior_heights_mm: tuple[float, ...]
    posterior_widths_mm: tuple[float, ...]
    volume_ml: float


def ray_lengths(mesh: TetMesh, origin: FloatArray, direction: FloatArray) -> FloatArray:
    """Ascending distances (mm) from ``origin`` (3,) to the boundary along ``direction`` (3,)."""
    unit = direction / np.linalg.norm(direction)
    a, b, c = np.moveaxis(mesh.points[mesh.faces], 1, 0)
    e1, e2 = b - a, c - a
    h = np.cross(unit, e2)
    det = np.einsum("kd,kd->k", e1, h)
    safe = np.where(np.abs(det) < 1e-12, np.nan, det)
    r = origin - a
    u = np.einsum("kd,kd->k", r, h) / safe
    q = np.cross(r, e1)
    v = q @ unit / safe
    t = np.einsum("kd,kd->k", e2, q) / safe
    with np.errstate(invalid="ignore"):
        hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (t > 1e-9)
    return np.asarray(np.sort(t[hit]))


def width_at(mesh: TetMesh, origin: FloatArray, direction: FloatArray) -> float:
    """Distance in mm between the first walls on either side of a point along a direction; inf without a wall."""
    return float(sum(ray_lengths(mesh, origin, way).min(initial=np.inf) for way in (direction, -direction)))


def median_section(mesh: TetMesh, name: str = "outer") -> FloatArray:
    """(n, 3) points where the edges of the faces of a set meet the median plane x = 0."""
    faces = mesh.faces[mesh.face_sets[name]]
    edges = np.unique(np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    a, b = mesh.points[edges[:, 0]], mesh.points[edges[:, 1]]
    across = (a[:, 0] * b[:, 0] <= 0) & (a[:, 0] != b[:, 0])
    a, b = a[across], b[across]
    t = a[:, :1] / (a[:, :1] - b[:, :1])
    on = mesh.points[np.unique(faces)]
    return np.unique(np.concatenate([a + t * (b - a), on[on[:, 0] == 0.0]]).round(9), axis=0)


def measure_sacrum(mesh: TetMesh, landmarks: Landmarks, side: Side = "left") -> SacrumMeasures:
    """Measure a sacrum.

    Parameters
    ----------
    mesh
        Whole sacrum with the face sets of ``label_faces``.
    landmarks
        Where to measure.
    side
        Of the foramina.

    Raises
    ------
    InputError
        A landmark does not lie where there is something to measure.
    """
    section = median_section(mesh)
    promontory = section[((section - landmarks.promontory) @ (landmarks.promontory - landmarks.levels[0])).argmax()]
    apex = section[((section - landmarks.apex) @ (landmarks.apex - landmarks.levels[4])).argmax()]
    front = median_section(mesh, "anterior")
    # The anterior faces end before the rounded edges; promontory and apex close the line.
    way = np.sort(axial_position(np.array([promontory, apex]), landmarks))
    position = axial_position(front, landmarks)
    order = np.argsort(position)
    line = front[order][(position[order] > way[0] + 0.02) & (position[order] < way[1] - 0.02)]
    line = np.concatenate([promontory[None], line, apex[None]])
    centre = landmarks.endplate_centre - ENDPLATE_DEPTH_MM * landmarks.endplate_normal
    x = np.array([1.0, 0.0, 0.0])
    tubes = [landmarks.foramina[f"{level}_{side}"] for level in LEVELS]
    anterior = [_throat(mesh, landmarks, tube.points[0], tube.points[2]) for tube in tubes]
    posterior = [_throat(mesh, landmarks, tube.points[-1], tube.points[2]) for tube in tubes]
    return SacrumMeasures(
        straight_length_mm=float(np.linalg.norm(promontory - apex)),
        ventral_arc_mm=float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()),
        alar_breadth_mm=float(np.ptp(mesh.points[:, 0])),
        endplate_transverse_mm=width_at(mesh, centre, x),
        endplate_ap_mm=width_at(mesh, centre, np.cross(landmarks.endplate_normal, x)),
        anterior_heights_mm=tuple(height for height, _ in anterior),
        anterior_widths_mm=tuple(width for _, width in anterior),
        posterior_heights_mm=tuple(height for height, _ in posterior),
        posterior_widths_mm=tuple(width for _, width in posterior),
        volume_ml=float(mesh.volumes.sum()) / 1e3,
    )


def _throat(mesh: TetMesh, landmarks: Landmarks, start: FloatArray, end: FloatArray) -> tuple[float, float]:
    """Least height and width of a foramen, square to its axis, between its mouth and its middle."""
    axis = (end - start) / np.linalg.norm(end - start)
    tangent = np.gradient(landmarks.levels, axis=0)
    sizes = []
    for share in np.linspace(0.1, 0.55, 7):
        place = start + share * (end - start)
        position = float(axial_position(place[None], landmarks)[0])
        along = np.array([np.interp(position, np.arange(5), tangent[:, d]) for d in range(3)])
        along -= (along @ axis) * axis
        sizes.append([width_at(mesh, place, along), width_at(mesh, place, np.cross(along, axis))])
    height, width = np.min(sizes, axis=0)
    if not np.isfinite([height, width]).all():
        raise InputError(
            "no wall around the foramen",
            field="landmarks.foramina",
            value=start.round(2).tolist(),
            mend="move its mouth",
        )
    return float(height), float(width)
