from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from blocks_of_tets import box, oriented
from elasticity import bone_of

from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.blocks import BlockMatrix, node_pattern, residual, scatter
from sacrofem.mechanics.space.space import Space


@pytest.fixture(scope="module")
def matrix():
    space = Space(box((3, 2, 2), distort=0.2), 2)
    return Assembler(space).matrix(bone_of(space, 300.0))


@pytest.fixture
def field(matrix):
    return np.random.default_rng(0).normal(size=(matrix.n_nodes, 3))


def test_product_equals_scipy(matrix, field):
    np.testing.assert_allclose(matrix.dot(field).ravel(), matrix.to_scipy() @ field.ravel(), rtol=1e-12, atol=1e-9)


def test_residual_is_force_less_product(matrix, field):
    force, r = np.ones_like(field), np.empty_like(field)
    residual(matrix.indptr, matrix.indices, matrix.data, field, force, r)
    np.testing.assert_allclose(r, force - matrix.dot(field), rtol=1e-12, atol=1e-9)


def test_single_precision_stays_single(matrix, field):
    single = BlockMatrix(matrix.indptr, matrix.indices, matrix.data.astype(np.float32))
    product = single.dot(field.astype(np.float32))
    assert product.dtype == np.float32
    np.testing.assert_allclose(product, matrix.dot(field), rtol=1e-3, atol=0.1)


def test_constrained_rows_and_columns_keep_their_diagonal_alone(matrix, field):
    fixed = np.zeros_like(field, bool)
    fixed[3, 1] = fixed[7] = True
    dense = matrix.constrained(fixed).to_scipy().toarray()
    expected = matrix.to_scipy().toarray()
    for row in np.flatnonzero(fixed.ravel()):
        diagonal = expected[row, row]
        expected[row] = expected[:, row] = 0.0
        expected[row, row] = diagonal
    np.testing.assert_array_equal(dense, expected)
    assert matrix.data is not matrix.constrained(fixed).data


def test_scatter_adds_element_matrices():
    nodes = np.array([[0, 2], [2, 1]])
    indptr, indices = node_pattern(3, nodes)
    data = np.zeros((len(indices), 3, 3))
    matrices = np.random.default_rng(1).normal(size=(2, 6, 6))
    scatter(indptr, indices, data, nodes, matrices)
    expected = np.zeros((9, 9))
    for element, block in zip(nodes, matrices, strict=True):
        rows = (3 * element[:, None] + np.arange(3)).ravel()
        expected[np.ix_(rows, rows)] += block
    np.testing.assert_allclose(BlockMatrix(indptr, indices, data).to_scipy().toarray(), expected)


def test_pattern_is_the_graph_of_all_elements_with_sorted_columns():
    tets, pairs = np.array([[0, 1, 2, 3]]), np.array([[3, 4]])
    indptr, indices = node_pattern(5, tets, np.empty((0, 6), np.int64), pairs)
    dense = sp.csr_array((np.ones(len(indices)), indices, indptr), shape=(5, 5)).toarray()
    expected = np.zeros((5, 5))
    expected[:4, :4] = expected[3:, 3:] = 1
    np.testing.assert_array_equal(dense, expected)
    assert all(np.all(np.diff(indices[a:b]) > 0) for a, b in pairwise(indptr))


@pytest.mark.parametrize("wedges", [128, 256, 512])
def test_many_elements_around_one_edge_are_not_lost(wedges):
    """256 tets around an edge count to zero in eight bits."""
    angle = 2 * np.pi * np.arange(wedges) / wedges
    rim = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(wedges)])
    points = np.concatenate([[[0, 0, -1.0], [0, 0, 1.0]], rim])
    ring = 2 + np.arange(wedges)
    tets = np.column_stack([np.zeros(wedges, int), np.ones(wedges, int), ring, np.roll(ring, -1)])
    mesh = oriented(points, tets)
    indptr, indices = node_pattern(len(points), mesh.tets)
    np.testing.assert_array_equal(indices[: indptr[1]], np.arange(len(points)))


def test_a_sum_keeps_the_pattern_that_holds_it_and_widens_one_that_does_not(matrix):
    own = matrix.to_scipy()
    within = sp.csr_array(own * 0.5)
    total = matrix.plus(within)
    assert total.indices is matrix.indices
    np.testing.assert_allclose(total.to_scipy().toarray(), 1.5 * own.toarray())
    far = sp.lil_array(own.shape)
    last = own.shape[0] - 1
    assert own.toarray()[0, last] == 0.0
    far[0, last] = far[last, 0] = 7.0
    wide = matrix.plus(far.tocsr())
    assert len(wide.indices) == len(matrix.indices) + 2
    assert all((np.diff(wide.indices[a:b]) > 0).all() for a, b in pairwise(wide.indptr))
    np.testing.assert_allclose(wide.to_scipy().toarray(), (own + far.tocsr()).toarray())
    np.testing.assert_allclose(matrix.to_scipy().toarray(), own.toarray())
