"""Two-level p-multigrid: Chebyshev on P2, the P1 problem of the same mesh solved directly.

The smoother runs in single precision: it is bound by memory, and conjugate gradients outside keep
the accuracy. Blocks of the smoother join all copies of a node across the fracture, because a stiff
filled gap couples them far more tightly than bone does and a block per copy never sees their
common motion.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numba import prange
from numpy.typing import NDArray

from sacrofem.mechanics.blocks import BlockMatrix, multiply, residual
from sacrofem.mechanics.direct import MultifrontalCholesky
from sacrofem.mechanics.kernels import kernel
from sacrofem.mechanics.space import Space
from sacrofem.mesh.tetmesh import TET_EDGES, BoolArray, FloatArray, IntArray

Float32Array = NDArray[np.float32]
SMOOTHING_DEGREE = 3
# The smoother damps the part of the spectrum above its upper end over this ratio.
SPECTRUM_RATIO = 10.0


@kernel()
def diagonal_inverse(indptr, indices, data, starts, members, offsets, out):  # type: ignore[no-untyped-def]
    """Inverse of the block of each cluster of nodes."""
    for c in range(len(starts) - 1):
        size = 3 * (starts[c + 1] - starts[c])
        block = np.zeros((size, size))
        for a in range(starts[c], starts[c + 1]):
            n = members[a]
            for b in range(starts[c], starts[c + 1]):
                for k in range(indptr[n], indptr[n + 1]):
                    if indices[k] == members[b]:
                        for i in range(3):
                            for j in range(3):
                                block[3 * (a - starts[c]) + i, 3 * (b - starts[c]) + j] = data[k, i, j]
        inverse = np.linalg.inv(block)
        for i in range(size):
            for j in range(size):
                out[offsets[c] + i * size + j] = inverse[i, j]


@kernel(parallel=True, fastmath=True)
def _chebyshev_step(starts, members, offsets, inverse, r, p, z, alpha, beta):  # type: ignore[no-untyped-def]
    """p = beta p + alpha D r and z += p, with D the inverse blocks."""
    for c in prange(len(starts) - 1):
        first, size = starts[c], starts[c + 1] - starts[c]
        for a in range(size):
            n = members[first + a]
            for i in range(3):
                row = offsets[c] + (3 * a + i) * 3 * size
                s = alpha * 0
                for b in range(size):
                    m = members[first + b]
                    for j in range(3):
                        s += inverse[row + 3 * b + j] * r[m, j]
                p[n, i] = beta * p[n, i] + alpha * s
                z[n, i] += p[n, i]


def coincident_clusters(space: Space) -> tuple[IntArray, IntArray]:
    """Groups of nodes that are copies of one another across the fracture.

    Returns
    -------
    starts : (c + 1,)
    members : (N,)
        Nodes of cluster i are ``members[starts[i]:starts[i + 1]]``.
    """
    plus, minus = space.mesh.paired
    n = space.n_nodes
    a, b = space.face_nodes[plus].ravel(), space.face_nodes[minus].ravel()
    _, label = sp.csgraph.connected_components(sp.coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    members = np.argsort(label, kind="stable")
    return np.concatenate([[0], np.cumsum(np.bincount(label))]), members


class PMultigrid:
    """Preconditioner for a P2 problem.

    Parameters
    ----------
    fine, coarse : BlockMatrix
        P2 and P1 stiffness on the same mesh, already constrained.
    space : Space
        The P2 space.
    fixed : (N, 3) bool
        Fixed displacements.
    """

    def __init__(self, fine: BlockMatrix, coarse: BlockMatrix, space: Space, fixed: BoolArray) -> None:
        n_coarse = len(space.mesh.points)
        self._free = ~fixed
        self._ends = np.empty((space.n_nodes - n_coarse, 2), np.int64)
        self._ends[space.connectivity[:, 4:] - n_coarse] = space.mesh.tets[:, TET_EDGES]
        edges = len(self._ends)
        self._restriction = sp.coo_array(
            (np.full(2 * edges, 0.5, np.float32), (self._ends.T.ravel(), np.tile(np.arange(edges), 2))),
            shape=(n_coarse, edges),
        ).tocsr()
        self._matrix = BlockMatrix(fine.indptr, fine.indices, fine.data.astype(np.float32))
        self._starts, self._members = coincident_clusters(space)
        size = 3 * np.diff(self._starts)
        self._offsets = np.concatenate([[0], np.cumsum(size**2)])
        inverse = np.empty(self._offsets[-1])
        diagonal_inverse(fine.indptr, fine.indices, fine.data, self._starts, self._members, self._offsets, inverse)
        self._inverse = inverse.astype(np.float32)
        self._coarse = MultifrontalCholesky(coarse, space.mesh.points, single=True)
        self._r, self._p = (np.zeros((space.n_nodes, 3), np.float32) for _ in range(2))
        self._upper = 1.1 * self._largest_eigenvalue()

    def _largest_eigenvalue(self) -> float:
        m = self._matrix
        x = np.random.default_rng(0).standard_normal(self._r.shape).astype(np.float32)
        value = 1.0
        for _ in range(12):
            x /= np.linalg.norm(x)
            multiply(m.indptr, m.indices, m.data, x, self._r)
            self._p[:] = 0
            z = np.zeros_like(x)
            self._step(z, 1.0, 0.0)
            value = float(np.linalg.norm(z))
            x = z
        return value

    def _step(self, z: Float32Array, alpha: float, beta: float) -> None:
        _chebyshev_step(
            self._starts, self._members, self._offsets, self._inverse, self._r, self._p, z,
            np.float32(alpha), np.float32(beta),
        )  # fmt: skip

    def _smooth(self, f: Float32Array, z: Float32Array, from_zero: bool) -> None:
        """Chebyshev iteration (Saad, Iterative Methods, algorithm 12.1) over the upper spectrum."""
        m = self._matrix
        lower = self._upper / SPECTRUM_RATIO
        centre, radius = (self._upper + lower) / 2, (self._upper - lower) / 2
        sigma = centre / radius
        rho = 1 / sigma
        if from_zero:
            self._r[:] = f
        else:
            residual(m.indptr, m.indices, m.data, z, f, self._r)
        self._p[:] = 0
        self._step(z, 1 / centre, 0.0)
        for _ in range(SMOOTHING_DEGREE - 1):
            residual(m.indptr, m.indices, m.data, z, f, self._r)
            following = 1 / (2 * sigma - rho)
            self._step(z, 2 * following / radius, rho * following)
            rho = following

    def __call__(self, r: FloatArray) -> FloatArray:
        """One V-cycle: (N, 3) approximate solution for the residual r (N, 3)."""
        m, n_coarse = self._matrix, self._restriction.shape[0]
        scale = np.abs(r).max() or 1.0
        f = (r / scale).astype(np.float32)
        z = np.zeros_like(f)
        self._smooth(f, z, from_zero=True)
        residual(m.indptr, m.indices, m.data, z, f, self._r)
        self._r *= self._free
        below = self._r[:n_coarse] + self._restriction @ self._r[n_coarse:]
        correction = self._coarse.solve(below * self._free[:n_coarse])
        z[:n_coarse] += correction * self._free[:n_coarse]
        middle = np.float32(0.5) * (correction[self._ends[:, 0]] + correction[self._ends[:, 1]])
        z[n_coarse:] += middle * self._free[n_coarse:]
        self._smooth(f, z, from_zero=False)
        return z.astype(np.float64) * scale
