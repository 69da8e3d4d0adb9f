"""Multifrontal Cholesky factorisation on NumPy's dense kernels.

Nodes are ordered by geometric nested dissection; each separator or leaf becomes one supernode, a dense matrix.
That is what supernodal sparse solvers do, with their ordering replaced by coordinates, so it needs
no package beyond NumPy's LAPACK: George 1973 (nested dissection), Duff & Reid 1983 (multifrontal).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtri

from sacrofem.errors import SolverError
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.compiled import kernel

LEAF_NODES = 96
NOT_DEFINITE = "the stiffness matrix is not positive definite"


@dataclass(frozen=True, eq=False)
class Symbolic:
    """What a factorisation will touch, known before a number is computed.

    Attributes
    ----------
    order : (N,) int
        Nodes in the order of their elimination.
    supernodes : list of (start, stop, border, children)
        Own nodes ``order[start:stop]``, elimination positions of the later nodes that they touch, and
        how many of the finished subtrees before it belong to the supernode.
    """

    order: IntArray
    supernodes: list[tuple[int, int, IntArray, int]]

    def peak_bytes(self, single: bool = False) -> int:
        """Largest sum of the factor so far, the waiting updates and the supernode in work with its copies."""
        waiting: list[int] = []
        factor = peak = 0
        size = 4 if single else 8
        for start, stop, border, children in self.supernodes:
            own, below = 3 * (stop - start), 3 * len(border)
            # The dense matrix, then its inverse block, its border rows and the update made of them.
            work = 8 * (own + below) ** 2 + 8 * (2 * own * own + 2 * own * below + below * below)
            peak = max(peak, factor + sum(waiting) + work)
            del waiting[len(waiting) - children :]
            waiting.append(8 * below * below)
            factor += size * own * (own + below)
        return peak


@dataclass(frozen=True, eq=False)
class Supernode:
    """One factored supernode: own nodes, the later nodes that these touch, and the factor's values."""

    start: int  # own nodes are contiguous in the elimination order
    stop: int
    border: IntArray  # elimination positions of later nodes that these touch
    inverse: NDArray[Any]  # inverse of the Cholesky factor of the own block
    below: NDArray[Any]  # factor of the border rows


@kernel()
def _separator(indptr, indices, part, mine, other):  # type: ignore[no-untyped-def]
    """Those of ``mine`` that touch a node whose part is ``other``."""
    result = np.empty(len(mine), np.int64)
    count = 0
    for node in mine:
        for k in range(indptr[node], indptr[node + 1]):
            if part[indices[k]] == other:
                result[count] = node
                count += 1
                break
    return result[:count]


@kernel(nogil=True)
def _load(dense, local, own, indptr, indices, data):  # type: ignore[no-untyped-def]
    for a in range(len(own)):
        node = own[a]
        for k in range(indptr[node], indptr[node + 1]):
            b = local[indices[k]]
            if b >= 0:
                for i in range(3):
                    for j in range(3):
                        dense[3 * b + j, 3 * a + i] = data[k, i, j]


@kernel(nogil=True)
def _extend_add(dense, update, where):  # type: ignore[no-untyped-def]
    for a in range(len(where)):
        for b in range(a + 1):
            for i in range(3):
                for j in range(3):
                    dense[3 * where[a] + i, 3 * where[b] + j] += update[3 * a + i, 3 * b + j]


def dissect(
    indptr: IntArray,
    indices: NDArray[np.integer[Any]],
    coordinates: FloatArray,
    leaf: int = LEAF_NODES,
    last: BoolArray | None = None,
) -> list[tuple[IntArray, int]]:
    """Nested dissection of a graph by its coordinates.

    Nodes of ``last`` (N,) bool, if given, are kept together and eliminated after all others.

    Returns
    -------
    list of (nodes, children)
        In the order of elimination (children before parents); ``children`` says how many of the
        finished subtrees before it belong to this supernode.
    """
    part = np.full(len(indptr) - 1, -1)
    tree: list[tuple[IntArray, int]] = []
    label = 0

    def visit(nodes: IntArray) -> None:
        nonlocal label
        if len(nodes) <= leaf:
            tree.append((nodes, 0))
            return
        best: tuple[IntArray, IntArray, IntArray] | None = None
        xyz = coordinates[nodes]
        for axis in np.argsort(-np.ptp(xyz, axis=0), kind="stable")[:2]:
            half = np.argsort(xyz[:, axis], kind="stable")
            low, high = nodes[half[: len(half) // 2]], nodes[half[len(half) // 2 :]]
            part[low], part[high] = label, label + 1
            for mine, other, number in ((low, high, label + 1), (high, low, label)):
                cut = _separator(indptr, indices, part, mine, number)
                if best is None or len(cut) < len(best[2]):
                    best = (mine, other, cut)
            label += 2
        assert best is not None
        mine, other, cut = best
        part[nodes] = -1
        visit(np.setdiff1d(mine, cut, assume_unique=True))
        visit(other)
        tree.append((cut, 2))

    if last is None:
        visit(np.arange(len(indptr) - 1))
    else:
        visit(np.flatnonzero(~last))
        tree.append((np.flatnonzero(last), 1))
    return tree


def analyse(
    indptr: IntArray,
    indices: NDArray[np.integer[Any]],
    coordinates: FloatArray,
    last: BoolArray | None = None,
    leaf: int = LEAF_NODES,
) -> Symbolic:
    """Symbolic factorisation of a graph (N nodes at ``coordinates`` (N, 3)) in nested dissection order.

    Nodes of ``last`` (N,) bool, if given, make up the last supernode, in the order of their numbers; parts of
    at most ``leaf`` nodes are not divided.
    """
    tree = dissect(indptr, indices, coordinates, leaf, last)
    order: IntArray = np.concatenate([nodes for nodes, _ in tree])
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    supernodes: list[tuple[int, int, IntArray, int]] = []
    stack: list[IntArray] = []
    start = 0
    for own, children in tree:
        stop = start + len(own)
        touched = [position[indices[indptr[node] : indptr[node + 1]]] for node in own]
        below = [stack.pop() for _ in range(children)]
        border = np.unique(np.concatenate([*touched, *below, np.empty(0, np.int64)]))
        border = border[border >= stop]
        stack.append(border)
        supernodes.append((start, stop, border, children))
        start = stop
    return Symbolic(order, supernodes)


class MultifrontalCholesky:
    """Factor of a symmetric positive definite block matrix.

    Parameters
    ----------
    matrix : BlockMatrix
    coordinates : (N, 3)
        Where the nodes lie; only the ordering depends on it.
    single : bool
        Keep the factor in single precision, for preconditioning. It is computed in double.
    symbolic : Symbolic, optional
        Where it is known already.
    added : (3n, 3n), optional
        Dense stiffness to add on the n nodes of the last supernode, in the order of the elimination.
    partial : bool
        Leave the last supernode: `remainder` is what eliminating all others adds to it, the matrix's own
        entries there not included.

    Raises
    ------
    SolverError
        If the matrix is not positive definite.
    """

    def __init__(
        self,
        matrix: BlockMatrix,
        coordinates: FloatArray,
        *,
        single: bool = False,
        symbolic: Symbolic | None = None,
        added: FloatArray | None = None,
        partial: bool = False,
    ) -> None:
        indptr, indices = matrix.indptr, matrix.indices
        symbolic = symbolic or analyse(indptr, indices, coordinates)
        self.order = symbolic.order
        self.dtype = np.float32 if single else np.float64
        self.supernodes: list[Supernode] = []
        self.remainder: FloatArray = np.zeros((0, 0))
        local = np.full(len(self.order), -1)
        stack: list[tuple[IntArray, FloatArray]] = []
        for number, (start, stop, border, n_children) in enumerate(symbolic.supernodes, 1):
            final = number == len(symbolic.supernodes)
            own = self.order[start:stop]
            dense = np.zeros((3 * (len(own) + len(border)),) * 2)
            members = np.concatenate([own, self.order[border]])
            local[members] = np.arange(len(members))
            if not (final and partial):
                _load(dense, local, own, indptr, indices, matrix.data)
            if final and added is not None:
                dense += added
            for _ in range(n_children):
                # Let go at once: the updates of the last supernodes are the largest arrays there are.
                _extend_add(dense, stack[-1][1], local[self.order[stack[-1][0]]])
                stack.pop()
            local[members] = -1
            if final and partial:
                self.remainder = dense
                return
            stack.append((border, self._eliminate(dense, start, stop, border)))

    def _eliminate(self, dense: FloatArray, start: int, stop: int, border: IntArray) -> FloatArray:
        s = 3 * (stop - start)
        if s == 0:
            self.supernodes.append(Supernode(start, stop, border, np.zeros((0, 0)), np.zeros((len(dense), 0))))
            return dense
        try:
            lower = np.linalg.cholesky(dense[:s, :s])
        except np.linalg.LinAlgError:
            raise SolverError(NOT_DEFINITE) from None
        inverse = dtrtri(lower, lower=1)[0]
        del lower
        below = dense[s:, :s] @ inverse.T
        self.supernodes.append(
            Supernode(
                start, stop, border, np.ascontiguousarray(inverse, self.dtype), np.ascontiguousarray(below, self.dtype)
            )
        )
        update = below @ below.T
        return np.asarray(np.subtract(dense[s:, s:], update, out=update))

    def solve(self, force: FloatArray) -> FloatArray:
        """(N, 3) solution of A x = force; force may have more columns, (N, 3, c)."""
        x: NDArray[Any] = np.asarray(force[self.order], dtype=self.dtype)
        flat = x.reshape(len(x), 3, -1)
        self.forward(flat)
        self.backward(flat)
        result = np.empty_like(flat)
        result[self.order] = flat
        return result.reshape(force.shape)

    def forward(self, flat: NDArray[Any]) -> None:
        """Eliminate in place from (N, 3, c), the nodes in elimination order."""
        c = flat.shape[2]
        for node in self.supernodes:
            own = node.inverse @ flat[node.start : node.stop].reshape(-1, c)
            flat[node.start : node.stop] = own.reshape(-1, 3, c)
            if len(node.border):
                flat[node.border] = flat[node.border] - (node.below @ own).reshape(-1, 3, c)

    def backward(self, flat: NDArray[Any]) -> None:
        """Substitute back in place, after `forward`."""
        c = flat.shape[2]
        for node in reversed(self.supernodes):
            own = flat[node.start : node.stop].reshape(-1, c)
            if len(node.border):
                own = own - node.below.T @ flat[node.border].reshape(-1, c)
            flat[node.start : node.stop] = (node.inverse.T @ own).reshape(-1, 3, c)
