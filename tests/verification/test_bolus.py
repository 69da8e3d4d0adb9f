"""VP-11: a cement sphere in bone under remote tension (Goodier 1933), meshed so that faces follow it.

One octant of a ball of 3 a; its outer shell follows the exact field. E = 2500 in 300 MPa, nu = 0.3, 1 MPa along z:
the stress inside is uniform, diag(-0.116942, -0.116942, 1.738182) MPa. VP-11b: the same cement laid over a lattice
that does not follow it, tet by tet at its centroid; only averages are promised, never the border.
"""

import numpy as np
import pytest
from blocks_of_tets import ball_octant, lattice
from closed_forms import Inclusion
from elasticity import at, held, system

from sacrofem.mechanics.space import Space

A, REACH = 10.0, 30.0
BONE, CEMENT = (300.0, 0.3), (2500.0, 0.3)


@pytest.fixture(scope="module")
def exact():
    return Inclusion(A, BONE, CEMENT, np.diag([0.0, 0.0, 1.0]))


def bolus(mesh, outer_of, exact, order=2):
    """Largest error of displacement, relative error of mean stress zz in the core, and the stress error far off."""
    space = Space(mesh, order)
    inside = np.linalg.norm(mesh.centroids, axis=1) < A
    youngs = np.where(inside, CEMENT[0], BONE[0])
    outer = outer_of(space)
    fixed = held(space, (outer, [0, 1, 2]), *((at(space, axis, 0.0), axis) for axis in range(3)))
    field = exact.displacement(space.nodes)
    found = system(space, youngs, 0.3, fixed, method="auto", tolerance=1e-9).solve(np.zeros_like(field), field)
    stress = space.stresses(found.displacement, youngs, np.full(len(youngs), 0.3))
    points, weights = space.integration()
    core = np.linalg.norm(points, axis=2) < 0.8 * A
    mean = np.sum(stress[..., 2] * weights * core) / np.sum(weights * core)
    error = np.abs(found.displacement - field).max() / np.abs(field).max()
    return error, mean / exact.inner_stress[2, 2] - 1.0


def shell(space):
    mesh = space.mesh
    on = (np.linalg.norm(mesh.points[mesh.faces], axis=2) > REACH * (1 - 1e-9)).all(axis=1)
    nodes = np.zeros(space.n_nodes, bool)
    nodes[space.face_nodes[on]] = True
    return nodes


def test_closed_form(exact):
    np.testing.assert_allclose(np.diag(exact.inner_stress), [-0.116942, -0.116942, 1.738182], atol=1e-6)
    n = np.array([[0.6, 0.48, 0.64]])
    just = [exact.displacement(n * A * s) for s in (1 - 1e-9, 1 + 1e-9)]
    np.testing.assert_allclose(*just, rtol=1e-7)
    far = np.array([[0.0, 0.0, 1e5]])
    np.testing.assert_allclose(exact.displacement(far)[0, 2], 1e5 / 300.0, rtol=1e-6)


@pytest.mark.parametrize(("order", "displacement", "core"), [(1, 0.02, 0.09), (2, 0.005, 0.005)])
def test_conforming_bolus(exact, order, displacement, core):
    radii = np.concatenate([np.arange(0, 12.6, 2.5), [16.0, 20.0, 25.0, REACH]])
    error, mean = bolus(ball_octant(radii), shell, exact, order)
    assert error < displacement
    assert abs(mean) < core


def test_bolus_on_a_mesh_that_does_not_follow_it(exact):
    ticks = np.concatenate([np.arange(0, 12.1, 2.0), [14.5, 17.5, 21.0, 25.0, REACH]])
    error, mean = bolus(lattice(ticks, ticks, ticks), lambda space: np.isclose(space.nodes, REACH).any(axis=1), exact)
    assert error < 0.05
    assert abs(mean) < 0.05
