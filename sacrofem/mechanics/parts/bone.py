"""Bone: isotropic, linearly elastic, piecewise constant; its stiffness gathered row by row by compiled code.

The element tensors of straight-sided tets are affine, so the numbering, shape functions and
quadrature of scikit-fem are evaluated once on the reference tet and every block row gathers the
contributions of its own elements in parallel.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from sacrofem.bone.provenance import ModulusProvenance
from sacrofem.errors import InputError
from sacrofem.mechanics.space.space import Space, lame, tet_gradients
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.compiled import kernel


@dataclass(frozen=True, eq=False)
class Elasticity:
    """Isotropic constants of every tet, and where they come from.

    Attributes
    ----------
    youngs, poisson : (m,)
        MPa and ratio.
    on_floor : (m,) bool
        The density law gave less than the floor.
    provenance : ModulusProvenance
        That of `stating`; without it, and of a copy with other constants, they were given in Python.
    """

    youngs: FloatArray
    poisson: FloatArray
    on_floor: BoolArray
    # No argument, so that `dataclasses.replace` cannot hand it on to other moduli.
    provenance: ModulusProvenance = field(init=False, default=ModulusProvenance.given())

    def stating(self, provenance: ModulusProvenance) -> Elasticity:
        """The same constants, which cannot be changed in place any more, and where they come from."""
        stated = replace(self)
        object.__setattr__(stated, "provenance", provenance)
        for name in ("youngs", "poisson", "on_floor"):
            constants = getattr(self, name).view()
            constants.flags.writeable = False
            object.__setattr__(stated, name, constants)
        return stated

    @classmethod
    def given(cls, youngs: FloatArray, poisson: FloatArray | float, word: str = "") -> Elasticity:
        """Moduli (m,) that no density law made, with one Poisson's ratio or (m,): nothing lies on a floor.

        ``word`` says in every result what they are.
        """
        ratios = np.broadcast_to(np.asarray(poisson, dtype=float), np.shape(youngs))
        stated = cls(youngs, ratios, np.zeros(len(youngs), dtype=bool))
        return stated.stating(ModulusProvenance.given(word)) if word else stated


def checked_elasticity(youngs: ArrayLike, poisson: ArrayLike, tets: int, word: str = "") -> Elasticity:
    """Moduli of one's own for ``tets`` tets, one number or one a tet; ``word`` says what they are.

    Raises
    ------
    InputError
        Too few or too many, or outside what any material of a sacrum has.
    """
    moduli = _per_tet("youngs", youngs, tets, 1e-6, 1e7, "give MPa: bone has 1 to 20,000")
    ratios = _per_tet("poisson", poisson, tets, 0.0, 0.49, "give 0 to 0.49: bone has 0.3")
    return Elasticity.given(moduli, ratios, word)


def _per_tet(field: str, values: ArrayLike, count: int, low: float, high: float, mend: str) -> FloatArray:
    array = np.asarray(values, dtype=float)
    if array.shape not in ((), (count,)):
        raise InputError(f"has shape {array.shape}, the mesh {count} tets", field=field, mend="give one number a tet")
    if not ((array >= low) & (array <= high)).all():
        raise InputError(f"must lie in {low:g} to {high:g}", field=field, mend=mend)
    return np.broadcast_to(array, (count,)).copy()


class BoneGather:
    """Stiffness of bone on one space, in the blocks of one pattern.

    Parameters
    ----------
    space : Space
    indptr, indices
        Row pointers and columns of the blocks.
    """

    def __init__(self, space: Space, indptr: IntArray, indices: NDArray[np.int32]) -> None:
        self.space, self._indptr, self._indices = space, indptr, indices
        nodes = space.connectivity
        # Element and local node of every place at which a node occurs, node by node.
        self._places = np.argsort(nodes, axis=None, kind="stable")
        self._pointer = np.concatenate([[0], np.cumsum(np.bincount(nodes.ravel(), minlength=space.n_nodes))])

    def data(self, bone: Elasticity) -> FloatArray:
        """(b, 3, 3) blocks in N/mm."""
        space = self.space
        data = np.empty((len(self._indices), 3, 3))
        lam, mu = lame(np.asarray(bone.youngs, float), np.asarray(bone.poisson, float))
        barycentric, weights = space.rule
        _gather(
            self._indptr, self._indices, self._pointer, self._places, space.connectivity, space.barycentric_gradients,
            space.mesh.volumes, lam, mu, tet_gradients(barycentric, space.order), weights, data,
        )  # fmt: skip
        return data


def bone_forces(space: Space, displacement: FloatArray, bone: Elasticity, tets: IntArray) -> FloatArray:
    """(N, 3) nodal forces in N that deform the given tets: the integrals of stress times shape gradient."""
    barycentric, weights = space.rule
    slopes, gradients = tet_gradients(barycentric, space.order), space.barycentric_gradients[tets]
    nodes = space.connectivity[tets]
    local = np.einsum("qak,mai->mqki", slopes, displacement[nodes], optimize=True)
    gradient = np.einsum("mqki,mkx->mqix", local, gradients, optimize=True)
    lam, mu = lame(bone.youngs[tets], bone.poisson[tets])
    stress = mu[:, None, None, None] * (gradient + np.swapaxes(gradient, 2, 3))
    stress += (lam[:, None] * np.trace(gradient, axis1=2, axis2=3))[..., None, None] * np.eye(3)
    stress *= (space.mesh.volumes[tets, None] * weights)[..., None, None]
    pulled = np.einsum("mqix,mkx->mqki", stress, gradients, optimize=True)
    return _summed(nodes, np.einsum("qak,mqki->mai", slopes, pulled, optimize=True), space.n_nodes)


def _summed(nodes: IntArray, forces: FloatArray, count: int) -> FloatArray:
    """(count, 3) sums of forces (m, a, 3) at nodes (m, a)."""
    flat = nodes.ravel()
    return np.column_stack([np.bincount(flat, forces[..., i].ravel(), count) for i in range(3)])


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
