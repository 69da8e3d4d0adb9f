"""Flow: arrival times against closed forms, exact volumes, and regions that depend on the anatomy alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem import Case
from sacrofem.bone.permeability import LAWS, REFERENCE_PORES, permeability_law
from sacrofem.cement.flow import Flow, FlowLaw, Medium
from sacrofem.cement.injection import Injection
from sacrofem.cement.needle import Needle
from sacrofem.cement.planners import plan_needles
from sacrofem.cement.shapes import Column, Ellipsoid
from sacrofem.cement.spread import place_cement
from sacrofem.errors import InputError
from sacrofem.mesh.locate import Locator
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.cement import needle_plan
from sacrofem.specimen.specimen import Specimen

NO_GAP = np.empty((0, 3))
PORES = REFERENCE_PORES


def turned(mesh: TetMesh, angle_deg: float) -> TetMesh:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return TetMesh.from_tets(mesh.points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]), mesh.tets)


@pytest.fixture(scope="module")
def cube(block):
    return block(40.0, 2.5)


@pytest.mark.parametrize("angle_deg", [0.0, 37.0])
def test_homogeneous_bone_takes_a_sphere(cube, angle_deg):
    """Radius r = (3 V / 4π φ)^(1/3); a ball has the second moment 3/5 V r², and no body of its volume has less."""
    mesh = turned(cube, angle_deg)
    pores = np.full(len(mesh.tets), PORES)
    tip = (0.31, -0.17, 0.44)
    needle = Needle((0.0, 15.0, 0.0), tip)
    region = place_cement([Injection(needle, 3.0, Flow())], mesh, pores)
    (placed,) = region.injections
    assert placed.placed_ml == pytest.approx(3.0, rel=1e-9)
    assert placed.leaked_ml == 0.0
    radius = (3.0 * 3000.0 / (4.0 * np.pi * PORES)) ** (1 / 3)
    assert placed.radius_mm == pytest.approx(radius, rel=0.03)
    # Where the border is, in many directions, against that radius: sphericity by the isoperimetric quotient.
    directions = np.random.default_rng(0).normal(size=(500, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    steps = np.linspace(0.0, 18.0, 721)
    points = np.asarray(tip) + steps[None, :, None] * directions[:, None]
    sizes = placed.arrival.size(points.reshape(-1, 3)).reshape(500, -1)
    border = steps[(sizes < placed.radius_mm).sum(axis=1)]
    assert border == pytest.approx(radius, rel=0.03)
    assert np.std(border) / radius < 0.02


def test_two_layers_take_their_times_one_after_the_other(cube):
    """T = d1 / F1 + d2 / F2 across a plane square to the way."""
    upper = cube.centroids[:, 2] > 5.0
    law = FlowLaw()
    pores = np.where(upper, 0.8, PORES)
    slow = permeability_law(law.permeability)(np.array([0.8]))[0]
    needle = Needle((0.0, 15.0, 0.0), (0.0, 0.0, 0.0))
    arrival = Medium(cube, pores, NO_GAP, law).arrival(needle, 0.0, None)
    for z in (10.0, 12.0, 14.0):
        expected = 5.0 / 1.0 + (z - 5.0) / slow
        assert arrival.size(np.array([[0.0, 0.0, z]]))[0] == pytest.approx(expected, rel=0.05)


def test_a_withdrawal_line_gives_a_capsule(cube):
    pores = np.full(len(cube.tets), PORES)
    needle = Needle((0.0, 12.0, 9.0), (0.0, -8.0, -6.0))
    arrival = Medium(cube, pores, NO_GAP).arrival(needle, 20.0, None)
    along = needle.direction
    beside = np.cross(along, [1.0, 0.0, 0.0])
    beside /= np.linalg.norm(beside)
    tip = np.asarray(needle.target_mm)
    for back in (2.0, 10.0, 18.0):
        times = arrival.size(np.array([tip - back * along + 6.0 * side for side in (beside, -beside)]))
        assert times == pytest.approx(6.0, rel=0.1)
    assert arrival.size((tip + 6.0 * along)[None])[0] == pytest.approx(6.0, rel=0.1)


def test_cement_follows_the_gap(block):
    mesh = block(40.0, 2.5)
    pores = np.full(len(mesh.tets), PORES)
    y, z = np.meshgrid(np.arange(-20, 20, 0.5), np.arange(-20, 20, 0.5))
    plane = np.column_stack([np.zeros(y.size), y.ravel(), z.ravel()])
    needle = Needle((0.0, 15.0, 0.0), (0.0, 0.0, 0.0))
    arrival = Medium(mesh, pores, plane, FlowLaw(gap=3.0)).arrival(needle, 0.0, None)
    along, across = arrival.size(np.array([[0.0, 0.0, 12.0], [12.0, 0.0, 0.0]]))
    assert along == pytest.approx(12.0 / 3.0, rel=0.05)
    assert across == pytest.approx(12.0, rel=0.05)


@pytest.mark.slow
def test_set_cement_is_a_barrier(cube):
    pores = np.full(len(cube.tets), PORES)
    flow = Flow()
    first, second = (Injection(Needle((0.0, 15.0, z), (0.0, 0.0, z)), 1.5, flow) for z in (-3.0, 3.0))
    both = place_cement([first, second], cube, pores)
    alone = place_cement([second], cube, pores)
    assert both.placed_ml == pytest.approx(3.0, rel=1e-9)
    # It goes round the first one, so it reaches farther on its own side.
    far = cube.centroids[:, 2] > 8.0
    capacity = cube.volumes * pores
    first_only = place_cement([first], cube, pores)
    added = (both.fraction - first_only.fraction) @ (capacity * far)
    assert added > 1.02 * (alone.fraction @ (capacity * far))


@pytest.mark.slow
def test_needles_at_once_share_by_who_arrives_first(cube):
    pores = np.full(len(cube.tets), PORES)
    flow = Flow()
    needles = [Injection(Needle((0.0, 15.0, z), (0.0, 0.0, z)), 1.5, flow) for z in (-4.0, 4.0)]
    region = place_cement(needles, cube, pores, together=True)
    assert region.placed_ml == pytest.approx(3.0, rel=1e-9)
    assert region.requested_ml == pytest.approx(3.0, rel=1e-9)
    lower, upper = region.injections
    assert lower.placed_ml == pytest.approx(upper.placed_ml, rel=0.02)
    assert lower.radius_mm == upper.radius_mm
    # Mirror images of each other, which one after the other is not.
    capacity = cube.volumes * pores
    middle = cube.centroids[:, 2]
    assert (region.fraction * capacity) @ (middle > 0) == pytest.approx(
        (region.fraction * capacity) @ (middle < 0), rel=0.02
    )
    apart = place_cement([replace(i, volume_ml=0.3) for i in needles], cube, pores, together=True)
    for placed, needle in zip(apart.injections, needles, strict=True):
        alone = place_cement([replace(needle, volume_ml=placed.placed_ml)], cube, pores)
        assert placed.radius_mm == pytest.approx(alone.injections[0].radius_mm, rel=0.02)


def test_what_leaves_the_bone_is_counted(cube):
    pores = np.full(len(cube.tets), PORES)
    needle = Needle((0.0, 20.0, 0.0), (0.0, 17.0, 0.0))
    law = FlowLaw(cortex=1.0, tissue=1.0)
    region = place_cement([Injection(needle, 3.0, Flow(law))], cube, pores)
    (placed,) = region.injections
    assert placed.leaked_ml > 0.3
    assert placed.placed_ml + placed.leaked_ml == pytest.approx(3.0, rel=1e-9)
    assert (Locator(cube)(placed.outside_points) < 0).mean() > 0.8
    closed = FlowLaw(cortex=0.02)
    region = place_cement([Injection(needle, 3.0, Flow(closed))], cube, pores)
    assert region.injections[0].leaked_ml < 1e-3


@pytest.fixture(scope="module")
def site():
    case = Case.preset("sif-bilateral").with_(mesh__reference="tiny", cement__spread="flow")
    return Specimen(case).site


def _connected(mesh: TetMesh, members, start) -> bool:
    """Whether all members hang together with the start; twin nodes of the fracture count as one, cement passes it."""
    place = np.unique(np.round(mesh.points, 6), axis=0, return_inverse=True)[1].ravel()
    tets = np.flatnonzero(members)
    graph = coo_array(
        (np.ones(4 * len(tets)), (np.repeat(tets, 4), len(mesh.tets) + place[mesh.tets[tets]].ravel())),
        shape=(len(mesh.tets) + place.max() + 1,) * 2,
    )
    parts = connected_components(graph, directed=False)[1]
    return bool(members[start] and (parts[tets] == parts[start]).all())


@pytest.mark.slow
@pytest.mark.parametrize("count", [30])
def test_random_plans(site, count):
    """Connected to the tip, nothing unaccounted for, and more cement contains less."""
    rng = np.random.default_rng(7)
    locate, mesh = Locator(site.mesh), site.mesh
    needles = {
        (approach, side): plan_needles(
            approach, site.landmarks, side, 2, site.structures, joint_distance_mm=12.0, signed_distance=site.inside
        )
        for approach in ("short-axis", "long-axis", "transiliac")
        for side in ("left", "right")
    }
    keys = list(needles)
    # A coarse lattice, and plans of one needle in a row, so that they share its arrival times.
    medium = Medium(site.mesh, site.pores, site.space.gap.points.reshape(-1, 3), step_mm=1.0)
    gap = site.space.gap
    for number in range(count):
        approach, side = keys[number * len(keys) // count]
        needle = needles[approach, side][number * 2 * len(keys) // count % 2]
        volume = float(rng.uniform(0.5, 9.0))
        flow = Flow(line_mm=30.0 if approach == "long-axis" else 0.0)
        region = place_cement(
            [Injection(needle, volume, flow)], mesh, site.pores, gap, 1.0, keep_clear=site.structures.keep_clear,
            stop=bool(number % 2), media=lambda law: medium,
        )  # fmt: skip
        (placed,) = region.injections
        total = placed.placed_ml + placed.leaked_ml + placed.withheld_ml
        assert total == pytest.approx(volume, rel=1e-3)
        tip = int(locate(np.asarray(needle.target_mm)[None])[0])
        assert _connected(mesh, region.fraction > 0.0, tip)
        if number % 4 == 0:
            less = place_cement(
                [Injection(needle, 0.6 * volume, flow)], mesh, site.pores, gap, 1.0, media=lambda law: medium
            )
            more = place_cement([Injection(needle, volume, flow)], mesh, site.pores, gap, 1.0, media=lambda law: medium)
            assert (more.fraction >= less.fraction - 1e-12).all()
            assert (more.coverage >= less.coverage - 1e-12).all()


@pytest.mark.parametrize(("volume", "count"), [(0.5, 1), (9.0, 1), (4.1, 3)])
@pytest.mark.parametrize("spread", ["column", "ellipsoid", "flow"])
def test_volumes_are_exact(spread, volume, count):
    case = Case.preset("sif-unilateral").with_(
        mesh__reference="tiny", cement__spread=spread, cement__volume_ml=volume, cement__needles=count
    )
    if spread == "flow" and count > 1:
        case = case.with_(cement__sequence="together")
    plan = Specimen(case).plan()
    region = plan.region
    assert region.placed_ml + region.leaked_ml == pytest.approx(volume, rel=1e-6)
    assert sum(plan.safety.leaked_ml.values()) == pytest.approx(region.leaked_ml, rel=1e-9)


@pytest.mark.parametrize(
    "kind", ["column", pytest.param("ellipsoid", marks=pytest.mark.slow), pytest.param("flow", marks=pytest.mark.slow)]
)
def test_five_needles(site, kind):
    spread = {"column": Column(10.0), "ellipsoid": Ellipsoid(1.5), "flow": Flow()}[kind]
    needles = [
        needle
        for approach, count in (("short-axis", 3), ("long-axis", 2))
        for needle in plan_needles(
            approach, site.landmarks, "left", count, site.structures, joint_distance_mm=12.0,
            signed_distance=site.inside,
        )
    ]  # fmt: skip
    region = place_cement(
        [Injection(needle, 1.8, spread) for needle in needles],
        site.mesh,
        site.pores,
        site.space.gap,
        1.0,
        media=site.medium,
    )
    assert region.placed_ml + region.leaked_ml == pytest.approx(9.0, rel=1e-6)
    assert len(region.injections) == 5
    for placed in region.injections:
        assert placed.placed_ml + placed.leaked_ml == pytest.approx(1.8, rel=1e-6)


@pytest.mark.slow
def test_the_region_is_that_of_the_anatomy_and_not_of_the_mesh():
    case = Case.preset("sif-unilateral").with_(cement__spread="flow")
    step = np.arange(-32.0, 32.0, 0.7)
    masks = []
    for reference in ("coarse", "medium"):
        specimen = Specimen(case.with_(mesh__reference=reference))
        region = place_cement(
            needle_plan(case, specimen.site), specimen.mesh, specimen.site.pores, specimen.space.gap, 1.0
        )
        (placed,) = region.injections
        points = np.asarray(placed.injection.needle.target_mm) + np.stack(
            np.meshgrid(step, step, step, indexing="ij"), axis=-1
        ).reshape(-1, 3)
        masks.append((placed.arrival.size(points) < placed.radius_mm) & (Locator(specimen.mesh)(points) >= 0))
    first, second = masks
    assert 2 * (first & second).sum() / (first.sum() + second.sum()) > 0.9


def test_a_sweep_of_volumes_shares_one_field(site, monkeypatch):
    marched = []
    march = Medium._march
    monkeypatch.setattr(Medium, "_march", lambda self, *given: marched.append(1) or march(self, *given))
    needle = plan_needles(
        "short-axis", site.landmarks, "left", 1, site.structures, joint_distance_mm=12.0, signed_distance=site.inside
    )[0]
    medium = Medium(site.mesh, site.pores, site.space.gap.points.reshape(-1, 3))
    for volume in np.linspace(0.5, 6.0, 5):
        place_cement(
            [Injection(needle, float(volume), Flow())],
            site.mesh,
            site.pores,
            site.space.gap,
            1.0,
            media=lambda law: medium,
        )
    assert len(marched) == 1


def test_laws():
    for law in LAWS.values():
        assert law(np.array([REFERENCE_PORES]))[0] == pytest.approx(1.0)
        values = law(np.linspace(0.4, 0.99, 20))
        assert (np.diff(values) >= 0.0).all()
    with pytest.raises(InputError, match="kozeny-carman"):
        permeability_law("darcy")
    with pytest.raises(InputError, match=r"cement\.flow\.cortex"):
        FlowLaw(cortex=2.0)
