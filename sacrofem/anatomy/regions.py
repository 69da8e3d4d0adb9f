"""Where a point or a face is: named surfaces, Denis zones, levels and distance to the nerve corridors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem.anatomy.solid import LEVELS, SIDES, AuricularFace, Corridor, FloatArray, Landmarks
from sacrofem.mesh.tetmesh import BoolArray, IntArray, TetMesh

Outline = Callable[[FloatArray], FloatArray]

CORRIDOR_WALL_MM = 1.5
"""Faces this near to a corridor's wall line the corridor."""


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
        linear between the levels.
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


def label_faces(mesh: TetMesh, landmarks: Landmarks, *, auricular_outline: Outline | None = None) -> TetMesh:
    """The mesh with its named outer surfaces.

    Parameters
    ----------
    mesh
        Of a sacrum or half of one. Faces in its set ``outer``, or all unpaired ones, are labelled.
    landmarks
        Where things are.
    auricular_outline
        Signed distance (mm) to the outline of the auricular faces, negative within; by default an ellipse on the best
        plane of each.

    Returns
    -------
    TetMesh
        With face sets ``endplate``, ``auricular_left``, ``auricular_right``, ``anterior``, ``posterior`` and ``outer``.
        Corridor walls are outer and nothing else.
    """
    outer = mesh.face_sets.get("outer")
    outer = np.asarray(mesh.pair == 0) if outer is None else outer
    normals, centres = mesh.face_normals, mesh.points[mesh.faces].mean(axis=1)
    up = landmarks.endplate_normal
    height = (centres - landmarks.endplate_centre) @ up
    sets = {"outer": outer}
    # The centre halves the way from the promontory to the hind edge: what lies behind belongs to the facets.
    backwards = np.cross(up, [1.0, 0.0, 0.0])
    reach = (landmarks.endplate_centre - landmarks.promontory) @ backwards
    hind = (centres - landmarks.endplate_centre) @ backwards > reach
    flat = (normals @ up > 0.8) & (np.abs(height) < 2.0) & ~hind
    sets["endplate"] = _patch(mesh, outer & flat, landmarks.endplate_centre)
    named = sets["endplate"].copy()
    for side in SIDES:
        face = landmarks.auricular[side]
        outline = auricular_outline or auricular_ellipse(face, landmarks)
        there = centres[:, 0] * face.normal[0] > 0
        near = np.linalg.norm(centres - face.centre, axis=1) < face.height_mm
        candidates = outer & there & near & (normals @ face.normal > 0.5) & (outline(centres) < 0.0)
        sets[f"auricular_{side}"] = _patch(mesh, candidates, face.centre)
        named |= sets[f"auricular_{side}"]
    corridors = [landmarks.canal, *landmarks.foramina.values()]
    lining = np.min([corridor_distance(centres, c) for c in corridors], axis=0) < CORRIDOR_WALL_MM
    free = outer & ~named & ~lining
    ventral, body, canal = _ventral(centres, landmarks)
    front = np.einsum("kd,kd->k", normals, ventral)
    before_canal = np.einsum("kd,kd->k", centres - canal, ventral) > 0
    behind_body = np.einsum("kd,kd->k", centres - body, ventral) < 0
    sets["anterior"] = free & (front > 0.2) & before_canal
    sets["posterior"] = free & (front < -0.2) & behind_body
    return mesh.with_sets(face_sets=sets)


def _ventral(points: FloatArray, landmarks: Landmarks) -> tuple[FloatArray, FloatArray, FloatArray]:
    """At the level of each point: unit vector to the front, body centre and canal centre, all (n, 3)."""
    position = np.clip(axial_position(points, landmarks), 0, 4)
    down = np.arange(5.0)
    inside = axial_position(landmarks.canal.points, landmarks)

    def at(stations: FloatArray, values: FloatArray) -> FloatArray:
        return np.stack([np.interp(position, stations, values[:, d]) for d in range(3)], axis=1)

    front = np.cross(at(down, np.gradient(landmarks.levels, axis=0)), [1.0, 0.0, 0.0])
    front = front / np.linalg.norm(front, axis=1, keepdims=True)
    return np.asarray(front), at(down, landmarks.levels), at(inside, landmarks.canal.points)


def _patch(mesh: TetMesh, candidates: BoolArray, centre: FloatArray) -> NDArray[np.bool_]:
    """The candidates that hang together with the one nearest to a point."""
    chosen = np.zeros(len(mesh.faces), bool)
    index = np.flatnonzero(candidates)
    if not len(index):
        return chosen
    faces = mesh.faces[index]
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, edge = np.unique(edges, axis=0, return_inverse=True)
    face, edge = np.repeat(np.arange(len(faces)), 3), edge.ravel()
    links = coo_array((np.ones(len(edge)), (face, edge)), shape=(len(faces), int(edge.max()) + 1)).tocsr()
    _, label = connected_components(links @ links.T, directed=False)
    nearest = np.linalg.norm(mesh.points[faces].mean(axis=1) - centre, axis=1).argmin()
    chosen[index[label == label[nearest]]] = True
    return chosen
