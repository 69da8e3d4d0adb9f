"""The candidate zone: bone and gap that any state may change, applied without a matrix.

Outside the zone the stiffness is one matrix for all states. Inside, every lane has moduli and
gap laws of its own; the zone's forces are computed from them element by element for all lanes at
once, which reads a few numbers an element in place of 900 a state, and never subtracts a soft
material from a stiff one.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from sacrofem.mechanics.batch.lanes import LANES, LaneArray
from sacrofem.mechanics.space.space import Order, Space, lame, tet_gradients
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.compiled import kernel
from sacrofem.system.threads import Crew

Gap = tuple[FloatArray, FloatArray]


@kernel(nogil=True, fastmath=True)
def _tet_forces(first, stop, nodes, gradients, volumes, lam, mu, around, factors, weights, x, buffer):  # type: ignore[no-untyped-def]
    """Nodal forces (10 slots a tet) of P2 tets with lane-wise moduli.

    The derivative of the displacement to barycentric coordinate k at a point is a sum over four
    nodes, ``around[k]``, with ``factors``; gradient and stress follow, and the same sums backwards.
    """
    gradient = np.empty((3, 3, LANES), x.dtype)
    stress = np.empty((3, 3, LANES), x.dtype)
    for e in range(first, stop):
        for slot in range(10 * e, 10 * e + 10):
            for i in range(x.shape[1]):
                for lane in range(LANES):
                    buffer[slot, i, lane] = 0
        for q in range(len(weights)):
            for i in range(x.shape[1]):
                for j in range(x.shape[1]):
                    for lane in range(LANES):
                        gradient[i, j, lane] = 0
            # Bounds that the compiler does not know keep it from writing these loops out, which takes it seconds.
            for k in range(len(around)):
                a0, a1, a2, a3 = around[k, 0], around[k, 1], around[k, 2], around[k, 3]
                n0, n1, n2, n3 = nodes[e, a0], nodes[e, a1], nodes[e, a2], nodes[e, a3]
                f0, f1, f2, f3 = factors[q, k, 0], factors[q, k, 1], factors[q, k, 2], factors[q, k, 3]
                g0, g1, g2 = gradients[e, k, 0], gradients[e, k, 1], gradients[e, k, 2]
                for i in range(x.shape[1]):
                    for lane in range(LANES):
                        s = f0 * x[n0, i, lane] + f1 * x[n1, i, lane] + f2 * x[n2, i, lane] + f3 * x[n3, i, lane]
                        gradient[i, 0, lane] += g0 * s
                        gradient[i, 1, lane] += g1 * s
                        gradient[i, 2, lane] += g2 * s
            w = weights[q] * volumes[e]
            for i in range(x.shape[1]):
                for j in range(x.shape[1]):
                    for lane in range(LANES):
                        stress[i, j, lane] = w * mu[e, lane] * (gradient[i, j, lane] + gradient[j, i, lane])
            for i in range(x.shape[1]):
                for lane in range(LANES):
                    trace = gradient[0, 0, lane] + gradient[1, 1, lane] + gradient[2, 2, lane]
                    stress[i, i, lane] += w * lam[e, lane] * trace
            for k in range(len(around)):
                a0, a1, a2, a3 = around[k, 0], around[k, 1], around[k, 2], around[k, 3]
                b0, b1, b2, b3 = 10 * e + a0, 10 * e + a1, 10 * e + a2, 10 * e + a3
                f0, f1, f2, f3 = factors[q, k, 0], factors[q, k, 1], factors[q, k, 2], factors[q, k, 3]
                g0, g1, g2 = gradients[e, k, 0], gradients[e, k, 1], gradients[e, k, 2]
                for i in range(x.shape[1]):
                    for lane in range(LANES):
                        s = g0 * stress[i, 0, lane] + g1 * stress[i, 1, lane] + g2 * stress[i, 2, lane]
                        buffer[b0, i, lane] += f0 * s
                        buffer[b1, i, lane] += f1 * s
                        buffer[b2, i, lane] += f2 * s
                        buffer[b3, i, lane] += f3 * s


@kernel(nogil=True, fastmath=True)
def _pair_forces(first, stop, nodes, normals, tangent, excess, offset, x, buffer):  # type: ignore[no-untyped-def]
    """Nodal forces (12 slots a pair) of paired faces with lane-wise gap laws.

    ``tangent`` and ``excess`` (p, 6, 6, LANES) are ∫ k_t N N and ∫ (k_n - k_t) N N.
    """
    # The jump at each node and, last, its part along the normal.
    jump = np.empty((6, 4, LANES), x.dtype)
    force = np.empty((4, LANES), x.dtype)
    for p in range(first, stop):
        for a in range(6):
            plus, minus = nodes[p, a], nodes[p, 6 + a]
            for lane in range(LANES):
                jump[a, 3, lane] = 0
            for i in range(x.shape[1]):
                for lane in range(LANES):
                    jump[a, i, lane] = x[plus, i, lane] - x[minus, i, lane]
                    jump[a, 3, lane] += normals[p, i] * jump[a, i, lane]
        for a in range(6):
            for i in range(4):
                for lane in range(LANES):
                    force[i, lane] = 0
            for b in range(6):
                for i in range(x.shape[1]):
                    for lane in range(LANES):
                        force[i, lane] += tangent[p, a, b, lane] * jump[b, i, lane]
                for lane in range(LANES):
                    force[3, lane] += excess[p, a, b, lane] * jump[b, 3, lane]
            slot = offset + 12 * p + a
            for i in range(x.shape[1]):
                for lane in range(LANES):
                    value = force[i, lane] + normals[p, i] * force[3, lane]
                    buffer[slot, i, lane] = value
                    buffer[slot + 6, i, lane] = -value


class CandidateZone:
    """Tets and pairs whose stiffness differs from state to state.

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
        self.of_node = np.full(space.n_nodes, -1)
        self.of_node[self.own] = np.arange(len(self.own))
        local = self.of_node[every]
        self.slots = np.argsort(local, kind="stable")
        self.pointer = np.concatenate([[0], np.cumsum(np.bincount(local, minlength=len(self.own)))])

    @property
    def sums(self) -> tuple[IntArray, IntArray, IntArray]:
        """Which slots of the buffer each node adds up: its number in the zone, pointers from there, and slots."""
        return self.of_node, self.pointer, self.slots

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

    def laws(self, gaps: list[Gap], order: Order) -> tuple[FloatArray, FloatArray]:
        """Tangent and excess (p, a², lanes), see `_pair_forces`, of gap laws (p, q) on the zone's pairs, one a lane.

        On the a nodes of a face: its corners, or all six.
        """
        gap = self.space.gap
        shape = gap.barycentric if order == 1 else self.space.face_shape(gap.barycentric)
        square = (shape[:, :, None] * shape[:, None, :]).reshape(len(shape), -1)
        areas = gap.areas[self.pairs]
        tangent, excess = (np.empty((len(self.pairs), square.shape[1], len(gaps))) for _ in range(2))
        for lane, (k_n, k_t) in enumerate(gaps):
            normal, tangential = k_n[self.pairs], k_t[self.pairs]
            tangent[..., lane] = (areas * tangential) @ square
            excess[..., lane] = (areas * (normal - tangential)) @ square
        return tangent, excess


class LaneZone:
    """The zone filled with the materials of up to LANES states; unused lanes repeat the first.

    Parameters
    ----------
    zone : CandidateZone
    crew : Crew
    youngs, poisson : list of (m,)
        Of every tet of the mesh; only the zone's are read.
    gaps : list of (k_n, k_t), each (p, q)

    Attributes
    ----------
    lanes : int
        Lanes in use.
    """

    def __init__(
        self,
        zone: CandidateZone,
        crew: Crew,
        youngs: list[FloatArray],
        poisson: list[FloatArray],
        gaps: list[Gap],
    ) -> None:
        self.zone, self.lanes = zone, len(youngs)
        self._crew, self._gaps = crew, gaps
        self._lam, self._mu = (
            np.stack(values, axis=1)
            for values in zip(
                *(lame(e[zone.tets], nu[zone.tets]) for e, nu in zip(youngs, poisson, strict=True)), strict=True
            )
        )
        self._arguments = {np.dtype(kind): self._in_precision(kind) for kind in (np.float32, np.float64)}
        self._buffers = {np.dtype(kind): np.zeros((zone.n_slots, 3, LANES), kind) for kind in (np.float32, np.float64)}

    def _in_precision(self, kind: type) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Arguments of the kernels for tets and for pairs."""
        zone, mesh = self.zone, self.zone.space.mesh
        around, factors, weights = zone.table
        shapes = (zone.space.barycentric_gradients[zone.tets], mesh.volumes[zone.tets])
        moduli = (self._filled(self._lam), self._filled(self._mu))
        laws = (self._filled(law).reshape(-1, 6, 6, LANES) for law in zone.laws(self._gaps, 2))

        def cast(*arrays: FloatArray) -> list[Any]:
            return [np.ascontiguousarray(values, kind) for values in arrays]

        return (
            (zone.nodes, *cast(*shapes, *moduli), around, *cast(factors, weights)),
            (zone.pair_nodes, *cast(zone.space.gap.normals[zone.pairs], *laws), 10 * len(zone.tets)),
        )

    def _filled(self, values: FloatArray) -> FloatArray:
        """Values (..., lanes) with those of the first lane repeated up to all LANES."""
        return np.concatenate([values, np.repeat(values[..., :1], LANES - self.lanes, axis=-1)], axis=-1)

    def parameters(self, order: Order) -> FloatArray:
        """(n, lanes) moduli and laws of the lanes in use, in the order of `ZoneBlocks`."""
        laws = (law.reshape(-1, self.lanes) for law in self.zone.laws(self._gaps, order))
        return np.concatenate([self._lam, self._mu, *laws])

    def buffer(self, x: LaneArray) -> LaneArray:
        """Where forces of the precision of ``x`` are written."""
        return self._buffers[x.dtype]

    def forces(self, x: LaneArray) -> LaneArray:
        """Nodal forces (slots, 3, LANES) for displacements (N, 3, LANES), in their precision."""
        tets, pairs = self._arguments[x.dtype]
        buffer = self._buffers[x.dtype]
        self._crew.share(_tet_forces, len(self.zone.tets), *tets, x, buffer)
        self._crew.share(_pair_forces, len(self.zone.pairs), *pairs, x, buffer)
        return buffer
