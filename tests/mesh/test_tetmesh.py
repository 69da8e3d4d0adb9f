import numpy as np
import pytest
from lattices import lattice

from sacrofem.mesh.split import inner_faces, split
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces


@pytest.fixture
def oblique(block):
    """Two fractures whose +1 sides face +x and +z, on a block beside the midplane."""
    faces, _ = inner_faces(block)

    def on(axis, at):
        here = faces[(np.abs(block.points[faces][:, :, axis] - at) < 1e-9).all(axis=1)]
        p = block.points[here]
        wrong = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])[:, axis] < 0
        here[wrong] = here[wrong][:, [0, 2, 1]]
        return here

    return split(block, {"zone1_left": on(0, 6.0), "transverse": on(2, 0.0)})


def test_boundary_is_closed_and_seen_from_outside(block):
    np.testing.assert_allclose((block.face_normals * block.face_areas[:, None]).sum(axis=0), 0, atol=1e-10)
    flux = np.einsum("ij,ij->i", block.points[block.faces].mean(axis=1), block.face_normals) * block.face_areas
    np.testing.assert_allclose(flux.sum() / 3, block.volumes.sum())
    assert block.volumes.sum() == pytest.approx(12 * 8 * 8)
    outward = block.points[block.faces].mean(axis=1) - block.centroids[block.face_owners]
    assert (np.einsum("ij,ij->i", outward, block.face_normals) > 0).all()


def test_points_without_a_tet_are_dropped():
    points = np.vstack([[9.0, 9, 9], np.zeros(3), np.eye(3)])
    mesh = TetMesh.from_tets(points, np.array([[1, 2, 3, 4]]))
    np.testing.assert_array_equal(mesh.points, points[1:])
    np.testing.assert_array_equal(np.sort(mesh.tets), [[0, 1, 2, 3]])
    assert len(boundary_faces(mesh.tets)) == 4


def test_a_mesh_cannot_be_changed(block):
    for array in (block.points, block.tets, block.faces, block.pair, block.face_sets["outer"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(TypeError):
        block.face_sets["new"] = block.face_sets["outer"]


def test_a_set_of_the_wrong_length_is_refused(block):
    with pytest.raises(ValueError, match="'short' has shape"):
        block.with_sets(face_sets={"short": np.ones(3, bool)})


def test_gluing_some_faces_leaves_the_others_open(oblique):
    mesh, vertex = oblique.glued(oblique.face_sets["fracture_transverse"])
    plus, minus = mesh.paired
    assert len(plus) == oblique.face_sets["fracture_zone1_left"].sum() // 2
    np.testing.assert_array_equal(mesh.pair[plus], np.arange(1, len(plus) + 1))
    np.testing.assert_array_equal(mesh.points[mesh.faces[plus]], mesh.points[mesh.faces[minus]])
    np.testing.assert_array_equal(mesh.points[vertex], oblique.points)
    assert not mesh.face_sets["fracture_transverse"].any()


def test_the_mirror_image_keeps_every_convention(oblique):
    image = oblique.mirrored()
    assert (image.volumes > 0).all()
    assert "fracture_zone1_right" in image.face_sets
    assert "auricular_right" in image.face_sets
    outer = image.pair_side == 0
    outward = image.points[image.faces].mean(axis=1) - image.centroids[image.face_owners]
    assert (np.einsum("ij,ij->i", outward, image.face_normals)[outer] > 0).all()
    plus, minus = image.paired
    np.testing.assert_array_equal(image.points[image.faces[plus]], image.points[image.faces[minus]])
    # From side -1 into side +1: lateral is now -x, superior still +z.
    across = image.centroids[image.face_owners[plus]] - image.centroids[image.face_owners[minus]]
    assert (np.einsum("ij,ij->i", across, image.face_normals[plus]) > 0).all()
    vertical = image.face_sets["fracture_zone1_right"][plus]
    np.testing.assert_allclose(image.face_normals[plus[vertical]], [[-1.0, 0, 0]] * vertical.sum(), atol=1e-12)
    np.testing.assert_allclose(image.face_normals[plus[~vertical]], [[0, 0, 1.0]] * (~vertical).sum(), atol=1e-12)


def test_mirroring_twice_is_nothing(oblique):
    twice = oblique.mirrored().mirrored()
    for name in ("points", "tets", "faces", "pair", "pair_side"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(oblique, name))
    assert sorted(twice.face_sets) == sorted(oblique.face_sets)


def test_face_owners_of_both_sides_differ(oblique):
    plus, minus = oblique.paired
    owners = oblique.face_owners
    assert (owners[plus] != owners[minus]).all()
    held = np.sort(oblique.tets[owners], axis=1)
    for corner in oblique.faces.T:
        assert (held == corner[:, None]).any(axis=1).all()


def test_lattice_counts():
    mesh = lattice(np.arange(4.0), np.arange(3.0), np.arange(2.0))
    assert len(mesh.tets) == 6 * 3 * 2
    np.testing.assert_allclose(mesh.volumes, 1 / 6)
