"""Kernels over several right sides at once: nodal values are (N, 3, LANES), one scenario a lane.

A block row that is read once serves all lanes, and the innermost loop runs over contiguous lanes
with a length known to the compiler, so that it fills the vector registers. Per lane this is about
twenty times faster than one right side at a time, which waits for memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sacrofem.mechanics.batch.lanevectors import LANES, multiply_rows, subtract_blocks
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.compiled import kernel

LaneArray = NDArray[np.floating[Any]]
# Rows are dealt out in this many pieces, so that a thread allocates its scratch once a piece.
PIECES = 128
_CURVE_BITS = 10


@kernel(fastmath=True, inline="always")
def _subtract_row(indptr, indices, data, x, n, zone_of, pointer, slots, buffer, acc):  # type: ignore[no-untyped-def]
    """Subtract row n of A x and what the zone adds."""
    subtract_blocks(indices, data, indptr[n], indptr[n + 1], x, acc)
    z = zone_of[n]
    if z >= 0:
        for slot in range(pointer[z], pointer[z + 1]):
            s = slots[slot]
            for i in range(3):
                for lane in range(LANES):
                    acc[i, lane] -= buffer[s, i, lane]


@kernel(parallel=True, fastmath=True)
def lane_residual(indptr, indices, data, x, f, zone_of, pointer, slots, buffer, free, r):  # type: ignore[no-untyped-def]
    """r = free (f - A x - what the zone adds), the zone's forces lying in ``buffer``."""
    n_rows = len(indptr) - 1
    for piece in prange(PIECES):
        acc = np.empty((3, LANES), x.dtype)
        for n in range(n_rows * piece // PIECES, n_rows * (piece + 1) // PIECES):
            for i in range(3):
                for lane in range(LANES):
                    acc[i, lane] = f[n, i, lane]
            _subtract_row(indptr, indices, data, x, n, zone_of, pointer, slots, buffer, acc)
            for i in range(3):
                for lane in range(LANES):
                    r[n, i, lane] = acc[i, lane] * free[n, i]


@kernel(fastmath=True, inline="always")
def _update(x, n, step, from_zero, alpha, beta, previous):  # type: ignore[no-untyped-def]
    for i in range(3):
        if from_zero:
            for lane in range(LANES):
                previous[n, i, lane] = alpha[lane] * step[i, lane]
        else:
            for lane in range(LANES):
                previous[n, i, lane] = (
                    x[n, i, lane] + alpha[lane] * step[i, lane] + beta[lane] * (x[n, i, lane] - previous[n, i, lane])
                )


@kernel(parallel=True, fastmath=True)
def lane_smooth(  # type: ignore[no-untyped-def]
    indptr, indices, data, x, f, zone_of, pointer, slots, buffer, free,
    starts, members, offsets, inverse, own_of, own_offsets, own_inverse, largest, from_zero, alpha, beta, previous,
):  # fmt: skip
    """One Chebyshev step: x + alpha D (f - A x) + beta (x - previous) takes the place of ``previous``.

    D holds the inverse blocks of clusters; those with ``own_of`` >= 0 have one for every lane, as
    ``alpha`` and ``beta`` (LANES,) do. ``from_zero``: x counts as zero and is not read.
    """
    n_clusters = len(starts) - 1
    for piece in prange(PIECES):
        acc = np.empty((3, LANES), x.dtype)
        defect = np.empty((largest, 3, LANES), x.dtype)
        step = np.empty((3, LANES), x.dtype)
        for c in range(n_clusters * piece // PIECES, n_clusters * (piece + 1) // PIECES):
            first, size = starts[c], starts[c + 1] - starts[c]
            for a in range(size):
                n = members[first + a]
                for i in range(3):
                    for lane in range(LANES):
                        acc[i, lane] = f[n, i, lane]
                if not from_zero:
                    _subtract_row(indptr, indices, data, x, n, zone_of, pointer, slots, buffer, acc)
                for i in range(3):
                    for lane in range(LANES):
                        defect[a, i, lane] = acc[i, lane] * free[n, i]
            own = own_of[c]
            for a in range(size):
                row = 9 * a * size
                if own < 0:
                    multiply_rows(inverse, offsets[c] + row, 3 * size, size, defect, 0, step)
                else:
                    multiply_rows(own_inverse, own_offsets[own] + row, 3 * size, size, defect, 0, step)
                _update(x, members[first + a], step, from_zero, alpha, beta, previous)


@kernel(parallel=True, fastmath=True)
def lane_product(indptr, indices, data, p, zone_of, pointer, slots, buffer, free, q, partial):  # type: ignore[no-untyped-def]
    """q = free (A p + what the zone adds), and p·q by pieces."""
    n_rows = len(indptr) - 1
    for piece in prange(PIECES):
        acc = np.empty((3, LANES), p.dtype)
        total = np.zeros(LANES)
        for n in range(n_rows * piece // PIECES, n_rows * (piece + 1) // PIECES):
            for i in range(3):
                for lane in range(LANES):
                    acc[i, lane] = 0
            _subtract_row(indptr, indices, data, p, n, zone_of, pointer, slots, buffer, acc)
            for i in range(3):
                for lane in range(LANES):
                    value = -acc[i, lane] * free[n, i]
                    q[n, i, lane] = value
                    total[lane] += p[n, i, lane] * value
        for lane in range(LANES):
            partial[piece, lane] = total[lane]


@kernel(parallel=True, fastmath=True)
def lane_dots(a, b, c, with_a, with_b):  # type: ignore[no-untyped-def]
    """a·c and b·c of each lane, by pieces (PIECES, LANES)."""
    n_rows = len(a)
    for piece in prange(PIECES):
        first, second = np.zeros(LANES), np.zeros(LANES)
        for n in range(n_rows * piece // PIECES, n_rows * (piece + 1) // PIECES):
            for i in range(3):
                for lane in range(LANES):
                    value = c[n, i, lane]
                    first[lane] += a[n, i, lane] * value
                    second[lane] += b[n, i, lane] * value
        for lane in range(LANES):
            with_a[piece, lane] = first[lane]
            with_b[piece, lane] = second[lane]


@kernel(parallel=True, fastmath=True)
def lane_advance(alpha, p, q, x, r, scale, single, partial):  # type: ignore[no-untyped-def]
    """x += alpha p and r -= alpha q; ``single`` = scale r in its own precision; r·r by pieces."""
    n_rows = len(r)
    for piece in prange(PIECES):
        acc = np.zeros(LANES)
        for n in range(n_rows * piece // PIECES, n_rows * (piece + 1) // PIECES):
            for i in range(3):
                for lane in range(LANES):
                    x[n, i, lane] += alpha[lane] * p[n, i, lane]
                    value = r[n, i, lane] - alpha[lane] * q[n, i, lane]
                    r[n, i, lane] = value
                    single[n, i, lane] = scale[lane] * value
                    acc[lane] += value * value
        for lane in range(LANES):
            partial[piece, lane] = acc[lane]


@kernel(parallel=True, fastmath=True)
def lane_turn(beta, factor, z, p):  # type: ignore[no-untyped-def]
    """p = factor z + beta p: the next search direction."""
    for piece in prange(PIECES):
        for n in range(len(p) * piece // PIECES, len(p) * (piece + 1) // PIECES):
            for i in range(3):
                for lane in range(LANES):
                    p[n, i, lane] = factor[lane] * z[n, i, lane] + beta[lane] * p[n, i, lane]


def z_order(points: FloatArray) -> IntArray:
    """(n,) order of points (n, 3) along a Morton curve: what is near in space is mostly near in memory."""
    size = float(np.ptp(points, axis=0).max()) or 1.0
    cells = ((points - points.min(axis=0)) / size * (2**_CURVE_BITS - 1)).astype(np.int64)
    key = np.zeros(len(points), dtype=np.int64)
    for bit in range(_CURVE_BITS):
        for axis in range(3):
            key |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(key, kind="stable")


def lane_sums(a: LaneArray, b: LaneArray, c: LaneArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(LANES,) products a·c and b·c of (N, 3, LANES) values, in double precision and a fixed order."""
    with_a, with_b = np.empty((PIECES, LANES)), np.empty((PIECES, LANES))
    lane_dots(a, b, c, with_a, with_b)
    return with_a.sum(axis=0), with_b.sum(axis=0)


def lane_norms(a: LaneArray) -> NDArray[np.float64]:
    """(LANES,) Euclidean lengths of (N, 3, LANES) values."""
    return np.asarray(np.sqrt(lane_sums(a, a, a)[0]))
