"""Pieces of bone that nothing holds: found and named before any solve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from sacrofem.errors import InputError
from sacrofem.mechanics.parts.form import FormPart
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.supports import Supports
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import components
from sacrofem.system.arrays import FloatArray

# A rigid motion is free when the energy that it costs is below this share of the stiffest one's.
FREE_MOTION = 1e-10


def rigid_motions(points: FloatArray, centre: FloatArray, length: float) -> FloatArray:
    """(..., 3, 6) displacement at points for unit translations and rotations (times ``length``)."""
    r = (points - centre) / length
    motion = np.zeros((*points.shape[:-1], 3, 6))
    motion[..., :3, :3] = np.eye(3)
    motion[..., 1, 3], motion[..., 2, 3] = -r[..., 2], r[..., 1]
    motion[..., 0, 4], motion[..., 2, 4] = r[..., 2], -r[..., 0]
    motion[..., 0, 5], motion[..., 1, 5] = -r[..., 1], r[..., 0]
    return motion


def check_held(space: Space, supports: Supports, gap: GapStiffness | None, extra: Sequence[FormPart] = ()) -> None:
    """Refuse a model in which a piece of bone can move freely.

    Every piece is taken as rigid; gap, supports, springs and forms give the stiffness of its six motions.

    Parameters
    ----------
    space, supports, gap
    extra
        Parts in forms of the user's own.

    Raises
    ------
    InputError
        Naming the piece, its volume and its place.
    """
    mesh = space.mesh
    piece = components(mesh)
    n = int(piece.max()) + 1
    volume = np.bincount(piece, mesh.volumes)
    centre = np.stack([np.bincount(piece, mesh.volumes * mesh.centroids[:, x]) for x in range(3)], 1) / volume[:, None]
    length = float(np.ptp(mesh.points, axis=0).max())
    of_point = np.zeros(len(mesh.points), np.int64)
    of_point[mesh.tets] = piece[:, None]
    stiffness = np.zeros((6 * n, 6 * n))

    def add(first: int, second: int, block: FloatArray) -> None:
        stiffness[6 * first : 6 * first + 6, 6 * second : 6 * second + 6] += block

    if gap is not None and len(space.gap.areas):
        plus, minus = mesh.paired
        a, b = of_point[mesh.faces[plus, 0]], of_point[mesh.faces[minus, 0]]
        for i, j in np.unique(np.column_stack([a, b]), axis=0):
            here = (a == i) & (b == j)
            points, areas = space.gap.points[here], space.gap.areas[here]
            normal = space.gap.normals[here][:, None, :, None]
            k_n, k_t = (k[here] * areas for k in (gap.normal, gap.tangential))
            left, right = (rigid_motions(points, centre[p], length) for p in (i, j))
            for p, q, one, two, sign in (
                (i, i, left, left, 1),
                (j, j, right, right, 1),
                (i, j, left, right, -1),
                (j, i, right, left, -1),
            ):
                along = np.sum(normal * one, axis=2), np.sum(normal * two, axis=2)
                block = np.einsum("pqxi,pqxj,pq->ij", one, two, k_t) + np.einsum("pqi,pqj,pq->ij", *along, k_n - k_t)
                add(p, q, sign * block)
    barycentric, weights = triangle_rule()
    for i in range(n):
        faces = supports.foundation_faces
        mine = of_point[mesh.faces[faces, 0]] == i if len(faces) else np.zeros(0, bool)
        if mine.any():
            faces = faces[mine]
            points = np.einsum("qc,fcx->fqx", barycentric, mesh.points[mesh.faces[faces]])
            areas = mesh.face_areas[faces][:, None] * weights
            motion = rigid_motions(points, centre[i], length)
            normal = np.einsum("fx,fqxi->fqi", mesh.face_normals[faces], motion)
            k_n, k_t = supports.foundation_normal[mine][:, None], supports.foundation_tangent[mine][:, None]
            add(i, i, np.einsum("fqxi,fqxj,fq->ij", motion, motion, areas * k_t))
            add(i, i, np.einsum("fqi,fqj,fq->ij", normal, normal, areas * (k_n - k_t)))
        nodes = supports.spring_nodes
        mine = of_point[nodes] == i if len(nodes) else np.zeros(0, bool)
        if mine.any():
            along = np.einsum(
                "sx,sxi->si",
                supports.spring_directions[mine],
                rigid_motions(space.nodes[nodes[mine]], centre[i], length),
            )
            add(i, i, np.einsum("si,sj,s->ij", along, along, supports.spring_stiffness[mine]))
    if extra:
        # Linear displacements have all rigid motions.
        vertices, points = Space(mesh, 1), len(mesh.points)
        motions = rigid_motions(mesh.points, centre[of_point], length)
        columns = np.broadcast_to(6 * of_point[:, None, None] + np.arange(6), motions.shape)
        pieces = sp.csr_array((motions.ravel(), columns.ravel(), 6 * np.arange(3 * points + 1)), (3 * points, 6 * n))
        for part in extra:
            stiffness += (pieces.T @ part.matrix(vertices) @ pieces).toarray()
    scale = max(float(np.trace(stiffness)) / len(stiffness), 1.0)
    fixed = supports.fixed[: len(mesh.points)]
    for node, axis in np.argwhere(fixed):
        row = rigid_motions(mesh.points[node], centre[of_point[node]], length)[axis]
        add(of_point[node], of_point[node], scale * np.outer(row, row) / max(1, int(fixed.sum())))

    values, vectors = np.linalg.eigh(stiffness)
    free = values < FREE_MOTION * max(values[-1], 1e-300)
    if not free.any():
        return
    share = (vectors[:, free] ** 2).reshape(n, 6, -1).sum(axis=(1, 2))
    worst = int(np.argmax(share))
    place = ", ".join(f"{c:.0f}" for c in centre[worst])
    whole = "the bone" if n == 1 else f"a piece of {volume[worst] / 1e3:.2f} ml around ({place}) mm"
    raise InputError(
        f"{whole} floats: {int(free.sum())} of its motions are held by nothing",
        field="supports" if n == 1 else "fracture.filler",
        mend="name auricular faces that hold it"
        if n == 1
        else "fill the gap (granulation, callus, cement), let cement bridge it, or break less (fracture.extent)",
    )
