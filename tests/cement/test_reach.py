"""Which fractures cement reaches, and that a plan which reaches none says so before all else."""

import numpy as np
import pytest
from blocks_of_tets import box

from sacrofem import Case
from sacrofem.cement.injection import Injection
from sacrofem.cement.needle import Needle
from sacrofem.cement.reach import LEAST_SHARE, Reach, fracture_reach
from sacrofem.cement.shapes import Column
from sacrofem.cement.spread import CementRegion, place_cement
from sacrofem.mesh.gap import GapPoints
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.check import summary
from sacrofem.specimen.specimen import Specimen

TINY = {"mesh.reference": "tiny", "mesh.order": 1, "cement.spread": "column"}


def plane(x, count=60):
    """A gap in the plane at x, 20 x 20 mm, as one pair a point."""
    y, z = (axis.ravel() for axis in np.meshgrid(*[np.linspace(-9.75, 9.75, count)] * 2))
    points = np.stack([np.full(y.shape, x), y, z], axis=1)[:, None]
    return points, np.full((len(y), 1), 400.0 / len(y))


@pytest.fixture(scope="module")
def block():
    made = box((14, 14, 14), (40.0, 40.0, 40.0))
    return TetMesh.from_tets(made.points - 20.0, made.tets)


@pytest.mark.parametrize("in_gap", [True, False])
def test_the_share_of_a_plane_through_a_ball(block, in_gap):
    near, areas = plane(2.0)
    far, _ = plane(12.0)
    points = np.concatenate([near, far])
    gap = GapPoints(points, np.concatenate([areas, areas]), np.tile([1.0, 0, 0], (len(points), 1)), np.ones((1, 3)) / 3)
    half = len(near)
    fractures = {"near": np.arange(len(points)) < half, "far": np.arange(len(points)) >= half}
    needle = Needle((0.0, 19.0, 0.0), (0.0, 0.0, 0.0))
    region = place_cement(
        [Injection(needle, 0.5, Column(0.0))], block, np.full(len(block.tets), 0.9), gap, 0.01, in_gap=in_gap
    )
    reach = fracture_reach(region, region.coverage, gap, fractures, block)
    radius = region.injections[0].radius_mm
    assert reach.covered_share["near"] == pytest.approx(np.pi * (radius**2 - 4.0) / 400.0, rel=0.05)
    assert reach.reached == {"near": True, "far": False}
    assert reach.distance_mm["near"] == 0.0
    assert reach.distance_mm["far"] == pytest.approx(12.0 - radius, abs=40.0 / 14)
    assert reach.sentences() == [
        f"cement does not reach all fractures: not far ({reach.distance_mm['far']:.1f} mm away)"
    ]


def test_words_for_every_way_to_miss():
    assert Reach().sentences() == []
    touched = Reach({"zone1_left": 0.5 * LEAST_SHARE, "zone2_left": 0.0}, {"zone1_left": 0.0, "zone2_left": np.inf})
    assert touched.reached == {"zone1_left": False, "zone2_left": False}
    (text,) = touched.sentences()
    assert text.startswith(
        "cement reaches no fracture: zone1_left (touched on 0.5 % of its area), zone2_left (no cement)"
    )
    many = Reach({f"own_{k}": 0.0 for k in range(50)}, {f"own_{k}": 1.0 + k for k in range(50)})
    assert len(many.sentences()[0]) < 330
    assert "and 46 more" in many.sentences()[0]


def test_without_cement_nothing_is_near(block):
    points, areas = plane(0.0, 4)
    gap = GapPoints(points, areas, np.tile([1.0, 0, 0], (len(points), 1)), np.ones((1, 3)) / 3)
    nothing = CementRegion(np.zeros(len(block.tets)), np.zeros(areas.shape))
    reach = fracture_reach(nothing, nothing.coverage, gap, {"own": np.ones(len(points), bool)}, block)
    assert reach.covered_share == {"own": 0.0}
    assert reach.distance_mm["own"] == np.inf


PARTIAL = {"fracture.side": "left", "fracture.extent": 0.4, "fracture.extent_from": "inferior"}


@pytest.mark.filterwarnings("ignore:cutting left")
@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({}, {"zone1_left": True, "zone1_right": True}),
        ({"cement.in_gap": "none"}, {"zone1_left": True, "zone1_right": True}),
        ({"cement.side": "left"}, {"zone1_left": True, "zone1_right": False}),
        ({"fracture.side": "left", "cement.side": "right"}, {"zone1_left": False}),
        ({"fracture.zone": "zone2", "fracture.side": "left"}, {"zone2_left": False}),
        ({"fracture.zone": "zone3"}, {"zone3": False}),
        ({"fracture.zone": "transverse"}, {"transverse": False}),
        ({"fracture.zone": "H"}, {"zone1_left": True, "zone1_right": True, "transverse": False}),
        ({"fracture.zone": "U"}, {"zone1_left": True, "zone1_right": True, "transverse": False}),
        (PARTIAL, {"zone1_left": False}),
        ({"fracture.zone": "none", "lesion.kind": "focal"}, {}),
    ],
)
def test_a_plan_says_first_which_fractures_it_does_not_reach(changes, reached):
    specimen = Specimen(Case().with_(**TINY, **{"cement.volume_ml": 4.0, **changes}))
    plan = specimen.plan()
    content = plan.to_json()
    assert content["reached"] == reached
    assert {name: share >= LEAST_SHARE for name, share in content["covered_share"].items()} == reached
    told = summary(specimen, plan)
    assert told["cement"]["reached"] == reached
    first = told["warnings"].get("1", "")
    if not reached or all(reached.values()):
        assert not first.startswith("cement ")
    elif any(reached.values()):
        assert first.startswith("cement does not reach all fractures: not ")
    else:
        assert first.startswith("cement reaches no fracture: ")
        assert plan.volumes_ml["in_gap_ml"] == 0.0


@pytest.mark.filterwarnings("ignore:cutting left")
def test_what_places_a_fracture_of_zone_1_moves_no_needle_elsewhere():
    base = Case().with_(**TINY, **{"fracture.zone": "zone3"})
    usual = Specimen(base).plan()
    specimen = Specimen(base.with_(**{"fracture.joint_distance_mm": 4.0, "fracture.tilt_deg": 15.0}))
    assert specimen.plan().needles == usual.needles
    assert sum("it places a fracture of zone 1 (zone = zone3)" in text for text in specimen.notes) == 2
