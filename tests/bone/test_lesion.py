import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from sacrofem.bone.lesion import (
    Lesion,
    border_distance,
    element_membership,
    lesion_bone_volume_fraction,
    lesion_density,
    lesion_membership,
    lesion_share,
)
from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import TetMesh

CENTRE = (30.0, 10.0, -20.0)
FOCAL = Lesion("focal", CENTRE, (12.0, 8.0, 10.0), 0.1)
SPREAD = Lesion("infiltrative", CENTRE, (12.0, 8.0, 10.0), 0.1)


@pytest.fixture(scope="module")
def mesh():
    rng = np.random.default_rng(4)
    grid = np.stack(np.meshgrid(*[np.arange(-20, 21, 4.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    grid = grid + np.where(np.abs(grid) < 19, rng.uniform(-0.7, 0.7, grid.shape), 0.0) + CENTRE
    tets = Delaunay(grid).simplices
    volume = np.linalg.det(grid[tets[:, 1:]] - grid[tets[:, :1]])
    tets[volume < 0] = tets[volume < 0][:, [0, 2, 1, 3]]
    return TetMesh.from_tets(grid, tets[np.abs(volume) > 1e-6])


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(-25, 25)] * 3), st.tuples(*[st.floats(2, 20)] * 3))
def test_border_distance_is_the_distance_to_the_ellipsoid(offset, radii):
    lesion = Lesion("focal", CENTRE, radii)
    point = np.add(CENTRE, offset)[None]
    a, b = np.meshgrid(np.linspace(0, np.pi, 181), np.linspace(0, 2 * np.pi, 361))
    surface = np.stack([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)], -1).reshape(-1, 3) * radii + CENTRE
    brute = np.linalg.norm(surface - point, axis=1).min()
    distance = border_distance(point, lesion)[0]
    assert abs(distance) <= brute + 1e-9
    assert abs(distance) == pytest.approx(brute, abs=0.2)
    assert (distance < 0) == (np.sum((np.array(offset) / radii) ** 2) < 1)


def test_sphere_distance_is_exact_also_in_its_centre():
    lesion = Lesion("focal", CENTRE, (7.0, 7.0, 7.0))
    points = np.add(CENTRE, [[0, 0, 0], [3, 0, 0], [0, 9, 0], [4, 4, 7]])
    assert border_distance(points, lesion) == pytest.approx([-7, -4, 2, 2], abs=1e-9)


def test_focal_is_even_inside_and_nothing_outside():
    line = np.array(CENTRE) + np.linspace(0, 16, 400)[:, None] * [1, 0, 0]
    member = lesion_membership(line, FOCAL)
    assert (np.diff(member) <= 0).all()
    x = np.linspace(0, 16, 400)
    assert (member[x < 11.4] == 1).all()
    assert (member[x > 12.6] == 0).all()
    assert np.interp(12.0, x, member) == pytest.approx(0.5, abs=0.05)
    assert np.abs(np.diff(member)).max() < 0.08


def test_infiltrative_fades_from_the_centre():
    line = np.array(CENTRE) + np.linspace(0, 16, 400)[:, None] * [0, 1, 0]
    member = lesion_membership(line, SPREAD)
    assert member[0] == 1
    assert (member[np.linspace(0, 16, 400) >= 8.0] == 0).all()
    assert (np.diff(member)[: 8 * 25 - 1] < 0).all()
    assert np.abs(np.diff(member, 2)).max() < 1e-3


def test_share_of_a_mesh_is_the_volume_of_the_ellipsoid(mesh):
    share = lesion_share(mesh, FOCAL)
    assert share @ mesh.volumes == pytest.approx(4 / 3 * np.pi * 12 * 8 * 10, rel=0.005)
    assert ((share > 0) & (share < 1)).any()
    member = element_membership(mesh, FOCAL)
    # A rim centred on the border neither adds nor takes, but for its curvature.
    assert member @ mesh.volumes == pytest.approx(share @ mesh.volumes, rel=0.02)
    assert (member[share == 0] < 0.5).all()


def test_density_and_volume_fraction_in_the_lesion(mesh):
    density = np.full(len(mesh.tets), 0.2)
    new, member = lesion_density(mesh, density, SPREAD), element_membership(mesh, SPREAD)
    assert new == pytest.approx(0.2 * (1 - 0.9 * member))
    assert (new[lesion_share(mesh, SPREAD) == 0] == 0.2).all()
    points = np.array([CENTRE, [0, 0, 0]])
    assert lesion_density(points, np.array([0.2, 0.2]), FOCAL) == pytest.approx([0.02, 0.2])
    assert lesion_bone_volume_fraction(points, np.array([0.1, 0.1]), FOCAL) == pytest.approx([0.0, 0.1])
    given_fraction = Lesion("focal", CENTRE, (5, 5, 5), 0.1, bone_volume_fraction=0.03)
    assert lesion_bone_volume_fraction(points, np.array([0.1, 0.1]), given_fraction) == pytest.approx([0.03, 0.1])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": "round"}, "lesion.kind = 'round'"),
        ({"centre_mm": (0, 0)}, "lesion.centre_mm"),
        ({"radii_mm": (1, 0, 1)}, "lesion.radii_mm"),
        ({"radii_mm": (1, np.nan, 1)}, "lesion.radii_mm"),
        ({"density_factor": -0.1}, "lesion.density_factor = -0.1"),
        ({"bone_volume_fraction": 1.2}, "lesion.bone_volume_fraction"),
    ],
)
def test_refusals(change, text):
    with pytest.raises(InputError, match=text):
        Lesion(**{"kind": "focal", "centre_mm": CENTRE, "radii_mm": (5, 5, 5), **change})


def test_a_lesion_beside_the_bone_is_refused(mesh):
    with pytest.raises(InputError, match=r"no bone lies in the lesion.*mm from its centre"):
        lesion_share(mesh, Lesion("focal", (200, 0, 0), (5, 5, 5)))
