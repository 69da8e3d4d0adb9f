"""The p-multigrid cycle of `multigrid` for a lane of scenarios at once.

Everything outside the candidate zone is set up once: the smoother's blocks, and the elimination of
the P1 nodes outside onto the zone's. A batch then only inverts the zone's blocks and factorises the
zone's P1 problem, a small one, for each scenario.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sacrofem.mechanics.batch.candidates import CandidateZone, LaneZone
from sacrofem.mechanics.batch.fronts import Fronts, LaneFactor, LaneFactors
from sacrofem.mechanics.batch.lanes import LaneArray, lane_residual, lane_smooth, lane_sums, z_order
from sacrofem.mechanics.batch.lanevectors import LANES
from sacrofem.mechanics.linear.direct import MultifrontalCholesky, analyse
from sacrofem.mechanics.linear.multigrid import (
    SMOOTHING_DEGREE,
    SPECTRUM_MARGIN,
    SPECTRUM_RATIO,
    diagonal_inverse,
    largest_eigenvalues,
    smoother_blocks,
)
from sacrofem.mechanics.space.blocks import BlockMatrix, node_pattern, scatter
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TET_EDGES
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.compiled import kernel

Gap = tuple[FloatArray, FloatArray]


@kernel(parallel=True, fastmath=True)
def _restrict(pointer, nodes, r, below):  # type: ignore[no-untyped-def]
    """The vertex's own value, first of its nodes, and half of those on its edges."""
    for n in prange(len(below)):
        for i in range(3):
            for lane in range(LANES):
                below[n, i, lane] = r[nodes[pointer[n]], i, lane]
        for k in range(pointer[n] + 1, pointer[n + 1]):
            e = nodes[k]
            for i in range(3):
                for lane in range(LANES):
                    below[n, i, lane] += np.float32(0.5) * r[e, i, lane]


@kernel(parallel=True, fastmath=True)
def _prolong(ends, free, correction, z):  # type: ignore[no-untyped-def]
    """Half the sum of the values at both ends, which for a vertex are the same."""
    for n in prange(len(z)):
        a, b = ends[n, 0], ends[n, 1]
        for i in range(3):
            for lane in range(LANES):
                z[n, i, lane] += np.float32(0.5) * free[n, i] * (correction[a, i, lane] + correction[b, i, lane])


class LaneLevels:
    """What all batches of one engine share: both levels of the model outside the candidate zone.

    Parameters
    ----------
    rest, coarse_rest : BlockMatrix
        P2 and P1 stiffness outside the zone, nothing constrained.
    space : Space
    tets, pairs : (m,) and (p,) bool
        The candidate zone.
    fixed : (N, 3) bool

    Attributes
    ----------
    order : (N,)
        Node of the space at each place: everything else here is numbered by places.
    position : (N,)
        Its inverse.
    """

    def __init__(
        self,
        rest: BlockMatrix,
        coarse_rest: BlockMatrix,
        space: Space,
        tets: BoolArray,
        pairs: BoolArray,
        fixed: BoolArray,
    ) -> None:
        self.space = space
        # Inside the engine nodes are numbered along a curve through space: neighbours then lie in
        # the cache, which saves a third of the time of every product.
        self.order = z_order(space.nodes)
        self.position = np.empty_like(self.order)
        self.position[self.order] = np.arange(len(self.order))
        zone = CandidateZone(space, tets, pairs, self.position)
        self.zone, self.fixed = zone, fixed[self.order]
        self.free = (~self.fixed).astype(np.float32)
        self.rest = _renumbered(rest, self.position)
        self.single = self.rest.data.astype(np.float32)
        self._blocks()
        self.coarse = _CoarseLevels(coarse_rest.constrained(fixed[: coarse_rest.n_nodes]), zone, fixed)
        self.coarse_free = (~fixed[: coarse_rest.n_nodes, :, None]).astype(np.float32)
        self._edges()

    def _blocks(self) -> None:
        """Clusters of the smoother in the order of their first nodes; those of the zone have blocks of their own."""
        starts, members = smoother_blocks(self.space)
        members = self.position[members]
        counts = np.diff(starts)
        first = np.minimum.reduceat(members, starts[:-1])
        order = np.argsort(first, kind="stable")
        moved = np.repeat(starts[:-1][order], counts[order]) + _counting(counts[order])
        self.members, counts = members[moved], counts[order]
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.largest = int(counts.max())
        cluster_of = np.empty(self.space.n_nodes, np.int64)
        cluster_of[self.members] = np.repeat(np.arange(len(counts)), counts)
        self.own_clusters = np.unique(cluster_of[self.zone.own])
        self.own_of = np.full(len(counts), -1)
        self.own_of[self.own_clusters] = np.arange(len(self.own_clusters))
        self.offsets, self.inverse = self._rest_inverses(np.where(self.own_of < 0, 9 * counts**2, 0))

    def _rest_inverses(self, lengths: IntArray) -> tuple[IntArray, NDArray[np.float32]]:
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        chosen = np.flatnonzero(self.own_of < 0)
        # Compact cluster lists of the rest alone, in the same order.
        counts = np.diff(self.starts)[chosen]
        members = self.members[np.repeat(self.own_of < 0, np.diff(self.starts))]
        starts = np.concatenate([[0], np.cumsum(counts)])
        values = np.empty(offsets[-1])
        diagonal_inverse(
            self.rest.indptr, self.rest.indices, self.rest.data, self.fixed, starts, members,
            np.concatenate([[0], np.cumsum(9 * counts**2)]), values,
        )  # fmt: skip
        return offsets, values.astype(np.float32)

    def _edges(self) -> None:
        """Ends of the edge that each node lies on (a vertex is both of its own), and the nodes around each vertex."""
        space = self.space
        n_coarse = len(space.mesh.points)
        ends = np.repeat(np.arange(space.n_nodes)[:, None], 2, axis=1)
        ends[space.connectivity[:, 4:]] = space.mesh.tets[:, TET_EDGES]
        self.ends, self.n_coarse = ends[self.order], n_coarse
        edges = np.arange(n_coarse, space.n_nodes)
        vertex = np.concatenate([np.arange(n_coarse), ends[edges, 0], ends[edges, 1]])
        node = self.position[np.concatenate([np.arange(n_coarse), edges, edges])]
        self.nodes_around = node[np.argsort(vertex, kind="stable")]
        self.around_pointer = np.concatenate([[0], np.cumsum(np.bincount(vertex, minlength=n_coarse))])


class _CoarseLevels:
    """The P1 problem: nodes outside the zone eliminated once onto those of the zone that touch them."""

    def __init__(self, rest: BlockMatrix, zone: CandidateZone, fixed: BoolArray) -> None:
        points = zone.space.mesh.points
        n = len(points)
        self.nodes = zone.vertices
        inside = np.zeros(n, dtype=bool)
        inside[self.nodes] = True
        rows = np.repeat(np.arange(n), np.diff(rest.indptr))
        border = np.zeros(n, dtype=bool)
        border[rest.indices[~inside[rows]]] = True
        border &= inside

        outside, kept = _restricted(rest, ~inside | border)
        elimination = analyse(outside.indptr, outside.indices, points[kept], border[kept])
        factor = MultifrontalCholesky(outside, points[kept], symbolic=elimination, single=True, partial=True)
        self._remainder = factor.remainder
        self._outside = LaneFactor(factor, elimination)
        self._outside_order = kept[elimination.order]
        self._n_outside = len(kept) - int(border.sum())
        self._own_problem(_restricted(rest, inside)[0], zone, border[self.nodes], ~fixed[self.nodes])

    def _own_problem(self, own: BlockMatrix, zone: CandidateZone, border: BoolArray, free: BoolArray) -> None:
        """Pattern, order and unchanging part of the P1 problem on the zone's own nodes."""
        space = zone.space
        mesh, gap, count = space.mesh, space.gap, len(self.nodes)
        number = np.full(len(mesh.points), -1)
        number[self.nodes] = np.arange(count)
        rows = np.repeat(np.arange(count), np.diff(own.indptr))
        plus, minus = mesh.paired
        tets = number[mesh.tets[zone.tets]]
        pairs = number[np.column_stack([mesh.faces[plus[zone.pairs]], mesh.faces[minus[zone.pairs]]])]
        pattern = node_pattern(count, tets, pairs, np.column_stack([rows, own.indices]))
        elimination = analyse(*pattern, mesh.points[self.nodes], border)
        # From here on the nodes are numbered as they are eliminated; both eliminations take the
        # border last, in the order of the node numbers.
        self._inside_order = self.nodes[elimination.order]
        self._n_inside = count - int(border.sum())
        position = np.empty(count, dtype=np.int64)
        position[elimination.order] = np.arange(count)
        self._tets, self._pairs = position[tets], position[pairs]
        rows, columns = position[rows], position[own.indices]
        self._indptr, self._indices = node_pattern(count, self._tets, self._pairs, np.column_stack([rows, columns]))
        key = np.repeat(np.arange(count), np.diff(self._indptr)) * count + self._indices
        self._base = np.zeros((len(self._indices), 3, 3))
        self._base[np.searchsorted(key, rows * count + columns)] = own.data
        self._free = free[elimination.order]
        self._factors = LaneFactors(Fronts(elimination), self._indptr, self._indices)
        self._gradients, self._volumes = space.barycentric_gradients[zone.tets], mesh.volumes[zone.tets]
        shape = gap.barycentric
        self._square = np.einsum("qa,qb->qab", shape, shape).reshape(len(shape), 9)
        self._areas, self._normals, self._gap_pairs = gap.areas[zone.pairs], gap.normals[zone.pairs], zone.pairs

    def factorise(self, lam: FloatArray, mu: FloatArray, gaps: list[Gap]) -> None:
        """Factorise for Lamé constants (t, LANES) of the zone's tets and the gap law (p, q) of each lane in use."""
        data = np.repeat(self._base[None], len(gaps), axis=0)
        _add_tets(self._indptr, self._indices, data, self._tets, self._gradients, self._volumes, lam, mu)
        nn = self._normals[:, :, None] * self._normals[:, None, :]
        for lane, (k_n, k_t) in enumerate(gaps if len(self._pairs) else []):
            k_n, k_t = k_n[self._gap_pairs], k_t[self._gap_pairs]
            tangent, excess = (((self._areas * k) @ self._square).reshape(-1, 3, 3, 1, 1) for k in (k_t, k_n - k_t))
            blocks = tangent * np.eye(3) + excess * nn[:, None, None]
            single = blocks.transpose(0, 1, 3, 2, 4).reshape(-1, 9, 9)
            matrices = np.concatenate(
                [np.concatenate([single, -single], axis=2), np.concatenate([-single, single], axis=2)], axis=1
            )
            scatter(self._indptr, self._indices, data[lane], self._pairs, matrices)
        if not self._free.all():
            _hold(self._indptr, self._indices, data, self._free)
        self._factors.factorise(data, self._remainder, len(gaps))

    def solve(self, below: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3, LANES) solution for right sides (n, 3, LANES), each lane with its own factor."""
        flat = below[self._outside_order]
        self._outside.forward(flat)
        inside = below[self._inside_order]
        inside[self._n_inside :] = flat[self._n_outside :]
        self._factors.solve(inside)
        flat[self._n_outside :] = inside[self._n_inside :]
        self._outside.backward(flat)
        result = np.empty_like(below)
        result[self._outside_order] = flat
        result[self._inside_order] = inside
        return result


def _counting(counts: IntArray) -> IntArray:
    """0, 1, ... within each of consecutive groups of these sizes."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _renumbered(matrix: BlockMatrix, position: IntArray) -> BlockMatrix:
    """The same matrix with node n at ``position[n]``."""
    count = np.diff(matrix.indptr)
    order = np.argsort(position)
    indptr = np.concatenate([[0], np.cumsum(count[order])])
    source = np.repeat(matrix.indptr[:-1][order], count[order]) + _counting(count[order])
    columns = position[matrix.indices[source]].astype(np.int32)
    inside = np.lexsort((columns, np.repeat(np.arange(len(order)), count[order])))
    return BlockMatrix(indptr, columns[inside], matrix.data[source[inside]])


def _restricted(matrix: BlockMatrix, chosen: BoolArray) -> tuple[BlockMatrix, IntArray]:
    """The rows and columns of some nodes, and these nodes."""
    kept = np.flatnonzero(chosen)
    number = np.cumsum(chosen) - 1
    rows = np.repeat(np.arange(matrix.n_nodes), np.diff(matrix.indptr))
    both = chosen[rows] & chosen[matrix.indices]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(number[rows[both]], minlength=len(kept)))])
    return BlockMatrix(indptr, number[matrix.indices[both]].astype(np.int32), matrix.data[both]), kept


@kernel(parallel=True)
def _add_tets(indptr, indices, data, nodes, gradients, volumes, lam, mu):  # type: ignore[no-untyped-def]
    """Add the stiffness of P1 tets, lane by lane."""
    for lane in prange(len(data)):
        for e in range(len(nodes)):
            x, m = lam[e, lane] * volumes[e], mu[e, lane] * volumes[e]
            for a in range(4):
                row = nodes[e, a]
                for b in range(4):
                    k = indptr[row] + np.searchsorted(indices[indptr[row] : indptr[row + 1]], nodes[e, b])
                    dot = 0.0
                    for i in range(3):
                        dot += gradients[e, a, i] * gradients[e, b, i]
                    for i in range(3):
                        for j in range(3):
                            data[lane, k, i, j] += (
                                x * gradients[e, a, i] * gradients[e, b, j]
                                + m * gradients[e, a, j] * gradients[e, b, i]
                            )
                        data[lane, k, i, i] += m * dot


@kernel(parallel=True)
def _hold(indptr, indices, data, free):  # type: ignore[no-untyped-def]
    """Rows and columns of fixed displacements become those of the unit matrix."""
    for lane in prange(len(data)):
        for n in range(len(indptr) - 1):
            for k in range(indptr[n], indptr[n + 1]):
                for i in range(3):
                    for j in range(3):
                        if not (free[n, i] and free[indices[k], j]):
                            data[lane, k, i, j] = 1.0 if n == indices[k] and i == j else 0.0


class LaneMultigrid:
    """Preconditioner of one batch: a V-cycle for every lane.

    Parameters
    ----------
    levels : LaneLevels
    filled : LaneZone
    gaps : list of (k_n, k_t)
        Gap laws of the lanes in use.
    """

    def __init__(self, levels: LaneLevels, filled: LaneZone, gaps: list[Gap]) -> None:
        self._levels, self._filled = levels, filled
        rest = levels.rest
        self._own_offsets, self._own_inverse = filled.cluster_inverses(
            levels.own_clusters, levels.starts, levels.members, rest, ~levels.fixed
        )
        levels.coarse.factorise(filled.lam, filled.mu, gaps)
        shape = (levels.space.n_nodes, 3, LANES)
        self._z, self._other, self._r = (np.zeros(shape, np.float32) for _ in range(3))
        self._below = np.empty((levels.n_coarse, 3, LANES), np.float32)
        self._upper = SPECTRUM_MARGIN * self._largest_eigenvalues()

    def _largest_eigenvalues(self) -> FloatArray:
        shape, free = self._z.shape, self._levels.free
        one, nothing = np.ones(LANES, np.float32), np.zeros(shape, np.float32)

        def precondition(r: NDArray[np.float32]) -> NDArray[np.float32]:
            self._step(nothing, r, one, 0 * one, self._z, from_zero=True)
            return self._z

        def apply(p: NDArray[np.float32]) -> NDArray[np.float32]:
            self._residual(p, nothing)
            return np.negative(self._r, out=self._r)

        start = np.random.default_rng(0).standard_normal((*shape[:2], 1)).astype(np.float32)
        return largest_eigenvalues(
            np.repeat(start, LANES, axis=2) * free[..., None], precondition, apply, lambda a, b: lane_sums(a, a, b)[0]
        )

    def _step(
        self, x: LaneArray, f: LaneArray, alpha: LaneArray, beta: LaneArray, previous: LaneArray, *,
        from_zero: bool = False,
    ) -> None:  # fmt: skip
        levels, zone = self._levels, self._levels.zone
        buffer = self._filled.buffer(x) if from_zero else self._filled.forces(x)
        lane_smooth(
            levels.rest.indptr, levels.rest.indices, levels.single, x, f, zone.of_node, zone.pointer, zone.slots,
            buffer, levels.free, levels.starts, levels.members, levels.offsets, levels.inverse,
            levels.own_of, self._own_offsets, self._own_inverse, levels.largest, from_zero, alpha, beta, previous,
        )  # fmt: skip

    def _residual(self, x: LaneArray, f: LaneArray) -> None:
        levels, zone = self._levels, self._levels.zone
        lane_residual(
            levels.rest.indptr, levels.rest.indices, levels.single, x, f, zone.of_node, zone.pointer, zone.slots,
            self._filled.forces(x), levels.free, self._r,
        )  # fmt: skip

    def _smooth(self, f: LaneArray, z: LaneArray, other: LaneArray, *, from_zero: bool) -> tuple[LaneArray, LaneArray]:
        """Chebyshev iteration over the upper spectrum, as in `PMultigrid`; returns the solution and the other array."""
        lower = self._upper / SPECTRUM_RATIO
        centre, radius = (self._upper + lower) / 2, (self._upper - lower) / 2
        sigma = centre / radius
        rho = 1 / sigma
        alpha, beta = 1 / centre, np.zeros(LANES)
        for step in range(SMOOTHING_DEGREE):
            if step:
                following = 1 / (2 * sigma - rho)
                alpha, beta = 2 * following / radius, rho * following
                rho = following
            if step == 1 and from_zero:
                other[:] = 0
            self._step(
                z, f, alpha.astype(np.float32), beta.astype(np.float32), other, from_zero=from_zero and step == 0
            )
            z, other = other, z
        return z, other

    def __call__(self, f: NDArray[np.float32]) -> NDArray[np.float32]:
        """One V-cycle for f (N, 3, LANES); the result is valid until the next call."""
        levels = self._levels
        z, other = self._smooth(f, self._z, self._other, from_zero=True)
        self._residual(z, f)
        _restrict(levels.around_pointer, levels.nodes_around, self._r, self._below)
        self._below *= levels.coarse_free
        correction = levels.coarse.solve(self._below)
        _prolong(levels.ends, levels.free, correction, z)
        self._z, self._other = self._smooth(f, z, other, from_zero=False)
        return self._z
