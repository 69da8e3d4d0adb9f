from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.anatomy.regions import corridor_distance
from sacrofem.errors import InputError

# Mean and standard deviation, or the two ends of a range, of the morphometry table.
PUBLISHED = {
    "female": {
        "straight_length_mm": (93.64, 6.93),
        "ventral_arc_mm": (103.87, 9.60),
        "alar_breadth_mm": (106.15, 5.07),
        "endplate_transverse_mm": (40.3, 7.0),
        "endplate_ap_mm": (30.22, 1.57),
        "auricular_height_mm": (56.2, 4.6),
    },
    "male": {
        "straight_length_mm": (107.55, 8.89),
        "ventral_arc_mm": (113.40, 7.91),
        "alar_breadth_mm": (101.52, 6.81),
        "endplate_ap_mm": (31.92, 2.28),
    },
}


@pytest.fixture(scope="module", params=["female", "male"])
def sacrum(request):
    return ParametricSacrum(SacrumParameters.preset(request.param))


def sample(solid, n=20000):
    low, high = solid.bounds
    return low + np.random.default_rng(1).random((n, 3)) * (high - low)


@pytest.mark.parametrize("sex", ["female", "male"])
def test_presets_lie_in_published_ranges(sex):
    preset = SacrumParameters.preset(sex)
    for name, (mean, deviation) in PUBLISHED[sex].items():
        assert abs(getattr(preset, name) - mean) <= deviation, name
    assert abs(preset.body_heights_mm[0] - 28.5) < 0.5
    assert 24.0 <= preset.slope_deg <= 55.0


def test_every_parameter_is_documented_with_its_unit():
    for item in dataclasses.fields(SacrumParameters):
        assert item.name in (SacrumParameters.__doc__ or "")
        assert item.name.endswith(("_mm", "_deg"))


def test_solid_is_symmetric(sacrum):
    points = sample(sacrum)
    image = points * [-1.0, 1.0, 1.0]
    assert np.abs(sacrum.signed_distance(points) - sacrum.signed_distance(image)).max() < 1e-9


def test_solid_lies_within_its_bounds_and_has_the_volume_of_a_sacrum(sacrum):
    points = sample(sacrum, 60000)
    inside = sacrum.signed_distance(points) < 0
    volume = inside.mean() * np.prod(np.ptp(sacrum.bounds, axis=0)) / 1e3
    assert 150.0 < volume < 250.0
    low, high = sacrum.bounds
    for axis in range(3):
        for wall in (low[axis], high[axis]):
            there = points.copy()
            there[:, axis] = wall
            assert (sacrum.signed_distance(there) > 0).all(), (axis, wall)


def test_signed_distance_is_about_a_distance(sacrum):
    points = sample(sacrum)
    value = sacrum.signed_distance(points)
    near = np.abs(value) < 3.0
    step = 1e-4
    gradient = np.stack(
        [
            (sacrum.signed_distance(points[near] + step * e) - sacrum.signed_distance(points[near] - step * e))
            / (2 * step)
            for e in np.eye(3)
        ],
        axis=1,
    )
    size = np.linalg.norm(gradient, axis=1)
    assert np.percentile(size, 1) > 0.25
    assert 0.7 < np.median(size) < 1.3
    assert np.percentile(size, 99) < 2.0


def test_curved_coordinates_go_there_and_back(sacrum):
    for x, v, s in [(3.0, -2.0, 10.0), (20.0, 40.0, 70.0), (0.0, 0.0, 0.0)]:
        u, depth, along = sacrum.arc_coordinates(sacrum.at(x, v, s)[None])
        assert [u[0], depth[0], along[0]] == pytest.approx([x, v, s], abs=1e-9)
    p = sacrum.parameters
    chord = np.linalg.norm(sacrum.at(0.0, 0.0, p.ventral_arc_mm) - sacrum.at(0.0, 0.0, 0.0))
    assert chord == pytest.approx(p.straight_length_mm, rel=1e-9)


def test_endplate_stands_at_the_origin_with_the_preset_slope(sacrum):
    marks = sacrum.landmarks
    assert marks.endplate_centre == pytest.approx(np.zeros(3))
    assert marks.endplate_normal == pytest.approx([0.0, -np.sin(np.radians(40)), np.cos(np.radians(40))])
    above, below = sacrum.signed_distance(np.array([marks.endplate_normal, -marks.endplate_normal]))
    assert above > 0 > below


def test_landmarks_lie_on_and_in_the_bone(sacrum):
    marks = sacrum.landmarks
    surface = np.array([marks.promontory, marks.apex, *(face.centre for face in marks.auricular.values())])
    assert np.abs(sacrum.signed_distance(surface)).max() < 1e-6
    assert (sacrum.signed_distance(marks.levels) < -2.0).all()
    assert (np.diff(marks.levels[:, 2]) < 0).all()
    assert marks.promontory[1] == min(marks.promontory[1], marks.levels[:, 1].min())
    # Concave in front: the line from promontory to apex runs before the bodies.
    chord = marks.apex - marks.promontory
    share = (marks.levels[2, 2] - marks.promontory[2]) / chord[2]
    assert marks.levels[2, 1] - (marks.promontory[1] + share * chord[1]) > 15.0


def test_auricular_faces_look_outwards_converge_to_the_back_and_mirror(sacrum):
    left, right = (sacrum.landmarks.auricular[side] for side in ("left", "right"))
    flip = np.array([-1.0, 1.0, 1.0])
    assert np.array_equal(left.centre * flip, right.centre)
    assert np.array_equal(left.normal * flip, right.normal)
    assert np.linalg.norm(left.normal) == pytest.approx(1.0)
    assert left.normal[0] > 0.9
    assert 0.0 < left.normal[1] < 0.5
    assert sacrum.auricular_distance(left.centre[None])[0] < -3.0


def test_corridors_are_free_and_open(sacrum):
    marks = sacrum.landmarks
    assert set(marks.foramina) == {f"S{k}_{side}" for k in range(1, 5) for side in ("left", "right")}
    points = sample(sacrum, 60000)
    solid = sacrum.signed_distance(points)
    for name, corridor in {"canal": marks.canal, **marks.foramina}.items():
        assert (sacrum.signed_distance(corridor.points[1:-1]) > 1.0).all(), name
        within = corridor_distance(points, corridor) < -0.8
        assert within.sum() > 5, name
        assert (solid[within] > 0).mean() > 0.97, name


def test_parameters_steer_the_shape():
    wide = ParametricSacrum(dataclasses.replace(SacrumParameters(), alar_breadth_mm=112.0))
    ray = np.column_stack([np.arange(40.0, 62.0, 0.05), *(np.full(440, c) for c in (24.0, -20.0))])

    def edge(solid):
        return ray[solid.signed_distance(ray) < 0, 0].max()

    assert edge(wide) - edge(ParametricSacrum()) == pytest.approx(3.0, abs=0.8)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"alar_breadth_mm": -1.0}, "alar_breadth_mm"),
        ({"ala_depth_mm": float("nan")}, "ala_depth_mm"),
        ({"anterior_widths_mm": (12.0, 12.0, 0.0, 8.0)}, "anterior_widths_mm"),
        ({"straight_length_mm": 120.0}, "ventral arc"),
    ],
)
def test_impossible_parameters_are_refused(change, word):
    with pytest.raises(InputError, match=word):
        dataclasses.replace(SacrumParameters(), **change)


def test_unknown_preset_is_refused():
    with pytest.raises(InputError, match=r"anatomy\.sex"):
        SacrumParameters.preset("child")  # type: ignore[arg-type]
