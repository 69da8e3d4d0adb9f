import numpy as np
import pytest
from scanned_lattice import on_lattice
from scipy.spatial.transform import Rotation

from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.scan.endplate import surface_points
from sacrofem.anatomy.scan.symmetry import median_frame, mirrored, symmetric_share

TURN = Rotation.from_rotvec(np.radians([0.0, 6.0, -4.0])).as_matrix()
OFF = Frame(TURN, np.array([3.0, 0.0, 0.0]))


def found_plane(solid, frame):
    """Angle in degrees and distance in mm of the found median plane from x = 0 of the bone."""
    placed = solid.placed(frame)
    frame = frame.then(median_frame(placed, surface_points(placed)[0]))
    return np.degrees(np.arccos(min(frame.rotation[0, 0], 1.0))), abs(float(frame.place(np.zeros((1, 3)))[0, 0]))


def test_the_median_plane_is_found_from_a_turned_frame(whole):
    angle, distance = found_plane(whole, OFF)
    assert angle < 0.05
    assert distance < 0.05


def test_only_the_median_plane_is_decided(whole):
    placed = whole.placed(OFF)
    change = median_frame(placed, surface_points(placed)[0])
    # Neither turned about the axis across nor moved in its plane.
    assert Rotation.from_matrix(change.rotation).as_rotvec()[0] == pytest.approx(0.0, abs=1e-12)


def test_what_one_side_lacks_moves_the_plane_little():
    angle, distance = found_plane(on_lattice(cut_mm=40.0), OFF)
    assert angle < 0.7
    assert distance < 0.7


def test_the_share_of_the_surface_that_has_its_mirror_image(whole):
    assert symmetric_share(whole, surface_points(whole)[0]) > 0.99
    half = on_lattice(cut_mm=40.0)
    assert 0.5 < symmetric_share(half, surface_points(half)[0]) < 0.95


def test_mirrored_points_lie_as_far_behind_the_plane():
    points = np.random.default_rng(0).normal(size=(20, 3))
    image = OFF.place(mirrored(points, OFF))
    assert image == pytest.approx(OFF.place(points) * [-1.0, 1.0, 1.0])
