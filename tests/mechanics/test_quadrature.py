from math import factorial

import numpy as np
import pytest
from blocks_of_tets import split_box

from sacrofem.mechanics.space.quadrature import gap_points, tet_rule, triangle_rule


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_tet_rule_is_in_barycentric_coordinates(degree):
    barycentric, weights = tet_rule(degree)
    np.testing.assert_allclose(barycentric.sum(axis=1), 1.0, rtol=1e-14)
    assert weights.sum() == pytest.approx(1.0, rel=1e-14)
    # Mean of the first barycentric coordinate to the power d over a tet: 3! d! / (d + 3)!
    mean = weights @ barycentric[:, 0] ** degree
    exact = np.prod(np.arange(1, degree + 1, dtype=float)) * 6 / np.prod(np.arange(1, degree + 4, dtype=float))
    assert mean == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("subdivisions", [1, 2, 3])
def test_triangle_rule_is_exact_to_its_degree(subdivisions):
    barycentric, weights = triangle_rule(4, subdivisions=subdivisions)
    assert len(weights) == 6 * subdivisions**2
    np.testing.assert_allclose(barycentric.sum(axis=1), 1.0, rtol=1e-14)
    for i in range(5):
        for j in range(5 - i):
            exact = 2.0 * factorial(i) * factorial(j) / factorial(i + j + 2)
            assert weights @ (barycentric[:, 1] ** i * barycentric[:, 2] ** j) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("subdivisions", [1, 2])
def test_gap_points_stand_for_the_area_of_their_faces(subdivisions):
    mesh = split_box((3, 2, 4), (3.0, 2.5, 2.0), 1.0)
    gap = gap_points(mesh, subdivisions)
    plus, minus = mesh.paired
    assert gap.areas.shape == (len(plus), 6 * subdivisions**2)
    np.testing.assert_allclose(gap.areas.sum(axis=1), mesh.face_areas[plus], rtol=1e-14)
    for side in (plus, minus):
        corners = mesh.points[mesh.faces[side]]
        np.testing.assert_allclose(gap.points, np.einsum("qc,pcx->pqx", gap.barycentric, corners), atol=1e-15)
    np.testing.assert_allclose(gap.normals, np.broadcast_to([0.0, 0.0, 1.0], gap.normals.shape), atol=1e-15)


def test_a_gap_is_looked_at_in_24_points_a_face():
    assert len(gap_points(split_box((1, 1, 2), (1.0, 1.0, 1.0), 0.5)).barycentric) == 24
