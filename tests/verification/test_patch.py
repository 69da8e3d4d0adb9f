"""Problems whose answer lies in the finite element space: any error above rounding is a fault.

VP-01  Patch test (Irons 1965): hull displaced by u = A x; stress = lam tr(eps) I + 2 mu eps everywhere.
VP-02  Quadratic solutions of elasticity, exact in P2:
       bending, curvature k:  u = (-k x z, nu k y z, k (x² + nu (z² - y²)) / 2),  s_xx = -E k z
       torsion (Saint-Venant): u = (0, -t x z, t x y),  s_xy = -G t z,  s_xz = G t y
       own weight g along x, hung at x = 0: u_x = (g/E)(L x - x²/2 - nu (y² + z²)/2),
       u_y = -nu (g/E)(L - x) y, u_z = -nu (g/E)(L - x) z,  s_xx = g (L - x)
       (Timoshenko & Goodier, Theory of Elasticity, chapters 10 and 11)
VP-03  Six zero modes, no stress in them.
Tied twins, and a gap whose law carries the stress of the field, must not disturb any of it.
"""

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import at, body_force, gap_of, held, hooke, stiffness, stress_tensors, system, uniform

from sacrofem.mechanics.interface import fracture_force
from sacrofem.mechanics.space import Space

SIZE = (6.0, 5.0, 4.0)
E, NU = 300.0, 0.3
ORDERS = [1, 2]


def hull(space):
    return (np.isclose(space.nodes, 0) | np.isclose(space.nodes, SIZE)).any(axis=1)


def solved(space, exact, force=None, **parts):
    problem = system(space, E, NU, held(space, (hull(space), [0, 1, 2])), **parts)
    found = problem.solve(np.zeros_like(exact) if force is None else force, exact).displacement
    assert (~hull(space)).sum() >= 8
    return found


def stress_of(space, displacement):
    return stress_tensors(space.stresses(displacement, uniform(space, E), uniform(space, NU)))


@pytest.mark.parametrize("order", ORDERS)
def test_patch(order):
    space = Space(box((3, 3, 3), SIZE, 0.3), order)
    gradient = np.random.default_rng(0).normal(size=(3, 3))
    exact = space.nodes @ gradient.T
    found = solved(space, exact)
    stress = hooke(gradient, E, NU)
    assert np.abs(found - exact).max() < 1e-12 * np.abs(exact).max()
    assert np.abs(stress_of(space, found) - stress).max() < 1e-11 * np.abs(stress).max()


@pytest.mark.parametrize("order", ORDERS)
def test_patch_on_tied_twins(order):
    """The intact state: the split mesh glued again, and its field carried back to both copies."""
    split = split_box((3, 3, 4), SIZE, 2.0, 0.3)
    glued, vertex = split.glued()
    space = Space(glued, order)
    gradient = np.random.default_rng(1).normal(size=(3, 3))
    found = solved(space, space.nodes @ gradient.T)
    apart = Space(split, order)
    carried = np.empty_like(apart.nodes)
    carried[apart.connectivity] = found[space.connectivity]
    np.testing.assert_array_equal(vertex[split.tets], glued.tets)
    assert np.abs(carried - apart.nodes @ gradient.T).max() < 1e-12 * np.abs(found).max()
    assert np.abs(apart.jump(carried)).max() < 1e-12 * np.abs(found).max()


@pytest.mark.parametrize("order", ORDERS)
def test_patch_across_a_filled_gap(order):
    """A jump d = (k_t^-1 (1 - n n) + k_n^-1 n n) s n carries the stress s of the linear field exactly."""
    space = Space(split_box((3, 3, 4), SIZE, 2.0, 0.3), order)
    gradient = np.random.default_rng(2).normal(size=(3, 3))
    stress, k_n, k_t = hooke(gradient, E, NU), 40.0, 9.0
    jump = stress[:, 2] / [k_t, k_t, k_n]
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[space.mesh.centroids[:, 2] > 2.0]] = True
    exact = space.nodes @ gradient.T + np.where(upper[:, None], jump, 0.0)
    gap = gap_of(space, k_n, k_t)
    found = solved(space, exact, gap=gap)
    assert np.abs(found - exact).max() < 1e-11 * np.abs(exact).max()
    assert np.abs(stress_of(space, found) - stress).max() < 1e-10 * np.abs(stress).max()
    np.testing.assert_allclose(fracture_force(space, found, *gap).sum(axis=0), 30.0 * stress[:, 2], rtol=1e-10)


def bending(x, k=0.01):
    x, y, z = np.moveaxis(x - 0.5 * np.array(SIZE), -1, 0)
    zero = np.zeros_like(x)
    u = np.stack([-k * x * z, NU * k * y * z, k / 2 * (x**2 + NU * (z**2 - y**2))], axis=-1)
    return u, np.stack([-E * k * z, zero, zero, zero, zero, zero], axis=-1)


def torsion(x, t=0.01):
    x, y, z = np.moveaxis(x - 0.5 * np.array(SIZE), -1, 0)
    g, zero = E / (2 * (1 + NU)) * t, np.zeros_like(x)
    return np.stack([zero, -t * x * z, t * x * y], axis=-1), np.stack([zero, zero, zero, zero, g * y, -g * z], axis=-1)


def own_weight(x, g=0.7):
    length = SIZE[0]
    x, y, z = np.moveaxis(x, -1, 0)
    zero = np.zeros_like(x)
    u = np.stack(
        [length * x - x**2 / 2 - NU * (y**2 + z**2) / 2, -NU * (length - x) * y, -NU * (length - x) * z], axis=-1
    )
    return g / E * u, np.stack([g * (length - x), zero, zero, zero, zero, zero], axis=-1)


@pytest.mark.parametrize("field", [bending, torsion, own_weight])
@pytest.mark.parametrize("split", [False, True])
def test_quadratic_patch(field, split):
    """On the split mesh the twins are held together by a gap 1e9 times stiffer than any stress in it."""
    mesh = split_box((3, 3, 4), SIZE, 2.0, 0.3) if split else box((3, 3, 3), SIZE, 0.3)
    space = Space(mesh, 2)
    exact, _ = field(space.nodes)
    _, stress = field(space.integration()[0])
    force = body_force(space, lambda x: np.stack([0.7 + 0 * x[0], 0 * x[0], 0 * x[0]])) if field is own_weight else None
    found = solved(space, exact, force, **({"gap": gap_of(space, 1e9)} if split else {}))
    tolerance = 1e-6 if split else 1e-11
    assert np.abs(found - exact).max() < tolerance * np.abs(exact).max()
    error = space.stresses(found, uniform(space, E), uniform(space, NU)) - stress
    assert np.abs(error).max() < 10 * tolerance * np.abs(stress).max()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gap", [None, 7.0])
def test_six_zero_modes_and_no_more(order, gap):
    mesh = box((2, 2, 2), SIZE, 0.3) if gap is None else split_box((2, 2, 2), SIZE, 2.0)
    space = Space(mesh, order)
    parts = {} if gap is None else {"gap": gap_of(space, gap, gap / 3)}
    values = np.linalg.eigvalsh(stiffness(space, E, NU, **parts).to_scipy().toarray())
    assert np.abs(values[:6]).max() < 1e-12 * values[-1]
    assert values[6] > 1e-5 * values[-1]


@pytest.mark.parametrize("order", ORDERS)
def test_rigid_motion_makes_neither_force_nor_stress_nor_jump(order):
    space = Space(split_box((3, 3, 4), SIZE, 2.0, 0.3), order)
    motion = space.nodes @ np.cross(np.eye(3), [0.2, -0.4, 0.3]) + [5.0, -3.0, 2.0]
    matrix = stiffness(space, E, NU, gap=gap_of(space, 7.0, 2.0))
    assert np.abs(matrix.dot(motion)).max() < 1e-12 * np.abs(matrix.data).max() * np.abs(motion).max()
    assert np.abs(stress_of(space, motion)).max() < 1e-11 * E
    assert np.abs(space.jump(motion)).max() < 1e-13 * np.abs(motion).max() + 1e-14


@pytest.mark.parametrize("order", ORDERS)
def test_a_rigidly_moved_support_moves_the_bone_rigidly(order):
    """Prescribed on one face only, without load: the rest follows without stress."""
    space = Space(box((3, 3, 3), SIZE, 0.3), order)
    motion = space.nodes @ np.cross(np.eye(3), [0.02, -0.04, 0.03]) + [5.0, -3.0, 2.0]
    base = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    found = system(space, E, NU, base).solve(np.zeros_like(motion), motion).displacement
    assert np.abs(found - motion).max() < 1e-11
    assert np.abs(stress_of(space, found)).max() < 1e-9
