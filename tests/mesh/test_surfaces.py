from dataclasses import replace

import numpy as np
import pytest

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.anatomy.solid import LEVELS, SIDES
from sacrofem.errors import InputError
from sacrofem.mesh.make.fracture import fracture_surfaces, plane
from sacrofem.mesh.make.surfaces import left_half


@pytest.fixture(scope="module")
def landmarks():
    return ParametricSacrum(SacrumParameters.preset("female")).landmarks


def test_zone1_is_parallel_to_the_joint_and_lateral_to_the_foramina(landmarks):
    for side, surface in zip(SIDES, fracture_surfaces("zone1", "both", landmarks), strict=True):
        assert surface.name == f"zone1_{side}"
        face = landmarks.auricular[side]
        points = face.centre + np.outer([0, -12, -20], face.normal)
        np.testing.assert_allclose(surface.level(points), [12, 0, -8], atol=1e-9)
        for level in LEVELS:
            corridor = landmarks.foramina[f"{level}_{side}"]
            assert (surface.level(corridor.points) < -corridor.radii).all()


def test_zone2_passes_through_every_foramen(landmarks):
    for side, surface in zip(SIDES, fracture_surfaces("zone2", "both", landmarks), strict=True):
        for level in LEVELS:
            corridor = landmarks.foramina[f"{level}_{side}"]
            ends = [0, -1]
            assert (np.abs(surface.level(corridor.points[ends])) < corridor.radii[ends]).all()
        assert surface.level(landmarks.auricular[side].centre[None]) > 0
        assert surface.level(np.zeros((1, 3))) < 0


def test_zone3_lies_in_the_canal_and_transverse_across_the_axis(landmarks):
    (vertical,) = fracture_surfaces("zone3", "both", landmarks)
    np.testing.assert_allclose(vertical.level(landmarks.canal.points), 0, atol=1e-9)
    (across,) = fracture_surfaces("transverse", "left", landmarks)
    value = across.level(landmarks.levels)
    assert value[0] > 0 > value[2]
    assert abs(value[1]) < 1e-9
    (lower,) = fracture_surfaces("transverse", "left", landmarks, transverse_level=3.5)
    value = lower.level(landmarks.levels)
    assert value[2] > 0 > value[3]


@pytest.mark.parametrize("zone", ["zone1", "zone2"])
def test_sides_are_mirror_images_to_the_bit(landmarks, zone):
    left, right = fracture_surfaces(zone, "both", landmarks, extent=0.5)
    points = np.random.default_rng(3).uniform(-60, 60, (500, 3))
    np.testing.assert_array_equal(left.level(points), right.level(points * [-1, 1, 1]))
    np.testing.assert_array_equal(left.share_from, right.share_from)


def test_h_and_u_end_on_each_other(landmarks):
    *limbs, across = fracture_surfaces("H", "both", landmarks)
    assert [limb.name for limb in limbs] == ["zone1_left", "zone1_right"]
    assert across.bounded_by == {"zone1_left": -1, "zone1_right": -1}
    assert not limbs[0].bounded_by
    *limbs, lower = fracture_surfaces("U", "both", landmarks)
    assert [dict(limb.bounded_by) for limb in limbs] == [{"transverse": 1}] * 2
    assert lower.level(landmarks.levels[1:2]) > across.level(landmarks.levels[1:2])
    limb, half = fracture_surfaces("H", "right", landmarks)
    assert (limb.name, dict(half.bounded_by)) == ("zone1_right", {"zone1_right": -1})
    np.testing.assert_array_equal(half.extent(np.array([[5.0, 0, 0], [-5, 0, 0]])), [5, -5])


def test_a_partial_fracture_starts_at_the_named_margin(landmarks):
    for margin, direction in (("superior", [0, 0, 1]), ("inferior", [0, 0, -1]), ("anterior", [0, -1, 0])):
        (surface,) = fracture_surfaces("zone1", "left", landmarks, extent=0.6, extent_from=margin)
        assert surface.share == 0.6
        assert np.dot(surface.share_from, direction) > 0.9


def without_s2(landmarks):
    foramina = {name: corridor for name, corridor in landmarks.foramina.items() if name != "S2_left"}
    return replace(landmarks, foramina=foramina)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"joint_distance_mm": 8.0}, r"fracture\.joint_distance_mm = 8\.0: less than 10 mm from the joint"),
        ({"joint_distance_mm": 26.0}, r"runs into foramen S\d_left, which begins"),
        ({"zone": "zone4"}, "fracture.zone = 'zone4': unknown; use zone1"),
        ({"side": "middle"}, "fracture.side = 'middle': unknown; use left, right, both"),
        ({"zone": "H", "extent": 0.5}, "fracture.extent = 0.5: is for single fractures"),
        ({"zone": "transverse", "transverse_level": 6.0}, "no such vertebra; give 1 to 5"),
    ],
)
def test_what_cannot_be_is_refused(landmarks, options, message):
    arguments = {"zone": "zone1", "side": "left", **options}
    with pytest.raises(InputError, match=message):
        fracture_surfaces(arguments.pop("zone"), arguments.pop("side"), landmarks, **arguments)


def test_near_the_joint_only_by_name(landmarks):
    (surface,) = fracture_surfaces("zone1", "left", landmarks, joint_distance_mm=8.0, allow_near_joint=True)
    face = landmarks.auricular["left"]
    np.testing.assert_allclose(surface.level((face.centre - 8 * face.normal)[None]), 0, atol=1e-9)


@pytest.mark.parametrize("tilt", [8.0, -5.0])
def test_the_lower_end_of_zone1_turns_to_the_joint(landmarks, tilt):
    straight, turned = (
        fracture_surfaces("zone1", "left", landmarks, joint_distance_mm=12.0, tilt_deg=t)[0] for t in (0.0, tilt)
    )
    face = landmarks.auricular["left"]
    middle = face.centre - 12.0 * face.normal
    forward = np.cross(landmarks.endplate_normal, face.normal)
    forward /= np.linalg.norm(forward)
    down = np.cross(forward, face.normal)
    down *= -np.sign(down @ landmarks.endplate_normal)
    # About the line from front to back abreast of the joint's centre.
    on_axis = middle + np.outer([-30.0, 0.0, 30.0], forward)
    np.testing.assert_allclose(turned.level(on_axis), 0.0, atol=1e-9)
    below = (middle + 30.0 * down)[None]
    np.testing.assert_allclose(straight.level(below), 0.0, atol=1e-9)
    # Side +1 is lateral: what lay on the plane is medial of it now.
    np.testing.assert_allclose(turned.level(below), -30.0 * np.sin(np.radians(tilt)), atol=1e-9)


def test_zone2_needs_foramina_that_a_plane_can_meet(landmarks):
    with pytest.raises(InputError, match=r"anatomy\.landmarks\.foramina = \['S2_left'\]: landmarks are missing"):
        fracture_surfaces("zone2", "left", without_s2(landmarks))
    moved = dict(landmarks.foramina)
    corridor = moved["S3_left"]
    moved["S3_left"] = replace(corridor, points=corridor.points + np.array([25.0, 0, 0]))
    with pytest.raises(InputError, match=r"misses S\d_left by \d"):
        fracture_surfaces("zone2", "left", replace(landmarks, foramina=moved))


@pytest.mark.parametrize(
    ("zone", "side", "names"),
    [
        ("zone1", "both", ["zone1_left"]),
        ("zone2", "both", ["zone2_left"]),
        ("transverse", "both", ["transverse"]),
        ("H", "both", ["zone1_left", "transverse"]),
        ("U", "both", ["zone1_left", "transverse"]),
        ("zone1", "left", None),
        ("zone3", "both", None),
        ("H", "left", None),
    ],
)
def test_symmetric_patterns_are_cut_by_halves(landmarks, zone, side, names):
    half = left_half(fracture_surfaces(zone, side, landmarks))
    assert (None if half is None else [surface.name for surface in half]) == names
    for surface in half or ():
        assert set(surface.bounded_by) <= set(names)


def test_planes_of_ones_own_are_mirrored_only_where_they_are_symmetric(landmarks):
    both = fracture_surfaces("zone1", "both", landmarks)
    assert left_half([*both, plane("mine", [20, 0, 0], [1, 0, 0])]) is None
    assert left_half([*both, plane("mine", [20, 0, -40], [0, 0.2, 1])]) is not None
    assert left_half([*both, plane("mine", [20, 0, -40], [0, 0.2, 1], radius_mm=10)]) is None
    assert left_half([replace(both[0], share=0.5), both[1]]) is None
