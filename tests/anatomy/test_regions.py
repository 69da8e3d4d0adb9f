from __future__ import annotations

import numpy as np
import pytest

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.regions import (
    axial_position,
    corridor_distance,
    denis_zone,
    level_of,
    zone_borders,
)
from sacrofem.anatomy.solid import Corridor


@pytest.fixture(scope="module")
def marks():
    return ParametricSacrum().landmarks


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
