"""What the problems with spheres share: symmetry planes, spherical faces, hollow balls, stress at a corner."""

import numpy as np
from blocks_of_tets import oriented
from elasticity import at

SYMMETRY = tuple(range(3))


def symmetry(space):
    """Rules for `held`: no motion through the three coordinate planes."""
    return tuple((at(space, axis, 0.0), axis) for axis in SYMMETRY)


def faces_on(mesh, radius):
    """(f,) boundary faces whose corners lie on a sphere around the origin."""
    distance = np.linalg.norm(mesh.points[mesh.faces], axis=2)
    return np.flatnonzero(np.isclose(distance, radius, rtol=1e-9).all(axis=1))


def nodes_on(space, radius):
    """(N,) nodes of the faces on a sphere; the middles of their edges lie a little inside it."""
    nodes = np.zeros(space.n_nodes, bool)
    nodes[space.face_nodes[faces_on(space.mesh, radius)]] = True
    return nodes


def hollow(mesh, radius):
    """Without what lies within a sphere that the mesh follows."""
    tets = mesh.tets[np.linalg.norm(mesh.points[mesh.tets], axis=2).max(axis=1) > radius * (1 + 1e-9)]
    used, number = np.unique(tets, return_inverse=True)
    return oriented(mesh.points[used], number.reshape(tets.shape))


def corner_stress(space, stress, point):
    """Mean over the tets that meet at a mesh point of their stress (m, q) there.

    Stress is linear in a P2 tet, so its value at a corner follows from the four integration points.
    """
    corner = int(np.argmin(np.linalg.norm(space.mesh.points - point, axis=1)))
    assert np.allclose(space.mesh.points[corner], point)
    tets, local = np.nonzero(space.mesh.tets == corner)
    return float(np.einsum("tq,tq->t", np.linalg.inv(space.rule[0])[local], stress[tets]).mean())
