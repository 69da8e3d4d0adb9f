"""CT on synthetic phantoms: exact averages, any grid, calibration, and what is refused or warned of."""

import itertools

import numpy as np
import pytest

from sacrofem.bone.ct import CTVolume, calibration, element_density, sub_centroids
from sacrofem.bone.density import density_from_hu
from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces

SLOPE = np.array([3.0, -2.0, 1.5])


def box(n=3, size=12.0):
    """A cube of tets of several shapes, centred at a place of its own."""
    axis = np.linspace(0.0, size, n + 1)
    points = np.stack(np.meshgrid(axis, axis * 0.8, axis * 1.3, indexing="ij"), axis=-1).reshape(-1, 3)
    number = np.arange(len(points)).reshape(n + 1, n + 1, n + 1)
    tets = []
    for i, j, k in itertools.product(range(n), repeat=3):
        for order in itertools.permutations(range(3)):
            corner, path = np.array([i, j, k]), []
            path.append(number[tuple(corner)])
            for a in order:
                corner[a] += 1
                path.append(number[tuple(corner)])
            tets.append(path)
    tets = np.array(tets)
    edges = points[tets[:, 1:]] - points[tets[:, :1]]
    inverted = np.linalg.det(edges) < 0
    tets[inverted] = tets[inverted][:, [0, 2, 1, 3]]
    return TetMesh(points + np.array([-5.0, 3.0, -7.0]), tets, boundary_faces(tets))


@pytest.fixture(scope="module")
def mesh():
    return box()


def turned(degrees):
    a, b = np.radians([degrees, 0.7 * degrees])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


def phantom(mesh, field, spacing=(1.0, 1.0, 1.0), axes=None, margin=3.0):
    """CT of a field of mm over a grid along axes (columns) that holds the whole mesh."""
    axes = np.eye(3) if axes is None else axes
    along = mesh.points @ axes
    low, high = along.min(axis=0) - margin, along.max(axis=0) + margin
    n = np.ceil((high - low) / spacing).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes * spacing, axes @ low
    index = np.stack(np.meshgrid(*map(np.arange, n), indexing="ij"), axis=-1)
    return CTVolume(field(index @ affine[:3, :3].T + affine[:3, 3]), affine)


def linear(x):
    return 200.0 + x @ SLOPE


def smooth(x):
    return 300.0 + 120.0 * np.sin(x[..., 0] / 4.0) * np.cos(x[..., 1] / 5.0) + 4.0 * x[..., 2]


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_sub_tets_fill_a_tet(k):
    points = sub_centroids(k)
    assert points.shape == (k**3, 4)
    assert (points > 0).all()
    np.testing.assert_allclose(points.sum(axis=1), 1.0)
    np.testing.assert_allclose(points.mean(axis=0), 0.25)
    assert len(np.unique(points.round(9), axis=0)) == k**3
    # The mean square of a barycentric coordinate is 1/10; the centroid rule is of second order.
    assert abs((points**2).mean(axis=0) - 0.1).max() <= 0.06 / k**2


@pytest.mark.parametrize("degrees", [0, 31])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.9, 3.0), (5.0, 5.0, 5.0)])
def test_a_linear_field_is_averaged_exactly(mesh, degrees, spacing):
    volume = phantom(mesh, linear, spacing, turned(degrees), margin=6.0)
    found = element_density(mesh, volume, rim="ct")
    np.testing.assert_allclose(found.hu, linear(mesh.centroids), rtol=1e-6)
    np.testing.assert_allclose(found.density, density_from_hu(linear(mesh.centroids)), rtol=1e-6)
    assert found.warnings == ()
    assert not found.membrane


def test_the_average_is_of_the_volume_not_of_the_centroid(mesh):
    def bowl(x):
        return 100.0 + ((x - mesh.points.mean(axis=0)) ** 2).sum(axis=-1)

    found = element_density(mesh, phantom(mesh, bowl, (0.25, 0.25, 0.25)), rim="ct")
    # The integral of a quadratic over a tet, exactly: (Σ f(corners) + 16 f(centroid)) / 20.
    corners = bowl(mesh.points[mesh.tets])
    exact = (corners.sum(axis=1) + 16.0 * bowl(mesh.centroids)) / 20.0
    assert np.abs(bowl(mesh.centroids) - exact).max() > 1.0
    assert np.abs(found.hu - exact).max() < 0.1


def test_turned_and_anisotropic_grids_agree(mesh):
    reference = element_density(mesh, phantom(mesh, smooth, (0.5, 0.5, 0.5)), rim="ct").density
    for spacing, degrees in (((0.5, 0.6, 1.2), 0), ((0.5, 0.6, 1.2), 40), ((0.8, 0.8, 0.8), -75)):
        found = element_density(mesh, phantom(mesh, smooth, spacing, turned(degrees)), rim="ct").density
        np.testing.assert_allclose(found, reference, rtol=0.01)


def test_axes_that_run_the_other_way_give_the_same_and_a_flipped_image_does_not(mesh):
    volume = phantom(mesh, linear)
    there = element_density(mesh, volume, rim="ct").hu
    # The same image stored from left to right: data and affine turned together (a left-handed affine).
    back = np.eye(4)
    back[0, 0], back[0, 3] = -1.0, volume.hu.shape[0] - 1.0
    stored = CTVolume(volume.hu[::-1], volume.affine @ back)
    np.testing.assert_allclose(element_density(mesh, stored, rim="ct").hu, there, rtol=1e-12)
    flipped = CTVolume(volume.hu[::-1], volume.affine)
    correlation = np.corrcoef(element_density(mesh, flipped, rim="ct").hu, there)[0, 1]
    assert correlation < 0.5


def test_a_ct_moves_with_its_mesh(mesh):
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = turned(20), [4.0, -9.0, 2.0]
    points = mesh.points @ move[:3, :3].T + move[:3, 3]
    moved = TetMesh(points, mesh.tets, mesh.faces)
    volume = phantom(mesh, smooth)
    np.testing.assert_allclose(
        element_density(moved, volume.moved(move), rim="ct").hu, element_density(mesh, volume, rim="ct").hu, rtol=1e-9
    )


def test_the_rim_is_left_to_the_membrane_or_to_the_ct():
    mesh = box(6)
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)

    def shell(x):
        """1200 HU within 1 mm of the surface, 100 HU below, 0 outside."""
        depth = np.minimum(x - low, high - x).min(axis=-1)
        return np.where(depth < 0, 0.0, np.where(depth < 1.0, 1200.0, 100.0))

    volume = phantom(mesh, shell, (0.2, 0.2, 0.2))
    membrane = element_density(mesh, volume, rim_mm=1.6)
    np.testing.assert_allclose(membrane.hu, 100.0, atol=1e-6)
    assert membrane.membrane
    assert membrane.rim_elements > 0
    ct = element_density(mesh, volume, rim="ct")
    assert ct.hu.max() > 400.0
    assert ct.rim_elements == 0
    # All of the cortex is in it, but for the half voxel that mixes it with what lies outside.
    total = float(mesh.volumes @ ct.hu) / float(mesh.volumes.sum())
    core = np.prod(high - low - 2.0) / np.prod(high - low)
    assert total == pytest.approx(100.0 * core + 1200.0 * (1 - core), rel=0.08)


def test_a_phantom_and_two_tissues_give_their_line():
    hu = np.array([-5.0, 60.0, 125.0, 250.0])
    line = calibration("phantom", hu, 0.9e-3 * hu + 2e-3)
    assert (line.slope, line.intercept) == pytest.approx((0.9e-3, 2e-3))
    assert line.warnings == ()
    two = calibration("two-tissue", [-100.0, 40.0], [-0.08, 0.03])
    np.testing.assert_allclose(two(np.array([-100.0, 40.0])), [-0.08, 0.03])
    assert "R²" in calibration("phantom", [0, 100, 200], [0.0, 0.2, 0.1]).warnings[0]
    assert "g/cm³" in calibration("phantom", [0, 100, 200], [0.0, 80.0, 160.0]).warnings[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rods",), "no such calibration"),
        (("phantom", [100.0], [0.1]), "two or more"),
        (("two-tissue", [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]), "needs two finite"),
        (("phantom", [0.0, 100.0], [0.1]), "as many densities"),
        (("phantom", [0.0, np.nan], [0.0, 0.1]), "finite"),
        (("phantom", [50.0, 50.0], [0.0, 0.1]), "are equal"),
        (("phantom", [0.0, 100.0], [0.1, 0.0]), "falls with HU"),
    ],
)
def test_bad_calibrations_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        calibration(*arguments)


def constant(value):
    return lambda x: np.full(x.shape[:-1], float(value))


def test_what_is_out_of_range_is_clipped_counted_and_warned_of(mesh):
    middle = mesh.points.mean(axis=0)

    def metal(x):
        return np.where(np.linalg.norm(x - middle, axis=-1) < 3.0, 20000.0, 100.0)

    found = element_density(mesh, phantom(mesh, metal), rim="ct")
    assert 0.0 < found.clipped_share < 0.2
    assert found.hu.max() <= 3071.0
    assert "above 3071 HU" in found.warnings[0]
    with pytest.raises(InputError, match="is it in HU"):
        element_density(mesh, phantom(mesh, constant(30000.0)))


def test_air_fat_and_a_short_ct_are_counted_or_refused(mesh):
    with pytest.raises(InputError, match="100 % of the bone's volume reads below -300 HU, which is air"):
        element_density(mesh, phantom(mesh, constant(-900.0)))
    with pytest.raises(InputError, match=r"162 of 162 elements \(100 % of the bone\) read below 0 g/cm³"):
        element_density(mesh, phantom(mesh, constant(-90.0)))
    middle = mesh.points[:, 0].mean()
    fat = element_density(mesh, phantom(mesh, lambda x: np.where(x[..., 0] < middle - 2.0, -90.0, 100.0)), rim="ct")
    assert 0 < fat.negative < 81
    assert (fat.density == 0.0).sum() == fat.negative
    assert "below 0 g/cm³" in fat.warnings[0]
    short = element_density(mesh, phantom(mesh, linear, (0.5, 0.5, 0.5), margin=-1.0), rim="ct")
    assert 0.1 < short.outside_share < 0.6
    assert "beyond the CT" in short.warnings[0]
    away = np.eye(4)
    away[0, 3] = 500.0
    with pytest.raises(InputError, match="162 of 162 elements lie outside the CT"):
        element_density(mesh, phantom(mesh, linear).moved(away))


def test_values_that_are_no_numbers_are_refused_in_the_bone_only(mesh):
    volume = phantom(mesh, linear, margin=8.0)
    volume.hu[0, 0, 0] = np.nan
    element_density(mesh, volume, rim="ct")
    volume.hu[tuple(np.array(volume.hu.shape) // 2)] = np.nan
    with pytest.raises(InputError, match="are not numbers"):
        element_density(mesh, volume, rim="ct")


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        ((4, 4), np.eye(4)),
        ((4, 4, 1), np.eye(4)),
        ((4, 4, 4), np.zeros((4, 4))),
        ((4, 4, 4), np.full((4, 4), np.nan)),
        ((4, 4, 4), np.eye(3)),
    ],
)
def test_a_grid_without_place_or_volume_is_refused(shape, affine):
    with pytest.raises(InputError, match=r"three axes|no usable affine"):
        CTVolume(np.zeros(shape), affine)


def test_a_rim_that_leaves_nothing_or_is_unknown_is_refused(mesh):
    volume = phantom(mesh, linear)
    with pytest.raises(InputError, match="no bone lies 30 mm below"):
        element_density(mesh, volume, rim_mm=30.0)
    with pytest.raises(InputError, match="no such rim"):
        element_density(mesh, volume, rim="both")
    with pytest.raises(InputError, match="must not be negative"):
        element_density(mesh, volume, rim_mm=-1.0)
