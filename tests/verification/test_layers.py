"""VP-06: springs in series. The gap is a layer between two blocks.

Free sides, nu = 0 in the blocks: traction s gives micromotion s / k_n, k_n = E'/w, and the top moves by
s (L1/E1 + 1/k_n + L2/E2); shear t gives slip t / k_t, k_t = G/w. With sides confined and any nu the
blocks have the modulus M = E (1 - nu) / ((1 + nu)(1 - 2 nu)).
Part of the gap cemented, blocks rigid (their ends are): the springs stand in parallel,
micromotion = s / ((1 - f) k_filler + f k_cement); before over after is the ratio of the two.
"""

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, faces_at, held, system, traction_force, uniform

from sacrofem.mechanics.interface import Filler, constriction_compliance, fracture_force, gap_stiffness
from sacrofem.mechanics.space import Space

SIZE, CUT, AREA = (6.0, 5.0, 20.0), 10.0, 30.0
APERTURE = 0.8
FILLER, CEMENT = Filler(0.5, 0.17), Filler(2500.0, 0.3)


def bar(order):
    return Space(split_box((3, 3, 8), SIZE, CUT, 0.25), order)


def constrained(E, nu):
    return E * (1 - nu) / ((1 + nu) * (1 - 2 * nu))


def law(space, coverage=0.0, youngs=None):
    """Gap of granulation tissue with a share of it, or given points, cemented."""
    coverage = np.broadcast_to(coverage, space.gap.areas.shape)
    constriction = None if youngs is None else constriction_compliance(space, youngs, coverage)
    return gap_stiffness(coverage, APERTURE, FILLER, CEMENT, constriction)


def press(space, traction):
    return traction_force(space, faces_at(space.mesh, 2, SIZE[2]), lambda x, n: traction[:, None, None] + 0 * x)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("confined", [False, True])
def test_filled_gap_in_a_bar(order, confined):
    space = bar(order)
    nu = 0.3 if confined else 0.0
    upper = space.mesh.centroids[:, 2] > CUT
    youngs = np.where(upper, 450.0, 300.0)
    everywhere = np.ones(space.n_nodes, bool)
    fixed = held(
        space,
        (at(space, 2, 0.0), 2),
        *([(everywhere, [0, 1])] if confined else [(at(space, 0, 0.0), 0), (at(space, 1, 0.0), 1)]),
    )
    gap = law(space)
    found = system(space, youngs, nu, fixed, gap=gap).solve(press(space, np.array([0, 0, -1.3]))).displacement
    layer = 1.0 / FILLER.stiffness(APERTURE)[0]
    micromotion = -1.3 * layer
    np.testing.assert_allclose(space.jump(found)[..., 2], micromotion, rtol=1e-10)
    assert np.abs(space.jump(found)[..., :2]).max() < 1e-10 * abs(micromotion)
    total = -1.3 * (10.0 / constrained(300.0, nu) + layer + 10.0 / constrained(450.0, nu))
    np.testing.assert_allclose(found[at(space, 2, 20.0), 2], total, rtol=1e-10)
    stress = space.stresses(found, youngs, uniform(space, nu))
    np.testing.assert_allclose(stress[..., 2], -1.3, rtol=1e-9)
    np.testing.assert_allclose(fracture_force(space, found, *gap).sum(axis=0), [0, 0, -1.3 * AREA], atol=1e-8)


@pytest.mark.parametrize("order", [1, 2])
def test_slip_of_a_filled_gap(order):
    """With u_y = u_z = 0 everywhere the bar is in simple shear, u_x(z)."""
    space = bar(order)
    fixed = held(space, (np.ones(space.n_nodes, bool), [1, 2]), (at(space, 2, 0.0), 0))
    shear = 0.4
    force = press(space, np.array([shear, 0, 0]))
    found = system(space, 300.0, 0.3, fixed, gap=law(space)).solve(force).displacement
    slip = shear / FILLER.stiffness(APERTURE)[1]
    np.testing.assert_allclose(space.jump(found)[..., 0], slip, rtol=1e-10)
    np.testing.assert_allclose(found[at(space, 2, 20.0), 0], slip + shear * 20.0 / (300.0 / 2.6), rtol=1e-10)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("axis", [0, 2])
def test_partly_cemented_gap_between_rigid_ends(order, axis):
    """Blocks 1e7 times stiffer than cement are rigid: springs in parallel, at any line of coverage."""
    space = bar(order)
    youngs = uniform(space, 3e10)
    covered = (space.gap.points[..., 0] < 2.3).astype(float)
    share = float((covered * space.gap.areas).sum() / AREA)
    assert share == pytest.approx(2.3 / 6.0, abs=0.02)
    gap = law(space, covered, youngs)
    # Only translation along the axis: the covered part would tilt the block.
    top = at(space, 2, 20.0)
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]), (top, [0, 1, 2]))
    move = np.zeros_like(space.nodes)
    move[top, axis] = -0.1
    problem = system(space, youngs, 0.0, fixed, gap=gap)
    found = problem.solve(np.zeros_like(move), move).displacement
    reaction = problem.matrix.dot(found)[top, axis].sum()
    index = 0 if axis == 2 else 1
    k = (1 - share) * FILLER.stiffness(APERTURE)[index] + share * CEMENT.stiffness(APERTURE)[index]
    np.testing.assert_allclose(space.jump(found)[..., axis], -0.1, rtol=1e-5)
    assert reaction == pytest.approx(-0.1 * k * AREA, rel=1e-5)


@pytest.mark.parametrize("order", [1, 2])
def test_before_over_after_of_an_evenly_cemented_gap(order):
    """The same share at every point keeps the state uniform, so elastic blocks of nu = 0 do as well."""
    space = bar(order)
    fixed = held(space, (at(space, 2, 0.0), 2), (at(space, 0, 0.0), 0), (at(space, 1, 0.0), 1))
    force = press(space, np.array([0, 0, -1.0]))
    before, after = (
        space.jump(system(space, 300.0, 0.0, fixed, gap=law(space, share)).solve(force).displacement)[..., 2]
        for share in (0.0, 0.35)
    )
    k, c = FILLER.stiffness(APERTURE)[0], CEMENT.stiffness(APERTURE)[0]
    np.testing.assert_allclose(before / after, (0.65 * k + 0.35 * c) / k, rtol=1e-8)
