"""Named surfaces of a sacrum: which faces of a mesh are endplate, auricular, anterior and posterior."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem.anatomy.regions import Outline, auricular_ellipse, axial_position, corridor_distance
from sacrofem.anatomy.solid import SIDES, Landmarks
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import BoolArray, FloatArray

CORRIDOR_WALL_MM = 1.5
"""Faces this near to a corridor's wall line the corridor."""

JOINT_CURVE_MM = 6.0
"""What lies further off the best plane of a joint is not taken for joint: behind its bend the tuberosity begins [D].

The built-in faces, which are twisted, come to 5.7 mm."""


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
        level = np.abs((centres - face.centre) @ face.normal) < JOINT_CURVE_MM
        candidates = outer & there & near & level & (normals @ face.normal > 0.5) & (outline(centres) < 0.0)
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


def _patch(mesh: TetMesh, candidates: BoolArray, centre: FloatArray) -> BoolArray:
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
