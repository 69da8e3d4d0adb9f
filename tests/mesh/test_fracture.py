from dataclasses import replace

import numpy as np
import pytest
from lattices import lattice

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.errors import InputError
from sacrofem.mesh.files.files import reference_mesh
from sacrofem.mesh.make.body import mesh_solid
from sacrofem.mesh.make.fracture import FractureSurface, cut, fracture_surfaces, plane
from sacrofem.mesh.quality import check_mesh, components, element_quality, genus
from sacrofem.mesh.split import mirror_and_join


@pytest.fixture(scope="module")
def cube():
    grid = np.linspace(-10, 10, 7)
    mesh = lattice(grid, grid, grid)
    height = mesh.points[mesh.faces].mean(axis=1)[:, 2]
    return mesh.with_sets(face_sets={"top": height > 9.99, "bottom": height < -9.99})


@pytest.fixture(scope="module")
def ball():
    class Ball:
        bounds = np.array([[-10.0] * 3, [10.0] * 3])
        landmarks = None
        symmetric = False

        def signed_distance(self, points):
            return np.linalg.norm(points, axis=1) - 10.0

    return mesh_solid(Ball(), size_mm=3.0, lattice_mm=2.0, hausdorff_mm=0.1)


def pieces(mesh):
    return int(components(mesh).max()) + 1


def paired_area(mesh, name=None):
    plus, _ = mesh.paired
    chosen = plus if name is None else plus[mesh.face_sets[f"fracture_{name}"][plus]]
    return mesh.face_areas[chosen].sum()


def assert_sound(mesh, before):
    plus, minus = mesh.paired
    np.testing.assert_array_equal(mesh.points[mesh.faces[plus]], mesh.points[mesh.faces[minus]])
    np.testing.assert_array_equal(mesh.pair[plus], mesh.pair[minus])
    across = mesh.centroids[mesh.face_owners[plus]] - mesh.centroids[mesh.face_owners[minus]]
    assert (np.einsum("ij,ij->i", across, mesh.face_normals[plus]) > 0).all()
    glued, _ = mesh.glued()
    check_mesh(glued)
    assert len(glued.faces) == np.count_nonzero(mesh.pair_side == 0)
    np.testing.assert_allclose(mesh.volumes.sum(), before.volumes.sum(), rtol=2e-3)
    quality = element_quality(mesh.points, mesh.tets)
    assert quality.min() > 0.02
    assert np.percentile(quality, 1) > 0.3
    np.testing.assert_array_equal(mesh.face_sets["outer"], mesh.pair_side == 0)


def test_plane_through_a_cube(cube):
    cube = cube.with_sets(tet_sets={"lower": cube.centroids[:, 2] < 0})
    mesh = cut(cube, [plane("tilted", [0.7, 0, 0], [2, 0.6, 0.4])])
    assert_sound(mesh, cube)
    assert pieces(mesh) == 2
    assert paired_area(mesh) == pytest.approx(400 * 1.13**0.5, rel=1e-3)
    plus, _ = mesh.paired
    direction = np.array([1, 0.3, 0.2]) / 1.13**0.5
    np.testing.assert_allclose(mesh.face_normals[plus] @ direction, 1, atol=1e-3)
    for name in ("top", "bottom"):
        assert mesh.face_areas[mesh.face_sets[name]].sum() == pytest.approx(400)
        assert np.ptp(mesh.points[mesh.faces[mesh.face_sets[name]]][:, :, 2]) < 1e-9
    assert mesh.volumes[mesh.tet_sets["lower"]].sum() == pytest.approx(4000)


def test_plane_through_a_ball(ball):
    mesh = cut(ball, [plane("cap", [0, 0, 4.0], [0, 0, 1])])
    assert_sound(mesh, ball)
    assert pieces(mesh) == 2
    assert paired_area(mesh) == pytest.approx(np.pi * (100 - 16), rel=0.02)


def test_sphere_through_a_cube(cube):
    surface = FractureSurface("dome", lambda p: np.linalg.norm(p - [0, 0, -10.0], axis=1) - 8.0)
    mesh = cut(cube, [surface], size_mm=1.5)
    assert_sound(mesh, cube)
    assert pieces(mesh) == 2
    assert paired_area(mesh) == pytest.approx(2 * np.pi * 64, rel=0.02)


def test_a_disc_leaves_one_piece_with_a_round_front(cube):
    mesh = cut(cube, [plane("disc", [0.7, 0, 0], [1, 0, 0], radius_mm=6.0)], size_mm=1.2)
    assert_sound(mesh, cube)
    assert pieces(mesh) == 1
    assert paired_area(mesh) == pytest.approx(np.pi * 36, rel=0.02)
    plus, minus = mesh.paired
    front = np.intersect1d(mesh.faces[plus], mesh.faces[minus])
    radius = np.linalg.norm(mesh.points[front, 1:], axis=1)
    assert radius.mean() == pytest.approx(6, abs=0.1)
    np.testing.assert_allclose(radius, 6, atol=0.6)


def test_a_share_of_a_plane_is_broken_from_its_margin(cube):
    surface = replace(plane("part", [0.7, 0, 0], [1, 0, 0]), share=0.6, share_from=[0, 0, 2.0])
    mesh = cut(cube, [surface])
    assert_sound(mesh, cube)
    assert pieces(mesh) == 1
    assert paired_area(mesh) == pytest.approx(240, rel=1e-3)
    plus, _ = mesh.paired
    assert mesh.points[mesh.faces[plus]][:, :, 2].min() == pytest.approx(-2, abs=0.1)


def limbs():
    left, right = plane("left", [5.3, 0, 0], [1, 0.1, 0]), plane("right", [-5.3, 0, 0], [-1, 0.1, 0])
    across = plane("across", [0, 0, 1.6], [0, 0, 1])
    return left, right, replace(across, bounded_by={"left": -1, "right": -1})


def test_h_falls_into_four_pieces(cube):
    mesh = cut(cube, limbs())
    assert_sound(mesh, cube)
    assert pieces(mesh) == 4
    assert paired_area(mesh, "left") == pytest.approx(400 * 1.01**0.5, rel=2e-3)
    assert paired_area(mesh, "across") == pytest.approx(20 * 10.6, rel=2e-3)


def test_u_falls_into_two_pieces(cube):
    left, right, across = limbs()
    upper = {"across": 1}
    mesh = cut(cube, [replace(left, bounded_by=upper), replace(right, bounded_by=upper), across])
    assert_sound(mesh, cube)
    assert pieces(mesh) == 2
    assert paired_area(mesh, "left") == pytest.approx(20 * 8.4 * 1.01**0.5, rel=2e-3)


def test_curved_limbs_leave_no_bridge(cube):
    bent = FractureSurface("bent", lambda p: p[:, 0] - 4.0 - 0.02 * p[:, 2] ** 2)
    other = FractureSurface("other", lambda p: -p[:, 0] - 4.0 - 0.02 * p[:, 2] ** 2)
    across = replace(plane("across", [0, 0, 0.3], [0, 0.2, 1]), bounded_by={"bent": -1, "other": -1})
    assert pieces(cut(cube, [bent, other, across])) == 4


def test_gluing_restores_the_unbroken_mesh(cube):
    mesh = cut(cube, limbs())
    glued, vertex = mesh.glued()
    assert pieces(glued) == 1
    assert len(glued.points) < len(mesh.points)
    np.testing.assert_array_equal(glued.points[vertex], mesh.points)
    np.testing.assert_array_equal(vertex[mesh.tets], glued.tets)


def test_a_finer_size_at_the_fracture(cube):
    mesh = cut(cube, [plane("fine", [0.3, 0, 0], [1, 0, 0])], size_mm=1.5)
    assert_sound(mesh, cube)
    plus, _ = mesh.paired
    edges = np.sqrt(4 / 3**0.5 * np.median(mesh.face_areas[plus]))
    assert edges == pytest.approx(1.5, rel=0.2)
    # Grading: still coarse at the far ends.
    far = np.abs(mesh.centroids[:, 0]) > 8
    assert np.median(mesh.volumes[far]) > 4 * np.median(mesh.volumes[np.abs(mesh.centroids[:, 0] - 0.3) < 1])


def test_away_from_the_cut_nothing_moves(cube):
    mesh = cut(cube, [plane("end", [6.0, 0, 0], [1, 0.05, 0])])
    far = cube.centroids[:, 0] < -6.7

    def shapes(some, chosen):
        return {tuple(sorted(map(tuple, tet))) for tet in some.points[some.tets[chosen]]}

    assert shapes(cube, far) <= shapes(mesh, mesh.centroids[:, 0] < 0)


def test_a_plane_of_the_mesh_needs_no_mesher(cube):
    mesh = cut(cube, [plane("middle", [0, 0, 0], [1, 0, 0])])
    assert pieces(mesh) == 2
    np.testing.assert_array_equal(mesh.glued()[0].tets, cube.tets)
    assert paired_area(mesh) == pytest.approx(400)


def test_the_same_cut_twice_gives_the_same_bits(cube):
    first, second = (cut(cube, [plane("tilted", [0.7, 0, 0], [1, 0.3, 0.2])]) for _ in range(2))
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(first.tets, second.tets)
    np.testing.assert_array_equal(first.faces, second.faces)


def test_a_cut_half_joins_to_a_symmetric_whole():
    half = lattice(np.linspace(0, 10, 6), np.linspace(-6, 6, 7), np.linspace(-6, 6, 7))
    half = half.with_sets(face_sets={"cut": (half.points[half.faces][:, :, 0] == 0).all(axis=1)})
    across = replace(plane("transverse", [0, 0, 0.4], [0, 0.1, 1]), bounded_by={"zone1_left": -1})
    broken = cut(half, [plane("zone1_left", [6.3, 0, 0], [1, 0.2, 0]), across])
    whole = mirror_and_join(broken)
    assert pieces(whole) == 4
    assert {tuple(p) for p in whole.points} == {(-p[0], p[1], p[2]) for p in whole.points}
    assert paired_area(whole, "zone1_left") == paired_area(whole, "zone1_right")
    assert paired_area(whole, "transverse") == pytest.approx(12 * 12.6 * 1.01**0.5, rel=2e-3)
    assert_sound(whole, mirror_and_join(half))


def test_a_flake_beside_the_main_part_stays_whole(cube):
    """A surface through the middle that also takes 0.3 mm off one corner."""
    corner = np.full(3, 3**-0.5)
    surface = FractureSurface("nick", lambda p: np.minimum(p[:, 0] - 0.7, 17.0 - p @ corner))
    mesh = cut(cube, [surface])
    assert_sound(mesh, cube)
    assert pieces(mesh) == 2
    assert paired_area(mesh) == pytest.approx(400, rel=1e-3)


@pytest.mark.parametrize(("depth", "count"), [(2.6, 2), (4.0, 3)])
def test_a_chip_beside_the_main_part_stays_whole(depth, count):
    """A surface through the middle that also nicks a corner: 0.2 % of the bone on 4 %, and 0.7 % on 9 %."""
    grid = np.linspace(-10, 10, 13)
    cube = lattice(grid, grid, grid)
    corner = np.full(3, 3**-0.5)
    surface = FractureSurface("nick", lambda p: np.minimum(p[:, 0] - 0.7, 10 * 3**0.5 - depth - p @ corner))
    assert pieces(cut(cube, [surface])) == count


def test_a_small_piece_between_two_fractures_is_broken_out(cube):
    """It is 0.5 % of the bone on 4 % of each, but both bound it: whole faces would bridge them."""
    across = FractureSurface("across", lambda p: np.minimum(p[:, 2] + 5.3, (15.0 - p[:, 0] - p[:, 2]) / 2**0.5))
    mesh = cut(cube, [across, plane("end", [0, 7.0, 0], [0, 1, 0])])
    assert pieces(mesh) == 6
    assert np.bincount(components(mesh), mesh.volumes).min() < 0.005 * mesh.volumes.sum()


@pytest.mark.parametrize(
    ("surface", "message"),
    [
        (plane("away", [30, 0, 0], [1, 0, 0]), r"fracture\.away: misses the bone; nearest distance 20 mm"),
        (plane("disc", [0, 0, 14], [1, 0, 0], 3.0), r"fracture\.disc: misses the bone; nearest distance"),
        (plane("flake", [9.9, 0, 0], [1, 0, 0]), r"only grazes the bone: it breaks 400 mm², shaving off 40 mm³"),
        (plane("corner", [9.6, 9.6, 9.6], [1, 1, 1]), r"fracture\.corner: only grazes the bone: it breaks \S+ mm²"),
        (FractureSurface("nan", lambda p: np.full(len(p), np.nan)), "does not give one finite number a point"),
        (replace(plane("s", [0, 0, 0], [1, 0, 0]), share=0.0), "fracture.extent = 0.0: must lie in"),
        (replace(plane("b", [0, 0, 0], [1, 0, 0]), bounded_by={"x": 1}), "bounded by surfaces that are not cut"),
    ],
)
def test_surfaces_that_cannot_be_cut_are_refused(cube, surface, message):
    with pytest.raises(InputError, match=message) as caught:
        cut(cube, [surface])
    assert "\n" not in str(caught.value)


def test_meshes_and_names_that_cannot_be_cut_are_refused(cube):
    middle = plane("middle", [0, 0, 0], [1, 0, 0])
    with pytest.raises(InputError, match="two surfaces share a name"):
        cut(cube, [middle, middle])
    with pytest.raises(InputError, match="fractured already; cut all surfaces in one call"):
        cut(cut(cube, [middle]), [plane("other", [0, 0, 0.3], [0, 0, 1])])
    with pytest.raises(InputError, match="must be positive"):
        cut(cube, [middle], size_mm=0.0)
    with pytest.raises(InputError, match="has no direction"):
        plane("flat", [0, 0, 0], [0, 0, 0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zone", "options", "count"),
    [
        ("zone1", {}, 3),
        ("zone1", {"extent": 0.6}, 1),
        ("zone2", {}, 3),
        ("zone3", {}, 2),
        ("transverse", {}, 2),
        ("H", {}, 4),
        ("U", {}, 2),
    ],
)
def test_patterns_of_the_sacrum(zone, options, count):
    sacrum = reference_mesh("sacrum-coarse-intact")
    landmarks = ParametricSacrum(SacrumParameters.preset("female")).landmarks
    mesh = cut(sacrum, fracture_surfaces(zone, "both", landmarks, **options))
    assert_sound(mesh, sacrum)
    assert pieces(mesh) == count
    assert genus(mesh) == genus(sacrum) == 17
    for name in ("endplate", "auricular_left", "auricular_right"):
        before, after = (some.face_areas[some.face_sets[name]].sum() for some in (sacrum, mesh))
        assert after == pytest.approx(before, rel=0.01)
