import numpy as np
import pytest

from sacrofem.anatomy.solid import AuricularFace, Corridor, Landmarks
from sacrofem.cement.injection import Injection
from sacrofem.cement.needle import Needle
from sacrofem.cement.planners import long_axis_needles, short_axis_needles
from sacrofem.cement.shapes import Column, Ellipsoid, Spread
from sacrofem.errors import InputError

NORMAL = np.array([0.92, 0.33, -0.2]) / np.linalg.norm([0.92, 0.33, -0.2])


@pytest.fixture(scope="module")
def landmarks():
    slope = np.radians(40.0)
    levels = np.array([[0, 11, -9], [0, 26, -31], [0, 35, -53], [0, 36, -72], [0, 33, -89]], float)
    faces = {
        "left": AuricularFace(np.array([50.0, 28.0, -22.0]), NORMAL, 56.0, 28.0),
        "right": AuricularFace(np.array([-50.0, 28.0, -22.0]), NORMAL * [-1, 1, 1], 56.0, 28.0),
    }
    foramina = {}
    for k, x in enumerate((22.0, 20.0, 17.5)):
        track = np.array([[x, -8, 0], [0.8 * x, 22, 4]]) + 0.5 * (levels[k] + levels[k + 1])
        for side, sign in (("left", 1.0), ("right", -1.0)):
            foramina[f"S{k + 1}_{side}"] = Corridor(track * [sign, 1, 1], np.array([6.0, 4.0]))
    canal = Corridor(levels + np.array([0.0, 18.0, 2.0]), np.full(5, 6.0))
    normal = np.array([0.0, -np.sin(slope), np.cos(slope)])
    return Landmarks(
        np.zeros(3), normal, np.array([0, -12, -10.0]), np.array([0, 27, -95.0]), levels, faces, canal, foramina
    )


def wedge(points):
    """A slab of bone between a sloping front and a flat back, distance to its planes."""
    front = (-0.8 * points[:, 1] - 0.6 * points[:, 2]) - 8.0
    back = points[:, 1] - 52.0
    side = np.abs(points[:, 0]) - 51.0
    top = -0.643 * points[:, 1] + 0.766 * points[:, 2] - 3.0
    return np.max([front, back, side, top, -70.0 - points[:, 2]], axis=0)


@pytest.mark.parametrize("solid", [None, wedge], ids=["landmarks", "solid"])
def test_short_axis_runs_in_the_fracture_plane_parallel_to_the_endplate(landmarks, solid):
    needles = short_axis_needles(landmarks, "left", 2, joint_distance_mm=12.0, signed_distance=solid)
    face = landmarks.auricular["left"]
    assert len(needles) == 2
    for needle, level in zip(needles, 0.5 * (landmarks.levels[:-1] + landmarks.levels[1:]), strict=False):
        for point in (needle.entry_mm, needle.target_mm):
            assert (np.array(point) - face.centre) @ face.normal == pytest.approx(-12.0)
            assert landmarks.endplate_normal @ (np.array(point) - level) == pytest.approx(0.0, abs=1e-9)
        assert needle.direction[1] < -0.5
        if solid is not None:
            tip, entry = np.array(needle.target_mm), np.array(needle.entry_mm)
            assert solid(entry[None])[0] == pytest.approx(0.0, abs=1e-6)
            assert entry[1] == pytest.approx(52.0)
            path = entry + np.linspace(0.01, 1, 50)[:, None] * (tip - entry)
            assert (solid(path) < 0).all()
            # Six tenths of the way to the front.
            assert solid((entry + (tip - entry) / 0.6)[None])[0] == pytest.approx(0.0, abs=0.4)


def test_offset_moves_the_tip_lateral(landmarks):
    face = landmarks.auricular["right"]
    (needle,) = short_axis_needles(landmarks, "right", joint_distance_mm=15.0, fracture_offset_mm=3.0)
    assert (np.array(needle.target_mm) - face.centre) @ face.normal == pytest.approx(-12.0)
    assert needle.target_mm[0] < -20


@pytest.mark.parametrize("count", [1, 2])
def test_long_axis_runs_cephalad_from_dorsal_s3(landmarks, count):
    needles = long_axis_needles(landmarks, "left", count, signed_distance=wedge, gauge=13)
    assert len(needles) == count
    face = landmarks.auricular["left"]
    for needle in needles:
        tip, entry = np.array(needle.target_mm), np.array(needle.entry_mm)
        assert wedge(entry[None])[0] == pytest.approx(0.0, abs=1e-6)
        assert wedge(tip[None])[0] < -4.7
        assert needle.direction[2] > 0.5
        assert entry[2] < landmarks.levels[1, 2]
        assert needle.length_mm > 30
        assert abs((tip - face.centre) @ face.normal + 12.0) < 3.0
        assert needle.gauge == 13


@pytest.mark.parametrize("preset", [short_axis_needles, long_axis_needles])
def test_sides_mirror(landmarks, preset):
    for solid in (None, wedge):
        left, right = (preset(landmarks, side, 2, signed_distance=solid) for side in ("left", "right"))
        for a, b in zip(left, right, strict=True):
            assert np.array(a.entry_mm) * [-1, 1, 1] == pytest.approx(b.entry_mm, abs=1e-9)
            assert np.array(a.target_mm) * [-1, 1, 1] == pytest.approx(b.target_mm, abs=1e-9)


def test_presets_refuse(landmarks):
    for preset, most in ((short_axis_needles, 3), (long_axis_needles, 2)):
        for count in (0, most + 1):
            with pytest.raises(InputError, match=f"cement.needles = {count}: must be 1 to {most}"):
                preset(landmarks, "left", count)
        with pytest.raises(InputError, match="meets no bone"):
            preset(landmarks, "left", signed_distance=lambda points: np.ones(len(points)))


def test_needle_geometry():
    needle = Needle((0, 10, 0), (0, 4, 8), 10)
    assert needle.length_mm == pytest.approx(10.0)
    assert needle.direction == pytest.approx([0, -0.6, 0.8])
    assert [Needle((0, 0, 0), (1, 0, 0), g).diameter_mm for g in (10, 11, 13)] == [3.40, 3.05, 2.41]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Needle((0, 0, 0), (0, 0, 0)), "entry and target coincide"),
        (lambda: Needle((0, 0, np.nan), (0, 0, 0)), "entry_mm"),
        (lambda: Needle((0, 0, 1), (0, 0)), "target_mm"),
        (lambda: Needle((0, 0, 1), (0, 0, 0), 12), "gauge = 12"),
        (lambda: Injection(Needle((0, 0, 1), (0, 0, 0)), 0.0), "cement.volume_ml = 0.0: must be positive"),
        (lambda: Injection(Needle((0, 0, 1), (0, 0, 0)), float("inf")), "cement.volume_ml"),
        (lambda: Column(-1.0), "cement.spread.length_mm"),
        (lambda: Column(10.0, 0.0), "cement.spread.max_radius_mm"),
        (lambda: Ellipsoid(0.5), "cement.spread.aspect = 0.5"),
    ],
)
def test_refusals(make, text):
    with pytest.raises(InputError, match=text):
        make()


@pytest.mark.parametrize("spread", [Column(), Column(0.0), Ellipsoid(1.0), Ellipsoid(3.0)])
def test_sizes_are_zero_at_the_tip_and_change_no_faster_than_distance(spread):
    assert isinstance(spread, Spread)
    tip, direction = np.array([1.0, 2.0, 3.0]), np.array([0.6, 0.0, -0.8])
    assert spread.size(tip[None], tip, direction, 30.0) == pytest.approx([0.0])
    rng = np.random.default_rng(5)
    a, b = rng.uniform(-20, 20, (2, 500, 3))
    change = spread.size(a, tip, direction, 30.0) - spread.size(b, tip, direction, 30.0)
    assert (np.abs(change) <= np.linalg.norm(a - b, axis=1) + 1e-9).all()


def test_column_lies_behind_the_tip_and_ends_at_the_entry():
    tip, direction = np.zeros(3), np.array([0.0, -1.0, 0.0])
    points = np.array([[0, 10.0, 0], [3, 10, 0], [0, -4, 0], [0, 20, 0]])
    assert Column(15.0).size(points, tip, direction, 30.0) == pytest.approx([0, 3, 4, 5])
    assert Column(15.0).size(points, tip, direction, 8.0) == pytest.approx([2, np.hypot(2, 3), 4, 12])
