import numpy as np
import pytest
from blocks_of_tets import box, split_box

from sacrofem.report.figures import projection as project

BOX = box((4, 4, 4), (2.0, 2.0, 2.0))


def area(polygons):
    x, y = np.moveaxis(np.asarray(polygons), -1, 0)
    return 0.5 * np.abs(np.sum(x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y, axis=1)).sum()


def plane(point, right, up):
    return project.Plane(np.asarray(point, float), np.asarray(right, float), np.asarray(up, float))


def test_section_of_a_box_has_its_area():
    cuts = {
        "flat": (plane([1, 1, 0.93], [1, 0, 0], [0, 1, 0]), 4.0),
        "oblique": (plane([1, 1, 1], [1, 0, 0], np.array([0, 1, 1]) / np.sqrt(2)), 4.0 * np.sqrt(2)),
        "through nodes": (plane([1, 1, 1], [1, 0, 0], [0, 1, 0]), 4.0),
    }
    for name, (cut, expected) in cuts.items():
        polygons, tets = project.section(BOX, cut)
        total = sum(area([p]) for p in polygons)
        assert total == pytest.approx(expected, rel=1e-6), name
        assert len(tets) == len(polygons)


def test_section_lines_of_a_box_have_its_outline():
    segments = project.section_lines(BOX.points, BOX.faces, plane([1, 1, 0.93], [1, 0, 0], [0, 1, 0]))
    assert np.linalg.norm(segments[:, 0] - segments[:, 1], axis=1).sum() == pytest.approx(8.0)


def test_isosurface_of_a_ball_is_closed_smooth_and_faces_outward():
    mesh = box((12, 12, 12), (2.0, 2.0, 2.0))
    inside = np.clip((0.6 - np.linalg.norm(mesh.centroids - 1.0, axis=1)) / 0.2 + 0.5, 0, 1)
    points, triangles = project.isosurface(mesh, inside, 0.5)
    p = points[triangles] - 1.0
    volume = np.linalg.det(p).sum() / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.1)  # averaging shaves the ball by a part of an edge
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    real = edges[edges[:, 0] != edges[:, 1]]
    _, count = np.unique(real, axis=0, return_counts=True)
    assert (count == 2).all()


def test_isosurface_without_a_region_is_empty():
    points, triangles = project.isosurface(BOX, np.zeros(len(BOX.tets)), 0.5)
    assert points.shape == triangles.shape == (0, 3)


def test_isosurface_closes_at_the_outside():
    points, triangles = project.isosurface(BOX, np.ones(len(BOX.tets)), 0.5)
    assert np.linalg.det(points[triangles] - 1.0).sum() / 6 == pytest.approx(8.0)


def test_best_plane_of_a_sagittal_fracture_shows_superior_up_and_posterior_right():
    rng = np.random.default_rng(0)
    points = rng.uniform(-10, 10, (200, 3)) * [0.01, 1, 1] + [30, 5, 5]
    flat = project.best_plane(points)
    assert flat.up @ [0, 0, 1] > 0.99
    assert flat.right @ [0, 1, 0] > 0.99
    assert np.ptp(flat.distance(points)) < 0.3


def test_views_are_right_handed_and_show_left_on_the_named_side():
    assert project.ANTERIOR.axes[2] == pytest.approx([0, -1, 0])
    assert project.POSTERIOR.axes[2] == pytest.approx([0, 1, 0])
    assert project.LEFT.axes[2] == pytest.approx([1, 0, 0])
    page, _ = project.projected(np.array([[10.0, 0, 0]]), project.ANTERIOR)
    assert page[0, 0] == 10.0
    assert project.ANTERIOR.margins == ("R", "L")


def test_raster_shows_the_nearest_triangle_only():
    points = np.array([[0, 0, 0], [4, 0, 0], [0, 0, 4], [0, -1, 0], [4, -1, 0], [0, -1, 4]], float)
    faces = np.array([[3, 4, 5], [0, 1, 2]])
    colours = np.array([[1, 0, 0, 1], [0, 1, 0, 1.0]])
    image = project.raster(points, faces, colours, project.ANTERIOR, np.array([[0.0, 0.0], [4.0, 4.0]]), 10)
    assert image.shape == (40, 40, 4)
    assert image[30, 5] == pytest.approx([1, 0, 0, 1], abs=0.01)
    assert image[2, 35] == pytest.approx([0, 0, 0, 0])


def test_raster_keeps_opacity_without_seams():
    outer = BOX.faces[BOX.face_normals[:, 1] < -0.5]
    colours = np.tile([0.5, 0.5, 0.5, 0.5], (len(outer), 1))
    image = project.raster(BOX.points, outer, colours, project.ANTERIOR, np.array([[0.2, 0.2], [1.8, 1.8]]), 40)
    assert np.ptp(image[..., 3]) < 0.01
    assert image[..., 3].mean() == pytest.approx(0.5, abs=0.01)


def test_images_compose():
    front = np.array([[[0.25, 0, 0, 0.25]]])
    back = np.array([[[0, 0, 1.0, 1.0]]])
    assert project.over(front, back)[0, 0] == pytest.approx([0.25, 0, 0.75, 1.0])


def test_smooth_normals_point_outward():
    mesh = split_box((2, 2, 2), (1.0, 1.0, 1.0), 0.5)
    outer = mesh.faces[mesh.pair_side == 0]
    normals = project.smooth_normals(mesh.points, outer)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1.0)
    away = mesh.points[outer].mean(axis=1) - 0.5
    assert (np.einsum("ij,ij->i", normals, away) > 0).all()
