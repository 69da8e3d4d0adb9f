"""Landmarks written, read and overridden."""

import json

import numpy as np
import pytest

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.landmarkfile import landmarks_to_dict, overridden, override_names, read_landmarks
from sacrofem.errors import InputError


@pytest.fixture(scope="module")
def landmarks():
    return ParametricSacrum().landmarks


def test_there_and_back(tmp_path, landmarks):
    path = tmp_path / "landmarks.json"
    path.write_text(json.dumps({"landmarks": landmarks_to_dict(landmarks)}))
    again = read_landmarks(path)
    np.testing.assert_allclose(again.levels, landmarks.levels, atol=1e-6)
    np.testing.assert_allclose(again.foramina["S2_right"].points, landmarks.foramina["S2_right"].points, atol=1e-6)
    assert again.auricular["left"].height_mm == pytest.approx(landmarks.auricular["left"].height_mm)


def test_a_rigid_motion_and_its_inverse_give_the_same_landmarks(landmarks):
    c, s = np.cos(0.3), np.sin(0.3)
    frame = Frame(np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]), np.array([3.0, -5.0, 7.0]))
    inverse = Frame(frame.rotation.T, frame.place(np.zeros((1, 3)))[0])
    again = landmarks.moved(frame).moved(inverse)
    np.testing.assert_allclose(again.levels, landmarks.levels, atol=1e-12)
    np.testing.assert_allclose(again.endplate_normal, landmarks.endplate_normal, atol=1e-12)
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(frame.back(frame.place(points)), points, atol=1e-12)
    np.testing.assert_allclose((frame.matrix @ np.append(points[0], 1.0))[:3], frame.place(points[:1])[0], atol=1e-12)
    np.testing.assert_allclose(frame.then(inverse).matrix, np.eye(4), atol=1e-12)


def test_every_name_moves_what_it_says(landmarks):
    for name in override_names():
        value = (0.0, 0.0, 2.0) if name.endswith("normal") else (1.0, 2.0, 3.0)
        changed = landmarks_to_dict(overridden(landmarks, {name: value}))
        plain = landmarks_to_dict(landmarks)
        different = [key for key in plain if changed[key] != plain[key]]
        assert len(different) == 1, name
    moved = overridden(landmarks, {"foramen_S1_left_anterior": (30.0, 0.0, -20.0)}).foramina["S1_left"]
    np.testing.assert_allclose(moved.points[0], [30.0, 0.0, -20.0])
    np.testing.assert_allclose(moved.points[-1], landmarks.foramina["S1_left"].points[-1])


def test_names_and_files_that_are_wrong(tmp_path, landmarks):
    with pytest.raises(InputError, match="did you mean promontory"):
        overridden(landmarks, {"promontry": (0.0, 0.0, 0.0)})
    with pytest.raises(InputError, match="has no direction"):
        overridden(landmarks, {"endplate_normal": (0.0, 0.0, 0.0)})
    with pytest.raises(InputError, match="cannot be read"):
        read_landmarks(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"landmarks": {"apex": [1, 2]}}')
    with pytest.raises(InputError, match="is no file of landmarks"):
        read_landmarks(tmp_path / "bad.json")
