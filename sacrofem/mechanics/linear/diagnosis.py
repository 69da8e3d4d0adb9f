"""Why a solve failed: an inverted tet, or a piece of bone that nothing holds."""

from __future__ import annotations

import numpy as np

from sacrofem.mechanics.parts.fragments import FREE_MOTION, rigid_motions
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import SLIVER, components, element_quality
from sacrofem.system.arrays import BoolArray, FloatArray


def _place(point: FloatArray) -> str:
    return "({}) mm".format(", ".join(f"{x:.1f}" for x in point))


def likely_cause(space: Space, matrix: BlockMatrix, fixed: BoolArray) -> str:
    """What probably made a solve fail, in a few words with a name and a place.

    Parameters
    ----------
    space : Space
    matrix : BlockMatrix
        Without constraints.
    fixed : (N, 3) bool
        Displacements that are prescribed.
    """
    mesh = space.mesh
    quality = element_quality(mesh.points, mesh.tets)
    worst = int(np.argmin(quality))
    if quality[worst] < SLIVER:
        state = "inverted" if quality[worst] < 0 else "flat"
        return f"tet {worst} around {_place(mesh.centroids[worst])} is {state} (quality {quality[worst]:.1e})"
    piece = components(mesh)
    n = int(piece.max()) + 1
    of_node = np.empty(space.n_nodes, np.int64)
    of_node[space.connectivity] = piece[:, None]
    motions = np.zeros((6 * n, space.n_nodes, 3))
    length = float(np.ptp(mesh.points, axis=0).max())
    volume = np.bincount(piece, mesh.volumes)
    centre = np.stack([np.bincount(piece, mesh.volumes * mesh.centroids[:, x]) for x in range(3)], 1) / volume[:, None]
    for i in range(n):
        mine = np.flatnonzero(of_node == i)
        motions[6 * i : 6 * i + 6, mine] = np.moveaxis(rigid_motions(space.nodes[mine], centre[i], length), -1, 0)
    motions[:, fixed] = 0.0
    # Where a motion is cut off at held nodes, the bone beside them is strained: such a motion is never free.
    images = np.array([matrix.dot(motion).ravel() for motion in motions])
    energy, mixed = np.linalg.eigh(images @ motions.reshape(6 * n, -1).T)
    stiffest = max(float(np.einsum("bii->b", matrix.data).max()), float(np.abs(energy).max()))
    free = np.abs(energy) < FREE_MOTION * stiffest
    if free.any():
        share = (mixed[:, free] ** 2).reshape(n, 6, -1).sum(axis=(1, 2))
        loose = int(np.argmax(share))
        whole = (
            "the bone" if n == 1 else f"piece {loose} of {volume[loose] / 1e3:.2f} ml around {_place(centre[loose])}"
        )
        return f"{whole} is not supported: nothing holds {int(free.sum())} of its motions"
    if energy[0] < 0:
        return "the matrix has negative energies: look for a negative modulus or stiffness"
    bad = f"tets are very bad (the worst, {worst}, has quality {quality[worst]:.2g})"
    return f"a part of the model is hardly supported, or {bad}"
