"""Planned needles: safe on both presets, both sides, mirror images of each other, or refused with a reason."""

from dataclasses import replace

import numpy as np
import pytest

from sacrofem import Case
from sacrofem.anatomy.regions import alar_plane
from sacrofem.anatomy.solid import Corridor
from sacrofem.cement.planners import PLANNERS, plan_needles
from sacrofem.cement.safety import needle_path
from sacrofem.cement.structures import Structures
from sacrofem.errors import InputError
from sacrofem.specimen.specimen import Specimen

MIRROR = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module", params=["female", pytest.param("male", marks=pytest.mark.slow)])
def site(request):
    case = Case.preset("sif-bilateral").with_(mesh__order=1, cement__volume_ml=0.5)
    if request.param == "female":
        return Specimen(case.with_(mesh__reference="tiny")).site
    return Specimen(case.with_(anatomy__sex="male", mesh__size_mm=7.0, mesh__fracture_size_mm=5.0)).site


@pytest.mark.parametrize(("approach", "count"), [("short-axis", 3), ("long-axis", 2), ("transiliac", 2)])
def test_planned_needles_are_safe_and_mirror_images(site, approach, count):
    planned = {
        side: plan_needles(
            approach, site.landmarks, side, count, site.structures, joint_distance_mm=12.0, signed_distance=site.inside
        )
        for side in ("left", "right")
    }
    for left, right in zip(*planned.values(), strict=True):
        assert np.asarray(left.entry_mm) == pytest.approx(MIRROR * right.entry_mm, abs=0.5)
        assert np.asarray(left.target_mm) == pytest.approx(MIRROR * right.target_mm, abs=0.5)
        path = needle_path(left, site.structures)
        assert min(path.clearance_mm[name] for name in site.structures.corridors) >= 1.0
        assert path.cancellous_mm > 5.0
        assert "anterior" not in path.crosses
        if approach == "transiliac":
            assert path.clearance_mm["joint_left"] < 0.0
        else:
            assert path.clearance_mm["joint_left"] > 2.0
            # From behind: the entry lies dorsal of the tip.
            assert left.entry_mm[1] > left.target_mm[1]


@pytest.mark.parametrize("tilt", [0.0, 8.0])
def test_needles_follow_a_fracture_that_is_turned(site, tilt):
    point, normal = alar_plane(site.landmarks, "left", 12.0, tilt)
    there = {"joint_distance_mm": 12.0, "fracture_tilt_deg": tilt, "signed_distance": site.inside}
    for needle in plan_needles("short-axis", site.landmarks, "left", 2, site.structures, **there):
        assert np.abs((np.array([needle.entry_mm, needle.target_mm]) - point) @ normal).max() < 1e-6
    (needle,) = plan_needles("transiliac", site.landmarks, "left", 1, site.structures, **there)
    entry, tip = (np.asarray(end) - point for end in (needle.entry_mm, needle.target_mm))
    assert entry @ normal > 0.0
    # Four millimetres beyond it along the needle, which is square to the joint.
    assert tip @ normal == pytest.approx(-4.0 * np.cos(np.radians(tilt)), abs=1e-6)


def test_a_blocked_path_names_structure_and_distance(site):
    wide = {key: Corridor(c.points, c.radii + 30.0) for key, c in site.landmarks.foramina.items()}
    landmarks = replace(site.landmarks, foramina=wide)
    structures = Structures(site.mesh, landmarks)
    with pytest.raises(InputError, match=r"S\d_left blocks it by [\d.]+ mm"):
        plan_needles("short-axis", site.landmarks, "left", 1, structures, joint_distance_mm=12.0)


def test_the_next_plane_is_taken_where_the_first_is_blocked(site):
    first = PLANNERS["short-axis"](
        site.landmarks, "left", 1, joint_distance_mm=12.0, signed_distance=site.inside
    )[0]  # fmt: skip
    tip, entry = np.asarray(first.target_mm), np.asarray(first.entry_mm)
    beside = tip - np.array([5.0, 0.0, 0.0])
    channel = Corridor(np.array([beside, beside + entry - tip]), np.full(2, 3.0))
    blocked = replace(site.landmarks, foramina={**site.landmarks.foramina, "S1_left": channel})
    structures = Structures(site.mesh, blocked)
    assert needle_path(first, structures).clearance_mm["S1_left"] < 1.0
    moved = plan_needles(
        "short-axis", site.landmarks, "left", 1, structures, joint_distance_mm=12.0, signed_distance=site.inside
    )[0]
    # The nearest safe plane, not the next one of a list: the clearance is no larger than it must be.
    assert 1.0 <= needle_path(moved, structures).clearance_mm["S1_left"] < 1.2
    assert moved.target_mm != first.target_mm
