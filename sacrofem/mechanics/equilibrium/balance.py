"""The force through a fracture from the nodal forces of the bone on either side of it.

Integrated facet stress would be tens of per cent off; the nodal forces of the elements are exact. They come from
stress, tet by tet, and not from the assembled matrix, so that a slip in either shows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane, membrane_matrices
from sacrofem.mechanics.parts.supports import Supports
from sacrofem.mechanics.space.space import Space, lame, tet_gradients
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray


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


class FractureSides:
    """Which nodes lie on either side of the fracture, and all that pulls at them: geometry, known once.

    Places where a support holds the fracture too are left out on both sides; where fractures cross, a node counts once.

    Parameters
    ----------
    space : Space
        On the split mesh, in the intact state too.
    membrane : Membrane
    supports : Supports
    """

    def __init__(self, space: Space, membrane: Membrane, supports: Supports) -> None:
        self.space = space
        plus, minus = (space.face_nodes[side] for side in space.mesh.paired)
        side = np.zeros(space.n_nodes, dtype=np.int8)
        side[minus], side[plus] = -1, 1
        held: BoolArray = supports.fixed[:, 0] | supports.fixed[:, 1] | supports.fixed[:, 2]
        held[space.face_nodes[supports.foundation_faces]] = True
        held[supports.spring_nodes] = True
        twins = coo_array((np.ones(plus.size), (plus.ravel(), minus.ravel())), shape=(space.n_nodes, space.n_nodes))
        _, place = connected_components(twins, directed=False)
        side[np.isin(place, place[held])] = 0
        near = side != 0
        self._side = side
        self._tets = np.flatnonzero(near[space.connectivity].any(axis=1))
        touching = near[space.face_nodes].any(axis=1)
        cortex = replace(membrane, youngs=np.where(touching, membrane.youngs, 0.0))
        self._cortex_nodes = space.face_nodes[cortex.faces]
        self._cortex = membrane_matrices(space, cortex) if len(cortex.faces) else None

    def forces(self, displacement: FloatArray, bone: Elasticity, force: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Forces (3,) in N with which bone and cortex of side +1 and of side -1 pull at the fracture.

        What the gap hands over is equal and opposite, so their sum is zero in equilibrium.

        Parameters
        ----------
        displacement : (N, 3)
        bone
        force : (N, 3)
            Applied nodal forces.
        """
        pull = bone_forces(self.space, displacement, bone, self._tets) - force
        if self._cortex is not None:
            local = displacement[self._cortex_nodes].reshape(len(self._cortex_nodes), -1)
            forces = np.einsum("fde,fe->fd", self._cortex, local)
            pull += _summed(self._cortex_nodes, forces.reshape(*self._cortex_nodes.shape, 3), len(pull))
        return -pull[self._side == 1].sum(axis=0), -pull[self._side == -1].sum(axis=0)
