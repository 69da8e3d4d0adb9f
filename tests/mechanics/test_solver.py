import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import at, gap_of, held, stiffness, system

from sacrofem.errors import SolverError
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.linear.solver import LinearSystem, conjugate_gradients
from sacrofem.mechanics.space.space import Space

METHODS = ["direct", "multigrid"]


@pytest.fixture(scope="module")
def model():
    mesh = split_box((4, 4, 6), (4.0, 4.0, 6.0), 3.0, 0.2)
    space = Space(mesh, 2)
    youngs = np.exp(np.random.default_rng(0).normal(5.0, 1.5, len(mesh.tets)))
    force = np.where(at(space, 2, 6.0)[:, None], np.random.default_rng(1).normal(size=space.nodes.shape), 0.0)
    return space, youngs, held(space, (at(space, 2, 0.0), [0, 1, 2])), force


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tolerance", [1e-8, 1e-12])
def test_the_stated_residual_is_the_true_one(model, method, tolerance):
    space, youngs, fixed, force = model
    problem = system(space, youngs, 0.3, fixed, gap=gap_of(space, 5.0), method=method, tolerance=tolerance)
    solution = problem.solve(force)
    free = ~fixed
    matrix = stiffness(space, youngs, 0.3, gap=gap_of(space, 5.0)).to_scipy()
    true = (force.ravel() - matrix @ solution.displacement.ravel()).reshape(-1, 3)[free]
    assert np.linalg.norm(true) / np.linalg.norm(force[free]) <= tolerance * 1.05
    assert solution.residual == pytest.approx(np.linalg.norm(true) / np.linalg.norm(force[free]), rel=0.3, abs=1e-15)
    assert not solution.displacement[fixed].any()


def test_multigrid_equals_direct(model):
    space, youngs, fixed, force = model
    one, two = (
        system(space, youngs, 0.3, fixed, gap=gap_of(space, 5.0), method=m).solve(force).displacement for m in METHODS
    )
    assert np.abs(one - two).max() < 1e-10 * np.abs(one).max()


@pytest.mark.parametrize("method", METHODS)
def test_prescribed_displacements_are_met(model, method):
    """A linear field prescribed on the hull of an unbroken box comes back inside."""
    space = Space(box((4, 4, 4), distort=0.2), 2)
    hull = np.isclose(space.nodes, 0).any(axis=1) | np.isclose(space.nodes, 1).any(axis=1)
    exact = space.nodes @ np.random.default_rng(2).normal(size=(3, 3))
    problem = system(space, 300.0, 0.3, held(space, (hull, [0, 1, 2])), method=method)
    found = problem.solve(np.zeros_like(exact), exact).displacement
    np.testing.assert_array_equal(found[hull], exact[hull])
    assert np.abs(found - exact).max() < 1e-11


@pytest.mark.parametrize("method", METHODS)
def test_one_preparation_serves_many_loads(model, method):
    space, youngs, fixed, force = model
    problem = system(space, youngs, 0.3, fixed, gap=gap_of(space, 5.0), method=method)
    first = problem.solve(force).displacement
    problem.solve(np.roll(force, 1, axis=1))
    np.testing.assert_array_equal(problem.solve(force).displacement, first)


@pytest.mark.parametrize("method", METHODS)
def test_no_load_no_displacement(model, method):
    space, youngs, fixed, force = model
    solution = system(space, youngs, 0.3, fixed, gap=gap_of(space, 5.0), method=method).solve(np.zeros_like(force))
    assert not solution.displacement.any()
    assert (solution.residual, solution.iterations) == (0.0, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_floating_fragment_raises(model, method):
    """An open gap leaves the upper half free."""
    space, youngs, fixed, force = model
    with pytest.raises(SolverError, match="sacrofem check"):
        system(space, youngs, 0.3, fixed, gap=gap_of(space, 0.0), method=method).solve(force)


@pytest.mark.parametrize("method", METHODS)
def test_a_negative_modulus_raises(model, method):
    space, youngs, fixed, force = model
    with pytest.raises(SolverError, match="not positive definite"):
        system(space, -youngs, 0.3, fixed, gap=gap_of(space, 5.0), method=method).solve(force)


def test_an_indefinite_matrix_is_seen_by_conjugate_gradients():
    space = Space(box((2, 2, 2)), 1)
    matrix = stiffness(space, 300.0, 0.3)
    diagonal = matrix.indices == np.repeat(np.arange(space.n_nodes), np.diff(matrix.indptr))
    matrix.data[diagonal] -= 50.0 * np.eye(3)
    with pytest.raises(SolverError, match="not positive definite"):
        conjugate_gradients(matrix, np.random.default_rng(0).normal(size=space.nodes.shape), lambda r: r, 1e-10)


@pytest.mark.parametrize("fault", ["nothing", "constant", "one direction", "not a number"])
def test_a_poor_preconditioner_raises_and_never_returns(model, monkeypatch, fault):
    space, youngs, fixed, force = model
    problem = system(space, youngs, 0.3, fixed, gap=gap_of(space, 5.0), method="direct")
    faults = {
        "nothing": np.zeros_like,
        "constant": np.ones_like,
        "one direction": lambda r: r * [1.0, 0.0, 0.0],
        "not a number": lambda r: np.full_like(r, np.nan),
    }
    monkeypatch.setattr(problem, "_preconditioner", faults[fault])
    with pytest.raises(SolverError):
        problem.solve(force)


def test_a_slow_iteration_raises_with_its_residual(model, monkeypatch):
    space, youngs, fixed, force = model
    monkeypatch.setattr(conjugate_gradients, "__defaults__", (2,))
    problem = system(space, youngs, 0.3, fixed, gap=gap_of(space, 5.0), method="multigrid")
    with pytest.raises(SolverError, match=r"relative residual of \d\.\de-\d+ after \d+ iterations .*p-multigrid"):
        problem.solve(force)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_force_that_is_no_number_raises(model, bad):
    space, youngs, fixed, force = model
    problem = system(space, youngs, 0.3, fixed, gap=gap_of(space, 5.0))
    force = force.copy()
    force[-1, 0] = bad
    with pytest.raises(SolverError, match="not finite"):
        problem.solve(force)


def test_multigrid_needs_the_first_order_matrix(model):
    space, youngs, fixed, _ = model
    matrix = stiffness(space, youngs, 0.3, gap=gap_of(space, 5.0))
    with pytest.raises(ValueError, match="P1 matrix"):
        LinearSystem(space, matrix, fixed, settings=SolverSettings("multigrid"))


def test_small_and_first_order_problems_are_factorised(model):
    space, youngs, fixed, force = model
    for order in (1, 2):
        small = Space(space.mesh, order)
        solution = system(
            small, youngs, 0.3, fixed[: small.n_nodes], gap=gap_of(small, 5.0), method="auto", tolerance=1e-10
        ).solve(force[: small.n_nodes])
        assert "Cholesky" in solution.method
        assert solution.iterations <= 3


CONTRASTS = {
    "soft bone, stiff cement": (0.1, 20e3, 5.0, 0.3),
    "soft gap": (10.0, 2500.0, 0.05, 0.3),
    "stiff gap": (10.0, 2500.0, 3e4, 0.3),
    "very stiff gap": (300.0, 300.0, 1e8, 0.3),
    "poisson 0.45": (10.0, 2500.0, 5.0, 0.45),
    "all at once": (0.1, 20e3, 3e4, 0.45),
}


@pytest.mark.parametrize("name", CONTRASTS)
def test_iterations_stay_bounded(name):
    """A stiff ball across a gap in soft bone: 1e-10 within 80 iterations, and equal to the factorisation."""
    bone, cement, normal, poisson = CONTRASTS[name]
    mesh = split_box((6, 6, 6), (12.0, 12.0, 12.0), 6.0, 0.2)
    space = Space(mesh, 2)
    youngs = np.where(np.linalg.norm(mesh.centroids - 6.0, axis=1) < 4.0, cement, bone)
    force = np.where(at(space, 2, 12.0)[:, None], [1.0, 0.0, -3.0], 0.0)
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    one, two = (
        system(space, youngs, poisson, fixed, gap=gap_of(space, normal), method=m, tolerance=1e-10).solve(force)
        for m in METHODS
    )
    assert two.iterations < 80
    assert np.abs(one.displacement - two.displacement).max() < 1e-6 * np.abs(one.displacement).max()
