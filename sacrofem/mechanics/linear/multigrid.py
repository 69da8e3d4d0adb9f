"""Two-level p-multigrid: Chebyshev on P2, the P1 problem of the same mesh solved directly.

The smoother runs in single precision: it is bound by memory, and conjugate gradients outside keep
the accuracy. Blocks of the smoother join what is coupled too tightly for a block per node: all copies
of a node across the fracture, whose common motion behind a stiff gap no single copy sees, and the
nodes of flat tets. There the P1 functions miss stiff P2 modes and a block per node hardly damps
them, so that a thousandth of the tets decides the number of iterations: on a scanned sacrum, half of
the slowest error lies in the 0.3 % of the tets with a quality below 0.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numba import prange
from numpy.typing import NDArray
from scipy.linalg import eigvalsh_tridiagonal

from sacrofem.mechanics.linear.factors import FactoredMatrix
from sacrofem.mechanics.space.blocks import BlockMatrix, multiply, residual
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import element_quality
from sacrofem.mesh.tetmesh import TET_EDGES
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.compiled import kernel

Float32Array = NDArray[np.float32]
SMOOTHING_DEGREE = 3
# The smoother damps the part of the spectrum above its upper end over this ratio.
SPECTRUM_RATIO = 16.0
# Tets below this quality are smoothed as one block, worst first, as long as blocks stay this small.
PATCH_QUALITY = 0.3
PATCH_NODES = 64
# Nodes of the fracture are joined where their coupling is more than this share of their own stiffness: a penalty on
# some of a face's points ties combinations of its nodes. A gap of one stiffness stays below 0.6.
STRONG_COUPLING = 0.8
# Ritz values of so many Lanczos steps lie within a few per cent under the largest eigenvalue; beyond
# the upper end Chebyshev amplifies, so the margin is on the safe side. The power method was 10 to 17 % low, which
# cost lanes of scenarios twice the iterations.
LANCZOS_STEPS = 10
SPECTRUM_MARGIN = 1.1


@kernel()
def diagonal_inverse(indptr, indices, data, fixed, starts, members, offsets, out):  # type: ignore[no-untyped-def]
    """Inverse blocks of the clusters of nodes; a fixed displacement is coupled to nothing."""
    local = np.full(len(indptr) - 1, -1)
    for c in range(len(starts) - 1):
        size = 3 * (starts[c + 1] - starts[c])
        block = np.zeros((size, size))
        for a in range(starts[c], starts[c + 1]):
            local[members[a]] = a - starts[c]
        for a in range(starts[c], starts[c + 1]):
            n = members[a]
            row = 3 * (a - starts[c])
            for k in range(indptr[n], indptr[n + 1]):
                m = indices[k]
                if local[m] < 0:
                    continue
                for i in range(3):
                    for j in range(3):
                        if (n == m and i == j) or not (fixed[n, i] or fixed[m, j]):
                            block[row + i, 3 * local[m] + j] = data[k, i, j]
        for a in range(starts[c], starts[c + 1]):
            local[members[a]] = -1
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


@kernel()
def _root(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel()
def _merge(groups, parent, size, largest):  # type: ignore[no-untyped-def]
    """Join the clusters that meet in each group of nodes, in turn, unless the whole would get too large."""
    roots = np.empty(groups.shape[1], np.int64)
    for g in range(len(groups)):
        count, total = 0, 0
        for k in range(groups.shape[1]):
            root = _root(parent, groups[g, k])
            known = False
            for r in range(count):
                known |= roots[r] == root
            if not known:
                roots[count] = root
                count += 1
                total += size[root]
        if total <= largest:
            for r in range(1, count):
                parent[roots[r]] = roots[0]
                size[roots[0]] += size[roots[r]]


def _strong_couplings(space: Space, matrix: BlockMatrix) -> IntArray:
    """(c, 2) nodes of the fracture that are coupled strongly, the strongest first."""
    plus, minus = space.mesh.paired
    nodes = np.unique(space.face_nodes[np.concatenate([plus, minus])])
    at_fracture = np.zeros(space.n_nodes, bool)
    at_fracture[nodes] = True
    rows = np.repeat(np.arange(space.n_nodes), np.diff(matrix.indptr))
    inside = np.flatnonzero(at_fracture[rows] & at_fracture[matrix.indices] & (rows <= matrix.indices))
    rows, columns = rows[inside], matrix.indices[inside]
    size = np.linalg.norm(matrix.data[inside], axis=(1, 2))
    own = np.ones(space.n_nodes)
    own[rows[rows == columns]] = size[rows == columns]
    strength = size / np.sqrt(own[rows] * own[columns])
    strong = np.flatnonzero((strength > STRONG_COUPLING) & (rows < columns))
    strong = strong[np.argsort(-strength[strong], kind="stable")]
    return np.column_stack([rows[strong], columns[strong]]).astype(np.int64)


def smoother_blocks(
    space: Space, matrix: BlockMatrix | None = None, quality: float = PATCH_QUALITY, largest: int = PATCH_NODES
) -> tuple[IntArray, IntArray]:
    """Nodes that are smoothed together: copies across the fracture, and the nodes of flat tets.

    Parameters
    ----------
    space : Space
    matrix : BlockMatrix, optional
        P2 stiffness: nodes of the fracture that it couples strongly are joined too.
    quality : float
        Tets below it (72√3 V / (Σ l²)^(3/2)) are joined, worst first.
    largest : int
        No tet is joined into more nodes than that.

    Returns
    -------
    starts : (c + 1,)
    members : (N,)
        Nodes of block i are ``members[starts[i]:starts[i + 1]]``.
    """
    plus, minus = space.mesh.paired
    parent, size = np.arange(space.n_nodes), np.ones(space.n_nodes, np.int64)
    twins = np.column_stack([space.face_nodes[plus].ravel(), space.face_nodes[minus].ravel()])
    _merge(twins, parent, size, space.n_nodes)
    if matrix is not None and len(twins):
        _merge(_strong_couplings(space, matrix), parent, size, largest)
    value = element_quality(space.mesh.points, space.mesh.tets)
    flat = np.flatnonzero(value < quality)
    _merge(space.connectivity[flat[np.argsort(value[flat], kind="stable")]], parent, size, largest)
    while not np.array_equal(above := parent[parent], parent):
        parent = above
    label = np.unique(parent, return_inverse=True)[1]
    members = np.argsort(label, kind="stable")
    return np.concatenate([[0], np.cumsum(np.bincount(label))]), members


def largest_eigenvalues(
    r: Float32Array,
    precondition: Callable[[Float32Array], Float32Array],
    apply: Callable[[Float32Array], Float32Array],
    dot: Callable[[Float32Array, Float32Array], FloatArray],
) -> FloatArray:
    """Largest eigenvalue of a preconditioned matrix, by Lanczos (Saad 2003, 6.7.3).

    Parameters
    ----------
    r : (N, 3) or (N, 3, c)
        Random values to start from; overwritten. Each of the c columns has a matrix of its own.
    precondition, apply
        The preconditioner's and the matrix's product with such values.
    dot
        Scalar product of two of them, (c,).

    Returns
    -------
    (c,)
        1 where not even one step succeeds.
    """
    p = np.zeros_like(r)
    diagonal, beside = [], []
    rz, before, beta = (np.ones(1) for _ in range(3))
    with np.errstate(all="ignore"):
        for step in range(LANCZOS_STEPS):
            z = precondition(r)
            rz, last = dot(r, z), rz
            beta = rz / last if step else 0 * rz
            beside.append(np.sqrt(beta) / before)
            p = z + beta.astype(np.float32) * p
            q = apply(p)
            alpha = rz / dot(p, q)
            diagonal.append(1 / alpha + beta / before)
            before = alpha
            r -= alpha.astype(np.float32) * q
    result = np.ones_like(rz)
    for column, (own, off) in enumerate(zip(np.transpose(diagonal), np.transpose(beside), strict=True)):
        # A small Krylov space is exhausted early; what follows is noise.
        valid = (own > 0) & np.isfinite(own) & np.isfinite(off)
        steps = len(own) if valid.all() else int(np.argmin(valid))
        if steps:
            result[column] = eigvalsh_tridiagonal(own[:steps], off[1:steps])[-1]
    return result


class PMultigrid:
    """Preconditioner for a P2 problem.

    Parameters
    ----------
    fine : BlockMatrix
        P2 stiffness.
    coarse : FactoredMatrix
        Solves the constrained P1 problem of the same mesh.
    space : Space
        The P2 space.
    fixed : (N, 3) bool
        Fixed displacements.
    """

    def __init__(self, fine: BlockMatrix, coarse: FactoredMatrix, space: Space, fixed: BoolArray) -> None:
        self._coarse = coarse
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
        self._matrix.constrain(fixed)
        self._starts, self._members = smoother_blocks(space, fine)
        size = 3 * np.diff(self._starts)
        self._offsets = np.concatenate([[0], np.cumsum(size**2)])
        inverse = np.empty(self._offsets[-1])
        diagonal_inverse(
            fine.indptr, fine.indices, fine.data, fixed, self._starts, self._members, self._offsets, inverse
        )
        self._inverse = inverse.astype(np.float32)
        self._r, self._p = (np.zeros((space.n_nodes, 3), np.float32) for _ in range(2))
        self._upper = SPECTRUM_MARGIN * self._largest_eigenvalue()

    def _largest_eigenvalue(self) -> float:
        m = self._matrix

        def precondition(r: Float32Array) -> Float32Array:
            self._r[:], self._p[:] = r, 0
            z = np.zeros_like(r)
            self._step(z, 1.0, 0.0)
            return z

        def apply(p: Float32Array) -> Float32Array:
            q = np.empty_like(p)
            multiply(m.indptr, m.indices, m.data, p, q)
            return q

        start = np.random.default_rng(0).standard_normal(self._r.shape).astype(np.float32)
        return float(largest_eigenvalues(start, precondition, apply, lambda a, b: np.array([np.vdot(a, b)]))[0])

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
