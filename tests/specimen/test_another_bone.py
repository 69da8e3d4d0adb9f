"""What is no sacrum is refused with what speaks against it; a sacrum that is damaged or unusual passes."""

import numpy as np
import pytest
import scans
import segmented

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.case.case import Case
from sacrofem.errors import InputError
from sacrofem.specimen.scanned import scanned_sacrum

H = 2.0


def grid(low, high):
    axes = [np.arange(a - 8.0, b + 8.0, H) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def label_map(path, inside, low, high):
    """A label map of what is inside."""
    sitk = pytest.importorskip("SimpleITK")
    points = grid(low, high)
    mask = inside(points.reshape(-1, 3)).reshape(points.shape[:3])
    image = sitk.GetImageFromArray(25 * mask.transpose(2, 1, 0).astype(np.uint8))
    image.SetSpacing([H] * 3)
    image.SetOrigin(points[0, 0, 0])
    sitk.WriteImage(image, str(path))
    return path


def sacrum_in(path, kept=lambda p: np.ones(len(p), bool), stretch=(1.0, 1.0, 1.0)):
    """The built-in sacrum, of which a part is kept, stretched (and mirrored where a factor is negative)."""
    sacrum = ParametricSacrum()
    factors = np.array(stretch)
    ends = np.sort(sacrum.bounds * factors, axis=0)
    return label_map(path, lambda p: (sacrum.signed_distance(p / factors) < 0.0) & kept(p / factors), *ends)


def segment(points, start, end, radius):
    start, way = np.array(start, float), np.subtract(end, start)
    share = np.clip((points - start) @ way / (way @ way), 0.0, 1.0)
    return np.linalg.norm(points - start - share[:, None] * way, axis=1) < radius


def femur(points):
    """Shaft, neck and head, greater trochanter and condyles."""
    parts = [segment(points, (0, 0, 0), (0, 0, 150), 13.0), segment(points, (0, 0, 145), (40, 0, 165), 13.0)]
    parts.append(np.linalg.norm(points - [42.0, 0.0, 166.0], axis=1) < 23.0)
    parts.append(np.linalg.norm(points - [-8.0, 6.0, 155.0], axis=1) < 17.0)
    parts += [segment(points, (x, -12, 0), (x, 12, 0), 19.0) for x in (-20.0, 20.0)]
    return np.any(parts, axis=0)


def skull(points):
    """A shell of 6 mm with a foramen magnum and two orbits."""
    outer, inner = (np.linalg.norm(points / (np.array([62.0, 82.0, 68.0]) - t), axis=1) < 1.0 for t in (0.0, 6.0))
    shell = outer & ~inner
    for centre, radius in (((0, 10, -66), 16.0), ((-26, -72, -16), 18.0), ((26, -72, -16), 18.0)):
        shell &= np.linalg.norm(points - np.array(centre), axis=1) > radius
    return shell


SHAPES = {
    "cube": (lambda p: (np.abs(p) < 35.0).all(axis=1), (-35, -35, -35), (35, 35, 35), "thickness"),
    "ball": (lambda p: np.linalg.norm(p, axis=1) < 40.0, (-40, -40, -40), (40, 40, 40), "thickness"),
    "skull": (skull, (-62, -82, -68), (62, 82, 68), "thickness"),
    "femur": (femur, (-45, -35, -25), (66, 35, 190), "width"),
}


def case(path, **more):
    kind = "labels" if path.name.endswith(".nii.gz") else "surface"
    return Case.preset().with_anatomy({"kind": kind, "path": str(path), **more}).anatomy


def refused(anatomy, *expected):
    with pytest.raises(InputError, match=r"does not look like a sacrum: score 0\.\d\d of 1, 0\.8 is needed") as caught:
        scanned_sacrum(anatomy)
    line = str(caught.value)
    assert len(line) < 400
    for words in expected:
        assert words in line
    return line


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_refused(tmp_path, name):
    *shape, why = SHAPES[name]
    refused(case(label_map(tmp_path / "shape.nii.gz", *shape)), f"against it {why}")


def test_half_a_sacrum_is_refused(tmp_path):
    path = sacrum_in(tmp_path / "half.nii.gz", lambda p: p[:, 0] > 0.0)
    refused(case(path), "volume", "(110 to 450)", "a part of one or another bone")


def test_a_hollow_sacrum_is_refused(tmp_path):
    """Cortex of 3 mm, the canal its only opening."""
    sacrum = ParametricSacrum()
    path = label_map(tmp_path / "shell.nii.gz", lambda p: np.abs(sacrum.signed_distance(p) + 1.5) < 1.5, *sacrum.bounds)
    with pytest.raises(InputError, match=r"is hollow|it may be hollow"):
        scanned_sacrum(case(path))


def test_l5_is_refused():
    path = scans.scan_folder() / "L5.ply"
    refused(case(path), "volume 76.3", "it may be hollow, a part of one or another bone")


@pytest.mark.parametrize(("labels", "why"), [((27,), "volume 68"), ((28, 29), "thickness")])
def test_vertebrae_of_a_segmentation_are_refused(labels, why):
    refused(case(segmented.label_file(), labels=labels), why)


@pytest.mark.slow
def test_a_hip_bone_is_refused(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    both = pyvista.read(scans.scan_folder() / "hip_bones.ply").triangulate()
    left = both.clip_closed_surface(normal=(0, 1, 0), origin=(0, 3.0, 0)).triangulate().extract_largest().clean()
    left.save(tmp_path / "hip.ply")
    refused(case(tmp_path / "hip.ply"), "distance to the nearest sacrum")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "stretch"),
    [
        # All but the auricular part of one ala.
        (lambda p: p[:, 0] < 36.0, (-1.0, 1.0, 1.0)),
        (lambda p: p[:, 2] > -200.0, (1.15, 0.85, 1.0)),
    ],
    ids=["broken-ala-mirrored", "warped"],
)
def test_a_sacrum_that_is_damaged_or_unusual_passes(tmp_path, kept, stretch):
    scan = scanned_sacrum(case(sacrum_in(tmp_path / "sacrum.nii.gz", kept, stretch)))
    assert scan.likeness.is_sacrum
    content = scan.to_json()["likeness"]
    assert content["score"] >= content["needed"]
