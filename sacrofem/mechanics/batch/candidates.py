"""The candidate zone: bone and gap that any scenario may change, applied without a matrix.

Outside the zone the stiffness is one matrix for all scenarios. Inside, every lane has moduli and
gap laws of its own; the zone's forces are computed from them element by element for all lanes at
once, which reads a few numbers an element in place of 900 a scenario, and never subtracts a soft
material from a stiff one.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numba import prange

from sacrofem.mechanics.batch.lanes import LaneArray
from sacrofem.mechanics.batch.lanevectors import LANES
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.mechanics.space.space import Space, lame, tet_gradients
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.compiled import kernel

_PIECES = 64


@kernel(parallel=True, fastmath=True)
def _tet_forces(nodes, gradients, volumes, lam, mu, around, factors, weights, x, buffer):  # type: ignore[no-untyped-def]
    """Nodal forces (10 slots a tet) of P2 tets with lane-wise moduli.

    The derivative of the displacement to barycentric coordinate k at a point is a sum over four
    nodes, ``around[k]``, with ``factors``; gradient and stress follow, and the same sums backwards.
    """
    n_tets = len(nodes)
    for piece in prange(_PIECES):
        slope = np.empty((3, LANES), x.dtype)
        gradient = np.empty((3, 3, LANES), x.dtype)
        trace = np.empty(LANES, x.dtype)
        for e in range(n_tets * piece // _PIECES, n_tets * (piece + 1) // _PIECES):
            for a in range(10):
                for i in range(3):
                    for lane in range(LANES):
                        buffer[10 * e + a, i, lane] = 0
            for q in range(len(weights)):
                w = weights[q] * volumes[e]
                for i in range(3):
                    for c in range(3):
                        for lane in range(LANES):
                            gradient[i, c, lane] = 0
                for k in range(4):
                    n0, n1, n2, n3 = (nodes[e, around[k, 0]], nodes[e, around[k, 1]],
                                      nodes[e, around[k, 2]], nodes[e, around[k, 3]])  # fmt: skip
                    f0, f1, f2, f3 = factors[q, k, 0], factors[q, k, 1], factors[q, k, 2], factors[q, k, 3]
                    g0, g1, g2 = gradients[e, k, 0], gradients[e, k, 1], gradients[e, k, 2]
                    for i in range(3):
                        for lane in range(LANES):
                            s = f0 * x[n0, i, lane] + f1 * x[n1, i, lane] + f2 * x[n2, i, lane] + f3 * x[n3, i, lane]
                            gradient[i, 0, lane] += g0 * s
                            gradient[i, 1, lane] += g1 * s
                            gradient[i, 2, lane] += g2 * s
                for lane in range(LANES):
                    trace[lane] = lam[e, lane] * (gradient[0, 0, lane] + gradient[1, 1, lane] + gradient[2, 2, lane])
                for lane in range(LANES):
                    m = mu[e, lane] * w
                    t = trace[lane] * w
                    gradient[0, 0, lane] = t + 2 * m * gradient[0, 0, lane]
                    gradient[1, 1, lane] = t + 2 * m * gradient[1, 1, lane]
                    gradient[2, 2, lane] = t + 2 * m * gradient[2, 2, lane]
                    s01 = m * (gradient[0, 1, lane] + gradient[1, 0, lane])
                    s02 = m * (gradient[0, 2, lane] + gradient[2, 0, lane])
                    s12 = m * (gradient[1, 2, lane] + gradient[2, 1, lane])
                    gradient[0, 1, lane] = s01
                    gradient[1, 0, lane] = s01
                    gradient[0, 2, lane] = s02
                    gradient[2, 0, lane] = s02
                    gradient[1, 2, lane] = s12
                    gradient[2, 1, lane] = s12
                for k in range(4):
                    b0, b1, b2, b3 = (10 * e + around[k, 0], 10 * e + around[k, 1],
                                      10 * e + around[k, 2], 10 * e + around[k, 3])  # fmt: skip
                    f0, f1, f2, f3 = factors[q, k, 0], factors[q, k, 1], factors[q, k, 2], factors[q, k, 3]
                    g0, g1, g2 = gradients[e, k, 0], gradients[e, k, 1], gradients[e, k, 2]
                    for i in range(3):
                        for lane in range(LANES):
                            slope[i, lane] = (g0 * gradient[i, 0, lane] + g1 * gradient[i, 1, lane]
                                              + g2 * gradient[i, 2, lane])  # fmt: skip
                    for i in range(3):
                        for lane in range(LANES):
                            buffer[b0, i, lane] += f0 * slope[i, lane]
                            buffer[b1, i, lane] += f1 * slope[i, lane]
                            buffer[b2, i, lane] += f2 * slope[i, lane]
                            buffer[b3, i, lane] += f3 * slope[i, lane]


@kernel(parallel=True, fastmath=True)
def _pair_forces(nodes, normals, tangent, excess, offset, x, buffer):  # type: ignore[no-untyped-def]
    """Nodal forces (12 slots a pair) of paired faces with lane-wise gap laws.

    ``tangent`` and ``excess`` (p, 6, 6, LANES) are ∫ k_t N N and ∫ (k_n - k_t) N N.
    """
    n_pairs = len(nodes)
    for piece in prange(_PIECES):
        jump = np.empty((6, 4, LANES), x.dtype)
        force = np.empty((4, LANES), x.dtype)
        for p in range(n_pairs * piece // _PIECES, n_pairs * (piece + 1) // _PIECES):
            n0, n1, n2 = normals[p, 0], normals[p, 1], normals[p, 2]
            for a in range(6):
                plus, minus = nodes[p, a], nodes[p, 6 + a]
                for lane in range(LANES):
                    j0 = x[plus, 0, lane] - x[minus, 0, lane]
                    j1 = x[plus, 1, lane] - x[minus, 1, lane]
                    j2 = x[plus, 2, lane] - x[minus, 2, lane]
                    jump[a, 0, lane] = j0
                    jump[a, 1, lane] = j1
                    jump[a, 2, lane] = j2
                    jump[a, 3, lane] = n0 * j0 + n1 * j1 + n2 * j2
            for a in range(6):
                for i in range(4):
                    for lane in range(LANES):
                        force[i, lane] = 0
                for b in range(6):
                    for lane in range(LANES):
                        t = tangent[p, a, b, lane]
                        force[0, lane] += t * jump[b, 0, lane]
                        force[1, lane] += t * jump[b, 1, lane]
                        force[2, lane] += t * jump[b, 2, lane]
                        force[3, lane] += excess[p, a, b, lane] * jump[b, 3, lane]
                s = offset + 12 * p + a
                for lane in range(LANES):
                    f0 = force[0, lane] + n0 * force[3, lane]
                    f1 = force[1, lane] + n1 * force[3, lane]
                    f2 = force[2, lane] + n2 * force[3, lane]
                    buffer[s, 0, lane] = f0
                    buffer[s, 1, lane] = f1
                    buffer[s, 2, lane] = f2
                    buffer[s + 6, 0, lane] = -f0
                    buffer[s + 6, 1, lane] = -f1
                    buffer[s + 6, 2, lane] = -f2


@kernel(parallel=True)
def _cluster_inverses(  # type: ignore[no-untyped-def]
    clusters, starts, members, indptr, indices, data, free, zone_of, pointer, slots,
    nodes, gradients, volumes, shape, weights, lam, mu, pair_nodes, normals, tangent, excess, offsets, out,
):  # fmt: skip
    """Inverse blocks of the clusters of the zone, for every lane.

    A coupling ∫ ∇N_a ∇N_b of two nodes of a tet is the same for all lanes but for its two moduli.
    """
    n_tets, n_points = len(nodes), len(weights)
    for number in prange(len(clusters)):
        c = clusters[number]
        mine = members[starts[c] : starts[c + 1]]
        size = len(mine)
        full = 3 * size
        blocks = np.zeros((LANES, full, full))
        product = np.empty((3, 3))
        first, second = np.empty(3), np.empty(3)
        for a in range(size):
            n = mine[a]
            for k in range(indptr[n], indptr[n + 1]):
                b = _place(mine, indices[k])
                if b >= 0:
                    for lane in range(LANES):
                        for i in range(3):
                            for j in range(3):
                                blocks[lane, 3 * a + i, 3 * b + j] += data[k, i, j]
            if zone_of[n] < 0:
                continue
            for k in range(pointer[zone_of[n]], pointer[zone_of[n] + 1]):
                s = slots[k]
                if s < 10 * n_tets:
                    e, local = s // 10, s % 10
                    for other in range(10):
                        b = _place(mine, nodes[e, other])
                        if b < 0:
                            continue
                        product[:] = 0.0
                        for q in range(n_points):
                            for i in range(3):
                                first[i], second[i] = 0.0, 0.0
                                for m in range(4):
                                    first[i] += shape[q, local, m] * gradients[e, m, i]
                                    second[i] += shape[q, other, m] * gradients[e, m, i]
                            for i in range(3):
                                for j in range(3):
                                    product[i, j] += weights[q] * volumes[e] * first[i] * second[j]
                        trace = product[0, 0] + product[1, 1] + product[2, 2]
                        for lane in range(LANES):
                            x, m = lam[e, lane], mu[e, lane]
                            for i in range(3):
                                for j in range(3):
                                    blocks[lane, 3 * a + i, 3 * b + j] += x * product[i, j] + m * product[j, i]
                                blocks[lane, 3 * a + i, 3 * b + i] += m * trace
                else:
                    p, local = (s - 10 * n_tets) // 12, (s - 10 * n_tets) % 12
                    for other in range(12):
                        b = _place(mine, pair_nodes[p, other])
                        if b < 0:
                            continue
                        sign = 1.0 if local // 6 == other // 6 else -1.0
                        for lane in range(LANES):
                            t = sign * tangent[p, local % 6, other % 6, lane]
                            x = sign * excess[p, local % 6, other % 6, lane]
                            for i in range(3):
                                for j in range(3):
                                    blocks[lane, 3 * a + i, 3 * b + j] += x * normals[p, i] * normals[p, j]
                                blocks[lane, 3 * a + i, 3 * b + i] += t
        for a in range(full):
            if not free[mine[a // 3], a % 3]:
                for lane in range(LANES):
                    blocks[lane, a, :] = 0.0
                    blocks[lane, :, a] = 0.0
                    blocks[lane, a, a] = 1.0
        for lane in range(LANES):
            inverse = np.linalg.inv(blocks[lane])
            for a in range(full):
                for b in range(full):
                    out[offsets[number] + a * full + b, lane] = inverse[a, b]


@kernel()
def _place(values, wanted):  # type: ignore[no-untyped-def]
    for k in range(len(values)):
        if values[k] == wanted:
            return k
    return -1


class CandidateZone:
    """Tets and pairs whose stiffness differs from scenario to scenario.

    Parameters
    ----------
    space : Space
        P2.
    tets : (m,) bool
    pairs : (p,) bool
    position : (N,) int, optional
        Another number for each node of the space, used throughout; default: its own.

    Attributes
    ----------
    vertices : (v,)
        Mesh points of the zone, in the mesh's numbers.
    """

    def __init__(self, space: Space, tets: BoolArray, pairs: BoolArray, position: IntArray | None = None) -> None:
        self.space = space
        mesh = space.mesh
        position = np.arange(space.n_nodes) if position is None else position
        self.tets, self.pairs = np.flatnonzero(tets), np.flatnonzero(pairs)
        self.nodes = position[space.connectivity[self.tets]]
        plus, minus = (side[self.pairs] for side in mesh.paired)
        self.pair_nodes = position[np.column_stack([space.face_nodes[plus], space.face_nodes[minus]])]
        self.vertices = np.unique(np.concatenate([mesh.tets[self.tets].ravel(), mesh.faces[plus].ravel(),
                                                  mesh.faces[minus].ravel()]))  # fmt: skip
        every = np.concatenate([self.nodes.ravel(), self.pair_nodes.ravel()])
        self.own = np.unique(every)
        self.of_node = np.full(space.n_nodes, -1, dtype=np.int32)
        self.of_node[self.own] = np.arange(len(self.own))
        local = self.of_node[every]
        self.slots = np.argsort(local, kind="stable")
        self.pointer = np.concatenate([[0], np.cumsum(np.bincount(local, minlength=len(self.own)))])

    @property
    def n_slots(self) -> int:
        """Places in the buffer of nodal forces."""
        return 10 * len(self.tets) + 12 * len(self.pairs)

    @cached_property
    def table(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Which four nodes each barycentric derivative takes, with which factors (q, 4, 4), and the weights."""
        barycentric, weights = self.space.rule
        slopes = tet_gradients(barycentric, self.space.order)
        around = np.array([np.flatnonzero(slopes[:, :, k].any(axis=0)) for k in range(4)])
        factors = np.stack([slopes[:, around[k], k] for k in range(4)], axis=1)
        return around, factors, weights

    def laws(self, gaps: list[tuple[FloatArray, FloatArray]]) -> tuple[LaneArray, LaneArray]:
        """Tangent and excess (p, 6, 6, LANES) of gap laws (p, q) on the pairs of the zone, a law a lane."""
        gap = self.space.gap
        shape = self.space.face_shape(gap.barycentric)
        square = np.einsum("qa,qb->qab", shape, shape).reshape(len(shape), 36)
        result = np.zeros((2, len(self.pairs), 36, LANES))
        areas = gap.areas[self.pairs]
        for lane, (k_n, k_t) in enumerate(gaps):
            normal, tangential = k_n[self.pairs], k_t[self.pairs]
            result[0, :, :, lane] = (areas * tangential) @ square
            result[1, :, :, lane] = (areas * (normal - tangential)) @ square
        tangent, excess = result.reshape(2, len(self.pairs), 6, 6, LANES)
        return tangent, excess


class LaneZone:
    """The zone filled with the materials of up to LANES scenarios; unused lanes repeat the first.

    Parameters
    ----------
    zone : CandidateZone
    youngs, poisson : list of (m,)
        Of every tet of the mesh; only the zone's are read.
    gaps : list of (k_n, k_t), each (p, q)
    """

    def __init__(
        self,
        zone: CandidateZone,
        youngs: list[FloatArray],
        poisson: list[FloatArray],
        gaps: list[tuple[FloatArray, FloatArray]],
    ) -> None:
        self.zone = zone
        spare = LANES - len(youngs)
        self.lam, self.mu = (np.empty((len(zone.tets), LANES)) for _ in range(2))
        for lane, (modulus, ratio) in enumerate(zip(youngs, poisson, strict=True)):
            self.lam[:, lane], self.mu[:, lane] = lame(modulus[zone.tets], ratio[zone.tets])
        self.tangent, self.excess = zone.laws(gaps)
        for values in (self.lam, self.mu, self.tangent, self.excess):
            values[..., LANES - spare :] = values[..., :1]
        space = zone.space
        self._gradients = np.ascontiguousarray(space.barycentric_gradients[zone.tets])
        self._volumes = space.mesh.volumes[zone.tets]
        self._normals = space.gap.normals[zone.pairs]
        single = np.float32
        around, factors, weights = zone.table
        self._arguments = {
            np.dtype(kind): (
                (
                    zone.nodes, self._gradients.astype(kind), self._volumes.astype(kind), self.lam.astype(kind),
                    self.mu.astype(kind), around, factors.astype(kind), weights.astype(kind),
                ),
                (
                    zone.pair_nodes, self._normals.astype(kind), self.tangent.astype(kind), self.excess.astype(kind),
                    10 * len(zone.tets),
                ),
            )
            for kind in (single, np.float64)
        }  # fmt: skip
        self._buffers = {np.dtype(kind): np.zeros((zone.n_slots, 3, LANES), kind) for kind in (single, np.float64)}

    def buffer(self, x: LaneArray) -> LaneArray:
        """Where forces of the precision of ``x`` are written."""
        return self._buffers[x.dtype]

    def forces(self, x: LaneArray) -> LaneArray:
        """Nodal forces (slots, 3, LANES) for displacements (N, 3, LANES), in their precision."""
        tets, pairs = self._arguments[x.dtype]
        buffer = self._buffers[x.dtype]
        _tet_forces(*tets, x, buffer)
        _pair_forces(*pairs, x, buffer)
        return buffer

    def cluster_inverses(
        self,
        clusters: IntArray,
        starts: IntArray,
        members: IntArray,
        rest: BlockMatrix,
        free: BoolArray,
    ) -> tuple[IntArray, LaneArray]:
        """Where the inverse block of each cluster begins, and the blocks (values, LANES) in single precision.

        ``rest`` is the stiffness outside the zone.
        """
        zone = self.zone
        sizes = 3 * (starts[clusters + 1] - starts[clusters])
        offsets = np.concatenate([[0], np.cumsum(sizes**2)])
        out = np.empty((offsets[-1], LANES), np.float32)
        _cluster_inverses(
            clusters, starts, members, rest.indptr, rest.indices, rest.data, free,
            zone.of_node, zone.pointer, zone.slots, zone.nodes, self._gradients, self._volumes,
            tet_gradients(zone.space.rule[0], 2), zone.space.rule[1], self.lam, self.mu,
            zone.pair_nodes, self._normals, self.tangent, self.excess, offsets, out,
        )  # fmt: skip
        return offsets, out
