import numpy as np
import pytest
from lattices import lattice

from sacrofem.errors import InputError
from sacrofem.mesh.quality import check_mesh, components, element_quality, genus
from sacrofem.mesh.split import inner_faces, split
from sacrofem.mesh.tetmesh import TetMesh


def opened(mesh):
    faces, _ = inner_faces(mesh)
    return split(mesh, {"plane": faces[(np.abs(mesh.points[faces][:, :, 0] - 6) < 1e-9).all(axis=1)]})


def test_regular_tet_has_quality_one_and_scale_does_not_matter():
    regular = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1.0]])
    tets = np.array([[0, 1, 2, 3], [0, 2, 1, 3]])
    np.testing.assert_allclose(element_quality(7 * regular, tets), [1, -1])
    corner = np.vstack([np.zeros(3), np.eye(3)])
    np.testing.assert_allclose(element_quality(corner, tets[:1]), 72 * 3**0.5 / 6 / 9**1.5)
    flat = regular * [1, 1, 0]
    np.testing.assert_allclose(element_quality(flat, tets), 0, atol=1e-15)


def test_components_are_numbered_by_first_tet(block):
    mesh = opened(block)
    label = components(mesh)
    np.testing.assert_array_equal(label, (mesh.centroids[:, 0] > 6).astype(int))
    assert components(block).max() == 0


def test_genus_of_block_frame_and_fractured_frame():
    grid = np.linspace(0, 6, 4)
    block = lattice(grid, grid, grid)
    assert genus(block) == 0
    cell = (block.centroids // 2).astype(int)
    axis_hole = (cell[:, 0] == 1) & (cell[:, 1] == 1)
    frame = TetMesh.from_tets(block.points, block.tets[~axis_hole])
    assert genus(frame) == 1
    faces, _ = inner_faces(frame)
    cut = split(frame, {"cut": faces[(frame.points[faces][:, :, 0] == 2).all(axis=1)]})
    assert genus(cut) == 1
    cross = axis_hole | ((cell[:, 0] == 1) & (cell[:, 2] == 1))
    assert genus(TetMesh.from_tets(block.points, block.tets[~cross])) == 3
    cavity = (cell == 1).all(axis=1)
    assert genus(TetMesh.from_tets(block.points, block.tets[~cavity])) == 0


def test_genus_of_two_blocks_touching_in_an_edge_is_refused():
    grid = np.linspace(0, 2, 3)
    block = lattice(grid, grid, [0.0, 1.0])
    cell = (block.centroids // 1).astype(int)
    with pytest.raises(InputError, match="do not join two triangles"):
        genus(TetMesh.from_tets(block.points, block.tets[cell[:, 0] == cell[:, 1]]))


def test_sound_and_fractured_meshes_pass(block):
    check_mesh(block)
    check_mesh(opened(block))


def moved(mesh, index, by):
    points = mesh.points.copy()
    points[index] += by
    return TetMesh(points, mesh.tets, mesh.faces)


INSIDE = 2 * 25 + 2 * 5 + 2


def nan(mesh):
    return moved(mesh, 3, np.nan)


def index_beyond(mesh):
    return TetMesh(mesh.points[:-1], mesh.tets, mesh.faces)


def repeated_corner(mesh):
    tets = mesh.tets.copy()
    tets[5, 1] = tets[5, 0]
    return TetMesh(mesh.points, tets, mesh.faces)


def orphan(mesh):
    return TetMesh(np.vstack([mesh.points, [0, 0, 99.0]]), mesh.tets, mesh.faces)


def duplicate_tet(mesh):
    return TetMesh(mesh.points, np.vstack([mesh.tets, mesh.tets[4, [1, 2, 0, 3]]]), mesh.faces)


def one_inverted(mesh):
    tets = mesh.tets.copy()
    tets[7] = tets[7, [0, 2, 1, 3]]
    return TetMesh(mesh.points, tets, mesh.faces)


def all_inverted(mesh):
    return TetMesh(mesh.points, mesh.tets[:, [0, 2, 1, 3]], mesh.faces[:, [0, 2, 1]])


def pulled_through(mesh):
    return moved(mesh, INSIDE, [3.0, 0, 0])


def sliver(mesh):
    flat = np.array([[0, 0, 0], [1, 1, 1e-8], [1, 0, 0], [0, 1, 0.0]])
    return TetMesh.from_tets(flat, np.array([[0, 1, 2, 3]]))


def folded(mesh):
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.2, 2.0]])
    return TetMesh.from_tets(points, np.array([[0, 1, 2, 3], [0, 1, 2, 4]]))


def thrice(mesh):
    points = np.vstack([folded(mesh).points, [0.1, 0.1, 3.0]])
    return TetMesh.from_tets(points, np.array([[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2, 5]]))


def missing_faces(mesh):
    return TetMesh(mesh.points, mesh.tets, mesh.faces[1:])


def inward_faces(mesh):
    return TetMesh(mesh.points, mesh.tets, mesh.faces[:, [0, 2, 1]])


def unmerged(mesh):
    fractured = opened(mesh)
    return TetMesh(fractured.points, fractured.tets, fractured.faces)


def with_pairs(mesh, faces=None, pair=None, side=None):
    return TetMesh(
        mesh.points,
        mesh.tets,
        mesh.faces if faces is None else faces,
        mesh.tet_sets,
        mesh.face_sets,
        mesh.pair if pair is None else pair,
        mesh.pair_side if side is None else side,
    )


def swapped_sides(mesh):
    fractured = opened(mesh)
    return with_pairs(fractured, side=-fractured.pair_side)


def turned_pairs(mesh):
    fractured = opened(mesh)
    return with_pairs(fractured, np.where(fractured.pair[:, None] > 0, fractured.faces[:, [0, 2, 1]], fractured.faces))


def mismatched_twins(mesh):
    fractured = opened(mesh)
    turned = fractured.pair_side[:, None] == 1
    return with_pairs(fractured, np.where(turned, fractured.faces[:, [1, 2, 0]], fractured.faces))


def lonely(mesh):
    fractured = opened(mesh)
    pair = fractured.pair.copy()
    pair[fractured.paired[0][0]] = pair.max() + 1
    return with_pairs(fractured, pair=pair)


def two_pieces(mesh):
    n = len(mesh.points)
    points = np.vstack([mesh.points, mesh.points + 50.0])
    return TetMesh.from_tets(points, np.vstack([mesh.tets, mesh.tets + n]))


def hinged(mesh):
    side = mesh.centroids[:, [0, 1]] > [6.0, 0.0]
    return TetMesh.from_tets(mesh.points, mesh.tets[side[:, 0] == side[:, 1]])


def far_away(mesh):
    return moved(mesh, slice(None), [0, 1e8, 0])


def empty(mesh):
    return TetMesh(mesh.points, mesh.tets[:0], mesh.faces[:0])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (nan, "1 points are not finite"),
        (index_beyond, "tets name points that do not exist"),
        (repeated_corner, r"1 tets repeat a corner \(the first, number 5"),
        (orphan, "1 points belong to no tet"),
        (duplicate_tet, "1 tets are duplicated"),
        (one_inverted, r"1 of 576 tets are inverted \(the first, number 7"),
        (all_inverted, "576 of 576 tets are inverted .*; swap two corners"),
        (pulled_through, "tets are inverted"),
        (sliver, "slivers"),
        (folded, "folded: at 1 faces"),
        (thrice, "1 faces belong to more than two tets"),
        (missing_faces, "triangles are not its boundary"),
        (inward_faces, "its boundary encloses -768"),
        (unmerged, "25 pairs of points coincide"),
        (swapped_sides, "do not point from side -1 into side .1; turn their corners"),
        (turned_pairs, "the normals of 64 paired faces do not point"),
        (mismatched_twins, "32 paired faces do not lie on their twins"),
        (lonely, "paired faces have no twin"),
        (two_pieces, "falls into 2 pieces"),
        (hinged, r"2 pieces of it hang together by single points or edges only \(one at \(6\.0, 0\.0,"),
        (far_away, r"it lies 1e\+08 mm off the origin"),
        (empty, "no tetrahedra"),
    ],
)
def test_damage_is_named(block, damage, message):
    with pytest.raises(InputError, match=message) as caught:
        check_mesh(damage(block), "bone.vtu")
    assert str(caught.value).startswith("bone.vtu: mesh")
    assert "\n" not in str(caught.value)


def test_units_are_checked_only_when_asked(block):
    check_mesh(block, sacrum_units=False)
    with pytest.raises(InputError, match=r"mesh = 12\.0: its extent is outside 60 to 200 mm"):
        check_mesh(block, sacrum_units=True)
    metres = TetMesh(block.points / 1000 * 9, block.tets, block.faces)
    with pytest.raises(InputError, match=r"its numbers look like m: set anatomy.units"):
        check_mesh(metres, sacrum_units=True)
    check_mesh(TetMesh(block.points * 9, block.tets, block.faces), sacrum_units=True)
