import importlib

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, gap_of, held, stiffness, system

from sacrofem.errors import EnvironmentFailure, InputError, SolverError
from sacrofem.mechanics.linear import factors
from sacrofem.mechanics.linear.direct import MultifrontalCholesky, analyse
from sacrofem.mechanics.linear.factors import NAMES, factorise
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.linear.solver import LinearSystem
from sacrofem.mechanics.space.space import Space

PACKAGES = {"cholmod": "sksparse.cholmod", "pardiso": "pypardiso"}


@pytest.fixture(params=NAMES)
def name(request):
    if request.param in PACKAGES:
        pytest.importorskip(PACKAGES[request.param])
    return request.param


@pytest.fixture(scope="module")
def model():
    mesh = split_box((4, 4, 4), (4.0, 4.0, 4.0), 2.0, 0.2)
    space = Space(mesh, 2)
    youngs = np.exp(np.random.default_rng(0).normal(5.0, 1.5, len(mesh.tets)))
    force = np.where(at(space, 2, 4.0)[:, None], np.random.default_rng(1).normal(size=space.nodes.shape), 0.0)
    return space, youngs, held(space, (at(space, 2, 0.0), [0, 1, 2])), force


def test_factors_agree(model, name):
    space, youngs, fixed, force = model
    matrix = stiffness(space, youngs, 0.3, gap=gap_of(space, 5.0)).constrained(fixed)
    exact = np.where(fixed, 0.0, np.random.default_rng(2).normal(size=force.shape))
    before = force.copy()
    found = factorise(matrix, space.nodes, name).solve(matrix.dot(exact))
    assert np.abs(found - exact).max() < 1e-9
    np.testing.assert_array_equal(force, before)


@pytest.mark.parametrize("method", ["direct", "multigrid"])
def test_the_system_names_who_solved_it(model, name, method):
    space, youngs, fixed, force = model
    kinds = dict(gap=gap_of(space, 5.0))
    coarse = Space(space.mesh, 1)
    problem = LinearSystem(
        space, stiffness(space, youngs, 0.3, **kinds), fixed,
        lambda: stiffness(coarse, youngs, 0.3, gap=gap_of(coarse, 5.0)), SolverSettings(method, factorisation=name),
    )  # fmt: skip
    expected = system(space, youngs, 0.3, fixed, **kinds).solve(force)
    solution = problem.solve(force)
    assert (NAMES[name] in solution.method) == (method == "direct" or name != "multifrontal")
    assert ("multigrid" in solution.method) == (method == "multigrid")
    assert np.abs(solution.displacement - expected.displacement).max() < 1e-8 * np.abs(expected.displacement).max()


def test_indefinite_matrices_are_refused(name):
    space = Space(split_box((2, 2, 2), (2.0, 2.0, 2.0), 1.0), 2)
    matrix = stiffness(space, 300.0, 0.3, gap=gap_of(space, 1.0))
    diagonal = matrix.indices == np.repeat(np.arange(space.n_nodes), np.diff(matrix.indptr))
    matrix.data[diagonal] -= 50.0 * np.eye(3)
    with pytest.raises(SolverError, match="not positive definite"):
        factorise(matrix, space.nodes, name)


@pytest.mark.parametrize("missing", PACKAGES)
def test_a_missing_package_is_named(model, monkeypatch, missing):
    def absent(module):
        raise ImportError(module)

    monkeypatch.setattr(factors, "import_module", absent)
    space, youngs, fixed, _ = model
    with pytest.raises(InputError, match=r"solver\.factorisation.*pip install"):
        factorise(stiffness(space, youngs, 0.3).constrained(fixed), space.nodes, missing)


def test_optional_packages_are_looked_up_by_their_names():
    assert factors.import_module is importlib.import_module


# ------------------------------------------------------------------ causes
def test_the_loose_piece_is_named(model):
    space, youngs, fixed, force = model
    with pytest.raises(SolverError, match=r"piece \d of 0.03 ml around \(2.0, 2.0, 3.0\) mm is not supported.* 6 of"):
        system(space, youngs, 0.3, fixed, gap=gap_of(space, 0.0), method="multigrid").solve(force)


def test_the_inverted_tet_is_named(model):
    space, youngs, _, _ = model
    mesh = space.mesh
    points = mesh.points.copy()
    inner = np.flatnonzero(((points > 1e-9) & (points < 4 - 1e-9)).all(axis=1) & (points[:, 2] < 1.9))[0]
    around = (mesh.tets == inner).any(axis=1)
    points[inner] = mesh.points[inner] + [2.5, 0.0, 0.0]
    bad = Space(type(mesh)(points, mesh.tets, mesh.faces, mesh.tet_sets, mesh.face_sets, mesh.pair, mesh.pair_side), 2)
    inverted = np.flatnonzero(bad.mesh.volumes < 0)
    assert len(inverted)
    assert around[inverted].all()
    fixed = held(bad, (at(bad, 2, 0.0), [0, 1, 2]))
    force = np.where(at(bad, 2, 4.0)[:, None], np.random.default_rng(1).normal(size=bad.nodes.shape), 0.0)
    with pytest.raises(SolverError, match=r"tet \d+ around .* is inverted") as caught:
        system(bad, youngs, 0.3, fixed, gap=gap_of(bad, 5.0)).solve(force)
    assert int(str(caught.value).split("tet ")[1].split()[0]) in inverted


# ------------------------------------------------------------------ memory
@pytest.mark.parametrize("single", [False, True])
def test_the_memory_that_a_factor_takes_is_known_before(model, single):
    space, youngs, fixed, _ = model
    matrix = stiffness(space, youngs, 0.3, gap=gap_of(space, 5.0)).constrained(fixed)
    symbolic = analyse(matrix.indptr, matrix.indices, space.nodes)
    factor = MultifrontalCholesky(matrix, space.nodes, single=single, symbolic=symbolic)
    held = sum(node.inverse.nbytes + node.below.nbytes for node in factor.supernodes)
    assert held < symbolic.peak_bytes(single) < 5 * held


def _limited(model, monkeypatch, extra, method="direct"):
    """A system that may grow by ``extra`` bytes."""
    space, youngs, fixed, _ = model
    from sacrofem.mechanics.linear import solver

    monkeypatch.setattr(solver, "resident_bytes", lambda: 0)
    coarse = Space(space.mesh, 1)
    return LinearSystem(
        space, stiffness(space, youngs, 0.3, gap=gap_of(space, 5.0)), fixed,
        lambda: stiffness(coarse, youngs, 0.3, gap=gap_of(coarse, 5.0)),
        SolverSettings(method, memory_gib=extra / 2**30),
    )  # fmt: skip


def test_a_leaner_method_is_taken_and_named_where_memory_is_short(model, monkeypatch):
    force = model[-1]
    full = _limited(model, monkeypatch, 2**33).solve(force)
    lean = _limited(model, monkeypatch, 7 * 2**20).solve(force)
    assert full.method == "multifrontal Cholesky"
    assert "multigrid" in lean.method
    assert "lack of memory" in lean.method
    assert np.abs(full.displacement - lean.displacement).max() < 1e-8 * np.abs(full.displacement).max()


def test_too_little_memory_ends_with_the_figure(model, monkeypatch):
    with pytest.raises(EnvironmentFailure, match=r"multigrid needs \d\.\d\d GiB.* 0\.00 GiB are allowed") as caught:
        _limited(model, monkeypatch, 2**16, "multigrid")
    assert caught.value.exit_status == 5
