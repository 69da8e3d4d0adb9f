import numpy as np
from blocks_of_tets import box

from sacrofem.mesh.locate import Locator


def test_points_are_found_in_their_tets():
    mesh = box((5, 4, 3), (11.0, 7.0, 9.0), distort=0.2)
    rng = np.random.default_rng(0)
    tets = rng.integers(len(mesh.tets), size=300)
    weights = rng.dirichlet(np.ones(4), size=300)
    points = np.einsum("nc,ncx->nx", weights, mesh.points[mesh.tets[tets]])
    assert np.array_equal(Locator(mesh)(points), tets)


def test_outside_is_none():
    mesh = box((2, 2, 2), (4.0, 4.0, 4.0))
    points = np.array([[-1e-3, 2.0, 2.0], [2.0, 2.0, 4.001], [400.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
    assert (Locator(mesh)(points) >= 0).tolist() == [False, False, False, True]


def test_a_corner_of_the_mesh_belongs_to_it():
    mesh = box((2, 2, 2), (4.0, 4.0, 4.0))
    assert (Locator(mesh)(mesh.points) >= 0).all()


def test_a_little_outside_belongs_to_the_nearest_tet_within_reach():
    mesh = box((5, 4, 3), (11.0, 7.0, 9.0), distort=0.2)
    middles = mesh.points[mesh.faces].mean(axis=1)
    for away, found in ((0.9e-3, True), (1.1e-3, False)):
        owner = Locator(mesh, reach_mm=1e-3)(middles + away * mesh.face_normals)
        assert np.array_equal(owner, mesh.face_owners if found else np.full(len(mesh.faces), -1))
    assert (Locator(mesh)(middles + 0.9e-3 * mesh.face_normals) == -1).all()


def test_reach_changes_nothing_inside():
    mesh = box((5, 4, 3), (11.0, 7.0, 9.0), distort=0.2)
    points = np.random.default_rng(1).uniform(0.0, 1.0, (500, 3)) * [11.0, 7.0, 9.0]
    assert np.array_equal(Locator(mesh, reach_mm=0.5)(points), Locator(mesh)(points))
