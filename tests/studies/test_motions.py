"""Motion of a sacrum against its ilia, from a displacement whose motion is known."""

import sys
from pathlib import Path

import numpy as np
import pytest

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.files.files import reference_mesh

sys.path.insert(0, str(Path(__file__).parents[2] / "studies" / "14_supports"))
from motions import NEAR_PROMONTORY_MM, motions


@pytest.fixture(scope="module")
def sacrum():
    landmarks = ParametricSacrum(SacrumParameters.preset("female")).landmarks
    return Space(reference_mesh("sacrum-tiny-intact"), 1), landmarks


def test_a_small_rotation_about_a_transverse_axis(sacrum):
    """u = w x (x - c) with w = (0.02, 0, 0) and c = (0, 12, -25) mm."""
    space, landmarks = sacrum
    centre, turn = np.array([0.0, 12.0, -25.0]), np.array([0.02, 0.0, 0.0])
    found = motions(space, landmarks, np.cross(turn, space.nodes - centre))
    assert found["nutation_deg"] == pytest.approx(np.degrees(0.02))
    assert (found["centre_y_mm"], found["centre_z_mm"]) == pytest.approx((12.0, -25.0))
    near = np.linalg.norm(space.mesh.points - landmarks.promontory, axis=1) < NEAR_PROMONTORY_MM
    height = space.mesh.points[near, 2].mean() + 25.0
    assert found["s1_anterior_mm"] == pytest.approx(0.02 * height)


def test_a_translation_turns_nothing(sacrum):
    space, landmarks = sacrum
    normal = landmarks.auricular["left"].normal
    found = motions(space, landmarks, np.tile(0.3 * normal, (len(space.nodes), 1)))
    assert found["nutation_deg"] == pytest.approx(0.0, abs=1e-9)
    assert found["joint_translation_mm"] == pytest.approx(0.3)
    assert found["joint_closing_mm"] == pytest.approx(0.3)


def test_no_motion_has_no_centre(sacrum):
    space, landmarks = sacrum
    found = motions(space, landmarks, np.zeros((len(space.nodes), 3)))
    assert found["nutation_deg"] == 0.0
    assert found["centre_y_mm"] is None
    assert found["centre_z_mm"] is None
