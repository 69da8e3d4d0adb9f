"""The force through a fracture from the nodal forces of the bone on either side of it.

Integrated facet stress would be tens of per cent off; the nodal forces of the elements are exact. They come from
stress, tet by tet, and not from the assembled matrix, so that a slip in either shows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem.mechanics.space import Space, lame, tet_gradients
from sacrofem.mechanics.stiffness import Membrane, membrane_matrices
from sacrofem.mechanics.supports import Supports
from sacrofem.mesh.tetmesh import BoolArray, FloatArray, IntArray


def bone_forces(
    space: Space, displacement: FloatArray, youngs: FloatArray, poisson: FloatArray, tets: IntArray
) -> FloatArray:
    """(N, 3) nodal forces in N that deform the given tets: the integrals of stress times shape gradient."""
    barycentric, weights = space.rule
    shape = np.einsum(
        "qak,mkx->mqax", tet_gradients(barycentric, space.order), space.barycentric_gradients[tets], optimize=True
    )
    nodes = space.connectivity[tets]
    gradient = np.einsum("mqax,mai->mqix", shape, displacement[nodes], optimize=True)
    lam, mu = lame(youngs[tets], poisson[tets])
    stress = mu[:, None, None, None] * (gradient + np.swapaxes(gradient, 2, 3))
    stress += (lam[:, None] * np.trace(gradient, axis1=2, axis2=3))[..., None, None] * np.eye(3)
    stress *= (space.mesh.volumes[tets, None] * weights)[..., None, None]
    result = np.zeros((space.n_nodes, 3))
    np.add.at(result, nodes, np.einsum("mqix,mqax->mai", stress, shape, optimize=True))
    return result


def _membrane_forces(space: Space, displacement: FloatArray, membrane: Membrane, near: BoolArray) -> FloatArray:
    touching = near[space.face_nodes].any(axis=1)
    part = replace(membrane, youngs=np.where(touching, membrane.youngs, 0.0))
    result = np.zeros((space.n_nodes, 3))
    if len(part.faces):
        nodes = space.face_nodes[part.faces]
        local = displacement[nodes].reshape(len(nodes), -1)
        forces = np.einsum("fde,fe->fd", membrane_matrices(space, part), local)
        np.add.at(result, nodes, forces.reshape(*nodes.shape, 3))
    return result


def fracture_forces(
    space: Space,
    displacement: FloatArray,
    youngs: FloatArray,
    poisson: FloatArray,
    *,
    membrane: Membrane,
    supports: Supports,
    force: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Forces (3,) in N with which bone and cortex of side +1 and of side -1 pull at the fracture.

    What the gap hands over is equal and opposite, so their sum is zero in equilibrium. Places where a support
    holds the fracture too are left out on both sides; where fractures cross, a node counts once.

    Parameters
    ----------
    space : Space
        On the split mesh, in the intact state too.
    displacement : (N, 3)
    youngs, poisson : (m,)
    membrane : Membrane
    supports : Supports
    force : (N, 3)
        Applied nodal forces.
    """
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
    tets = np.flatnonzero(near[space.connectivity].any(axis=1))
    pull = bone_forces(space, displacement, youngs, poisson, tets) - force
    pull += _membrane_forces(space, displacement, membrane, near)
    return -pull[side == 1].sum(axis=0), -pull[side == -1].sum(axis=0)
