"""Half of a mesh as a mesh of its own."""

import numpy as np
import pytest
from blocks_of_tets import box, split_box

from sacrofem.errors import InputError
from sacrofem.mesh.restrict import hemisacrum, restricted
from sacrofem.mesh.tetmesh import TetMesh


def _centred(mesh: TetMesh) -> TetMesh:
    middle = mesh.points.mean(axis=0) * [1, 0, 0]
    return TetMesh(
        mesh.points - middle, mesh.tets, mesh.faces, mesh.tet_sets, mesh.face_sets, mesh.pair, mesh.pair_side
    )


@pytest.mark.parametrize("side", ["left", "right"])
def test_hemisacrum_is_half_with_a_named_cut(side):
    mesh = _centred(split_box((4, 2, 2), (4.0, 1.0, 1.0), 0.5))
    half = hemisacrum(mesh, side)
    assert half.volumes.sum() == pytest.approx(2.0)
    assert half.face_areas[half.face_sets["cut"]].sum() == pytest.approx(1.0)
    assert (np.sign(half.points[:, 0]) * (1 if side == "left" else -1) >= 0).all()
    outward = half.points[half.faces].mean(axis=1) - half.centroids[half.face_owners]
    single = half.pair == 0
    assert (np.einsum("kx,kx->k", outward, half.face_normals)[single] > 0).all()


def test_pairs_survive_where_both_sides_do():
    mesh = _centred(split_box((4, 2, 2), (4.0, 1.0, 1.0), 0.5))
    half = hemisacrum(mesh, "left")
    plus, minus = half.paired
    assert half.face_areas[plus].sum() == pytest.approx(2.0)
    np.testing.assert_array_equal(half.points[half.faces[plus]], half.points[half.faces[minus]])
    lower = restricted(mesh, mesh.centroids[:, 2] < 0.5)
    assert len(lower.paired[0]) == 0
    assert lower.face_areas.sum() == pytest.approx(2 * 4 + 2 * 2 + 2 * 0.5)


def test_tets_across_the_midplane_are_refused():
    with pytest.raises(InputError, match=r"anatomy.half = 'left'.*cross the plane"):
        hemisacrum(_centred(box((3, 2, 2))), "left")
