"""Matrices against closed forms; against the forms of scikit-fem they are held in test_forms."""

import numpy as np
import pytest
from blocks_of_tets import box, split_box, tilted
from elasticity import bone_of, faces_at, facet_basis, gap_of

from sacrofem.mechanics.parts.cortex import Membrane, membrane_stresses
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.space import Space

ORDERS = [1, 2]
SIZE = (3.0, 2.5, 2.0)


def difference(ours, theirs):
    """Largest entry of the difference over the largest entry."""
    return abs(ours - theirs).max() / abs(theirs).max()


@pytest.mark.parametrize("order", ORDERS)
def test_gap_equals_the_facet_forms_of_both_sides(order):
    mesh = tilted(split_box((3, 2, 4), SIZE, 1.0, 0.3))
    space = Space(mesh, order)
    plus, minus = mesh.paired
    rng = np.random.default_rng(3)
    k_n, k_t = rng.uniform(1, 5, len(plus)), rng.uniform(0, 1, len(plus))
    sides = facet_basis(space, plus), facet_basis(space, minus)
    normal = np.broadcast_to(mesh.face_normals[plus].T[:, :, None], (3, *sides[0].dx.shape))
    u = rng.normal(size=(space.n_nodes, 3))
    values = []
    for side in sides:
        # scikit-fem orders the points of a facet by the numbers of its corners: sort them by place.
        place = np.argsort(np.tensordot([0.3, 0.5, 0.8], np.asarray(side.global_coordinates()), 1), axis=1)
        values.append(np.take_along_axis(np.asarray(side.interpolate(u.ravel())), place[None], axis=2))
    weights = np.take_along_axis(sides[1].dx, place, axis=1)
    jump = values[0] - values[1]
    opening = np.einsum("i...,i...", jump, normal)
    energy = np.sum(
        weights * (k_t[:, None] * (np.einsum("i...,i...", jump, jump) - opening**2) + k_n[:, None] * opening**2)
    )
    ones = np.ones(space.gap.areas.shape[1])
    soft = bone_of(space, 1e-6, 0.3)
    assembler = Assembler(space)
    alone = (
        assembler.matrix(soft, gap=GapStiffness(k_n[:, None] * ones, k_t[:, None] * ones)).to_scipy()
        - assembler.matrix(soft).to_scipy()
    )
    assert u.ravel() @ (alone @ u.ravel()) == pytest.approx(energy, rel=1e-12)
    assert difference(alone, alone.T) < 1e-15


@pytest.mark.parametrize("order", ORDERS)
def test_gap_resists_the_jump_alone(order):
    """Closed form: a uniform jump d over area A costs A (k_n d_n² + k_t d_t²); moving together costs nothing."""
    space = Space(split_box((3, 2, 4), SIZE, 1.0), order)
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[space.mesh.centroids[:, 2] > 1.0]] = True
    matrix = Assembler(space).matrix(bone_of(space, 300.0, 0.3), gap=gap_of(space, 7.0, 2.0))

    def energy(u):
        return float(np.sum(u * matrix.dot(u)))

    d = np.array([0.3, -0.4, 0.5])
    assert energy(np.where(upper[:, None], d, 0.0)) == pytest.approx(
        7.5 * (7.0 * 0.5**2 + 2.0 * (0.3**2 + 0.4**2)), rel=1e-10
    )
    assert abs(energy(np.broadcast_to(d, (space.n_nodes, 3)).copy())) < 1e-9


def test_springs_pull_along_their_direction():
    space = Space(box(), 2)
    direction = np.array([[2.0, -1.0, 2.0]]) / 3
    spring = Ligaments(np.array([5]), direction, np.array([9.0]))
    soft = bone_of(space, 1e-9, 0.0)
    alone = Assembler(space, [spring]).matrix(soft).to_scipy() - Assembler(space).matrix(soft).to_scipy()
    np.testing.assert_allclose(alone.toarray()[15:18, 15:18], [[4, -2, 4], [-2, 1, -2], [4, -2, 4]], atol=1e-8)
    assert alone.toarray().sum() == pytest.approx(9.0, rel=1e-7)


@pytest.mark.parametrize("order", ORDERS)
def test_membrane_of_a_stretched_sheet(order):
    """Plane stress under strains a, b along x, y: s_x = E (a + nu b) / (1 - nu²); energy of a sheet of area 7.5."""
    mesh = box((3, 2, 2), SIZE)
    space = Space(mesh, order)
    top = faces_at(mesh, 2, 2.0)
    youngs = np.zeros(len(mesh.faces))
    youngs[top] = 12e3
    a, b, nu = 1e-3, -4e-4, 0.3
    u = space.nodes * [a, b, 0.05]
    stress, areas = membrane_stresses(space, top, u, youngs[top], nu)
    assert areas.sum() == pytest.approx(7.5)
    # Axes in the face differ from triangle to triangle: compare what does not depend on them.
    x, y = 12e3 * (a + nu * b) / (1 - nu**2), 12e3 * (b + nu * a) / (1 - nu**2)
    np.testing.assert_allclose(stress[..., 0] + stress[..., 1], x + y, rtol=1e-11)
    np.testing.assert_allclose(stress[..., 0] * stress[..., 1] - stress[..., 2] ** 2, x * y, rtol=1e-10)
    soft, membrane = bone_of(space, 1.0, 0.0), Membrane(youngs, np.full(len(youngs), 0.5), nu)
    work = np.sum(u * (Assembler(space, [membrane]).matrix(soft).dot(u) - Assembler(space).matrix(soft).dot(u)))
    assert work == pytest.approx(7.5 * 0.5 * (x * a + y * b), rel=1e-10)


def test_membrane_does_not_resist_bending_or_motion_out_of_its_plane():
    mesh = box((3, 2, 2), SIZE)
    space = Space(mesh, 2)
    youngs = np.zeros(len(mesh.faces))
    youngs[faces_at(mesh, 2, 2.0)] = 12e3
    soft = bone_of(space, 1.0, 0.0)
    membrane = Membrane(youngs, np.ones(len(youngs)))
    shell = Assembler(space, [membrane]).matrix(soft).to_scipy() - Assembler(space).matrix(soft).to_scipy()
    out = np.zeros_like(space.nodes)
    out[:, 2] = space.nodes[:, 0] ** 2
    assert np.abs(shell @ out.ravel()).max() < 1e-11


def test_a_face_without_thickness_or_modulus_carries_no_membrane():
    membrane = Membrane(np.array([1.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.5]))
    np.testing.assert_array_equal(membrane.faces, [2])


def test_pattern_is_found_once_and_serves_every_matrix():
    space = Space(split_box((2, 2, 2), SIZE, 1.0), 2)
    assembler = Assembler(space)
    one = assembler.matrix(bone_of(space, 1.0, 0.3))
    two = assembler.matrix(bone_of(space, 2.0, 0.3), gap=gap_of(space, 1.0))
    assert one.indices is two.indices
    assert one.data is not two.data
    three = assembler.matrix(bone_of(space, 1.0, 0.3), gap=gap_of(space, 1.0))
    np.testing.assert_allclose(two.data - three.data, one.data, rtol=0, atol=1e-12)
