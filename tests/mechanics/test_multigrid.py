from itertools import pairwise

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import at, gap_of, held, stiffness

from sacrofem.mechanics.linear.direct import MultifrontalCholesky
from sacrofem.mechanics.linear.multigrid import PMultigrid, smoother_blocks
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import element_quality


def preconditioner(mesh, youngs=300.0, poisson=0.3, normal=None):
    space, coarse = Space(mesh, 2), Space(mesh, 1)
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    parts = [{} if normal is None else {"gap": gap_of(s, normal)} for s in (space, coarse)]
    fine = stiffness(space, youngs, poisson, **parts[0]).constrained(fixed)
    below = stiffness(coarse, youngs, poisson, **parts[1]).constrained(fixed[: len(mesh.points)])
    return space, fixed, fine, PMultigrid(fine, MultifrontalCholesky(below, mesh.points, single=True), space, fixed)


@pytest.mark.parametrize("normal", [None, 0.5, 3e3, 1e6])
def test_one_cycle_is_symmetric_and_positive(normal):
    mesh = box((4, 4, 4)) if normal is None else split_box((4, 4, 4), (4.0, 4.0, 4.0), 2.0)
    space, fixed, _, cycle = preconditioner(mesh, normal=normal)
    rng = np.random.default_rng(0)
    x, y = (np.where(fixed, 0.0, rng.normal(size=space.nodes.shape)) for _ in range(2))
    mx, my = cycle(x), cycle(y)
    size = np.sqrt(np.sum(x * mx) * np.sum(y * my))
    assert np.sum(x * mx) > 0
    assert np.sum(y * mx) == pytest.approx(np.sum(x * my), abs=2e-5 * size)


def test_cycles_alone_converge():
    """Without conjugate gradients around them each cycle must take at least half of the energy error."""
    space, fixed, fine, cycle = preconditioner(box((4, 4, 4), distort=0.2))
    exact = np.where(fixed, 0.0, np.random.default_rng(1).normal(size=space.nodes.shape))
    force, x, before = fine.dot(exact), np.zeros_like(exact), np.inf
    for _ in range(6):
        error = exact - x
        energy = float(np.sqrt(np.sum(error * fine.dot(error))))
        assert energy < 0.5 * before
        before = energy
        x = x + cycle(force - fine.dot(x))


def test_the_cycle_is_linear_in_the_size_of_the_residual():
    """Scaled before single precision, so that tiny residuals do not underflow."""
    space, fixed, _, cycle = preconditioner(box((3, 3, 3)))
    r = np.where(fixed, 0.0, np.random.default_rng(2).normal(size=space.nodes.shape))
    np.testing.assert_allclose(cycle(2.0**-150 * r) * 2.0**150, cycle(r), rtol=1e-6, atol=1e-7 * np.abs(cycle(r)).max())
    assert not cycle(np.zeros_like(r)).any()


def test_clusters_join_the_copies_of_a_node():
    mesh = split_box((2, 2, 2), (2.0, 2.0, 2.0), 1.0)
    space = Space(mesh, 2)
    starts, members = smoother_blocks(space)
    np.testing.assert_array_equal(np.sort(members), np.arange(space.n_nodes))
    sizes = np.diff(starts)
    _, copies = np.unique(np.round(space.nodes, 9), axis=0, return_counts=True)
    np.testing.assert_array_equal(np.sort(sizes), np.sort(copies))
    for a, b in pairwise(starts):
        assert np.ptp(space.nodes[members[a:b]], axis=0).max() == 0.0


@pytest.mark.parametrize("largest", [9, 20, 64])
def test_flat_tets_are_smoothed_as_one_block(largest):
    """The worst tets come first, and no block outgrows the limit."""
    mesh = box((4, 4, 4), (1.0, 1.0, 1.0), distort=0.45)
    space = Space(mesh, 2)
    quality = element_quality(mesh.points, mesh.tets)
    starts, members = smoother_blocks(space, None, 0.3, largest)
    block = np.empty(space.n_nodes, int)
    block[members] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    together = np.ptp(block[space.connectivity], axis=1) == 0
    assert (quality < 0.3).sum() > 5
    assert np.diff(starts).max() <= largest
    assert together[np.argmin(quality)] == (largest >= 10)
    assert not together[quality >= 0.3].all()
    np.testing.assert_array_equal(np.sort(members), np.arange(space.n_nodes))


@pytest.mark.slow
def test_the_upper_end_of_the_spectrum_is_above_every_eigenvalue():
    """Beyond it the smoother would amplify; far above it would waste its degree."""
    space, _, fine, cycle = preconditioner(split_box((4, 4, 6), (4.0, 4.0, 6.0), 3.0, 0.3), normal=5.0)
    smoothed = np.empty((3 * space.n_nodes,) * 2)
    matrix = fine.to_scipy().toarray()
    for column, image in enumerate(matrix.T):
        cycle._r[:], cycle._p[:] = image.reshape(-1, 3), 0
        z = np.zeros_like(cycle._r)
        cycle._step(z, 1.0, 0.0)
        smoothed[:, column] = z.ravel()
    exact = np.abs(np.linalg.eigvals(smoothed)).max()
    assert exact <= cycle._upper <= 1.15 * exact
