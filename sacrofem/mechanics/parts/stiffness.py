"""Stiffness of bone, cortical membrane, gap, joint and ligaments in one pattern of 3x3 blocks.

The element tensors of straight-sided tets are affine, so the numbering, shape functions and
quadrature of scikit-fem are evaluated once on the reference tet and every block row gathers the
contributions of its own elements in parallel.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numba import prange
from numpy.typing import NDArray

from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane, membrane_matrices
from sacrofem.mechanics.parts.form import FormPart
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.supports import Supports
from sacrofem.mechanics.space.blocks import BlockMatrix, node_pattern, scatter
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space, lame, tet_gradients
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.compiled import kernel


class Assembler:
    """Stiffness matrices on one space; the sparsity pattern is found once.

    Parameters
    ----------
    space : Space
    extra
        Parts in forms of the user's own: in every matrix.
    """

    def __init__(self, space: Space, extra: Sequence[FormPart] = ()) -> None:
        self.space, self.extra = space, tuple(extra)

    @cached_property
    def added(self) -> tuple[sp.csr_array, ...]:
        """(3 N, 3 N) stiffness of each of the parts ``extra``."""
        return tuple(part.matrix(self.space) for part in self.extra)

    @cached_property
    def pair_nodes(self) -> IntArray:
        """(p, 2a) nodes of each pair: those of side +1, then their twins on side -1."""
        plus, minus = self.space.mesh.paired
        return np.column_stack([self.space.face_nodes[plus], self.space.face_nodes[minus]])

    @cached_property
    def pattern(self) -> tuple[IntArray, NDArray[np.int32]]:
        """Row pointers and columns of the blocks."""
        return node_pattern(self.space.n_nodes, self.space.connectivity, self.pair_nodes)

    @cached_property
    def _elements_of_node(self) -> tuple[IntArray, IntArray]:
        nodes = self.space.connectivity
        order = np.argsort(nodes, axis=None, kind="stable")
        pointer = np.concatenate([[0], np.cumsum(np.bincount(nodes.ravel(), minlength=self.space.n_nodes))])
        return pointer, order

    def matrix(
        self,
        bone: Elasticity,
        *,
        membrane: Membrane | None = None,
        gap: GapStiffness | None = None,
        supports: Supports | None = None,
    ) -> BlockMatrix:
        """Stiffness in N/mm without any displacement constrained.

        Parameters
        ----------
        bone
            Of each tet.
        membrane
            Cortex.
        gap
        supports
            Elastic layers and springs to fixed points.
        """
        matrix = self._model(bone, membrane, gap, supports)
        for added in self.added:
            matrix = matrix.plus(added)
        return matrix

    def _model(
        self, bone: Elasticity, membrane: Membrane | None, gap: GapStiffness | None, supports: Supports | None
    ) -> BlockMatrix:
        space = self.space
        indptr, indices = self.pattern
        data = np.empty((len(indices), 3, 3))
        lam, mu = lame(np.asarray(bone.youngs, float), np.asarray(bone.poisson, float))
        pointer, elements = self._elements_of_node
        barycentric, weights = space.rule
        _gather(
            indptr, indices, pointer, elements, space.connectivity, space.barycentric_gradients, space.mesh.volumes,
            lam, mu, tet_gradients(barycentric, space.order), weights, data,
        )  # fmt: skip
        if membrane is not None and len(membrane.faces):
            scatter(indptr, indices, data, space.face_nodes[membrane.faces], membrane_matrices(space, membrane))
        if gap is not None and len(self.pair_nodes):
            scatter(indptr, indices, data, self.pair_nodes, gap_matrices(space, gap))
        if supports is not None:
            if len(supports.foundation_faces):
                scatter(
                    indptr, indices, data, space.face_nodes[supports.foundation_faces],
                    foundation_matrices(
                        space, supports.foundation_faces, supports.foundation_normal, supports.foundation_tangent
                    ),
                )  # fmt: skip
            if len(supports.spring_nodes):
                d = supports.spring_directions
                blocks = supports.spring_stiffness[:, None, None] * d[:, :, None] * d[:, None, :]
                scatter(indptr, indices, data, supports.spring_nodes[:, None], blocks)
        return BlockMatrix(indptr, indices, data)


def _layer_matrices(
    shape: FloatArray, areas: FloatArray, normals: FloatArray, k_n: FloatArray, k_t: FloatArray
) -> FloatArray:
    """(f, 3a, 3a) of a layer with stiffness k_n, k_t (f, q) N/mm³ along and across normals (f, 3)."""
    tangent = np.einsum("fq,qa,qb->fab", areas * k_t, shape, shape, optimize=True)
    excess = np.einsum("fq,qa,qb->fab", areas * (k_n - k_t), shape, shape, optimize=True)
    nn = normals[:, :, None] * normals[:, None, :]
    blocks = np.einsum("fab,xy->faxby", tangent, np.eye(3)) + np.einsum("fab,fxy->faxby", excess, nn)
    a = shape.shape[1]
    return np.asarray(blocks.reshape(len(areas), 3 * a, 3 * a))


def gap_matrices(space: Space, law: GapStiffness) -> FloatArray:
    """(p, 6a, 6a) stiffness of the gap between twin faces."""
    gap = space.gap
    single = _layer_matrices(space.face_shape(gap.barycentric), gap.areas, gap.normals, law.normal, law.tangential)
    return np.concatenate(
        [np.concatenate([single, -single], axis=2), np.concatenate([-single, single], axis=2)], axis=1
    )


def foundation_matrices(space: Space, faces: IntArray, k_n: FloatArray, k_t: FloatArray) -> FloatArray:
    """(f, 3a, 3a) stiffness of an elastic layer (N/mm³ a face) between the faces and fixed ground."""
    barycentric, weights = triangle_rule()
    areas = space.mesh.face_areas[faces][:, None] * weights
    ones = np.ones(len(weights))
    return _layer_matrices(
        space.face_shape(barycentric), areas, space.mesh.face_normals[faces], k_n[:, None] * ones, k_t[:, None] * ones
    )


@kernel(parallel=True, fastmath=True)
def _gather(indptr, indices, pointer, elements, nodes, gradients, volumes, lam, mu, shape, weights, data):  # type: ignore[no-untyped-def]
    n_local, n_points = shape.shape[1], shape.shape[0]
    for n in prange(len(indptr) - 1):
        start, stop = indptr[n], indptr[n + 1]
        for k in range(start, stop):
            for i in range(3):
                for j in range(3):
                    data[k, i, j] = 0.0
        mine = np.empty((n_points, 3))
        for s in range(pointer[n], pointer[n + 1]):
            e, a = elements[s] // n_local, elements[s] % n_local
            for p in range(n_points):
                for i in range(3):
                    mine[p, i] = (
                        shape[p, a, 0] * gradients[e, 0, i] + shape[p, a, 1] * gradients[e, 1, i]
                        + shape[p, a, 2] * gradients[e, 2, i] + shape[p, a, 3] * gradients[e, 3, i]
                    )  # fmt: skip
            for b in range(n_local):
                h00 = h01 = h02 = h10 = h11 = h12 = h20 = h21 = h22 = 0.0
                for p in range(n_points):
                    w = weights[p]
                    s0, s1, s2, s3 = shape[p, b, 0], shape[p, b, 1], shape[p, b, 2], shape[p, b, 3]
                    b0 = w * (
                        s0 * gradients[e, 0, 0]
                        + s1 * gradients[e, 1, 0]
                        + s2 * gradients[e, 2, 0]
                        + s3 * gradients[e, 3, 0]
                    )
                    b1 = w * (
                        s0 * gradients[e, 0, 1]
                        + s1 * gradients[e, 1, 1]
                        + s2 * gradients[e, 2, 1]
                        + s3 * gradients[e, 3, 1]
                    )
                    b2 = w * (
                        s0 * gradients[e, 0, 2]
                        + s1 * gradients[e, 1, 2]
                        + s2 * gradients[e, 2, 2]
                        + s3 * gradients[e, 3, 2]
                    )
                    a0, a1, a2 = mine[p, 0], mine[p, 1], mine[p, 2]
                    h00 += a0 * b0
                    h01 += a0 * b1
                    h02 += a0 * b2
                    h10 += a1 * b0
                    h11 += a1 * b1
                    h12 += a1 * b2
                    h20 += a2 * b0
                    h21 += a2 * b1
                    h22 += a2 * b2
                column = nodes[e, b]
                lo, hi = start, stop - 1
                while lo < hi:
                    middle = (lo + hi) >> 1
                    if indices[middle] < column:
                        lo = middle + 1
                    else:
                        hi = middle
                x, m = lam[e] * volumes[e], mu[e] * volumes[e]
                trace = m * (h00 + h11 + h22)
                data[lo, 0, 0] += (x + m) * h00 + trace
                data[lo, 0, 1] += x * h01 + m * h10
                data[lo, 0, 2] += x * h02 + m * h20
                data[lo, 1, 0] += x * h10 + m * h01
                data[lo, 1, 1] += (x + m) * h11 + trace
                data[lo, 1, 2] += x * h12 + m * h21
                data[lo, 2, 0] += x * h20 + m * h02
                data[lo, 2, 1] += x * h21 + m * h12
                data[lo, 2, 2] += (x + m) * h22 + trace
