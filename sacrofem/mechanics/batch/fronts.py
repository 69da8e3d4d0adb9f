"""Factors of `direct` for lanes: one factor with many right sides, or a factor of its own for every lane.

The fronts of a factor lie one after another in flat arrays, so that a compiled kernel walks the
elimination tree; fronts of one level of the tree do not touch one another and run in parallel.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sacrofem.mechanics.batch.lanevectors import LANES, add_transposed, multiply_rows
from sacrofem.mechanics.linear.direct import MultifrontalCholesky, Symbolic
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.compiled import kernel

_BLOCK = 48


class Fronts:
    """The tree of an elimination in flat arrays; node numbers are positions in its order.

    Parameters
    ----------
    symbolic : Symbolic
    """

    def __init__(self, symbolic: Symbolic) -> None:
        fronts = symbolic.fronts
        count = len(fronts)
        self.n_nodes = len(symbolic.order)
        self.bounds = np.array([front[:2] for front in fronts], dtype=np.int64).reshape(-1, 2)
        self.borders = np.concatenate([np.empty(0, np.int64), *(front[2] for front in fronts)])
        own, border = np.diff(self.bounds, axis=1)[:, 0], np.array([len(front[2]) for front in fronts], dtype=np.int64)
        self.border_pointer = np.concatenate([[0], np.cumsum(border)])
        # Where the values of front i begin: the factor of its own block (or its inverse), then the rows below it.
        self.value_pointer = np.concatenate([[0], np.cumsum(9 * own * (own + border))])
        self.work_pointer = np.concatenate([[0], np.cumsum(own + border)])
        children: list[list[int]] = []
        level = np.zeros(count, dtype=np.int64)
        update = np.zeros(count, dtype=np.int64)
        stack: list[int] = []
        top = self.stack_size = 0
        places: list[IntArray] = []
        for number, front in enumerate(fronts):
            mine = [stack.pop() for _ in range(front[3])]
            children.append(mine)
            level[number] = 1 + max((level[c] for c in mine), default=-1)
            # Updates lie on a stack; this front's replaces its children's once they are added.
            top -= int(sum((3 * border[c]) ** 2 for c in mine))
            update[number] = top
            top += int((3 * border[number]) ** 2)
            self.stack_size = max(self.stack_size, top)
            stack.append(number)
        for number, mine in enumerate(children):
            start, stop = self.bounds[number]
            for child in mine:
                positions = fronts[child][2]
                inside = np.searchsorted(fronts[number][2], positions) + stop - start
                places.append(np.where(positions < stop, positions - start, inside))
        self.child_pointer = np.concatenate([[0], np.cumsum([len(mine) for mine in children])]).astype(np.int64)
        self.children = np.array([c for mine in children for c in mine], dtype=np.int64)
        self.places = np.concatenate([np.empty(0, np.int64), *places])
        self.place_pointer = np.concatenate([[0], np.cumsum([len(p) for p in places])]).astype(np.int64)
        self.update_pointer = update
        self.by_level = np.argsort(level, kind="stable")
        self.level_pointer = np.concatenate([[0], np.cumsum(np.bincount(level, minlength=1))])
        self.largest = int((own + border).max())


class LaneFactor:
    """One factor, solved for all lanes at once; its last front may be left to the caller.

    Parameters
    ----------
    factor : MultifrontalCholesky
        Built with the same symbolic factorisation.
    symbolic : Symbolic
    """

    def __init__(self, factor: MultifrontalCholesky, symbolic: Symbolic) -> None:
        self.fronts = Fronts(symbolic)
        f = self.fronts
        self._values = np.zeros(f.value_pointer[-1], np.float32)
        self._factored = len(factor.fronts)
        for number, front in enumerate(factor.fronts):
            both = np.concatenate([front.inverse.ravel(), front.below.ravel()])
            self._values[f.value_pointer[number] : f.value_pointer[number + 1]] = both
        self._work = np.empty((f.work_pointer[-1], 3, LANES), np.float32)

    def forward(self, x: NDArray[np.float32]) -> None:
        """Eliminate in place from (N, 3, LANES), nodes in elimination order."""
        f = self.fronts
        for level in range(len(f.level_pointer) - 1):
            chosen = f.by_level[f.level_pointer[level] : f.level_pointer[level + 1]]
            _lane_forward(
                chosen, self._factored, f.bounds, f.border_pointer, f.value_pointer, f.work_pointer,
                f.child_pointer, f.children, f.place_pointer, f.places, self._values, self._work, x,
            )  # fmt: skip

    def backward(self, x: NDArray[np.float32]) -> None:
        """Substitute back in place, after `forward`."""
        f = self.fronts
        for level in range(len(f.level_pointer) - 2, -1, -1):
            chosen = f.by_level[f.level_pointer[level] : f.level_pointer[level + 1]]
            _lane_backward(
                chosen, self._factored, f.bounds, f.border_pointer, f.borders, f.value_pointer, self._values, x
            )


@kernel(parallel=True, fastmath=True)
def _lane_forward(  # type: ignore[no-untyped-def]
    chosen, factored, bounds, border_pointer, value_pointer, work_pointer, child_pointer, children, place_pointer,
    places, values, work, x,
):  # fmt: skip
    for number in prange(len(chosen)):
        front = chosen[number]
        start, n_own = bounds[front, 0], bounds[front, 1] - bounds[front, 0]
        n_all = n_own + border_pointer[front + 1] - border_pointer[front]
        base = work_pointer[front]
        for a in range(n_all):
            for i in range(3):
                for lane in range(LANES):
                    work[base + a, i, lane] = x[start + a, i, lane] if a < n_own else 0
        for k in range(child_pointer[front], child_pointer[front + 1]):
            child = children[k]
            theirs = work_pointer[child] + bounds[child, 1] - bounds[child, 0]
            for m in range(place_pointer[k], place_pointer[k + 1]):
                source = theirs + m - place_pointer[k]
                for i in range(3):
                    for lane in range(LANES):
                        work[base + places[m], i, lane] += work[source, i, lane]
        if front >= factored:
            for a in range(n_own):
                for i in range(3):
                    for lane in range(LANES):
                        x[start + a, i, lane] = work[base + a, i, lane]
            continue
        acc = np.empty((3, LANES), x.dtype)
        width = 3 * n_own
        for a in range(n_all):
            # The factor's rows of the border follow those of its own block.
            row = value_pointer[front] + 3 * a * width
            if a < n_own:
                multiply_rows(values, row, width, a + 1, work, base, acc)
            else:
                multiply_rows(values, row, width, n_own, x, start, acc)
            for i in range(3):
                for lane in range(LANES):
                    if a < n_own:
                        x[start + a, i, lane] = acc[i, lane]
                    else:
                        work[base + a, i, lane] -= acc[i, lane]


@kernel(parallel=True, fastmath=True)
def _lane_backward(chosen, factored, bounds, border_pointer, borders, value_pointer, values, x):  # type: ignore[no-untyped-def]
    for number in prange(len(chosen)):
        front = chosen[number]
        if front >= factored:
            continue
        start, n_own = bounds[front, 0], bounds[front, 1] - bounds[front, 0]
        n_border = border_pointer[front + 1] - border_pointer[front]
        right = np.empty((n_own, 3, LANES), x.dtype)
        minus = np.empty((1, 3, LANES), x.dtype)
        width = 3 * n_own
        for b in range(n_own):
            for i in range(3):
                for lane in range(LANES):
                    right[b, i, lane] = x[start + b, i, lane]
        for a in range(n_border):
            for i in range(3):
                for lane in range(LANES):
                    minus[0, i, lane] = -x[borders[border_pointer[front] + a], i, lane]
            row = value_pointer[front] + (width + 3 * a) * width
            add_transposed(values, row, width, minus, 0, right, 0, n_own)
        for b in range(n_own):
            for i in range(3):
                for lane in range(LANES):
                    x[start + b, i, lane] = 0
        for a in range(n_own):
            add_transposed(values, value_pointer[front] + 3 * a * width, width, right, a, x, start, a + 1)


class LaneFactors:
    """A factor for every lane, all with the same elimination.

    Parameters
    ----------
    fronts : Fronts
    indptr, indices
        Pattern of the matrices, nodes numbered by position in the elimination's order.
    """

    def __init__(self, fronts: Fronts, indptr: IntArray, indices: NDArray[np.int32]) -> None:
        self._fronts, self._indptr, self._indices = fronts, indptr, indices
        self._values = np.zeros((LANES, fronts.value_pointer[-1]), np.float32)

    def factorise(self, data: FloatArray, added: FloatArray, lanes: int) -> None:
        """Factorise (lanes, b, 3, 3) blocks, with the dense ``added`` on the last front of each.

        Lanes not in use get a copy of the first.
        """
        f = self._fronts
        _factorise(
            self._indptr, self._indices, data, added, f.bounds, f.border_pointer, f.borders, f.value_pointer,
            f.child_pointer, f.children, f.place_pointer, f.places, f.update_pointer, f.stack_size, f.n_nodes,
            self._values, lanes,
        )  # fmt: skip
        self._values[lanes:] = self._values[0]

    def solve(self, x: NDArray[np.float32]) -> None:
        """Solve in place for (N, 3, LANES), nodes in elimination order."""
        f = self._fronts
        _solve_each(f.bounds, f.border_pointer, f.borders, f.value_pointer, self._values, x)


@kernel(fastmath=True)
def _lower_inverse(lower):  # type: ignore[no-untyped-def]
    """Inverse of a lower triangle, by block rows: X_i = -L_ii⁻¹ (L_i X)."""
    n = len(lower)
    inverse = np.zeros((n, n))
    for first in range(0, n, _BLOCK):
        stop = min(first + _BLOCK, n)
        size = stop - first
        corner = np.zeros((size, size))
        for j in range(size):
            corner[j, j] = 1.0 / lower[first + j, first + j]
            for i in range(j + 1, size):
                s = 0.0
                for k in range(j, i):
                    s += lower[first + i, first + k] * corner[k, j]
                corner[i, j] = -s / lower[first + i, first + i]
        _put(corner, inverse, first, first, 1.0)
        if first:
            left = np.dot(_part(lower, first, stop, 0, first), _part(inverse, 0, first, 0, first))
            _put(np.dot(corner, left), inverse, first, 0, -1.0)
    return inverse


@kernel()
def _part(matrix, first, stop, left, right):  # type: ignore[no-untyped-def]
    """Copy of a part of a matrix. Loops compile much faster than slices that are assigned."""
    part = np.empty((stop - first, right - left))
    for a in range(stop - first):
        for b in range(right - left):
            part[a, b] = matrix[first + a, left + b]
    return part


@kernel()
def _put(part, matrix, first, left, factor):  # type: ignore[no-untyped-def]
    for a in range(part.shape[0]):
        for b in range(part.shape[1]):
            matrix[first + a, left + b] = factor * part[a, b]


@kernel(parallel=True)
def _factorise(  # type: ignore[no-untyped-def]
    indptr, indices, data, added, bounds, border_pointer, borders, value_pointer, child_pointer, children,
    place_pointer, places, update_pointer, stack_size, n_nodes, values, lanes,
):  # fmt: skip
    for lane in prange(lanes):
        stack = np.empty(stack_size)
        local = np.full(n_nodes, -1)
        for front in range(len(bounds)):
            start, n_own = bounds[front, 0], bounds[front, 1] - bounds[front, 0]
            border = borders[border_pointer[front] : border_pointer[front + 1]]
            s, n_border = 3 * n_own, len(border)
            full = s + 3 * n_border
            matrix = np.zeros((full, full))
            for a in range(n_own):
                local[start + a] = a
            for a in range(n_border):
                local[border[a]] = n_own + a
            for a in range(n_own):
                for k in range(indptr[start + a], indptr[start + a + 1]):
                    b = local[indices[k]]
                    if b >= 0:
                        for i in range(3):
                            for j in range(3):
                                matrix[3 * b + j, 3 * a + i] = data[lane, k, i, j]
            for a in range(n_own):
                local[start + a] = -1
            for a in range(n_border):
                local[border[a]] = -1
            if front == len(bounds) - 1:
                for a in range(full):
                    for b in range(full):
                        matrix[a, b] += added[a, b]
            for k in range(child_pointer[front], child_pointer[front + 1]):
                child = children[k]
                count = border_pointer[child + 1] - border_pointer[child]
                width = 3 * count
                for a in range(count):
                    for b in range(a + 1):
                        to_a, to_b = places[place_pointer[k] + a], places[place_pointer[k] + b]
                        for i in range(3):
                            for j in range(3):
                                matrix[3 * to_a + i, 3 * to_b + j] += stack[
                                    update_pointer[child] + (3 * a + i) * width + 3 * b + j
                                ]
            if s:
                lower = np.linalg.cholesky(_part(matrix, 0, s, 0, s))
                at = value_pointer[front]
                for a in range(s):
                    for b in range(a + 1):
                        values[lane, at + a * s + b] = lower[a, b]
                if n_border:
                    below = np.dot(_part(matrix, s, full, 0, s), _lower_inverse(lower).T)
                    at += s * s
                    for a in range(3 * n_border):
                        for b in range(s):
                            values[lane, at + a * s + b] = below[a, b]
                    product = np.dot(below, below.T)
                    for a in range(3 * n_border):
                        for b in range(3 * n_border):
                            matrix[s + a, s + b] -= product[a, b]
            width = 3 * n_border
            for a in range(width):
                for b in range(width):
                    stack[update_pointer[front] + a * width + b] = matrix[s + a, s + b]


@kernel(parallel=True, fastmath=True)
def _solve_each(bounds, border_pointer, borders, value_pointer, values, x):  # type: ignore[no-untyped-def]
    n_nodes = len(x)
    for lane in prange(LANES):
        v = values[lane]
        y = np.empty(3 * n_nodes, x.dtype)
        for n in range(n_nodes):
            for i in range(3):
                y[3 * n + i] = x[n, i, lane]
        own = np.empty(3 * n_nodes, x.dtype)
        for front in range(len(bounds)):
            start, s = 3 * bounds[front, 0], 3 * (bounds[front, 1] - bounds[front, 0])
            at = value_pointer[front]
            for a in range(s):
                total = y[start + a]
                for b in range(a):
                    total -= v[at + a * s + b] * y[start + b]
                y[start + a] = total / v[at + a * s + a]
            at += s * s
            for k in range(border_pointer[front], border_pointer[front + 1]):
                for i in range(3):
                    total = x[0, 0, 0] * 0
                    for b in range(s):
                        total += v[at + b] * y[start + b]
                    y[3 * borders[k] + i] -= total
                    at += s
        for front in range(len(bounds) - 1, -1, -1):
            start, s = 3 * bounds[front, 0], 3 * (bounds[front, 1] - bounds[front, 0])
            at = value_pointer[front] + s * s
            for a in range(s):
                own[a] = y[start + a]
            for k in range(border_pointer[front], border_pointer[front + 1]):
                for i in range(3):
                    value = y[3 * borders[k] + i]
                    for b in range(s):
                        own[b] -= value * v[at + b]
                    at += s
            at = value_pointer[front]
            for a in range(s - 1, -1, -1):
                value = own[a] / v[at + a * s + a]
                y[start + a] = value
                for b in range(a):
                    own[b] -= value * v[at + a * s + b]
        for n in range(n_nodes):
            for i in range(3):
                x[n, i, lane] = y[3 * n + i]
