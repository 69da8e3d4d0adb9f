from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from sacrofem.errors import InputError
from sacrofem.mesh.make.body import SizeRegion, lattice, mesh_half, mesh_solid, size_map
from sacrofem.mesh.make.smoothing import smoothed
from sacrofem.mesh.quality import element_quality, genus
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces


@dataclass(frozen=True)
class Ball:
    radius: float = 10.0
    symmetric: bool = True
    landmarks: None = None
    centre: tuple[float, float, float] = (0.0, 3.0, -2.0)

    @property
    def bounds(self):
        return np.array([np.subtract(self.centre, self.radius), np.add(self.centre, self.radius)])

    def signed_distance(self, points):
        return np.linalg.norm(points - self.centre, axis=1) - self.radius


@dataclass(frozen=True)
class Ring(Ball):
    def signed_distance(self, points):
        r = points - self.centre
        return np.hypot(np.hypot(r[:, 0], r[:, 1]) - 7.0, r[:, 2]) - 3.0


@dataclass(frozen=True)
class TwoBalls(Ball):
    def signed_distance(self, points):
        return np.minimum(*(np.linalg.norm(points - [0.0, y, -2.0], axis=1) - 3.0 for y in (-3.0, 8.0)))


def symmetric_points(mesh):
    rows = {tuple(row) for row in mesh.points + 0.0}
    return rows == {tuple(row) for row in mesh.points * [-1.0, 1.0, 1.0] + 0.0}


@pytest.fixture(scope="module")
def ball():
    return mesh_solid(Ball(), size_mm=3.0, lattice_mm=1.5, hausdorff_mm=0.1)


def test_ball_has_volume_surface_and_quality(ball):
    assert ball.volumes.min() > 0
    assert ball.volumes.sum() == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.03)
    surface = np.unique(ball.faces[ball.face_sets["outer"]])
    assert np.abs(Ball().signed_distance(ball.points[surface])).max() < 0.3
    quality = element_quality(ball.points, ball.tets)
    assert quality.min() > 0.02
    assert np.percentile(quality, 1) > 0.3
    assert genus(ball) == 0


def test_symmetric_solid_gives_an_exactly_symmetric_mesh(ball):
    assert symmetric_points(ball)
    flat = (ball.points[:, 0] == 0.0).sum()
    assert flat > 10


def test_meshing_is_deterministic(ball):
    again = mesh_solid(Ball(), size_mm=3.0, lattice_mm=1.5, hausdorff_mm=0.1)
    assert np.array_equal(again.points, ball.points)
    assert np.array_equal(again.tets, ball.tets)


def test_a_replicate_is_another_mesh_of_the_same_solid(ball):
    first, again, other = (
        mesh_solid(Ball(), size_mm=3.0, lattice_mm=1.5, hausdorff_mm=0.1, replicate=number) for number in (1, 1, 2)
    )
    np.testing.assert_array_equal(again.points, first.points)
    assert len({some.points.tobytes() for some in (ball, first, other)}) == 3
    for mesh in (first, other):
        assert symmetric_points(mesh)
        assert mesh.volumes.sum() == pytest.approx(ball.volumes.sum(), rel=0.01)
        assert len(mesh.tets) == pytest.approx(len(ball.tets), rel=0.15)
        assert element_quality(mesh.points, mesh.tets).min() > 0.02


def test_a_shifted_lattice_still_holds_the_box_and_begins_in_the_midplane():
    bounds = np.array([[-3.0, -2.0, 0.0], [3.0, 2.0, 4.0]])
    for symmetric in (True, False):
        points, _ = lattice(bounds, 1.0, symmetric, np.array([0.9, 0.9, 0.1]))
        assert (points.min(axis=0)[1:] <= bounds[0, 1:]).all()
        assert (points.max(axis=0) >= bounds[1]).all()
        assert points[:, 1:].min(axis=0) % 1.0 == pytest.approx([0.9, 0.1])
        assert points[:, 0].min() == (0.0 if symmetric else pytest.approx(-4.1))


def test_half_has_a_flat_cut_face():
    half = mesh_half(Ball(), size_mm=3.0, lattice_mm=1.5)
    cut = half.face_sets["cut"]
    assert half.points[:, 0].min() == 0.0
    assert (half.points[half.faces[cut], 0] == 0.0).all()
    assert half.face_areas[cut].sum() == pytest.approx(np.pi * 10**2, rel=0.03)
    assert not (half.face_sets["outer"] & cut).any()


def test_solid_that_is_not_symmetric_is_meshed_whole_and_genus_kept():
    ring = mesh_solid(Ring(symmetric=False, centre=(1.0, 3.0, -2.0)), size_mm=3.0, lattice_mm=1.5, hausdorff_mm=0.1)
    assert genus(ring) == 1
    assert ring.volumes.sum() == pytest.approx(2 * np.pi**2 * 7 * 3**2, rel=0.05)
    assert ring.points[:, 0].min() < -8.0


def test_region_is_finer():
    plain = mesh_half(Ball(), size_mm=4.0, lattice_mm=1.5)
    region = SizeRegion(lambda p: np.abs(p[:, 0] - 5.0) - 0.5, 1.5)
    fine = mesh_half(Ball(), size_mm=4.0, regions=[region], lattice_mm=2.0)

    def edge(mesh, near):
        chosen = np.abs(mesh.centroids[:, 0] - 5.0) < 1.0 if near else np.abs(mesh.centroids[:, 0] - 1.0) < 1.0
        return (6 * np.sqrt(2) * mesh.volumes[chosen]).mean() ** (1 / 3)

    assert edge(fine, True) == pytest.approx(1.5, rel=0.3)
    assert edge(fine, True) < 0.6 * edge(plain, True)


def test_size_map_grows_from_the_nearest_region():
    regions = [SizeRegion(lambda p: np.abs(p[:, 0]) - 1.0, 1.0, 0.5), SizeRegion(lambda p: p[:, 0] - 99.0, 3.0)]
    sizes = size_map(np.array([[0.0, 0, 0], [3.0, 0, 0], [50.0, 0, 0]]), 5.0, regions)
    assert sizes == pytest.approx([1.0, 2.0, 3.0])


def test_lattice_fills_its_box():
    points, tets = lattice(np.array([[-3.0, -2, 0], [3.0, 2, 4]]), 1.0, True)
    mesh = TetMesh(points, tets, boundary_faces(tets))
    assert mesh.volumes == pytest.approx(np.full(len(tets), 1 / 6))
    assert points[:, 0].min() == 0.0
    assert mesh.volumes.sum() == pytest.approx(np.prod(np.ptp(points, axis=0)))
    # A conforming lattice shows nothing but its box.
    assert mesh.face_areas.sum() == pytest.approx(
        2 * sum(np.ptp(points, axis=0)[i] * np.ptp(points, axis=0)[(i + 1) % 3] for i in range(3))
    )


def test_smoothing_mends_a_flat_tet_and_keeps_volume_and_midplane():
    half = mesh_half(Ball(), size_mm=3.0, lattice_mm=1.5)
    inner = np.setdiff1d(np.arange(len(half.points)), half.faces)[0]
    star = half.tets[(half.tets == inner).any(axis=1)][0]
    others = star[star != inner]
    points = half.points.copy()
    points[inner] = points[others].mean(axis=0) + 0.02 * (points[inner] - points[others].mean(axis=0))
    assert element_quality(points, half.tets).min() < 0.1
    better = smoothed(points, half.tets, Ball().signed_distance, midplane=True)
    assert element_quality(better, half.tets).min() > 0.12
    assert np.array_equal(better[half.points[:, 0] == 0.0, 0], np.zeros((half.points[:, 0] == 0.0).sum()))


@pytest.mark.parametrize(
    ("solid", "options", "word"),
    [
        (Ball(), {"size_mm": 0.0}, "mesh.size_mm"),
        (Ball(), {"lattice_mm": float("nan")}, "mesh.lattice_mm"),
        (Ball(radius=0.2, centre=(0.6, 0.6, 0.6), symmetric=False), {"lattice_mm": 1.5}, "no lattice point"),
        (TwoBalls(), {"lattice_mm": 1.5, "size_mm": 3.0}, "2 pieces"),
    ],
)
def test_useless_input_is_refused(solid, options, word):
    with pytest.raises(InputError, match=word):
        mesh_solid(solid, **options)


def test_distance_that_is_not_finite_is_refused():
    class Broken(Ball):
        def signed_distance(self, points):
            return np.full(len(points), np.nan)

    with pytest.raises(InputError, match="finite"):
        mesh_solid(Broken(), lattice_mm=1.5)
