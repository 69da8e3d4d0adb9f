"""Signed distance from triangles against the closed form of a sphere, closed, inverted, doubled and open."""

import numpy as np
import pytest
import trimesh

from sacrofem.anatomy.scan.lattice import LatticeSolid, cleaned
from sacrofem.anatomy.scan.triangles import lattice_distance, winding_numbers

RADIUS, SPACING = 20.0, 1.5
CORNER = np.full(3, -27.0)
SHAPE = (37, 37, 37)


@pytest.fixture(scope="module")
def sphere():
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=RADIUS)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces, dtype=np.int64)


def nodes():
    axis = CORNER[0] + SPACING * np.arange(SHAPE[0])
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def test_distance_to_a_sphere(sphere):
    distance, winding = lattice_distance(*sphere, CORNER, SPACING, SHAPE)
    exact = np.linalg.norm(nodes(), axis=-1) - RADIUS
    near = np.abs(exact) < 2.5 * SPACING
    # The facets of the sphere lie up to 0.01 mm inside it.
    np.testing.assert_allclose(distance[near], exact[near], atol=0.03)
    assert (np.sign(distance) == np.sign(exact + 1e-9)).mean() > 0.9999
    np.testing.assert_array_equal(np.unique(winding), [0.0, 1.0])
    # Further out it is counted in steps.
    assert np.abs(distance - exact)[~near].max() < 2 * SPACING


def test_volume_of_a_lattice_solid(sphere):
    distance, _ = lattice_distance(*sphere, CORNER, SPACING, SHAPE)
    solid = LatticeSolid(distance.astype(np.float32), CORNER, SPACING)
    assert solid.volume_mm3 == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=2e-3)
    outside = np.array([[60.0, 0.0, 0.0], [0.0, -45.0, 0.0]])
    assert (solid.signed_distance(outside) > [30.0, 15.0]).all()


def test_winding_of_inverted_doubled_and_open_surfaces(sphere):
    points, faces = sphere
    inside = np.linalg.norm(nodes(), axis=-1) < RADIUS - SPACING
    inward = winding_numbers(points, faces[:, ::-1], CORNER, SPACING, SHAPE)
    np.testing.assert_array_equal(inward[inside], -1.0)
    twice = winding_numbers(np.concatenate([points, 1.2 * points]), np.concatenate([faces, faces + len(points)]),
                            CORNER, SPACING, SHAPE)  # fmt: skip
    np.testing.assert_array_equal(twice[inside], 2.0)
    # Below a hole one ray of six is lost; what stands above its rim counts as outside.
    open_ = faces[points[faces].mean(axis=1)[:, 2] < 0.9 * RADIUS]
    holed = winding_numbers(points, open_, CORNER, SPACING, SHAPE)
    assert (holed[inside & (nodes()[..., 2] < 0.85 * RADIUS)] > 0.5).all()
    assert (holed[~inside & (np.linalg.norm(nodes(), axis=-1) > RADIUS + SPACING)] < 0.5).all()


def test_the_largest_piece_stays_and_hollows_are_filled():
    r = np.linalg.norm(nodes(), axis=-1)
    small = np.linalg.norm(nodes() - [22.0, 22.0, 22.0], axis=-1) - 4.0
    values = np.minimum(np.maximum(r - 15.0, 6.0 - r), small)
    solid, done = cleaned(values, SPACING)
    assert len(done.dropped_ml) == len(done.filled_ml) == 1
    assert done.dropped_ml[0] == pytest.approx(4 / 3 * np.pi * 4.0**3 / 1e3, rel=0.15)
    assert done.filled_ml[0] == pytest.approx(4 / 3 * np.pi * 6.0**3 / 1e3, rel=0.15)
    np.testing.assert_array_equal(solid < 0, r < 15.0)
    assert cleaned(solid, SPACING)[1].dropped_ml == ()
