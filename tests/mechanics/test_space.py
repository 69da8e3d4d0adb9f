import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import hooke, stress_tensors

from sacrofem.mechanics.space.quadrature import tet_rule
from sacrofem.mechanics.space.space import Space, lame, tet_gradients
from sacrofem.mesh.tetmesh import TET_EDGES

ORDERS = [1, 2]


def space_of(order, distort=0.25):
    return Space(box((3, 2, 2), (3.0, 2.5, 2.0), distort), order)


def quadratic(x):
    """A displacement with all ten monomials, and its gradient (..., i, j) = du_i/dx_j."""
    rng = np.random.default_rng(5)
    linear, square = rng.normal(size=(3, 3)), rng.normal(size=(3, 3, 3))
    square = square + np.swapaxes(square, 1, 2)
    value = 0.3 + x @ linear.T + np.einsum("ijk,...j,...k->...i", square, x, x) / 2
    return value, linear + np.einsum("ijk,...k->...ij", square, x)


@pytest.mark.parametrize("order", ORDERS)
def test_points_of_the_mesh_are_the_first_nodes(order):
    space = space_of(order)
    np.testing.assert_array_equal(space.nodes[: len(space.mesh.points)], space.mesh.points)
    np.testing.assert_array_equal(space.connectivity[:, :4], space.mesh.tets)
    assert space.n_nodes == len(space.nodes) == len(np.unique(space.connectivity))


def test_middle_nodes_lie_between_their_corners_in_the_order_of_vtk():
    space = space_of(2)
    corners = space.mesh.points[space.mesh.tets]
    np.testing.assert_allclose(
        space.nodes[space.connectivity[:, 4:]], corners[:, TET_EDGES].mean(axis=2), rtol=0, atol=1e-15
    )


def test_face_nodes_are_corners_then_middles_of_01_12_20():
    space = space_of(2)
    corners = space.mesh.points[space.mesh.faces]
    np.testing.assert_array_equal(space.face_nodes[:, :3], space.mesh.faces)
    middles = (corners + np.roll(corners, -1, axis=1)) / 2
    np.testing.assert_allclose(space.nodes[space.face_nodes[:, 3:]], middles, rtol=0, atol=1e-15)


def test_twins_coincide_but_share_no_node():
    space = Space(split_box((3, 2, 4), (3.0, 2.5, 2.0), 1.0, 0.2), 2)
    plus, minus = (space.face_nodes[side] for side in space.mesh.paired)
    np.testing.assert_array_equal(space.nodes[plus], space.nodes[minus])
    assert not np.intersect1d(plus, minus).size


@pytest.mark.parametrize("order", ORDERS)
def test_integration_points_carry_the_volume_and_its_first_moment(order):
    space = space_of(order)
    points, weights = space.integration()
    assert weights.shape == (len(space.mesh.tets), {1: 1, 2: 4}[order])
    np.testing.assert_allclose(weights.sum(), 15.0, rtol=1e-14)
    np.testing.assert_allclose(np.einsum("mq,mqx->x", weights, points), 15.0 * np.array([1.5, 1.25, 1.0]), rtol=1e-13)


def test_second_order_rule_integrates_squares():
    points, weights = space_of(2).integration()
    np.testing.assert_allclose(np.sum(weights * points[..., 0] ** 2), 3.0**3 / 3 * 2.5 * 2.0, rtol=1e-13)


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_tet_rule_is_in_barycentric_coordinates(degree):
    barycentric, weights = tet_rule(degree)
    np.testing.assert_allclose(barycentric.sum(axis=1), 1.0, rtol=1e-14)
    assert weights.sum() == pytest.approx(1.0, rel=1e-14)
    # Mean of the first barycentric coordinate to the power d over a tet: 3! d! / (d + 3)!
    mean = weights @ barycentric[:, 0] ** degree
    exact = np.prod(np.arange(1, degree + 1, dtype=float)) * 6 / np.prod(np.arange(1, degree + 4, dtype=float))
    assert mean == pytest.approx(exact, rel=1e-13)


def test_second_order_strains_of_a_quadratic_field_are_exact():
    space = space_of(2)
    displacement, _ = quadratic(space.nodes)
    _, gradient = quadratic(space.integration()[0])
    strain = stress_tensors(space.strains(displacement) * [1, 1, 1, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(strain, (gradient + np.swapaxes(gradient, -1, -2)) / 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_linear_field_gives_hooke_in_every_tet(order):
    space = space_of(order)
    gradient = np.random.default_rng(2).normal(size=(3, 3))
    m = len(space.mesh.tets)
    youngs, poisson = np.linspace(10.0, 900.0, m), np.linspace(0.0, 0.45, m)
    stress = stress_tensors(space.stresses(space.nodes @ gradient.T, youngs, poisson))
    expected = np.stack([hooke(gradient, e, nu) for e, nu in zip(youngs, poisson, strict=True)])
    np.testing.assert_allclose(stress, np.broadcast_to(expected[:, None], stress.shape), rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("order", ORDERS)
def test_rotation_strains_nothing(order):
    space = space_of(order)
    spin = np.cross(np.eye(3), [0.3, -0.5, 0.2])
    assert np.abs(space.strains(space.nodes @ spin + 7.0)).max() < 1e-13


def test_reference_gradients_of_a_constant_vanish_in_space():
    """scikit-fem's derivatives to three coordinates, written for four: the sum over shapes must be constant."""
    total = tet_gradients(tet_rule(3)[0], 2).sum(axis=1)
    np.testing.assert_allclose(total - total[:, :1], 0.0, atol=1e-14)


@pytest.mark.parametrize("order", ORDERS)
def test_jump_is_side_plus_less_side_minus(order):
    space = Space(split_box((3, 2, 4), (3.0, 2.5, 2.0), 1.0), order)
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[space.mesh.centroids[:, 2] > 1.0]] = True
    gradient = np.random.default_rng(3).normal(size=(3, 3))
    displacement = np.where(upper[:, None], space.nodes @ gradient.T + [1.0, 2.0, 3.0], 0.0)
    np.testing.assert_allclose(space.jump(displacement), space.gap.points @ gradient.T + [1.0, 2.0, 3.0], rtol=1e-12)
    np.testing.assert_allclose(space.gap.normals, np.broadcast_to([0, 0, 1.0], space.gap.normals.shape), atol=1e-15)


@pytest.mark.parametrize("order", ORDERS)
def test_face_shape_functions_are_one_at_their_node(order):
    corners = np.eye(3)
    places = corners if order == 1 else np.concatenate([corners, (corners + np.roll(corners, -1, axis=0)) / 2])
    np.testing.assert_allclose(space_of(order).face_shape(places), np.eye(len(places)), atol=1e-15)


@pytest.mark.parametrize("order", ORDERS)
def test_face_gradients_are_the_differences_of_the_shape_functions(order):
    space, at, step = space_of(order), np.array([[0.5, 0.2, 0.3]]), 1e-6
    for column, direction in enumerate(([-1, 1, 0], [-1, 0, 1])):
        ahead, behind = (space.face_shape(at + s * step * np.array(direction)) for s in (1, -1))
        np.testing.assert_allclose(
            space.face_gradients(at)[..., column], (ahead - behind) / (2 * step), rtol=0, atol=1e-9
        )


def test_lame_gives_back_youngs_and_poisson():
    lam, mu = lame(np.array([100.0, 17e3]), np.array([0.0, 0.45]))
    np.testing.assert_allclose(mu * (3 * lam + 2 * mu) / (lam + mu), [100.0, 17e3])
    np.testing.assert_allclose(lam / (2 * (lam + mu)), [0.0, 0.45], atol=1e-15)
