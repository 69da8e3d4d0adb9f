"""The default fracture of an own sacrum keeps out of its foramina, as far as these are known."""

from dataclasses import replace

import pytest

from sacrofem import Case
from sacrofem.anatomy.builtin.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.mesh.make.surfaces import joint_room
from sacrofem.specimen.anatomy import MOST_TILT_DEG, fitted
from sacrofem.specimen.mesh import case_surfaces

OWN = Case.preset().with_(**{"anatomy.kind": "surface", "anatomy.path": "sacrum.stl"})


@pytest.fixture(scope="module")
def landmarks():
    return ParametricSacrum(SacrumParameters.preset("female")).landmarks


def test_that_of_the_built_in_sacrum_stays(landmarks):
    assert fitted(Case.preset(), landmarks) == (Case.preset(), ())


def test_it_moves_towards_the_joint_where_a_foramen_is_near(landmarks):
    face = landmarks.auricular["left"]
    name, foramen = "S1_left", landmarks.foramina["S1_left"]
    step = joint_room(landmarks, "left")[0] - 10.0
    near = replace(foramen, points=foramen.points + (step + 5.0) * face.normal)
    moved, notes = fitted(OWN, replace(landmarks, foramina=landmarks.foramina | {name: near}))
    assert 2.0 < moved.fracture.joint_distance_mm < OWN.fracture.joint_distance_mm
    assert "S1_left" in notes[0]


def test_its_lower_end_turns_to_the_joint_where_the_lowest_foramen_is_near(landmarks):
    face = landmarks.auricular["right"]
    foramen = landmarks.foramina["S3_right"]
    step = joint_room(landmarks, "right")[0] - 9.0
    near = replace(foramen, points=foramen.points + step * face.normal)
    crowded = replace(landmarks, foramina=landmarks.foramina | {"S3_right": near})
    assert joint_room(crowded, "right")[0] < OWN.fracture.joint_distance_mm
    turned, notes = fitted(OWN, crowded)
    assert turned.fracture.joint_distance_mm == OWN.fracture.joint_distance_mm
    assert not turned.fracture.allow_near_joint
    tilt = turned.fracture.tilt_deg
    assert 1.0 < tilt < MOST_TILT_DEG
    assert f"turned {tilt:g}°" in notes[0]
    # As little as will do, and it does: no point of a foramen lies lateral of the fracture.
    assert joint_room(crowded, "right", tilt - 0.2)[0] < OWN.fracture.joint_distance_mm + 0.3
    for surface in case_surfaces(turned, crowded):
        side = surface.name.removeprefix("zone1_")
        for level in ("S1", "S2", "S3"):
            corridor = crowded.foramina[f"{level}_{side}"]
            assert (surface.level(corridor.points) + corridor.radii).max() < 0.0
    given = OWN.with_(fracture__tilt_deg=1.0)
    assert fitted(given, crowded) == (given, ())


def test_foramina_that_are_only_estimated_leave_it_where_it_is(landmarks):
    assert fitted(OWN, replace(landmarks, estimated=frozenset(landmarks.foramina))) == (OWN, ())
