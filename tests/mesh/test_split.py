import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem.errors import InputError
from sacrofem.mesh.split import inner_faces, mirror_and_join, split
from sacrofem.mesh.tetmesh import TetMesh


def flat(mesh, axis, at, keep=lambda centre: np.ones(len(centre), bool)):
    """Inner faces in the plane x[axis] = at, normals along +axis."""
    faces, _ = inner_faces(mesh)
    faces = faces[(np.abs(mesh.points[faces][:, :, axis] - at) < 1e-9).all(axis=1)]
    faces = faces[keep(mesh.points[faces].mean(axis=1))]
    corners = mesh.points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    faces[normal[:, axis] < 0] = faces[normal[:, axis] < 0][:, [0, 2, 1]]
    return faces


def pieces(mesh):
    ends = mesh.tets[:, [0, 1, 2]].ravel(), mesh.tets[:, [1, 2, 3]].ravel()
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(len(mesh.points),) * 2)
    return connected_components(graph, directed=False)[0]


def assert_pairs_match(mesh):
    plus, minus = mesh.paired
    np.testing.assert_array_equal(mesh.pair[plus], mesh.pair[minus])
    assert len(np.unique(mesh.pair[plus])) == len(plus)
    np.testing.assert_array_equal(mesh.points[mesh.faces[plus]], mesh.points[mesh.faces[minus]])
    centre = mesh.points[mesh.faces].mean(axis=1)
    inward = mesh.centroids[mesh.face_owners] - centre
    side = np.sign(np.einsum("ij,ij->i", inward, mesh.face_normals))
    expected = np.where(mesh.pair_side == 0, -1, mesh.pair_side)
    np.testing.assert_array_equal(side, expected)


def test_through_cut_makes_two_pieces_with_matching_faces(block):
    faces = flat(block, 0, 6.0)
    mesh = split(block, {"plane": faces})
    assert pieces(mesh) == 2
    assert_pairs_match(mesh)
    plus, _ = mesh.paired
    assert len(plus) == len(faces)
    np.testing.assert_allclose(mesh.face_areas[plus].sum(), 64.0)
    np.testing.assert_allclose(mesh.face_normals[plus], [[1.0, 0, 0]] * len(plus), atol=1e-12)
    assert (mesh.centroids[mesh.face_owners[plus], 0] > 6).all()
    np.testing.assert_array_equal(mesh.face_sets["fracture_plane"], mesh.pair > 0)
    for name in block.face_sets:
        np.testing.assert_allclose(
            mesh.face_areas[mesh.face_sets[name]].sum(), block.face_areas[block.face_sets[name]].sum()
        )


def test_partial_cut_has_a_front_and_stays_one_piece(block):
    mesh = split(block, {"part": flat(block, 0, 6.0, lambda c: c[:, 2] > 0)})
    assert pieces(mesh) == 1
    assert_pairs_match(mesh)
    plus, minus = mesh.paired
    shared = np.intersect1d(mesh.faces[plus], mesh.faces[minus])
    # The front: the nodes of the line z = 0 in the plane.
    np.testing.assert_allclose(np.sort(mesh.points[shared, 1]), [-4, -2, 0, 2, 4])
    np.testing.assert_allclose(mesh.points[shared, 2], 0, atol=1e-12)


def test_crossing_cuts_make_four_pieces(block):
    mesh = split(block, {"a": flat(block, 0, 6.0), "b": flat(block, 2, 0.0)})
    assert pieces(mesh) == 4
    assert_pairs_match(mesh)
    line = (np.abs(mesh.points[:, 0] - 6) < 1e-9) & (np.abs(mesh.points[:, 2]) < 1e-9)
    assert np.count_nonzero(line) == 4 * 5


def test_h_makes_four_pieces_and_u_two(block):
    def between(c):
        return (c[:, 0] > 4) & (c[:, 0] < 8)

    def above(c):
        return c[:, 2] > 0

    limb = flat(block, 2, 0.0, between)
    h = split(block, {"l": flat(block, 0, 8.0), "r": flat(block, 0, 4.0), "t": limb})
    u = split(block, {"l": flat(block, 0, 8.0, above), "r": flat(block, 0, 4.0, above), "t": limb})
    assert (pieces(h), pieces(u)) == (4, 2)
    assert_pairs_match(h)
    assert_pairs_match(u)


def test_gluing_undoes_splitting(block):
    mesh = split(block, {"a": flat(block, 0, 6.0), "b": flat(block, 2, 0.0, lambda c: c[:, 1] > 0)})
    glued, vertex = mesh.glued()
    np.testing.assert_array_equal(glued.points, block.points)
    np.testing.assert_array_equal(glued.tets, block.tets)
    np.testing.assert_array_equal(glued.faces, block.faces)
    np.testing.assert_array_equal(block.points[vertex], mesh.points)
    for name, members in block.face_sets.items():
        np.testing.assert_array_equal(glued.face_sets[name], members)


def test_a_second_split_keeps_the_first(block):
    once = split(block, {"a": flat(block, 0, 6.0)})
    twice = split(once, {"b": flat(once, 2, 0.0)})
    together = split(block, {"a": flat(block, 0, 6.0), "b": flat(block, 2, 0.0)})
    assert pieces(twice) == 4
    assert_pairs_match(twice)
    assert len(twice.points) == len(together.points)
    assert twice.face_sets["fracture_a"].sum() == together.face_sets["fracture_a"].sum()


def test_a_lone_inner_face_does_not_open(block):
    faces, _ = inner_faces(block)
    on_boundary = np.zeros(len(block.points), bool)
    on_boundary[block.faces] = True
    lone = faces[~on_boundary[faces].any(axis=1)][:1]
    mesh = split(block, {"lone": lone})
    assert len(mesh.paired[0]) == 0
    np.testing.assert_array_equal(mesh.tets, block.tets)


def test_faces_that_are_not_inner_or_doubled_are_refused(block):
    with pytest.raises(InputError, match=r"fracture\.a: 1 of 1 triangles are not inner"):
        split(block, {"a": block.faces[:1]})
    faces = flat(block, 0, 6.0)
    with pytest.raises(InputError, match="given twice"):
        split(block, {"a": faces, "b": faces[:1]})


def test_halves_join_symmetrically(block):
    half = split(block, {"zone1_left": flat(block, 0, 6.0), "transverse": flat(block, 2, 0.0)})
    whole = mirror_and_join(half)
    assert_pairs_match(whole)
    np.testing.assert_allclose(whole.volumes.sum(), 2 * 12 * 64)
    assert (whole.volumes > 0).all()
    # The mirror image is the same set of points, and each piece of the transverse cut crosses the midplane.
    key = {tuple(p) for p in whole.points}
    assert key == {(-p[0], p[1], p[2]) for p in whole.points}
    assert pieces(whole) == 2 + 4
    assert "cut" not in whole.face_sets
    areas = {name: whole.face_areas[members].sum() for name, members in whole.face_sets.items()}
    assert areas["auricular_left"] == areas["auricular_right"] == 64
    assert areas["endplate"] == 2 * 12 * 8
    assert areas["fracture_zone1_left"] == areas["fracture_zone1_right"] == 128
    assert areas["fracture_transverse"] == 2 * 2 * 12 * 8
    # Side +1 of a vertical fracture is lateral, of the transverse one superior.
    plus, _ = whole.paired
    lateral = plus[whole.face_sets["fracture_zone1_right"][plus]]
    assert (whole.centroids[whole.face_owners[lateral], 0] < -6).all()
    upper = plus[whole.face_sets["fracture_transverse"][plus]]
    assert (whole.face_normals[upper, 2] > 0).all()


def test_joining_refuses_what_is_no_half(block):
    with pytest.raises(InputError, match="reaches to x = -1"):
        mirror_and_join(TetMesh(block.points - np.array([1, 0, 0]), block.tets, block.faces))
    with pytest.raises(InputError, match="no face of the half"):
        mirror_and_join(TetMesh(block.points + np.array([1, 0, 0]), block.tets, block.faces))
