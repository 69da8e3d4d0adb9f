import numpy as np
import pytest
from blocks_of_tets import box, renumbered, split_box
from elasticity import hooke, stress_tensors
from skfem import Basis, ElementTetP1, ElementTetP2, ElementVector
from skfem.helpers import sym_grad

from sacrofem.mechanics.space.quadrature import tet_rule, triangle_rule
from sacrofem.mechanics.space.space import Space, lame, tet_gradients, tet_shape
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


# ------------------------------------------------------------------ scikit-fem
@pytest.mark.parametrize("order", ORDERS)
def test_displacement_row_by_row_is_a_vector_of_scikit_fem(order):
    space = space_of(order)
    basis = Basis(space.skfem_mesh, ElementVector({1: ElementTetP1, 2: ElementTetP2}[order]()))
    np.testing.assert_allclose(basis.doflocs, np.repeat(space.nodes, 3, axis=0).T, atol=1e-15)
    assert np.array_equal(space.basis.element_dofs, basis.element_dofs)
    assert 3 * space.n_nodes == space.basis.N


@pytest.mark.parametrize("order", ORDERS)
def test_an_interpolated_displacement_has_the_values_and_strains_of_the_space(order):
    space = space_of(order)
    displacement = np.random.default_rng(1).normal(size=(space.n_nodes, 3))
    field = space.interpolate(displacement)
    points = np.moveaxis(np.asarray(space.basis.global_coordinates()), 0, -1)
    np.testing.assert_allclose(points, space.integration()[0], atol=1e-14)
    strain = stress_tensors(space.strains(displacement) * [1, 1, 1, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(np.moveaxis(sym_grad(field), (0, 1), (2, 3)), strain, atol=1e-12)
    shape = tet_shape(space.rule[0], order)
    values = np.einsum("qa,max->xmq", shape, displacement[space.connectivity])
    np.testing.assert_allclose(np.asarray(field), values, atol=1e-14)


@pytest.mark.parametrize("order", ORDERS)
def test_points_of_a_facet_basis_follow_the_corners_of_the_faces(order):
    mesh = renumbered(split_box((3, 2, 4), (3.0, 2.5, 2.0), 1.0))
    space = Space(mesh, order)
    faces = np.random.default_rng(6).permutation(len(mesh.faces))[:20]
    basis, (barycentric, weights) = space.facet_basis(faces), triangle_rule()
    expected = np.einsum("qc,fcx->xfq", barycentric, mesh.points[mesh.faces[faces]])
    np.testing.assert_allclose(np.asarray(basis.global_coordinates()), expected, atol=1e-14)
    np.testing.assert_allclose(basis.dx, mesh.face_areas[faces][:, None] * weights, rtol=1e-12)
    outward = np.where(mesh.pair_side == 1, -1, 1)[faces, None] * mesh.face_normals[faces]
    np.testing.assert_allclose(basis.normals[..., 0].T, outward, atol=1e-12)
    # Without that, points of twin faces would not meet in this mesh.
    plus, minus = (side for side in mesh.paired)
    own = [space.skfem_mesh.facets[:, space.facet_basis(side).find] for side in (plus, minus)]
    twin = dict(zip(mesh.faces[plus].ravel(), mesh.faces[minus].ravel(), strict=True))
    assert any([twin[c] for c in a] != list(b) for a, b in zip(*(o.T for o in own), strict=True))


@pytest.mark.parametrize("order", ORDERS)
def test_twin_faces_have_their_points_in_one_place_and_give_the_jump(order):
    space = Space(renumbered(split_box((3, 2, 4), (3.0, 2.5, 2.0), 1.0, 0.3)), order)
    displacement = np.random.default_rng(7).normal(size=(space.n_nodes, 3))
    sides = [space.facet_basis(faces, space.gap_rule) for faces in space.mesh.paired]
    for side in sides:
        np.testing.assert_allclose(np.moveaxis(side.global_coordinates(), 0, -1), space.gap.points, atol=1e-14)
    plus, minus = (np.asarray(side.interpolate(displacement.ravel())) for side in sides)
    np.testing.assert_allclose(np.moveaxis(plus - minus, 0, -1), space.jump(displacement), atol=1e-13)


@pytest.mark.parametrize("order", ORDERS)
def test_shape_functions_depend_on_the_corners_of_their_node_alone(order):
    """For four barycentric coordinates taken as free, P2 is b (2b - 1) and 4 b c."""
    b = np.random.default_rng(8).dirichlet(np.ones(4), 5)
    expected = np.zeros((5, {1: 4, 2: 10}[order], 4))
    expected[:, range(4), range(4)] = 1.0 if order == 1 else 4.0 * b - 1.0
    if order == 2:
        for a, (i, j) in enumerate(TET_EDGES, start=4):
            expected[:, a, i], expected[:, a, j] = 4.0 * b[:, j], 4.0 * b[:, i]
    np.testing.assert_allclose(tet_gradients(b, order), expected, atol=1e-14)


def test_a_space_that_is_stored_leaves_its_basis_behind():
    space = space_of(2)
    before = set(space.__getstate__())
    space.interpolate(np.zeros((space.n_nodes, 3)))
    assert set(space.__getstate__()) == before | {"element"}
