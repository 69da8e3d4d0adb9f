"""The default fracture of an own sacrum keeps out of its foramina, as far as these are known."""

from dataclasses import replace

import pytest

from sacrofem import Case
from sacrofem.anatomy.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.caseanatomy import fitted
from sacrofem.mesh.surfaces import joint_room

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


def test_foramina_that_are_only_estimated_leave_it_where_it_is(landmarks):
    assert fitted(OWN, replace(landmarks, estimated=frozenset(landmarks.foramina))) == (OWN, ())
