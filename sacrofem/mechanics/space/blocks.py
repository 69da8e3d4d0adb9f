"""Sparse matrices of 3x3 blocks: one block row a node, and the kernels that run over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numba import prange
from numpy.typing import NDArray

from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.compiled import kernel


@dataclass(frozen=True, eq=False)
class BlockMatrix:
    """A symmetric matrix over nodes with three displacements each, in block compressed rows.

    Attributes
    ----------
    indptr : (N + 1,) int64
    indices : (b,) int32
        Sorted within each row.
    data : (b, 3, 3) float
    """

    indptr: IntArray
    indices: NDArray[np.int32]
    data: NDArray[np.floating[Any]]

    @property
    def n_nodes(self) -> int:
        """Number of block rows."""
        return len(self.indptr) - 1

    def to_scipy(self) -> sp.bsr_array:
        """The same matrix as a SciPy block array, sharing its memory."""
        n = 3 * self.n_nodes
        return sp.bsr_array((self.data, self.indices, self.indptr), shape=(n, n))

    def plus(self, other: sp.sparray | sp.spmatrix) -> BlockMatrix:
        """The sum with a symmetric SciPy matrix (3 N, 3 N); the pattern is this one's where that holds all blocks."""
        blocks = sp.csr_array(other).tobsr(blocksize=(3, 3))
        n = self.n_nodes

        def places(indptr: IntArray, indices: NDArray[np.int32]) -> IntArray:
            return np.repeat(np.arange(n), np.diff(indptr)) * n + indices

        mine, theirs = places(self.indptr, self.indices), places(blocks.indptr, blocks.indices)
        every = np.union1d(mine, theirs)
        indptr, indices, data = self.indptr, self.indices, self.data.copy()
        if len(every) > len(mine):
            indptr, indices = np.searchsorted(every, n * np.arange(n + 1)), (every % n).astype(np.int32)
            data = np.zeros((len(every), 3, 3))
            data[np.searchsorted(every, mine)] = self.data
        data[np.searchsorted(every, theirs)] += blocks.data
        return BlockMatrix(indptr, indices, data)

    def dot(self, x: FloatArray) -> FloatArray:
        """(N, 3) product with (N, 3) nodal values."""
        y = np.empty_like(x)
        multiply(self.indptr, self.indices, self.data, x, y)
        return y

    def dot_free(self, x: FloatArray, free: BoolArray) -> tuple[FloatArray, float]:
        """The product with x (N, 3) in the rows of free displacements, 0 elsewhere, and x times it."""
        y = np.empty_like(x)
        return y, float(_multiply_free(self.indptr, self.indices, self.data, x, free, y))

    def constrained(self, fixed: BoolArray) -> BlockMatrix:
        """Rows and columns of fixed displacements (N, 3) replaced by their diagonal."""
        result = replace(self, data=self.data.copy())
        result.constrain(fixed)
        return result

    def constrain(self, fixed: BoolArray) -> None:
        """The same in place, without a copy."""
        if fixed.any():
            _constrain(self.indptr, self.indices, self.data, fixed)


def node_pattern(n_nodes: int, *connectivities: IntArray) -> tuple[IntArray, NDArray[np.int32]]:
    """Which nodes meet in an element: sorted row pointers (int64) and columns (int32)."""
    total = None
    for nodes in connectivities:
        if len(nodes) == 0:
            continue
        m, a = nodes.shape
        incidence = sp.csr_array(
            (np.ones(m * a, np.bool_), nodes.ravel().astype(np.int32), np.arange(0, m * a + 1, a)), shape=(m, n_nodes)
        )
        # Logical values: a count in eight bits is zero at 256, and SciPy drops such entries.
        graph = incidence.T.tocsr() @ incidence
        total = graph if total is None else (total + graph)
    assert total is not None
    total = total.tocsr()
    total.sort_indices()
    return total.indptr.astype(np.int64), total.indices.astype(np.int32)


@kernel(fastmath=True, inline="always")
def _row(indptr, indices, data, x, n):  # type: ignore[no-untyped-def]
    """Row n of A x. One accumulator for each of 18 products: fewer would wait for one another, not for memory."""
    a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = data[0, 0, 0] * 0
    d0 = d1 = d2 = e0 = e1 = e2 = f0 = f1 = f2 = data[0, 0, 0] * 0
    k, stop = indptr[n], indptr[n + 1]
    while k + 1 < stop:
        j = indices[k]
        x0, x1, x2 = x[j, 0], x[j, 1], x[j, 2]
        a0 += data[k, 0, 0] * x0
        a1 += data[k, 0, 1] * x1
        a2 += data[k, 0, 2] * x2
        b0 += data[k, 1, 0] * x0
        b1 += data[k, 1, 1] * x1
        b2 += data[k, 1, 2] * x2
        c0 += data[k, 2, 0] * x0
        c1 += data[k, 2, 1] * x1
        c2 += data[k, 2, 2] * x2
        k += 1
        j = indices[k]
        x0, x1, x2 = x[j, 0], x[j, 1], x[j, 2]
        d0 += data[k, 0, 0] * x0
        d1 += data[k, 0, 1] * x1
        d2 += data[k, 0, 2] * x2
        e0 += data[k, 1, 0] * x0
        e1 += data[k, 1, 1] * x1
        e2 += data[k, 1, 2] * x2
        f0 += data[k, 2, 0] * x0
        f1 += data[k, 2, 1] * x1
        f2 += data[k, 2, 2] * x2
        k += 1
    if k < stop:
        j = indices[k]
        x0, x1, x2 = x[j, 0], x[j, 1], x[j, 2]
        a0 += data[k, 0, 0] * x0
        a1 += data[k, 0, 1] * x1
        a2 += data[k, 0, 2] * x2
        b0 += data[k, 1, 0] * x0
        b1 += data[k, 1, 1] * x1
        b2 += data[k, 1, 2] * x2
        c0 += data[k, 2, 0] * x0
        c1 += data[k, 2, 1] * x1
        c2 += data[k, 2, 2] * x2
    return a0 + a1 + a2 + d0 + d1 + d2, b0 + b1 + b2 + e0 + e1 + e2, c0 + c1 + c2 + f0 + f1 + f2


@kernel(parallel=True, fastmath=True)
def multiply(indptr, indices, data, x, y):  # type: ignore[no-untyped-def]
    """y = A x."""
    for n in prange(len(indptr) - 1):
        a, b, c = _row(indptr, indices, data, x, n)
        y[n, 0], y[n, 1], y[n, 2] = a, b, c


@kernel(parallel=True, fastmath=True)
def _multiply_free(indptr, indices, data, x, free, y):  # type: ignore[no-untyped-def]
    total = 0.0
    for n in prange(len(indptr) - 1):
        a, b, c = _row(indptr, indices, data, x, n)
        a, b, c = a * free[n, 0], b * free[n, 1], c * free[n, 2]
        y[n, 0], y[n, 1], y[n, 2] = a, b, c
        total += a * x[n, 0] + b * x[n, 1] + c * x[n, 2]
    return total


@kernel(parallel=True, fastmath=True)
def advance(x, r, p, q, alpha):  # type: ignore[no-untyped-def]
    """x += alpha p and r -= alpha q; the square of the new r."""
    total = 0.0
    for n in prange(len(x)):
        for i in range(3):
            x[n, i] += alpha * p[n, i]
            s = r[n, i] - alpha * q[n, i]
            r[n, i] = s
            total += s * s
    return total


@kernel(parallel=True, fastmath=True)
def products(r, q, z):  # type: ignore[no-untyped-def]
    """r·z and q·z."""
    rz = qz = 0.0
    for n in prange(len(z)):
        for i in range(3):
            rz += r[n, i] * z[n, i]
            qz += q[n, i] * z[n, i]
    return rz, qz


@kernel(parallel=True, fastmath=True)
def turn(p, z, beta):  # type: ignore[no-untyped-def]
    """p = beta p + z."""
    for n in prange(len(p)):
        for i in range(3):
            p[n, i] = beta * p[n, i] + z[n, i]


@kernel(parallel=True, fastmath=True)
def residual(indptr, indices, data, x, f, r):  # type: ignore[no-untyped-def]
    """r = f - A x."""
    for n in prange(len(indptr) - 1):
        a, b, c = _row(indptr, indices, data, x, n)
        r[n, 0], r[n, 1], r[n, 2] = f[n, 0] - a, f[n, 1] - b, f[n, 2] - c


@kernel()
def scatter(indptr, indices, data, nodes, matrices):  # type: ignore[no-untyped-def]
    """Add element matrices (e, 3a, 3a) over nodes (e, a) into the blocks."""
    for e in range(len(nodes)):
        for i in range(nodes.shape[1]):
            row = nodes[e, i]
            for j in range(nodes.shape[1]):
                k = indptr[row] + np.searchsorted(indices[indptr[row] : indptr[row + 1]], nodes[e, j])
                for p in range(3):
                    for q in range(3):
                        data[k, p, q] += matrices[e, 3 * i + p, 3 * j + q]


@kernel()
def _constrain(indptr, indices, data, fixed):  # type: ignore[no-untyped-def]
    for n in range(len(indptr) - 1):
        for k in range(indptr[n], indptr[n + 1]):
            m = indices[k]
            for p in range(3):
                for q in range(3):
                    if (fixed[n, p] or fixed[m, q]) and not (n == m and p == q):
                        data[k, p, q] = 0.0
