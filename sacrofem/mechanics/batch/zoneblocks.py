"""Stiffness inside the candidate zone as numbers that are affine in its moduli and gap laws.

A matrix over nodes of the zone is an unchanging part and a sparse table times the parameters of a
state, so that no lane is assembled element by element.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sacrofem.mechanics.batch.candidates import CandidateZone
from sacrofem.mechanics.batch.lanes import LANES
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.mechanics.space.space import Order, Space, tet_gradients
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.threads import Crew

# For nodes (n,) of block rows and of block columns: where the block's first number lies among the values (-1: nowhere),
# and how far apart its rows are.
Place = Callable[[IntArray, IntArray], tuple[IntArray, IntArray]]
# Numbers of a lane that are inverted at a time, to bound the memory.
_AT_ONCE = 16_384


class ZoneBlocks:
    """Some 3 × 3 blocks of the stiffness, wherever they shall lie among ``count`` values.

    The parameters are λ and μ of the zone's tets, then ∫ k_t N N and ∫ (k_n - k_t) N N of its pairs: see
    `LaneZone.parameters`.

    Parameters
    ----------
    zone : CandidateZone
    order : 1 or 2
        Of the shape functions.
    tets, pairs : (t, a) and (p, 2b)
        Nodes of the zone's tets and pairs, in the numbers that all else here is in.
    rest : BlockMatrix
        Stiffness outside the zone.
    free : (n, 3) bool
        Rows and columns of the other displacements are those of the unit matrix.
    place : callable
        Where a block lies.
    count : int
    """

    def __init__(
        self,
        zone: CandidateZone,
        order: Order,
        tets: IntArray,
        pairs: IntArray,
        rest: BlockMatrix,
        free: BoolArray,
        place: Place,
        count: int,
    ) -> None:
        self._free, self._place = free, place
        square = (pairs.shape[1] // 2) ** 2
        tables = [*self._of_tets(zone.space, order, zone.tets, tets), *self._of_pairs(zone, pairs)]
        widths = (len(tets), len(tets), square * len(pairs), square * len(pairs))
        # Widths are given, as an empty zone of pairs has no highest column.
        self._table = sp.hstack(
            [
                sp.coo_array((blocks.ravel(), (at.ravel(), np.repeat(column, 9))), shape=(count, width)).tocsr()
                for (at, column, blocks), width in zip(tables, widths, strict=True)
            ],
            format="csr",
        )
        self._table.eliminate_zeros()
        nodes = np.arange(rest.n_nodes)
        wanted = place(nodes, nodes)[0] >= 0
        inside = np.flatnonzero(np.repeat(wanted, np.diff(rest.indptr)))
        rows, columns = np.searchsorted(rest.indptr, inside, side="right") - 1, rest.indices[inside].astype(np.int64)
        (chosen,), at = self._where(rows, columns)
        self._base = np.zeros(count)
        self._base[at] = self._held(rows[chosen], columns[chosen], np.asarray(rest.data[inside[chosen]], float))
        diagonal = np.diagonal(self._where(nodes, nodes)[1], axis1=1, axis2=2)
        self._base[diagonal[~free[wanted]]] = 1.0

    def _where(self, rows: IntArray, columns: IntArray) -> tuple[tuple[IntArray, ...], IntArray]:
        """Which of the blocks are wanted, and the places (s, 3, 3) of their numbers."""
        first, stride = self._place(rows, columns)
        chosen = np.nonzero(first >= 0)
        axes = np.arange(3)
        return chosen, first[chosen][:, None, None] + stride[chosen][:, None, None] * axes[:, None] + axes

    def _held(self, rows: IntArray, columns: IntArray, blocks: FloatArray) -> FloatArray:
        return np.asarray(blocks * self._free[rows][:, :, None] * self._free[columns][:, None, :])

    def _of_tets(
        self, space: Space, order: Order, numbers: IntArray, tets: IntArray
    ) -> list[tuple[IntArray, IntArray, FloatArray]]:
        """Places, columns and factors of λ and of μ."""
        rows, columns = np.broadcast_arrays(tets[:, :, None], tets[:, None, :])
        (e, a, b), at = self._where(rows, columns)
        barycentric, weights = space.rule
        slopes = tet_gradients(barycentric, order)
        gradient = np.einsum("qak,ekx->eaqx", slopes, space.barycentric_gradients[numbers])
        product = np.einsum("q,sqi,sqj->sij", weights, gradient[e, a], gradient[e, b], optimize=True)
        product *= space.mesh.volumes[numbers][e, None, None]
        sheared = np.swapaxes(product, 1, 2) + np.trace(product, axis1=1, axis2=2)[:, None, None] * np.eye(3)
        return [(at, e, self._held(tets[e, a], tets[e, b], blocks)) for blocks in (product, sheared)]

    def _of_pairs(self, zone: CandidateZone, pairs: IntArray) -> list[tuple[IntArray, IntArray, FloatArray]]:
        """Places, columns and factors of tangent and excess."""
        rows, columns = np.broadcast_arrays(pairs[:, :, None], pairs[:, None, :])
        (p, a, b), at = self._where(rows, columns)
        half = pairs.shape[1] // 2
        column = (p * half + a % half) * half + b % half
        sign = np.where(a // half == b // half, 1.0, -1.0)[:, None, None]
        normal = zone.space.gap.normals[zone.pairs][p]
        along = normal[:, :, None] * normal[:, None, :]
        both = (np.broadcast_to(np.eye(3), along.shape), along)
        return [(at, column, self._held(pairs[p, a], pairs[p, b], sign * blocks)) for blocks in both]

    def values(self, parameters: FloatArray, part: slice = slice(None)) -> FloatArray:
        """(values, lanes) for parameters (n, lanes), or (values,) for those of one lane."""
        base = self._base[part]
        return np.asarray(base.reshape(-1, *(1,) * (parameters.ndim - 1)) + self._table[part] @ parameters)


class OwnClusters:
    """The smoother's clusters that lie in the zone: each has an inverse block for every lane.

    Parameters
    ----------
    zone : CandidateZone
    clusters : (c,)
        These clusters.
    starts, members
        Nodes of all clusters, see `smoother_blocks`.
    rest : BlockMatrix
        Stiffness outside the zone.
    free : (N, 3) bool

    Attributes
    ----------
    of : (all,)
        Place of each cluster among those of the zone, -1 outside.
    offsets : (c,)
        Where the block of each begins among the values.
    """

    def __init__(
        self,
        zone: CandidateZone,
        clusters: IntArray,
        starts: IntArray,
        members: IntArray,
        rest: BlockMatrix,
        free: BoolArray,
    ) -> None:
        counts = np.diff(starts)
        # Those of one size follow one another, so that they are inverted together.
        clusters = clusters[np.argsort(counts[clusters], kind="stable")]
        self.of = np.full(len(counts), -1)
        self.of[clusters] = np.arange(len(clusters))
        full = 3 * counts[clusters]
        ends = np.cumsum(full**2)
        self.offsets = ends - full**2
        cluster_of, local = np.empty(len(free), np.int64), np.empty(len(free), np.int64)
        cluster_of[members] = np.repeat(np.arange(len(counts)), counts)
        local[members] = np.arange(len(members)) - np.repeat(starts[:-1], counts)

        def place(rows: IntArray, columns: IntArray) -> tuple[IntArray, IntArray]:
            own = self.of[cluster_of[rows]]
            first = self.offsets[own] + 3 * (local[rows] * full[own] + local[columns])
            return np.where((own >= 0) & (cluster_of[rows] == cluster_of[columns]), first, -1), full[own]

        self._blocks = ZoneBlocks(zone, 2, zone.nodes, zone.pair_nodes, rest, free, place, int(ends[-1]))
        self._parts: list[tuple[int, int, int]] = []
        for size in np.unique(full):
            mine = np.flatnonzero(full == size)
            step = max(1, _AT_ONCE // int(size**2))
            for some in (mine[k : k + step] for k in range(0, len(mine), step)):
                self._parts.append((int(self.offsets[some[0]]), int(ends[some[-1]]), int(size)))

    def inverses(self, parameters: FloatArray, crew: Crew) -> NDArray[np.float32]:
        """(values, LANES) inverse blocks for parameters (n, lanes); unused lanes repeat the first."""
        lanes = parameters.shape[1]
        out = np.empty((self._parts[-1][1], LANES), np.float32)

        def invert(first: int, stop: int) -> None:
            for begin, end, size in self._parts[first:stop]:
                values = self._blocks.values(parameters, slice(begin, end)).reshape(-1, size, size, lanes)
                inverse = np.linalg.inv(np.moveaxis(values, 3, 1))
                out[begin:end, :lanes] = np.moveaxis(inverse, 1, 3).reshape(-1, lanes)

        crew.share(invert, len(self._parts))
        out[:, lanes:] = out[:, :1]
        return out
