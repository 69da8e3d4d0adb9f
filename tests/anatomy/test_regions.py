from __future__ import annotations

import numpy as np
import pytest

from sacrofem.anatomy.measure import measure_sacrum, ray_lengths, width_at
from sacrofem.anatomy.regions import (
    auricular_ellipse,
    axial_position,
    corridor_distance,
    denis_zone,
    label_faces,
    level_of,
    zone_borders,
)
from sacrofem.anatomy.sacrum import ParametricSacrum
from sacrofem.anatomy.solid import Corridor
from sacrofem.mesh.files import reference_mesh
from sacrofem.mesh.tetmesh import TetMesh


@pytest.fixture(scope="module")
def marks():
    return ParametricSacrum().landmarks


@pytest.fixture(scope="module")
def mesh():
    return reference_mesh("sacrum-coarse-intact")


def test_corridor_distance_of_a_cone():
    corridor = Corridor(np.array([[0.0, 0, 0], [0.0, 0, 10.0]]), np.array([2.0, 4.0]))
    points = np.array([[0.0, 0, 5], [3.0, 0, 5], [5.0, 0, 0], [0.0, 0, 16]])
    assert corridor_distance(points, corridor) == pytest.approx([-3.0, 0.0, 3.0, 2.0])


def test_axial_position_is_whole_at_the_body_centres(marks):
    assert axial_position(marks.levels, marks) == pytest.approx(np.arange(5.0), abs=1e-9)
    middle = 0.5 * (marks.levels[1:] + marks.levels[:-1])
    assert axial_position(middle, marks) == pytest.approx(np.arange(4) + 0.5, abs=0.1)


def test_levels_of_bodies_and_foramina(marks):
    assert np.array_equal(level_of(marks.levels, marks), np.arange(5))
    far = np.array([marks.endplate_centre + 50 * marks.endplate_normal, marks.apex - [0.0, 0.0, 30.0]])
    assert np.array_equal(level_of(far, marks), [0, 4])
    mouths = np.array([marks.foramina[f"S{k}_left"].points[0] for k in range(1, 5)])
    assert axial_position(mouths, marks) == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.3)


def test_denis_zones_follow_the_foramina(marks):
    for side, sign in (("left", 1.0), ("right", -1.0)):
        mouths = np.array([marks.foramina[f"S{k}_{side}"].points[0] for k in range(1, 4)])
        assert (denis_zone(mouths, marks) == 2).all()
        assert (denis_zone(mouths + np.array([sign * 16.0, 0.0, 0.0]), marks) == 1).all()
        assert (denis_zone(mouths * [0.2, 1.0, 1.0], marks) == 3).all()
        assert denis_zone(marks.auricular[side].centre[None], marks)[0] == 1
    assert (denis_zone(marks.levels, marks) == 3).all()
    assert (denis_zone(marks.canal.points, marks) == 3).all()


def test_zone_widths_at_s1_are_anatomical(marks):
    # Half of zone 3 about 15, zone 2 10 to 12, zone 1 about 25 mm at S1 [K].
    medial, lateral = zone_borders(marks.foramina["S1_left"].points[:1], marks)
    assert 11.0 < medial[0] < 18.0
    assert 9.0 < lateral[0] - medial[0] < 18.0
    assert 20.0 < 53.0 - lateral[0] < 30.0


def test_zones_mirror(marks):
    points = np.random.default_rng(2).uniform([1, -10, -90], [50, 60, 10], (500, 3))
    assert np.array_equal(denis_zone(points, marks), denis_zone(points * [-1.0, 1.0, 1.0], marks))


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


def test_rays_through_a_box():
    points = np.array([[x, y, z] for x in (0.0, 2.0) for y in (0.0, 3.0) for z in (0.0, 5.0)])
    tets = np.array([[0, 4, 6, 7], [0, 6, 2, 7], [0, 2, 3, 7], [0, 3, 1, 7], [0, 1, 5, 7], [0, 5, 4, 7]])
    box = TetMesh.from_tets(points, tets)
    centre = np.array([0.5, 1.1, 2.3])
    assert ray_lengths(box, centre, np.array([2.0, 0, 0])) == pytest.approx([1.5])
    assert width_at(box, centre, np.array([0.0, 0, 1.0])) == pytest.approx(5.0)
    assert width_at(box, centre + np.array([0.0, 0.0, 9.0]), np.array([0.0, 0, 1.0])) == np.inf


def test_coarse_mesh_measures_roughly_as_the_preset(mesh, marks):
    wanted = ParametricSacrum().parameters
    measured = measure_sacrum(mesh, marks)
    assert measured.straight_length_mm == pytest.approx(wanted.straight_length_mm, rel=0.05)
    assert measured.endplate_transverse_mm == pytest.approx(wanted.endplate_transverse_mm, rel=0.07)
    right = measure_sacrum(mesh, marks, "right")
    assert right.anterior_widths_mm == pytest.approx(measured.anterior_widths_mm, rel=1e-9)
