"""A real sacrum, turned, in metres, decimated and with noise, is found in the same frame, with the same result."""

import sys

import numpy as np
import pytest
import scans
import trimesh

from sacrofem import Case, compare
from sacrofem.errors import InputError
from sacrofem.scanned import scanned_sacrum

pytestmark = pytest.mark.slow
_C, _S = np.cos(1.1), np.sin(1.1)
TURN = np.array([[1.0, 0.0, 0.0], [0.0, _C, -_S], [0.0, _S, _C]]) @ np.array(
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
)
SHIFT = np.array([400.0, -80.0, 1300.0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The scan without coccyx, as it is and changed."""
    file = scans.scan_folder() / "sacrum.ply"
    pyvista = pytest.importorskip("pyvista")
    whole = pyvista.read(file).triangulate()
    cut = whole.clip_closed_surface(normal=(0, 0, 1), origin=(0, 0, scans._COCCYX_MM + 4.0)).triangulate().clean()
    folder = tmp_path_factory.mktemp("scans")
    points, faces = np.asarray(cut.points, dtype=float), np.asarray(cut.faces).reshape(-1, 4)[:, 1:]

    def write(name, points, faces):
        trimesh.Trimesh(points, faces, process=False).export(folder / name)

    write("plain.ply", points, faces)
    write("turned.ply", (points @ TURN.T + SHIFT) / 1e3, faces)
    # Decimation may break a few edges' worth of closedness: winding numbers bridge it.
    small = pyvista.PolyData(points, np.column_stack([np.full(len(faces), 3), faces]).ravel()).decimate_pro(
        0.7, preserve_topology=True
    )
    noisy = np.asarray(small.points, dtype=float)
    noisy = noisy + np.random.default_rng(0).normal(scale=0.3, size=noisy.shape)
    write("noisy.ply", noisy @ TURN.T + SHIFT, np.asarray(small.faces).reshape(-1, 4)[:, 1:])
    return folder


def case(folder, name, units="mm"):
    anatomy = {"kind": "surface", "path": str(folder / name), "units": units, "sex": "male"}
    return Case.preset().with_anatomy(anatomy).with_(mesh__size_mm=8.0, mesh__order=1, cement__spread="column")


@pytest.fixture(scope="module", autouse=True)
def _each_scan_once():
    """What is found on a scan is found once for all tests."""
    found = {}

    def once(anatomy):
        key = (anatomy.path, anatomy.units)
        if key not in found:
            found[key] = scanned_sacrum(anatomy)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sacrofem.caseanatomy.scanned_sacrum", once)
        patch.setattr(sys.modules[__name__], "found_on", once)
        yield


found_on = scanned_sacrum


def apart(one, other):
    """Angle in degrees between two frames of the same bone, the second turned and shifted, and distance of origins."""
    turn = other.rotation @ TURN @ one.rotation.T
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return angle, np.linalg.norm(other.origin - (TURN @ one.origin + SHIFT))


def test_metres_are_refused_unless_named(folder):
    with pytest.raises(InputError, match="look like m"):
        scanned_sacrum(case(folder, "turned.ply").anatomy)


@pytest.mark.parametrize(("name", "units"), [("turned.ply", "m"), ("noisy.ply", "mm")])
def test_the_same_frame(folder, name, units):
    plain = found_on(case(folder, "plain.ply").anatomy)
    changed = found_on(case(folder, name, units).anatomy)
    angle, distance = apart(plain.frame, changed.frame)
    assert angle < 1.0
    assert distance < 2.0


def test_the_twin_lies_near(folder):
    twin = found_on(case(folder, "plain.ply").anatomy).twin
    assert twin.mean_mm < 3.0
    assert twin.p95_mm < 8.0


def test_the_same_change_of_micromotion(folder):
    plain, noisy = (compare(case(folder, name)) for name in ("plain.ply", "noisy.ply"))
    key = "micromotion_mean_um"
    # At 4.5 mm and with flow, four decimated and noisy versions stay within 1.4 points.
    assert plain.change[key] == pytest.approx(noisy.change[key], abs=0.03)
    assert -0.95 < plain.change[key] < -0.3
