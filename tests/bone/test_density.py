import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sacrofem.bone.density import QUALITIES, density_from_hu, generic_density, generic_hu, void_membership
from sacrofem.bone.laws import modulus_from_density
from sacrofem.errors import InputError


def beside_foramen(landmarks, level, side="left"):
    """Between foramen and joint, by a rule of its own: half way along x at the middle of the corridor."""
    corridor, face = landmarks.foramina[f"{level}_{side}"], landmarks.auricular[side]
    point = corridor.points.mean(axis=0)
    edge = np.abs(corridor.points[:, 0]).max() + corridor.radii[0]
    joint = abs(point[0] + (face.centre - point) @ face.normal / face.normal[0])
    return np.array([np.sign(point[0]) * 0.5 * (edge + joint), *point[1:]])


def test_hu_line_returns_the_published_pairs():
    assert density_from_hu(np.array([44.84, 105.66, 97.73])) * 1e3 == pytest.approx([37.16, 86.42, 80.0], abs=0.01)
    assert density_from_hu(np.array([-50.0])) == 0.0


@pytest.mark.parametrize("quality", QUALITIES)
def test_void_is_the_weakest_zone_and_s1_is_above_s2(landmarks, quality):
    void = [beside_foramen(landmarks, level, side) for level in ("S1", "S2") for side in ("left", "right")]
    face = landmarks.auricular["left"]
    elsewhere = [*landmarks.levels, face.centre - 2 * face.normal, -4.0 * landmarks.endplate_normal, [0, 60, -40]]
    low, high = (generic_density(np.array(p, float), landmarks, quality) for p in (void, elsewhere))
    assert low.max() < 0.9 * high.min()
    assert high[0] > high[1] + 0.01 > 0.01
    assert void_membership(np.array(void), landmarks).min() > 0.9


def test_osteoporotic_numbers(landmarks):
    hu = generic_hu(landmarks.levels[:2], landmarks)
    assert hu == pytest.approx([40.0, 20.0], abs=3.0)
    assert generic_hu(np.array([beside_foramen(landmarks, "S1")]), landmarks)[0] < -10.0


def test_density_rises_towards_joint_and_endplate(landmarks):
    face = landmarks.auricular["left"]
    depths = np.array([1.0, 3.0, 6.0, 10.0])[:, None]
    for start, normal in ((face.centre, face.normal), (landmarks.endplate_centre, landmarks.endplate_normal)):
        hu = generic_hu(start - depths * normal, landmarks)
        assert (np.diff(hu) < 0).all()
        assert hu[0] > hu[-1] + 30.0


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.tuples(st.floats(0, 55), st.floats(-15, 70), st.floats(-95, 15)))
def test_map_is_symmetric_smooth_and_ordered_by_quality(landmarks, point):
    p = np.array([point])
    values = {name: generic_density(p, landmarks, name)[0] for name in QUALITIES}
    assert 0 <= values["osteoporotic"] <= values["osteopenic"] <= values["normal"]
    assert generic_hu(p * [-1, 1, 1], landmarks) == pytest.approx(generic_hu(p, landmarks), abs=1e-9)
    steps = p + 0.1 * np.eye(3)
    # The steepest place is the subchondral zone: 120 HU over 6 mm, twice that where zones meet.
    assert np.abs(generic_hu(steps, landmarks) - generic_hu(p, landmarks)).max() < 0.1 * 60.0


def test_factor_scales_density(landmarks):
    p = landmarks.levels
    assert generic_density(p, landmarks, density_factor=0.5) == pytest.approx(0.5 * generic_density(p, landmarks))
    soft, stiff = (modulus_from_density(generic_density(p, landmarks, density_factor=f))[0] for f in (1.0, 2.0))
    assert (stiff > soft).all()


@pytest.mark.parametrize(
    ("change", "text"), [({"quality": "old"}, "materials.bone"), ({"density_factor": 0.0}, "density_factor = 0.0")]
)
def test_refusals(landmarks, change, text):
    with pytest.raises(InputError, match=text):
        generic_density(landmarks.levels, landmarks, **change)
