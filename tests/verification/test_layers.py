"""VP-06 Layered bar: springs in series and in parallel.

The gap is a layer between two blocks. Free sides, nu = 0 in the blocks: traction s gives micromotion s / k_n,
k_n = E'/w, and the top moves by s (L1/E1 + 1/k_n + L2/E2); shear t gives slip t / k_t, k_t = G/w. With sides confined
and any nu the blocks have the modulus M = E (1 - nu) / ((1 + nu)(1 - 2 nu)).
Part f of the gap cemented between rigid blocks: the springs stand in parallel, micromotion =
s / ((1 - f) k_filler + f k_cement); before over after is the ratio of the two.
"""

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, faces_at, fracture_force, held, system, traction_force, uniform
from patches import ELEMENT

from sacrofem.mechanics.parts.interface import Filler, gap_stiffness
from sacrofem.mechanics.space.space import Space

SIZE, CUT, AREA = (6.0, 5.0, 20.0), 10.0, 30.0
APERTURE = 0.8
FILLER, CEMENT = Filler(0.5, 0.17), Filler(2500.0, 0.3)


def bar(order):
    return Space(split_box((3, 3, 8), SIZE, CUT, 0.25), order)


def constrained(E, nu):
    return E * (1 - nu) / ((1 + nu) * (1 - 2 * nu))


def law(space, coverage=0.0):
    """Gap of granulation tissue with a share of it, or given points, cemented."""
    return gap_stiffness(np.broadcast_to(coverage, space.gap.areas.shape), APERTURE, FILLER, CEMENT)


def press(space, traction):
    return traction_force(space, faces_at(space.mesh, 2, SIZE[2]), lambda x, n: traction[:, None, None] + 0 * x)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("confined", [False, True])
def test_filled_gap_in_a_bar(order, confined, record):
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
    mesh = f"{ELEMENT[order]}, {'confined' if confined else 'free sides'}"
    jump = space.jump(found)[..., 2]
    record(quantity="micromotion", computed=jump, exact=micromotion, tolerance=1e-9, mesh=mesh)
    assert np.abs(space.jump(found)[..., :2]).max() < 1e-10 * abs(micromotion)
    total = -1.3 * (10.0 / constrained(300.0, nu) + layer + 10.0 / constrained(450.0, nu))
    top = found[at(space, 2, 20.0), 2]
    record(quantity="displacement of the top", computed=top, exact=total, tolerance=1e-9, mesh=mesh)
    stress = space.stresses(found, youngs, uniform(space, nu))[..., 2]
    record(quantity="stress", computed=stress, exact=-1.3, tolerance=1e-9, mesh=mesh)
    through = fracture_force(space, found, gap).sum(axis=0)
    record(quantity="force", computed=through, exact=np.array([0, 0, -1.3 * AREA]), tolerance=1e-9, mesh=mesh)


@pytest.mark.parametrize("order", [1, 2])
def test_slip_of_a_filled_gap(order, record):
    """With u_y = u_z = 0 everywhere the bar is in simple shear, u_x(z)."""
    space = bar(order)
    fixed = held(space, (np.ones(space.n_nodes, bool), [1, 2]), (at(space, 2, 0.0), 0))
    shear = 0.4
    force = press(space, np.array([shear, 0, 0]))
    found = system(space, 300.0, 0.3, fixed, gap=law(space)).solve(force).displacement
    slip = shear / FILLER.stiffness(APERTURE)[1]
    jump, top = space.jump(found)[..., 0], found[at(space, 2, 20.0), 0]
    record(quantity="slip", computed=jump, exact=slip, tolerance=1e-9, mesh=ELEMENT[order])
    exact = slip + shear * 20.0 / (300.0 / 2.6)
    record(quantity="displacement of the top in shear", computed=top, exact=exact, tolerance=1e-9, mesh=ELEMENT[order])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("axis", [0, 2])
def test_partly_cemented_gap_between_rigid_blocks(order, axis, record):
    """Both blocks moved without strain, so that no bone is between the springs, at any line of coverage."""
    space = bar(order)
    covered = (space.gap.points[..., 0] < 2.3).astype(float)
    share = float((covered * space.gap.areas).sum() / AREA)
    assert share == pytest.approx(2.3 / 6.0, abs=0.02)
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[space.mesh.centroids[:, 2] > CUT]] = True
    move = np.zeros_like(space.nodes)
    move[upper, axis] = -0.1
    problem = system(space, 300.0, 0.0, np.ones_like(move, bool), gap=law(space, covered))
    found = problem.solve(np.zeros_like(move), move).displacement
    reaction = problem.matrix.dot(found)[upper, axis].sum()
    index = 0 if axis == 2 else 1
    k = (1 - share) * FILLER.stiffness(APERTURE)[index] + share * CEMENT.stiffness(APERTURE)[index]
    np.testing.assert_allclose(space.jump(found)[..., axis], -0.1, rtol=1e-12)
    what = f"stiffness of springs in parallel, {'normal' if axis == 2 else 'tangential'}"
    record(quantity=what, computed=reaction / (-0.1 * AREA), exact=k, tolerance=1e-9, mesh=ELEMENT[order])


@pytest.mark.parametrize("order", [1, 2])
def test_before_over_after_of_an_evenly_cemented_gap(order, record):
    """The same share at every point keeps the state uniform, so elastic blocks of nu = 0 do as well."""
    space = bar(order)
    fixed = held(space, (at(space, 2, 0.0), 2), (at(space, 0, 0.0), 0), (at(space, 1, 0.0), 1))
    force = press(space, np.array([0, 0, -1.0]))
    before, after = (
        space.jump(system(space, 300.0, 0.0, fixed, gap=law(space, share)).solve(force).displacement)[..., 2]
        for share in (0.0, 0.35)
    )
    k, c = FILLER.stiffness(APERTURE)[0], CEMENT.stiffness(APERTURE)[0]
    ratio = (0.65 * k + 0.35 * c) / k
    record(quantity="before over after", computed=before / after, exact=ratio, tolerance=1e-9, mesh=ELEMENT[order])
