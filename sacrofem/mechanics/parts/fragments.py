"""Pieces of bone that nothing holds: found and named before any solve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sacrofem.errors import InputError
from sacrofem.mechanics.parts.part import Part, all_elements, total_fixed
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import components
from sacrofem.system.arrays import FloatArray, IntArray

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


def check_held(space: Space, parts: Sequence[Part]) -> None:
    """Refuse a model in which a piece of bone can move freely.

    Every piece is taken as rigid; the parts give the stiffness of its six motions.

    Parameters
    ----------
    space
    parts
        All of them, the gap too.

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
    of_node = np.zeros(space.n_nodes, np.int64)
    of_node[space.connectivity] = piece[:, None]
    motions = rigid_motions(space.nodes, centre[of_node], length)
    stiffness = np.zeros((n, 6, n, 6))
    for elements in all_elements(parts, space):
        joins = of_node[elements.nodes]
        # Within one piece nothing resists a rigid motion, but what reaches beyond the bone.
        some = np.ones(len(joins), bool) if elements.names else (joins != joins[:, :1]).any(axis=1)
        if some.any():
            _restrain(stiffness, joins[some], motions[elements.nodes[some]], elements.matrices[some])
    scale = max(float(np.einsum("nini->", stiffness)) / (6 * n), 1.0)
    fixed = total_fixed(parts, space)[: len(mesh.points)]
    for node, axis in np.argwhere(fixed):
        i, row = of_node[node], motions[node, axis]
        stiffness[i, :, i] += scale * np.outer(row, row) / int(fixed.sum())

    values, vectors = np.linalg.eigh(stiffness.reshape(6 * n, 6 * n))
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


def _restrain(stiffness: FloatArray, pieces: IntArray, motions: FloatArray, matrices: FloatArray) -> None:
    """Add the energy of rigid motions (e, a, 3, 6) of the pieces (e, a) that the nodes of elements belong to."""
    of_piece = {
        int(i): np.where((pieces == i)[..., None, None], motions, 0.0).reshape(len(pieces), -1, 6)
        for i in np.unique(pieces)
    }
    for j, moved in of_piece.items():
        force = matrices @ moved
        for i, other in of_piece.items():
            stiffness[i, :, j] += np.einsum("edx,edy->xy", other, force)
