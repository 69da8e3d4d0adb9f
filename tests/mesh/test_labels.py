"""Named surfaces of a sacrum mesh."""

from dataclasses import replace

import numpy as np
import pytest

from sacrofem.anatomy.regions import auricular_ellipse, axial_position
from sacrofem.mesh.labels import JOINT_CURVE_MM, label_faces
from sacrofem.mesh.tetmesh import TetMesh


def test_labelled_surfaces_lie_where_they_belong(mesh, marks):
    sets, centres, normals = mesh.face_sets, mesh.points[mesh.faces].mean(axis=1), mesh.face_normals
    height = centres[sets["endplate"]] @ marks.endplate_normal
    assert np.abs(height).max() < 2.0
    assert np.abs(centres[sets["endplate"], 0]).max() < 24.0
    back = centres[sets["endplate"]] @ np.cross([1.0, 0.0, 0.0], -marks.endplate_normal)
    assert np.ptp(back) < 31.0
    # An ellipse of the preset's diameters, less its rounded rim.
    assert 0.75 < mesh.face_areas[sets["endplate"]].sum() / (np.pi / 4 * 46.0 * 30.2) < 1.2
    left = sets["auricular_left"]
    assert (centres[left, 0] > 38.0).all()
    assert 800.0 < mesh.face_areas[left].sum() < 1500.0
    position = axial_position(centres[left], marks)
    assert position.min() < 0.5
    assert position.max() > 1.4
    assert normals[sets["anterior"], 1].mean() < -0.5
    assert normals[sets["posterior"], 1].mean() > 0.3
    names = ("endplate", "auricular_left", "auricular_right", "anterior", "posterior")
    assert (np.sum([sets[name] for name in names], axis=0) <= sets["outer"]).all()


def test_elliptic_outline_serves_where_the_true_one_is_unknown(mesh, marks):
    plain = TetMesh(mesh.points, mesh.tets, mesh.faces)
    labelled = label_faces(plain, marks)
    known, guessed = mesh.face_sets["auricular_left"], labelled.face_sets["auricular_left"]
    both = mesh.face_areas[known & guessed].sum()
    assert both > 0.6 * mesh.face_areas[known].sum()
    face = marks.auricular["left"]
    assert auricular_ellipse(face, marks)(face.centre[None])[0] == pytest.approx(-0.5 * face.width_mm)


def test_what_falls_away_from_the_plane_of_a_joint_is_not_joint(mesh, marks):
    plain = TetMesh(mesh.points, mesh.tets, mesh.faces)
    centres = plain.points[plain.faces].mean(axis=1)

    def heights(landmarks):
        face = landmarks.auricular["left"]
        return (centres[label_faces(plain, landmarks).face_sets["auricular_left"]] - face.centre) @ face.normal

    # The twisted face of the built-in sacrum is joint altogether.
    assert -JOINT_CURVE_MM < heights(marks).min() < -4.5
    face = marks.auricular["left"]
    further = replace(
        marks, auricular={**marks.auricular, "left": replace(face, centre=face.centre + 3.0 * face.normal)}
    )
    assert len(heights(further)) > 0.5 * len(heights(marks))
    assert -JOINT_CURVE_MM < heights(further).min() < -JOINT_CURVE_MM + 1.0
