import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.scan.endplate import find_endplate, surface_points
from sacrofem.anatomy.scan.lattice import LatticeSolid

SACRUM = ParametricSacrum()
HALF = 0.5 * np.array([SACRUM.parameters.endplate_transverse_mm, SACRUM.parameters.endplate_ap_mm])
LEAN_DEG, HEIGHT_MM = 5.0, 1.5


def turned(normal, degrees):
    """A direction turned in the sagittal plane."""
    return Rotation.from_rotvec([np.radians(degrees), 0.0, 0.0]).apply(normal)


NORMAL = turned(SACRUM.endplate_normal, LEAN_DEG)
TOP = HEIGHT_MM * NORMAL


def body(lip_mm=0.0):
    """A vertebral body with a flat end that leans by 5 degrees more than a built-in sacrum and lies 1.5 mm higher.

    It may have a lip at the front that rises over the end.
    """
    axes = [np.arange(-36.0, 36.0, 1.3)] * 3
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) - TOP
    back = np.cross(NORMAL, [1.0, 0.0, 0.0])
    height, depth = grid @ NORMAL, grid @ back
    wall = (np.hypot(grid[:, 0] / HALF[0], depth / HALF[1]) - 1.0) * HALF[1]
    values = np.maximum(np.maximum(wall, height), -20.0 - height)
    if lip_mm:
        lip = np.max([np.abs(grid[:, 0]) - 9.0, np.abs(depth + HALF[1] - 2.0) - 2.0, np.abs(height) - lip_mm], axis=0)
        values = np.minimum(values, lip)
    return LatticeSolid(values.reshape([len(a) for a in axes]).astype(np.float32), np.full(3, -36.0), 1.3)


def lean(plate):
    """How far a found plate leans from the true one, degrees forward."""
    return np.degrees(np.arcsin(np.cross(NORMAL, plate.normal)[0]))


def test_a_flat_end_is_found_where_it_is():
    solid = body()
    plate = find_endplate(solid, *surface_points(solid), SACRUM)
    assert lean(plate) == pytest.approx(0.0, abs=0.1)
    assert plate.centre == pytest.approx(TOP, abs=0.2)
    assert plate.flat > 0.98
    front = TOP - HALF[1] * np.cross(NORMAL, [1.0, 0.0, 0.0])
    assert np.linalg.norm(plate.promontory - front) < 2.0


def test_a_lip_turns_the_plane_little():
    solid = body(lip_mm=5.0)
    plate = find_endplate(solid, *surface_points(solid), SACRUM)
    assert abs(lean(plate)) < 0.5
    assert plate.centre @ NORMAL == pytest.approx(HEIGHT_MM, abs=0.3)


def test_the_plane_lets_go_of_what_sinks_without_a_jump():
    solid = body()
    surface, normals = surface_points(solid)
    height, depth = (surface - TOP) @ NORMAL, (surface - TOP) @ np.cross(NORMAL, [1.0, 0.0, 0.0])
    hind = (np.abs(height) < 0.3) & (depth > 0.7 * HALF[1])
    leans = []
    for sunk in np.arange(0.0, 6.1, 0.2):
        worn = surface - np.where(hind, sunk, 0.0)[:, None] * NORMAL
        leans.append(lean(find_endplate(solid, worn, normals, SACRUM)))
    assert min(leans) < -1.0
    # Hard bounds let go at once: 3.6 degrees between 3.2 and 3.4 mm.
    assert np.abs(np.diff(leans)).max() < 0.6
    assert leans[-1] == pytest.approx(0.0, abs=0.1)
