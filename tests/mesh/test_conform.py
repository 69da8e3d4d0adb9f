import numpy as np
import pytest
from lattices import lattice

from sacrofem.mesh.make.conform import Complex, bisected, edges_of, following, interface, roots, sides
from sacrofem.mesh.quality import check_mesh
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces


@pytest.fixture
def cube():
    grid = np.linspace(-5, 5, 6)
    mesh = lattice(grid, grid, grid)
    top = (np.abs(mesh.points[mesh.faces][:, :, 2] - 5) < 1e-9).all(axis=1)
    refs = (mesh.centroids[:, 0] > 1).astype(np.int64)
    return Complex(mesh.points, mesh.tets, refs, mesh.faces, top.astype(np.int64), mesh.points[:, :1].copy())


def area(points, faces):
    p = points[faces]
    return 0.5 * np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1).sum()


def assert_conforming(work, volume=1000.0):
    mesh = TetMesh(work.points, work.tets, work.faces)
    check_mesh(mesh)
    np.testing.assert_allclose(mesh.volumes.sum(), volume)
    assert len(boundary_faces(work.tets)) == len(work.faces)


def test_any_set_of_edges_can_be_bisected(cube):
    random = np.random.default_rng(1)
    edges = edges_of(cube.tets)
    chosen = edges[random.random(len(edges)) < 0.4]
    work = bisected(cube, chosen, random.uniform(0.2, 0.8, len(chosen)))
    assert_conforming(work)
    assert len(work.points) == len(cube.points) + len(chosen)
    # References are inherited, fields interpolated.
    np.testing.assert_allclose(area(work.points, work.faces[work.face_refs == 1]), 100)
    mesh = TetMesh(work.points, work.tets, work.faces)
    np.testing.assert_allclose(mesh.volumes[work.tet_refs == 1].sum(), 400)
    np.testing.assert_allclose(work.fields[:, 0], work.points[:, 0], atol=1e-12)


def test_the_order_of_the_edges_does_not_matter(cube):
    edges = edges_of(cube.tets)[::3]
    there, back = bisected(cube, edges, np.full(len(edges), 0.5)), bisected(cube, edges[::-1], np.full(len(edges), 0.5))

    def shapes(work):
        return {tuple(sorted(map(tuple, tet))) for tet in work.points[work.tets].round(9)}

    assert shapes(there) == shapes(back)


def test_roots_are_exact_for_planes_and_close_for_spheres():
    random = np.random.default_rng(2)
    start, end = random.uniform(0, 0.8, (200, 3)), random.uniform(1.2, 2, (200, 3))

    def sphere(p):
        return np.linalg.norm(p, axis=1) - 1.6

    crossing = sphere(start) * sphere(end) < 0
    start, end = start[crossing], end[crossing]
    t = roots(sphere, start, end, sphere(start), sphere(end))
    assert np.abs(sphere(start + t[:, None] * (end - start))).max() < 1e-7


def test_after_the_cut_no_tet_straddles(cube):
    def first(p):
        return p @ [1.0, 0.3, 0.2] - 0.7

    def second(p):
        return np.linalg.norm(p - [0, 0, -9.0], axis=1) - 10.2

    work = Complex(cube.points, cube.tets, cube.tet_refs, cube.faces, cube.face_refs, np.zeros((len(cube.points), 2)))
    for column, level in enumerate((first, second)):
        fields = work.fields.copy()
        fields[:, column] = level(work.points)
        work = following(
            Complex(work.points, work.tets, work.tet_refs, work.faces, work.face_refs, fields), column, level
        )
    assert_conforming(work)
    values = work.fields[work.tets]
    assert not ((values.max(axis=1) > 0) & (values.min(axis=1) < 0)).any()
    plane = interface(work, sides(work, 0, first))
    np.testing.assert_allclose(area(work.points, plane), 100 * 1.13**0.5, rtol=1e-3)
    p = work.points[plane]
    normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    assert (normal @ [1.0, 0.3, 0.2] > 0).all()


def test_a_surface_through_corners_cuts_nothing(cube):
    fields = cube.points[:, :1] - 1.0
    work = following(
        Complex(cube.points, cube.tets, cube.tet_refs, cube.faces, cube.face_refs, fields), 0, lambda p: p[:, 0] - 1.0
    )
    np.testing.assert_array_equal(work.tets, cube.tets)
    faces = interface(work, sides(work, 0, lambda p: p[:, 0] - 1.0))
    np.testing.assert_allclose(area(work.points, faces), 100)
