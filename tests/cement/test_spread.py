import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sacrofem.cement.bed import GAP_RAMP_MM, surface_distance
from sacrofem.cement.injection import Injection
from sacrofem.cement.needle import Needle
from sacrofem.cement.shapes import Column, Ellipsoid
from sacrofem.cement.spread import place_cement, spot_coverage
from sacrofem.errors import InputError
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mesh.gap import GapPoints
from sacrofem.mesh.tetmesh import TetMesh

VOLUMES = (0.5, 1.0, 2.0, 4.1, 9.0)
NEEDLE = Needle((1.0, 20.0, 2.0), (0.3, -2.0, 0.4))


@pytest.fixture(scope="module")
def coarse(block):
    return block(50.0, 5.0)


@pytest.fixture(scope="module")
def fine(block):
    return block(42.0, 3.0)


def pores(mesh):
    """Uneven, so that no test passes by forgetting them."""
    return 0.9 + 0.05 * np.sin(mesh.centroids[:, 2] / 7.0)


def plane_gap(x=0.0, half=21.0, size=2.0):
    """The plane at x, in right triangles."""
    barycentric, weights = triangle_rule(subdivisions=2)
    axis = np.arange(-half, half, size)
    y, z = (a.ravel() for a in np.meshgrid(axis, axis))
    corner = np.stack([np.full(y.size, x), y, z], axis=1)
    a, b = np.array([0, size, 0]), np.array([0, 0, size])
    lower, upper = np.stack([corner, corner + a, corner + a + b], 1), np.stack([corner, corner + a + b, corner + b], 1)
    triangles = np.concatenate([lower, upper])
    points = np.einsum("qc,pcx->pqx", barycentric, triangles)
    areas = np.broadcast_to(0.5 * size**2 * weights, points.shape[:2])
    return GapPoints(points, areas, np.tile([1.0, 0.0, 0.0], (len(points), 1)), barycentric)


def total(region, mesh, pore, gap=None, aperture=1.0):
    volume = region.fraction @ (mesh.volumes * pore)
    return (volume + (0.0 if gap is None else np.sum(region.coverage * gap.areas) * aperture)) / 1000.0


@pytest.mark.parametrize("spread", [Column(), Ellipsoid(), Column(0.0)], ids=["column", "ellipsoid", "sphere"])
@pytest.mark.parametrize("volume", VOLUMES)
@pytest.mark.parametrize("size", ["coarse", "fine"])
def test_volume_is_exact(request, spread, volume, size):
    mesh = request.getfixturevalue(size)
    gap = plane_gap() if size == "fine" else None
    region = place_cement([Injection(NEEDLE, volume, spread)], mesh, pores(mesh), gap, 1.2)
    assert total(region, mesh, pores(mesh), gap, 1.2) == pytest.approx(volume, rel=1e-8)
    assert region.placed_ml == pytest.approx(volume, rel=1e-8)
    assert region.in_bone_ml + region.in_gap_ml == pytest.approx(volume, rel=1e-8)
    assert region.in_lesion_ml == 0
    assert (region.in_gap_ml > 0) == (gap is not None)
    assert region.fraction.min() >= 0
    assert region.fraction.max() <= 1


@pytest.mark.parametrize("size", ["coarse", "fine"])
def test_region_is_the_shape(request, size):
    """Radius against the closed volume of the body, and fractions against a count of points."""
    mesh = request.getfixturevalue(size)
    for volume in (1.0, 4.1):
        placed = place_cement([Injection(NEEDLE, volume)], mesh, np.full(len(mesh.tets), 0.9)).injections[0]
        r = placed.radius_mm
        assert 0.9e-3 * np.pi * r**2 * (15.0 + 4.0 / 3.0 * r) == pytest.approx(volume, rel=0.006)
        placed = place_cement([Injection(NEEDLE, volume, Ellipsoid(1.5))], mesh, np.ones(len(mesh.tets))).injections[0]
        assert 1e-3 * 4 / 3 * np.pi * placed.radius_mm**3 * 1.5 == pytest.approx(volume, rel=0.006)
    region = place_cement([Injection(NEEDLE, 4.1)], mesh, np.full(len(mesh.tets), 0.9))
    border = np.flatnonzero((region.fraction > 0) & (region.fraction < 1))[::37]
    corners = mesh.points[mesh.tets[border]]
    points = np.random.default_rng(3).dirichlet(np.ones(4), 8000) @ corners
    tip, back = np.array(NEEDLE.target_mm), -NEEDLE.direction
    along = np.clip((points - tip) @ back, 0.0, 15.0)
    inside = np.linalg.norm(points - tip - along[..., None] * back, axis=-1) < region.injections[0].radius_mm
    assert region.fraction[border] == pytest.approx(inside.mean(axis=1), abs=0.025)
    assert region.fraction[border].mean() == pytest.approx(inside.mean(), abs=0.005)


@pytest.mark.parametrize("spread", [Column(), Ellipsoid()], ids=["column", "ellipsoid"])
def test_more_cement_contains_less_cement_and_grows_smoothly(coarse, spread):
    gap = plane_gap(4.0)
    volumes = np.linspace(1.0, 6.0, 9)
    regions = [place_cement([Injection(NEEDLE, v, spread)], coarse, pores(coarse), gap) for v in volumes]
    fractions = np.array([region.fraction for region in regions])
    assert (np.diff(fractions, axis=0) >= -1e-12).all()
    assert (np.diff([region.coverage for region in regions], axis=0) >= 0).all()
    radii = np.array([region.injections[0].radius_mm for region in regions])
    assert (np.diff(radii) > 0).all()
    # Fractions follow the radius: the lowest height of an element is 3.5 mm, the steepest filling 3 / 3.5 a mm.
    assert (np.diff(fractions, axis=0).max(axis=1) < 0.86 * np.diff(radii)).all()
    # Volume over radius is the closed curve of such bodies, V = a r² + b r³, but for uneven pores.
    curve, in_bone = np.stack([radii**2, radii**3], axis=1), np.array([region.in_bone_ml for region in regions])
    assert curve @ np.linalg.lstsq(curve, in_bone, rcond=None)[0] == pytest.approx(in_bone, rel=0.01)
    # Small steps of 0.05 ml; labels by centroid would differ by as much as they change.
    close = [Injection(NEEDLE, volume, spread) for volume in (2.0, 2.05, 2.1)]
    steps = np.array([place_cement([injection], coarse, pores(coarse)).fraction for injection in close])
    assert np.abs(np.diff(steps, 2, axis=0)).max() < 0.3 * np.abs(np.diff(steps, axis=0)).max()


@settings(derandomize=True, max_examples=6, deadline=None)
@given(
    st.floats(0.1, 6.0),
    st.tuples(*[st.floats(-8, 8)] * 3),
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: np.linalg.norm(d) > 0.1),
    st.sampled_from([Column(), Column(40.0), Ellipsoid(2.0)]),
)
def test_any_needle_gets_exactly_its_volume(coarse, volume, tip, direction, spread):
    entry = np.add(tip, 30.0 * np.array(direction) / np.linalg.norm(direction))
    injection = Injection(Needle(tuple(entry), tip), volume, spread)
    region = place_cement([injection], coarse, pores(coarse))
    assert region.placed_ml == pytest.approx(volume, rel=1e-8)
    mirrored = TetMesh.mirrored(coarse)
    flip = np.array([-1, 1, 1])
    twin = Injection(Needle(tuple(entry * flip), tuple(np.array(tip) * flip)), volume, spread)
    assert place_cement([twin], mirrored, pores(mirrored)).fraction == pytest.approx(region.fraction, abs=1e-10)


def test_overlapping_injections_each_add_their_own_volume(coarse):
    gap = plane_gap(1.0)
    other = Needle((6.0, 20.0, 2.0), (5.0, 0.0, -2.0))
    lesion = np.clip(coarse.centroids[:, 0] / 10.0, 0.0, 1.0)
    both = [Injection(NEEDLE, 2.0), Injection(other, 3.0, Ellipsoid())]
    region = place_cement(both, coarse, pores(coarse), gap, 0.8, lesion_fraction=lesion)
    first = place_cement(both[:1], coarse, pores(coarse), gap, 0.8, lesion_fraction=lesion)
    alone = place_cement(both[1:], coarse, pores(coarse), gap, 0.8)
    assert ((first.fraction > 0) & (alone.fraction > 0)).sum() > 50
    assert [p.placed_ml for p in region.injections] == pytest.approx([2.0, 3.0], rel=1e-8)
    assert total(region, coarse, pores(coarse), gap, 0.8) == pytest.approx(5.0, rel=1e-8)
    assert (region.fraction >= first.fraction).all()
    assert region.injections[0] == first.injections[0]
    assert region.injections[1].radius_mm > alone.injections[0].radius_mm
    added = (region.fraction - first.fraction) * coarse.volumes * pores(coarse) / 1000
    assert region.injections[1].in_lesion_ml == pytest.approx(added @ lesion)
    assert region.in_bone_ml + region.in_gap_ml + region.in_lesion_ml == pytest.approx(5.0, rel=1e-8)
    # The same needle twice is one needle with the sum.
    twice = place_cement([Injection(NEEDLE, 2.0), Injection(NEEDLE, 1.0)], coarse, pores(coarse))
    once = place_cement([Injection(NEEDLE, 3.0)], coarse, pores(coarse))
    assert twice.fraction == pytest.approx(once.fraction, abs=1e-9)


def test_coverage_of_a_sphere_through_a_plane(fine):
    gap = plane_gap(size=1.0)
    tip = (3.0, 0.4, -0.7)
    injection = Injection(Needle((3.0, 20.0, -0.7), tip), 2.0, Column(0.0))
    region = place_cement([injection], fine, np.full(len(fine.tets), 0.9), gap, 0.5)
    disc = np.pi * (region.injections[0].radius_mm ** 2 - 9.0)
    assert np.sum(region.coverage * gap.areas) == pytest.approx(disc, rel=0.03)
    assert region.in_gap_ml == pytest.approx(disc * 0.5e-3, rel=0.03)
    between = np.mean((region.coverage > 0) & (region.coverage < 1))
    rim = 2 * np.pi * np.sqrt(disc / np.pi) * GAP_RAMP_MM
    assert between * gap.areas.sum() < 2.0 * rim


def test_gap_without_cement_and_aperture_by_point(fine):
    gap = plane_gap()
    injection = [Injection(NEEDLE, 2.0)]
    dry = place_cement(injection, fine, pores(fine), gap, 1.0, in_gap=False)
    assert dry.coverage.shape == gap.areas.shape
    assert not dry.coverage.any()
    assert dry.in_bone_ml == pytest.approx(2.0, rel=1e-8)
    width = np.where(gap.points[:, 0, 1] > 0, 2.0, 0.5)
    wet = place_cement(injection, fine, pores(fine), gap, width)
    assert wet.in_gap_ml == pytest.approx(np.sum(wet.coverage * gap.areas * width[:, None]) / 1000)
    nothing = place_cement([], fine, pores(fine), gap)
    assert not nothing.fraction.any()
    assert nothing.placed_ml == 0
    assert nothing.coverage.shape == gap.areas.shape


def test_region_grows_around_the_surface_of_the_bone(coarse):
    near_wall = Injection(Needle((0.0, 0.0, 0.0), (24.0, 0.0, 0.0)), 3.0, Column(0.0))
    free = Injection(Needle((-24.0, 0.0, 0.0), (0.0, 0.0, 0.0)), 3.0, Column(0.0))
    pore = np.ones(len(coarse.tets))
    blocked, open_ = (place_cement([i], coarse, pore).injections[0] for i in (near_wall, free))
    assert blocked.placed_ml == pytest.approx(3.0, rel=1e-8)
    assert blocked.radius_mm > 1.15 * open_.radius_mm


def test_more_volume_than_room_is_refused_with_both_volumes(coarse):
    spread = Column(0.0, max_radius_mm=8.0)
    with pytest.raises(InputError, match=r"larger than the zone: 3 ml wanted.*room for 2\.1\d ml") as caught:
        place_cement([Injection(NEEDLE, 3.0, spread)], coarse, np.ones(len(coarse.tets)))
    assert caught.value.field == "cement.injections[0].volume_ml"
    with pytest.raises(InputError, match=r"500 ml wanted"):
        place_cement([Injection(NEEDLE, 500.0)], coarse, pores(coarse))
    filled = [Injection(NEEDLE, 2.0, spread), Injection(NEEDLE, 0.5, spread)]
    with pytest.raises(InputError, match=r"injections\[1\].*0.5 ml wanted.*room for 0\.1\d ml"):
        place_cement(filled, coarse, np.ones(len(coarse.tets)))


@pytest.mark.parametrize(
    ("tip", "distance"), [((30.0, 0.0, 0.0), 5.0), ((28.0, 29.0, 0.0), 5.0), ((26.0, 27.0, 27.0), 3.0)]
)
def test_tip_outside_is_refused_with_its_distance(coarse, tip, distance):
    assert surface_distance(np.array(tip), coarse) == pytest.approx(distance)
    with pytest.raises(InputError, match=rf"outside the bone, {distance:.1f} mm") as caught:
        place_cement([Injection(Needle((0, 0, 0), tip), 1.0)], coarse, pores(coarse))
    assert caught.value.field == "cement.injections[0].target_mm"


def test_tip_on_a_face_belongs_to_the_bone(coarse):
    for tip in ((0.0, 0.0, 0.0), (5.0, 5.0, 1.0), (25.0, 1.3, 2.1)):
        region = place_cement([Injection(Needle((1, 2, 3), tip), 0.5)], coarse, pores(coarse))
        assert region.placed_ml == pytest.approx(0.5, rel=1e-8)


def test_spot_is_a_disc():
    gap = plane_gap(size=1.0)
    coverage = spot_coverage(gap, np.array([0.0, 2.0, 3.0]), 6.0)
    assert set(np.unique(coverage)) == {0.0, 1.0}
    assert np.sum(coverage * gap.areas) == pytest.approx(np.pi * 36, rel=0.02)
    with pytest.raises(InputError, match=r"spot covers no point.*4\.0\d mm away"):
        spot_coverage(gap, np.array([4.0, 0.0, 0.0]), 2.0)
