"""A real sacrum, turned, in metres, decimated and with noise, is found in the same frame, with the same result."""

import sys

import numpy as np
import pytest
import scans
import trimesh

from sacrofem import Case, compare
from sacrofem.errors import InputError
from sacrofem.specimen.scanned import scanned_sacrum

pytestmark = pytest.mark.slow
_C, _S = np.cos(1.1), np.sin(1.1)
TURN = np.array([[1.0, 0.0, 0.0], [0.0, _C, -_S], [0.0, _S, _C]]) @ np.array(
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
)
SHIFT = np.array([400.0, -80.0, 1300.0])


def write_both(folder, surface, seed):
    """A surface as it is (plain.ply), and with 30 % of its triangles and 0.3 mm of noise, turned (noisy.ply)."""
    points, faces = np.asarray(surface.points, dtype=float), np.asarray(surface.faces).reshape(-1, 4)[:, 1:]
    trimesh.Trimesh(points, faces, process=False).export(folder / "plain.ply")
    # Decimation may break a few edges' worth of closedness: winding numbers bridge it.
    small = surface.decimate_pro(0.7, preserve_topology=True)
    noisy = np.asarray(small.points, dtype=float)
    noisy = noisy + np.random.default_rng(seed).normal(scale=0.3, size=noisy.shape)
    faces_left = np.asarray(small.faces).reshape(-1, 4)[:, 1:]
    trimesh.Trimesh(noisy @ TURN.T + SHIFT, faces_left, process=False).export(folder / "noisy.ply")
    return points, faces


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The scan without coccyx, as it is and changed."""
    file = scans.scan_folder() / "sacrum.ply"
    pyvista = pytest.importorskip("pyvista")
    whole = pyvista.read(file).triangulate()
    cut = whole.clip_closed_surface(normal=(0, 0, 1), origin=(0, 0, scans._COCCYX_MM + 4.0)).triangulate().clean()
    folder = tmp_path_factory.mktemp("scans")
    surface = pyvista.PolyData(np.asarray(cut.points, dtype=float), cut.faces)
    points, faces = write_both(folder, surface, seed=0)
    trimesh.Trimesh((points @ TURN.T + SHIFT) / 1e3, faces, process=False).export(folder / "turned.ply")
    return folder


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A mean shape of 4800 triangles whose foramina and canal are filled, as it is and changed."""
    file = scans.scan_folder().parent / "mean_shape" / "sacrum_mean.ply"
    pyvista = pytest.importorskip("pyvista")
    folder = tmp_path_factory.mktemp("mean")
    write_both(folder, pyvista.read(file).triangulate().clean(), seed=5)
    return folder


def case(folder, name, units="mm"):
    anatomy = {"kind": "surface", "path": str(folder / name), "units": units, "sex": "male"}
    return Case.preset().with_anatomy(anatomy).with_(mesh__size_mm=6.0, mesh__order=1, cement__spread="column")


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
        patch.setattr("sacrofem.specimen.anatomy.scanned_sacrum", once)
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


def test_joints_and_filled_foramina_stay(filled):
    plain, noisy = (found_on(case(filled, name).anatomy) for name in ("plain.ply", "noisy.ply"))
    angle, distance = apart(plain.frame, noisy.frame)
    assert angle < 1.0
    assert distance < 2.0
    for side, face in plain.landmarks.auricular.items():
        other = noisy.landmarks.auricular[side]
        assert np.degrees(np.arccos(face.normal @ other.normal)) < 4.0
        assert np.linalg.norm(face.centre - other.centre) < 3.0
    # How far foramina reach to the side decides how much bone is left lateral of them.
    for name, foramen in plain.landmarks.foramina.items():
        reach, changed = (
            np.abs(corridor.points[:, 0] + np.sign(corridor.points[:, 0]) * corridor.radii).max()
            for corridor in (foramen, noisy.landmarks.foramina[name])
        )
        assert reach == pytest.approx(changed, abs=3.0), name


# Cut at 6 mm a scan may keep a few slivers, and says so.
@pytest.mark.filterwarnings("default:cutting left")
def test_the_same_change_of_micromotion(folder):
    plain, noisy = (compare(case(folder, name)) for name in ("plain.ply", "noisy.ply"))
    key = "micromotion_mean_um"
    assert plain.change[key] == pytest.approx(noisy.change[key], abs=0.03)
    assert -0.95 < plain.change[key] < -0.3
