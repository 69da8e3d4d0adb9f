from itertools import permutations

import numpy as np
import pytest

from sacrofem.bone.overlap import below_zero, honeycomb, volume_mean, volume_share
from sacrofem.mesh.tetmesh import TetMesh

CORNERS = np.array([[0, 0, 0], [5, 0.3, 0], [0.4, 4.4, 0], [0.2, 0.5, 5.2]])


@pytest.mark.parametrize("n", range(1, 9))
def test_honeycomb_tiles_the_tet(n):
    comb = honeycomb(n)
    assert np.abs(np.linalg.det(comb.barycentric[comb.cells])) == pytest.approx(comb.share)
    assert comb.share.sum() == pytest.approx(1.0, abs=1e-14)
    assert comb.barycentric.min() == 0
    assert comb.barycentric.sum(axis=1) == pytest.approx(1.0)


def test_below_zero_is_the_volume_of_the_cut():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(size=(60, 4)), np.sort(rng.normal(size=(10, 4)))])
    inside = rng.dirichlet(np.ones(4), 40000)
    assert below_zero(values.T) == pytest.approx([(inside @ v < 0).mean() for v in values], abs=0.01)
    assert below_zero(values.T) + below_zero(-values.T) == pytest.approx(1.0)
    touching = np.array([[0.0, 0, 0, 1], [0, 0, 0, -1], [-1, 0, 0, 0], [0, 0, 1, 1], [-1, 0, 0, 1]])
    assert below_zero(touching.T) == pytest.approx([0, 1, 1, 0, 0.5])


def test_share_does_not_depend_on_the_order_of_the_corners():
    def ball(points):
        return np.linalg.norm(points - [1.0, 1.5, 0.8], axis=1) - 1.9

    shares = []
    for order in permutations(range(4)):
        mesh = TetMesh(CORNERS, np.array([order]), np.empty((0, 3), int))
        shares.append(volume_share(mesh, ball)[0])
    assert np.ptp(shares) < 1e-14
    assert 0.1 < shares[0] < 0.9


def test_share_of_a_coarse_tet_is_its_geometric_overlap():
    mesh = TetMesh(CORNERS, np.array([[0, 1, 2, 3]]), np.empty((0, 3), int))
    points = np.random.default_rng(2).dirichlet(np.ones(4), 400000) @ CORNERS
    for centre, radius in (((1.0, 1.5, 0.8), 1.9), ((6.0, 5.0, 5.0), 6.5), ((2.0, 0.0, 2.0), 3.0)):
        brute = (np.linalg.norm(points - centre, axis=1) < radius).mean()
        share = volume_share(mesh, lambda p, c=centre, r=radius: np.linalg.norm(p - c, axis=1) - r)[0]
        assert share == pytest.approx(brute, abs=0.01)


def test_mean_of_a_linear_field_is_exact():
    mesh = TetMesh(CORNERS, np.array([[0, 1, 2, 3]]), np.empty((0, 3), int))
    mean = volume_mean(mesh, lambda p: p @ [1.0, -2.0, 0.5] + 3.0, np.array([0]))
    assert mean == pytest.approx(CORNERS.mean(axis=0) @ [1.0, -2.0, 0.5] + 3.0)
    assert volume_mean(mesh, lambda p: p[:, 0], np.empty(0, int)).shape == (0,)
