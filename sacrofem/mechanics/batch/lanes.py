"""Kernels over several right sides at once: nodal values are (N, 3, LANES), one state a lane.

A block row that is read once serves all lanes, and the innermost loop runs over contiguous lanes
with a length known to the compiler, so that it fills the vector registers. Per lane this is about
twenty times faster than one right side at a time, which waits for memory.

Every kernel works on a part of its loop, ``first`` to before ``stop``; `Crew` deals the parts out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.compiled import kernel
from sacrofem.system.threads import Crew

LANES = 32
LaneArray = NDArray[np.floating[Any]]
# Sums are taken over so many pieces of the rows, whatever the number of threads: their bits do not depend on it.
PIECES = 128
_CURVE_BITS = 10


@kernel(nogil=True, fastmath=True, inline="always")
def _subtract_row(indptr, indices, data, x, n, zone_of, pointer, slots, buffer, row):  # type: ignore[no-untyped-def]
    """Subtract row n of A x and what the zone adds from ``row`` (3, LANES)."""
    for k in range(indptr[n], indptr[n + 1]):
        m = indices[k]
        # All nine numbers of a block in one loop: its three rows of x are then read once.
        a, b, c = data[k, 0, 0], data[k, 0, 1], data[k, 0, 2]
        d, e, f = data[k, 1, 0], data[k, 1, 1], data[k, 1, 2]
        g, h, i = data[k, 2, 0], data[k, 2, 1], data[k, 2, 2]
        for lane in range(LANES):
            x0, x1, x2 = x[m, 0, lane], x[m, 1, lane], x[m, 2, lane]
            row[0, lane] -= a * x0 + b * x1 + c * x2
            row[1, lane] -= d * x0 + e * x1 + f * x2
            row[2, lane] -= g * x0 + h * x1 + i * x2
    z = zone_of[n]
    if z >= 0:
        for k in range(pointer[z], pointer[z + 1]):
            for j in range(3):
                for lane in range(LANES):
                    row[j, lane] -= buffer[slots[k], j, lane]


@kernel(nogil=True, fastmath=True)
def lane_residual(first, stop, indptr, indices, data, x, zone_of, pointer, slots, buffer, f, free, r):  # type: ignore[no-untyped-def]
    """r = free (f - A x - what the zone adds), the zone's forces lying in ``buffer``."""
    for n in range(first, stop):
        for i in range(3):
            for lane in range(LANES):
                r[n, i, lane] = f[n, i, lane]
        _subtract_row(indptr, indices, data, x, n, zone_of, pointer, slots, buffer, r[n])
        for i in range(3):
            for lane in range(LANES):
                r[n, i, lane] *= free[n, i]


@kernel(nogil=True, fastmath=True)
def lane_smooth(  # type: ignore[no-untyped-def]
    first, stop, indptr, indices, data, x, zone_of, pointer, slots, buffer, f, free,
    starts, members, offsets, inverse, own_of, own_offsets, own_inverse, largest, from_zero, alpha, beta, previous,
):  # fmt: skip
    """One Chebyshev step: x + alpha D (f - A x) + beta (x - previous) takes the place of ``previous``.

    D holds the inverse blocks of clusters; those with ``own_of`` >= 0 have one for every lane, as
    ``alpha`` and ``beta`` (LANES,) do. ``from_zero``: x is zero, and A x is not computed.
    """
    defect = np.empty((largest, 3, LANES), x.dtype)
    step = np.empty(LANES, x.dtype)
    for c in range(first, stop):
        start, size = starts[c], starts[c + 1] - starts[c]
        for a in range(size):
            n = members[start + a]
            for i in range(3):
                for lane in range(LANES):
                    defect[a, i, lane] = f[n, i, lane]
            if not from_zero:
                _subtract_row(indptr, indices, data, x, n, zone_of, pointer, slots, buffer, defect[a])
            for i in range(3):
                for lane in range(LANES):
                    defect[a, i, lane] *= free[n, i]
        own = own_of[c]
        for row in range(3 * size):
            for lane in range(LANES):
                step[lane] = 0
            for b in range(size):
                k = 3 * (row * size + b)
                if own < 0:
                    k += offsets[c]
                    d0, d1, d2 = inverse[k], inverse[k + 1], inverse[k + 2]
                    for lane in range(LANES):
                        step[lane] += d0 * defect[b, 0, lane] + d1 * defect[b, 1, lane] + d2 * defect[b, 2, lane]
                else:
                    k += own_offsets[own]
                    for lane in range(LANES):
                        step[lane] += (
                            own_inverse[k, lane] * defect[b, 0, lane]
                            + own_inverse[k + 1, lane] * defect[b, 1, lane]
                            + own_inverse[k + 2, lane] * defect[b, 2, lane]
                        )
            n, i = members[start + row // 3], row % 3
            for lane in range(LANES):
                now = x[n, i, lane]
                previous[n, i, lane] = now + alpha[lane] * step[lane] + beta[lane] * (now - previous[n, i, lane])


@kernel(nogil=True, fastmath=True)
def lane_product(first, stop, indptr, indices, data, p, zone_of, pointer, slots, buffer, free, q, partial):  # type: ignore[no-untyped-def]
    """q = free (A p + what the zone adds), and p·q by pieces."""
    n_rows = len(indptr) - 1
    for piece in range(first, stop):
        for lane in range(LANES):
            partial[piece, lane] = 0
        for n in range(n_rows * piece // PIECES, n_rows * (piece + 1) // PIECES):
            for i in range(3):
                for lane in range(LANES):
                    q[n, i, lane] = 0
            _subtract_row(indptr, indices, data, p, n, zone_of, pointer, slots, buffer, q[n])
            for i in range(3):
                for lane in range(LANES):
                    value = -q[n, i, lane] * free[n, i]
                    q[n, i, lane] = value
                    partial[piece, lane] += p[n, i, lane] * value


@kernel(nogil=True, fastmath=True)
def _dots(first, stop, a, b, c, with_a, with_b):  # type: ignore[no-untyped-def]
    for piece in range(first, stop):
        for lane in range(LANES):
            with_a[piece, lane] = 0
            with_b[piece, lane] = 0
        for n in range(len(a) * piece // PIECES, len(a) * (piece + 1) // PIECES):
            for i in range(3):
                for lane in range(LANES):
                    with_a[piece, lane] += a[n, i, lane] * c[n, i, lane]
                    with_b[piece, lane] += b[n, i, lane] * c[n, i, lane]


@kernel(nogil=True, fastmath=True)
def lane_advance(first, stop, alpha, p, q, x, r, scale, single, partial):  # type: ignore[no-untyped-def]
    """x += alpha p and r -= alpha q; ``single`` = scale r in its own precision; r·r by pieces."""
    for piece in range(first, stop):
        for lane in range(LANES):
            partial[piece, lane] = 0
        for n in range(len(r) * piece // PIECES, len(r) * (piece + 1) // PIECES):
            for i in range(3):
                for lane in range(LANES):
                    x[n, i, lane] += alpha[lane] * p[n, i, lane]
                    value = r[n, i, lane] - alpha[lane] * q[n, i, lane]
                    r[n, i, lane] = value
                    single[n, i, lane] = scale[lane] * value
                    partial[piece, lane] += value * value


@kernel(nogil=True, fastmath=True)
def lane_turn(first, stop, beta, factor, z, p):  # type: ignore[no-untyped-def]
    """p = factor z + beta p: the next search direction."""
    for n in range(first, stop):
        for i in range(3):
            for lane in range(LANES):
                p[n, i, lane] = factor[lane] * z[n, i, lane] + beta[lane] * p[n, i, lane]


@kernel(nogil=True, fastmath=True)
def lane_transfer(first, stop, pointer, nodes, weights, x, free, y):  # type: ignore[no-untyped-def]
    """y += free W x, with row n of W in ``weights[pointer[n]:pointer[n + 1]]``."""
    for n in range(first, stop):
        for k in range(pointer[n], pointer[n + 1]):
            for i in range(3):
                w = weights[k] * free[n, i]
                for lane in range(LANES):
                    y[n, i, lane] += w * x[nodes[k], i, lane]


def z_order(points: FloatArray) -> IntArray:
    """(n,) order of points (n, 3) along a Morton curve: what is near in space is mostly near in memory."""
    size = float(np.ptp(points, axis=0).max()) or 1.0
    cells = ((points - points.min(axis=0)) / size * (2**_CURVE_BITS - 1)).astype(np.int64)
    key = np.zeros(len(points), dtype=np.int64)
    for bit in range(_CURVE_BITS):
        for axis in range(3):
            key |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(key, kind="stable")


def lane_dots(
    crew: Crew, a: LaneArray, b: LaneArray, c: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(LANES,) products a·c and b·c of (N, 3, LANES) values, in double precision and a fixed order."""
    with_a, with_b = np.empty((PIECES, LANES)), np.empty((PIECES, LANES))
    crew.share(_dots, PIECES, a, b, c, with_a, with_b)
    return with_a.sum(axis=0), with_b.sum(axis=0)


def lane_sums(a: LaneArray, b: LaneArray) -> FloatArray:
    """(LANES,) products of (N, 3, LANES) values, summed in their own precision."""
    return np.asarray(np.einsum("nil,nil->l", a, b), np.float64)
