import numpy as np
from blocks_of_tets import box

from sacrofem.cement.locate import Locator


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
