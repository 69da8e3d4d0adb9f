import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import at, gap_of, held, stiffness
from scipy.sparse.linalg import spsolve

from sacrofem.errors import SolverError
from sacrofem.mechanics.linear.direct import MultifrontalCholesky, analyse, dissect
from sacrofem.mechanics.space.space import Space


def clamped(mesh, order=2, **parts):
    space = Space(mesh, order)
    youngs = np.random.default_rng(0).uniform(10.0, 3e3, len(mesh.tets))
    return space, stiffness(space, youngs, 0.3, **parts).constrained(held(space, (at(space, 2, 0.0), [0, 1, 2])))


@pytest.mark.parametrize("leaf", [1, 8, 96])
@pytest.mark.parametrize("order", [1, 2])
def test_equals_scipy_whatever_the_size_of_the_leaves(order, leaf):
    space, matrix = clamped(box((4, 3, 3), distort=0.2), order)
    force = np.random.default_rng(1).normal(size=space.nodes.shape)
    expected = spsolve(matrix.to_scipy().tocsc(), force.ravel()).reshape(-1, 3)
    elimination = analyse(matrix.indptr, matrix.indices, space.nodes, leaf=leaf)
    found = MultifrontalCholesky(matrix, space.nodes, symbolic=elimination).solve(force)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_eliminating_all_but_the_last_supernode_leaves_its_schur_complement():
    space, matrix = clamped(box((4, 3, 3), distort=0.2), 1)
    last = space.nodes[:, 0] > 0.6
    elimination = analyse(matrix.indptr, matrix.indices, space.nodes, last, leaf=5)
    dense = matrix.to_scipy().toarray().reshape(space.n_nodes, 3, space.n_nodes, 3)
    z, r = elimination.order[elimination.supernodes[-1][0] :], np.flatnonzero(~last)
    np.testing.assert_array_equal(np.sort(z), np.flatnonzero(last))

    def block(a, b):
        return dense[a][:, :, b].reshape(3 * len(a), 3 * len(b))

    expected = -block(z, r) @ np.linalg.solve(block(r, r), block(r, z))
    partial = MultifrontalCholesky(matrix, space.nodes, symbolic=elimination, partial=True)
    lower = np.tril(partial.remainder)
    np.testing.assert_allclose(lower, np.tril(expected), rtol=0, atol=1e-9 * np.abs(expected).max())

    force = np.random.default_rng(1).normal(size=(space.n_nodes, 3, 2))
    flat = force[elimination.order]
    partial.forward(flat)
    reduced = block(z, z) + expected
    flat[-len(z) :] = np.linalg.solve(reduced, flat[-len(z) :].reshape(3 * len(z), 2)).reshape(-1, 3, 2)
    partial.backward(flat)
    wanted = MultifrontalCholesky(matrix, space.nodes).solve(force)
    np.testing.assert_allclose(flat, wanted[elimination.order], rtol=0, atol=1e-9 * np.abs(wanted).max())


def test_stiffness_can_be_added_on_the_last_supernode():
    space, matrix = clamped(box((3, 3, 3), distort=0.2), 1)
    last = space.nodes[:, 0] > 0.6
    elimination = analyse(matrix.indptr, matrix.indices, space.nodes, last, leaf=5)
    added = 1e3 * np.eye(3 * last.sum())
    stiffer = matrix.to_scipy().toarray()
    where = (3 * elimination.order[elimination.supernodes[-1][0] :][:, None] + np.arange(3)).ravel()
    stiffer[where, where] += 1e3
    force = np.random.default_rng(1).normal(size=space.nodes.shape)
    found = MultifrontalCholesky(matrix, space.nodes, symbolic=elimination, added=added).solve(force)
    np.testing.assert_allclose(found.ravel(), np.linalg.solve(stiffer, force.ravel()), rtol=1e-8, atol=1e-12)


def test_several_columns_are_solved_at_once():
    space, matrix = clamped(box((3, 3, 3)), 2)
    force = np.random.default_rng(1).normal(size=(*space.nodes.shape, 4))
    factor = MultifrontalCholesky(matrix, space.nodes)
    together = factor.solve(force)
    alone = np.stack([factor.solve(force[..., c]) for c in range(4)], axis=2)
    np.testing.assert_allclose(together, alone, rtol=1e-10, atol=1e-12 * np.abs(alone).max())


def test_the_force_is_left_as_it_was():
    space, matrix = clamped(box((2, 2, 2)), 1)
    force = np.random.default_rng(1).normal(size=space.nodes.shape)
    before = force.copy()
    MultifrontalCholesky(matrix, space.nodes).solve(force)
    np.testing.assert_array_equal(force, before)


def test_single_precision_takes_half_the_memory_and_keeps_six_digits():
    space, matrix = clamped(box((4, 3, 3)), 2)
    force = np.random.default_rng(1).normal(size=space.nodes.shape)
    double, single = (MultifrontalCholesky(matrix, space.nodes, single=s) for s in (False, True))
    for small, large in zip(single.supernodes, double.supernodes, strict=True):
        assert (small.inverse.nbytes * 2, small.below.nbytes * 2) == (large.inverse.nbytes, large.below.nbytes)
    expected = double.solve(force)
    assert np.abs(single.solve(force) - expected).max() < 1e-4 * np.abs(expected).max()


def test_coincident_twins_and_separate_pieces_are_no_obstacle():
    mesh = split_box((3, 3, 4), (3.0, 3.0, 4.0), 2.0)
    space = Space(mesh, 2)
    ends = held(space, (at(space, 2, 0.0) | at(space, 2, 4.0), [0, 1, 2]))
    for normal in (0.0, 1.0, 1e7):
        matrix = stiffness(space, 300.0, 0.3, gap=gap_of(space, normal)).constrained(ends)
        force = np.random.default_rng(1).normal(size=space.nodes.shape)
        found = MultifrontalCholesky(matrix, space.nodes).solve(force)
        assert np.linalg.norm(force - matrix.dot(found)) < 1e-8 * np.linalg.norm(force)


@pytest.mark.parametrize("leaf", [1, 5, 50])
def test_dissection_takes_each_node_once_and_separates(leaf):
    space, matrix = clamped(box((4, 3, 2)), 2)
    tree = dissect(matrix.indptr, matrix.indices, space.nodes, leaf)
    np.testing.assert_array_equal(np.sort(np.concatenate([nodes for nodes, _ in tree])), np.arange(space.n_nodes))
    subtrees = []
    dense = np.zeros((space.n_nodes,) * 2, bool)
    dense[np.repeat(np.arange(space.n_nodes), np.diff(matrix.indptr)), matrix.indices] = True
    for nodes, children in tree:
        parts = [subtrees.pop() for _ in range(children)]
        if children:
            assert not dense[np.ix_(*parts)].any()
        subtrees.append(np.concatenate([nodes, *parts]))
    assert len(subtrees) == 1


def test_a_negative_modulus_is_refused():
    space = Space(box((2, 2, 2)), 2)
    matrix = stiffness(space, -300.0, 0.3).constrained(held(space, (at(space, 2, 0.0), [0, 1, 2])))
    with pytest.raises(SolverError, match="not positive definite"):
        MultifrontalCholesky(matrix, space.nodes)


def test_a_slightly_indefinite_matrix_is_refused():
    """A free body less a millionth of its stiffness: six small negative eigenvalues."""
    space = Space(box((2, 2, 2)), 2)
    matrix = stiffness(space, 300.0, 0.3)
    diagonal = matrix.indices == np.repeat(np.arange(space.n_nodes), np.diff(matrix.indptr))
    matrix.data[diagonal] -= 1e-6 * np.abs(matrix.data).max() * np.eye(3)
    with pytest.raises(SolverError, match="not positive definite"):
        MultifrontalCholesky(matrix, space.nodes)
