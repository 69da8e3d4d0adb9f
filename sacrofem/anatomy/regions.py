"""Where a point is: Denis zones, levels, auricular faces and planes beside them, distance to the nerve corridors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sacrofem.anatomy.solid import LEVELS, SIDES, AuricularFace, Corridor, Landmarks, Side
from sacrofem.system.arrays import FloatArray, IntArray

Outline = Callable[[FloatArray], FloatArray]


def corridor_distance(points: FloatArray, corridor: Corridor) -> FloatArray:
    """Signed distance to the wall of a corridor.

    Parameters
    ----------
    points : (n, 3) float
        mm.
    corridor
        Canal or foramen: a polyline with radii, round at its ends.

    Returns
    -------
    (n,) float
        mm, negative inside.
    """
    nearest = np.full(len(points), np.inf)
    ends = zip(corridor.points[:-1], corridor.points[1:], corridor.radii[:-1], corridor.radii[1:], strict=True)
    for start, end, r0, r1 in ends:
        way = end - start
        t = np.clip((points - start) @ way / (way @ way), 0.0, 1.0)
        away = np.linalg.norm(points - start - t[:, None] * way, axis=1)
        nearest = np.minimum(nearest, away - (r0 + t * (r1 - r0)))
    return nearest


def axial_position(points: FloatArray, landmarks: Landmarks) -> FloatArray:
    """(n,) place along the body axis: 0 at the centre of S1, 1 at that of S2, ..., linear between and beyond.

    Planes through the body centres, square to the axis there, divide space; between two of them the position is the
    share of the distance to the upper one.
    """
    levels = landmarks.levels
    tangent = np.gradient(levels, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    below = np.einsum("nkd,kd->nk", points[:, None] - levels, tangent)
    k = np.clip((below > 0).sum(axis=1) - 1, 0, len(levels) - 2)
    rows = np.arange(len(points))
    upper, lower = below[rows, k], -below[rows, k + 1]
    span = upper + lower
    return np.asarray(k + upper / np.where(np.abs(span) > 1e-9, span, 1e-9))


def level_of(points: FloatArray, landmarks: Landmarks) -> IntArray:
    """(n,) 0..4 for S1..S5: the level whose body centre is nearest along the axis."""
    position = np.nan_to_num(axial_position(points, landmarks), nan=0.0)
    return np.clip(np.round(position), 0, 4).astype(np.int64)


def zone_borders(points: FloatArray, landmarks: Landmarks) -> tuple[FloatArray, FloatArray]:
    """Medial and lateral border of Denis zone 2.

    Returns
    -------
    medial, lateral : (n,) float
        Distances in mm from the median plane at the level and on the side of each point: the foramina's borders,
        linear between the levels; infinite on a side of which no foramen is known.
    """
    position = axial_position(points, landmarks)
    medial, lateral = np.empty(len(points)), np.empty(len(points))
    for side in SIDES:
        here = points[:, 0] >= 0 if side == "left" else points[:, 0] < 0
        stations, inner, outer = [], [], []
        for level in LEVELS:
            if f"{level}_{side}" not in landmarks.foramina:
                continue
            corridor = landmarks.foramina[f"{level}_{side}"]
            stations.append(float(axial_position(corridor.points[:1], landmarks)[0]))
            x = np.abs(corridor.points[:, 0])
            # The front of the corridor: behind, it has entered the canal and turned back.
            inner.append((x[:2] - corridor.radii[:2]).min())
            outer.append((x + corridor.radii).max())
        if not stations:
            medial[here] = lateral[here] = np.inf
            continue
        medial[here] = np.interp(position[here], stations, inner)
        lateral[here] = np.interp(position[here], stations, outer)
    return medial, lateral


def denis_zone(points: FloatArray, landmarks: Landmarks) -> IntArray:
    """Denis zone of each point.

    Zone 1 is lateral to the foramina, zone 2 holds them, zone 3 is the canal and the centre (Denis 1988, as captioned
    in PMC7265089 [T]).

    Returns
    -------
    (n,) int
        1, 2 or 3.
    """
    medial, lateral = zone_borders(points, landmarks)
    x = np.abs(points[:, 0])
    return np.where(x > lateral, 1, np.where(x >= medial, 2, 3)).astype(np.int64)


def auricular_ellipse(face: AuricularFace, landmarks: Landmarks) -> Outline:
    """Outline of an auricular face where nothing better is known: an ellipse in its plane.

    Its long axis is the direction of S1 to S3 in that plane; the result is about a signed distance (mm).
    """
    down = landmarks.levels[2] - landmarks.levels[0]
    down = down - (down @ face.normal) * face.normal
    down /= np.linalg.norm(down)
    across = np.cross(face.normal, down)

    def outline(points: FloatArray) -> FloatArray:
        r = points - face.centre
        a, b = r @ down / (0.5 * face.height_mm), r @ across / (0.5 * face.width_mm)
        return np.asarray((np.hypot(a, b) - 1.0) * 0.5 * min(face.height_mm, face.width_mm))

    return outline


def alar_plane(
    landmarks: Landmarks, side: Side, joint_distance_mm: float, tilt_deg: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """A plane through the ala beside a joint, lateral of the foramina: that of a zone-1 fracture.

    Parameters
    ----------
    landmarks, side
        Of the sacrum, and where.
    joint_distance_mm
        From the plane of the joint, at the joint's centre.
    tilt_deg
        By how much its lower end is turned to the joint, about the line from front to back; 0 is parallel to the joint.

    Returns
    -------
    point, normal : (3,) float
        mm, and the unit normal to the side.
    """
    face, tilt = landmarks.auricular[side], np.radians(tilt_deg)
    up = landmarks.endplate_normal - (landmarks.endplate_normal @ face.normal) * face.normal
    normal = np.cos(tilt) * face.normal + np.sin(tilt) * up / np.linalg.norm(up)
    return face.centre - joint_distance_mm * face.normal, normal
