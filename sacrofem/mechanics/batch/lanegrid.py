"""The p-multigrid cycle of `multigrid` for a lane of states at once.

Everything outside the candidate zone is set up once: the smoother's blocks, and the elimination of
the P1 nodes outside onto the zone's. A batch then only inverts the zone's blocks and factorises the
zone's P1 problem, a small one, for each state.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sacrofem.mechanics.batch.candidates import CandidateZone, LaneZone
from sacrofem.mechanics.batch.lanes import (
    LANES,
    LaneArray,
    lane_residual,
    lane_smooth,
    lane_sums,
    lane_transfer,
    z_order,
)
from sacrofem.mechanics.batch.zoneblocks import OwnClusters, ZoneBlocks
from sacrofem.mechanics.linear.direct import MultifrontalCholesky, analyse
from sacrofem.mechanics.linear.multigrid import (
    SMOOTHING_DEGREE,
    SPECTRUM_MARGIN,
    SPECTRUM_RATIO,
    diagonal_inverse,
    largest_eigenvalues,
    smoother_blocks,
)
from sacrofem.mechanics.space.blocks import BlockMatrix, node_pattern
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TET_EDGES
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.threads import Crew


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
        self.space, self.crew = space, Crew()
        # Inside the engine nodes are numbered along a curve through space: neighbours then lie in
        # the cache, which saves a third of the time of every product.
        self.order = z_order(space.nodes)
        self.position = np.empty_like(self.order)
        self.position[self.order] = np.arange(len(self.order))
        zone = CandidateZone(space, tets, pairs, self.position)
        self.zone, self.fixed = zone, fixed[self.order]
        self.free = (~self.fixed).astype(np.float32)
        self.rest = _renumbered(rest, self.position)
        self.double = (self.rest.indptr, self.rest.indices, self.rest.data)
        self.single = (self.rest.indptr, self.rest.indices, self.rest.data.astype(np.float32))
        self._blocks()
        self.n_coarse = coarse_rest.n_nodes
        self.coarse = _CoarseLevels(coarse_rest, zone, fixed[: self.n_coarse], self.crew)
        self.coarse_free = (~fixed[: self.n_coarse]).astype(np.float32)
        self.prolongation = self._interpolation()
        self.restriction = self.prolongation.T.tocsr()

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
        own = np.unique(cluster_of[self.zone.own])
        self.own = OwnClusters(self.zone, own, self.starts, self.members, self.rest, ~self.fixed)
        self.offsets, self.inverse = self._rest_inverses(np.where(self.own.of < 0, 9 * counts**2, 0))

    def _rest_inverses(self, lengths: IntArray) -> tuple[IntArray, NDArray[np.float32]]:
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        chosen = np.flatnonzero(self.own.of < 0)
        # Compact cluster lists of the rest alone, in the same order.
        counts = np.diff(self.starts)[chosen]
        members = self.members[np.repeat(self.own.of < 0, np.diff(self.starts))]
        starts = np.concatenate([[0], np.cumsum(counts)])
        values = np.empty(offsets[-1])
        diagonal_inverse(
            self.rest.indptr, self.rest.indices, self.rest.data, self.fixed, starts, members,
            np.concatenate([[0], np.cumsum(9 * counts**2)]), values,
        )  # fmt: skip
        return offsets, values.astype(np.float32)

    def _interpolation(self) -> sp.csr_array:
        """(N, n) weights of the mesh's points at every node: the middle of an edge has half of both ends."""
        space = self.space
        ends = np.repeat(np.arange(space.n_nodes)[:, None], 2, axis=1)
        ends[space.connectivity[:, 4:]] = space.mesh.tets[:, TET_EDGES]
        half = np.full(2 * space.n_nodes, 0.5, np.float32)
        result = sp.csr_array(
            (half, ends[self.order].ravel(), np.arange(0, 2 * space.n_nodes + 1, 2)),
            shape=(space.n_nodes, self.n_coarse),
        )
        result.sum_duplicates()
        return result


class _CoarseLevels:
    """The P1 problem: nodes outside the zone eliminated once onto those of the zone that touch them."""

    def __init__(self, rest: BlockMatrix, zone: CandidateZone, fixed: BoolArray, crew: Crew) -> None:
        points = zone.space.mesh.points
        n = len(points)
        self._crew, self._nodes, self._points = crew, zone.vertices, points[zone.vertices]
        inside = np.zeros(n, dtype=bool)
        inside[self._nodes] = True
        rows = np.repeat(np.arange(n), np.diff(rest.indptr))
        border = np.zeros(n, dtype=bool)
        border[rest.indices[~inside[rows]]] = True
        border &= inside

        outside, kept = _restricted(rest.constrained(fixed), ~inside | border)
        elimination = analyse(outside.indptr, outside.indices, points[kept], border[kept])
        self._outside = MultifrontalCholesky(outside, points[kept], symbolic=elimination, single=True, partial=True)
        self._outside_order = kept[elimination.order]
        self._own_problem(_restricted(rest, inside)[0], zone, border[self._nodes], ~fixed[self._nodes])
        # Both eliminations take the border last, in the order of the node numbers.
        self._inside_order = self._nodes[self._elimination.order]
        self._n_border = int(border.sum())
        self._factors: list[MultifrontalCholesky] = []

    def _own_problem(self, own: BlockMatrix, zone: CandidateZone, border: BoolArray, free: BoolArray) -> None:
        """Pattern and elimination of the P1 problem on the zone's own nodes, and its blocks."""
        mesh, count = zone.space.mesh, len(self._nodes)
        number = np.full(len(mesh.points), -1)
        number[self._nodes] = np.arange(count)
        plus, minus = mesh.paired
        tets = number[mesh.tets[zone.tets]]
        pairs = number[np.column_stack([mesh.faces[plus[zone.pairs]], mesh.faces[minus[zone.pairs]]])]
        rows = np.repeat(np.arange(count), np.diff(own.indptr))
        self._pattern = node_pattern(count, tets, pairs, np.column_stack([rows, own.indices]))
        indptr, indices = self._pattern
        self._elimination = analyse(indptr, indices, self._points, border)
        key = np.repeat(np.arange(count), np.diff(indptr)) * count + indices

        def place(rows: IntArray, columns: IntArray) -> tuple[IntArray, IntArray]:
            return 9 * np.searchsorted(key, rows * count + columns), np.full(rows.shape, 3)

        self._blocks = ZoneBlocks(zone, 1, tets, pairs, own, free, place, 9 * len(indices))

    def factorise(self, filled: LaneZone) -> None:
        """Factorise the zone's problem for every lane in use."""
        # Let go before new ones are made.
        self._factors = []
        parameters = filled.parameters(1)
        factors: list[MultifrontalCholesky | None] = [None] * filled.lanes

        def work(first: int, stop: int) -> None:
            for lane in range(first, stop):
                data = self._blocks.values(parameters[:, lane]).reshape(-1, 3, 3)
                factors[lane] = MultifrontalCholesky(
                    BlockMatrix(*self._pattern, data), self._points, symbolic=self._elimination,
                    added=self._outside.remainder, single=True,
                )  # fmt: skip

        self._crew.share(work, filled.lanes)
        self._factors = [factor for factor in factors if factor is not None]

    def solve(self, below: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3, LANES) solution for right sides (n, 3, LANES), each lane with its own factor."""
        result = np.empty_like(below)
        border = self._n_border

        def work(first: int, stop: int) -> None:
            flat = below[self._outside_order, :, first:stop]
            self._outside.forward(flat)
            inside = below[self._inside_order, :, first:stop]
            inside[len(inside) - border :] = flat[len(flat) - border :]
            for lane in range(first, stop):
                # Lanes not in use repeat the first.
                factor = self._factors[lane if lane < len(self._factors) else 0]
                one = np.ascontiguousarray(inside[:, :, lane - first, None])
                factor.forward(one)
                factor.backward(one)
                inside[:, :, lane - first] = one[:, :, 0]
            flat[len(flat) - border :] = inside[len(inside) - border :]
            self._outside.backward(flat)
            result[self._outside_order, :, first:stop] = flat
            result[self._inside_order, :, first:stop] = inside

        self._crew.share(work, LANES)
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


class LaneMultigrid:
    """Preconditioner of one batch: a V-cycle for every lane.

    Parameters
    ----------
    levels : LaneLevels
    filled : LaneZone
    """

    def __init__(self, levels: LaneLevels, filled: LaneZone) -> None:
        self._levels, self._filled = levels, filled
        self._own_inverse = levels.own.inverses(filled.parameters(2), levels.crew)
        levels.coarse.factorise(filled)
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
        return largest_eigenvalues(np.repeat(start, LANES, axis=2) * free[..., None], precondition, apply, lane_sums)

    def _step(
        self, x: LaneArray, f: LaneArray, alpha: LaneArray, beta: LaneArray, previous: LaneArray, *,
        from_zero: bool = False,
    ) -> None:  # fmt: skip
        levels = self._levels
        buffer = self._filled.buffer(x) if from_zero else self._filled.forces(x)
        levels.crew.share(
            lane_smooth, len(levels.starts) - 1, *levels.single, x, *levels.zone.sums, buffer, f,
            levels.free, levels.starts, levels.members, levels.offsets, levels.inverse, levels.own.of,
            levels.own.offsets, self._own_inverse, levels.largest, from_zero, alpha, beta, previous,
        )  # fmt: skip

    def _residual(self, x: LaneArray, f: LaneArray) -> None:
        levels = self._levels
        levels.crew.share(
            lane_residual, levels.space.n_nodes, *levels.single, x, *levels.zone.sums,
            self._filled.forces(x), f, levels.free, self._r,
        )  # fmt: skip

    def _smooth(self, f: LaneArray, z: LaneArray, other: LaneArray, *, from_zero: bool) -> tuple[LaneArray, LaneArray]:
        """Chebyshev iteration over the upper spectrum, as in `PMultigrid`; returns the solution and the other array."""
        lower = self._upper / SPECTRUM_RATIO
        centre, radius = (self._upper + lower) / 2, (self._upper - lower) / 2
        sigma = centre / radius
        rho = 1 / sigma
        alpha, beta = 1 / centre, np.zeros(LANES)
        if from_zero:
            z[:] = 0
        for step in range(SMOOTHING_DEGREE):
            if step:
                following = 1 / (2 * sigma - rho)
                alpha, beta = 2 * following / radius, rho * following
                rho = following
            self._step(
                z, f, alpha.astype(np.float32), beta.astype(np.float32), other, from_zero=from_zero and step == 0
            )
            z, other = other, z
        return z, other

    def _transfer(self, weights: sp.csr_array, x: LaneArray, free: LaneArray, y: LaneArray) -> None:
        self._levels.crew.share(lane_transfer, len(y), weights.indptr, weights.indices, weights.data, x, free, y)

    def __call__(self, f: NDArray[np.float32]) -> NDArray[np.float32]:
        """One V-cycle for f (N, 3, LANES); the result is valid until the next call."""
        levels = self._levels
        z, other = self._smooth(f, self._z, self._other, from_zero=True)
        self._residual(z, f)
        self._below[:] = 0
        self._transfer(levels.restriction, self._r, levels.coarse_free, self._below)
        self._transfer(levels.prolongation, levels.coarse.solve(self._below), levels.free, z)
        self._z, self._other = self._smooth(f, z, other, from_zero=False)
        return self._z
