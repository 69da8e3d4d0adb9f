"""Label maps of the kinds that people have, in every format: which label, which image, what is united or refused."""

import json
import shutil

import numpy as np
import pytest
import voxels

from sacrofem import Case, reference_mesh
from sacrofem.bone.images.read import read_image
from sacrofem.errors import InputError
from sacrofem.report.importing import write_import
from sacrofem.specimen.bone import bone_field
from sacrofem.specimen.importing import import_sacrum
from sacrofem.specimen.labelled import read_mask
from sacrofem.specimen.scanned import scanned_sacrum

pytest.importorskip("nibabel")
FORMATS = (".nii", ".nii.gz", ".nrrd", ".mha")
BODY_MM = np.array([24.0, 18.0, -26.0])


@pytest.fixture(scope="session")
def bone():
    """The built-in sacrum as voxels of 1.5 mm, and their affine."""
    return voxels.sacrum()


@pytest.fixture(scope="module")
def coarse():
    return voxels.sacrum(h=3.0)


def block(inside, affine):
    """The part of it that TotalSegmentator v2 gives to vertebrae_S1: a block around the first body."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in inside.shape], indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(index @ affine[:3, :3].T + affine[:3, 3], -1, 0)
    return inside & (np.abs(x) < BODY_MM[0]) & (y < BODY_MM[1]) & (z > BODY_MM[2])


def above(inside, affine):
    """Room for 60 mm above the bone, with two blocks in it like vertebrae of some 30 ml."""
    room = np.pad(inside, ((0, 0), (0, 0), (0, 50))).astype(np.uint8)
    top = inside.shape[2]
    blocks = np.zeros((2, *room.shape), bool)
    for k, block in enumerate(blocks):
        block[31:53, 20:40, top + 3 + 22 * k : top + 23 + 22 * k] = True
    return room, blocks, affine


def masks_of(path, labels=()):
    found = read_mask(path, labels)
    return found.mask, found.source


@pytest.fixture(scope="session")
def body(bone):
    return block(*bone)


# ------------------------------------------------------------------ numbers of other tools
@pytest.mark.parametrize("kind", FORMATS)
def test_the_sacrum_of_version_1_is_not_two_thoracic_vertebrae(tmp_path, bone, kind):
    room, blocks, affine = above(*bone)
    values = 92 * room
    values[blocks[0]], values[blocks[1]] = 25, 26
    path = voxels.write(kind, tmp_path, "map", values, affine)
    for labels in ((), ("sacrum",)):
        mask, source = masks_of(path, labels)
        np.testing.assert_array_equal(mask, room.astype(bool))
        assert [label.number for label in source.chosen.labels] == [92]
    assert "TotalSegmentator v1 (there 25 and 26 are T10 and T9)" in " ".join(masks_of(path)[1].notes)
    if kind == ".nii.gz":
        only = voxels.write(kind, tmp_path, "thorax", np.where(values == 92, 0, values), affine)
        with pytest.raises(
            InputError, match="holds 2 labels: 25, 26; name those of the sacrum; TotalSegmentator calls"
        ):
            read_mask(only, ())


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ({92: "sacrum", 25: "vertebrae_T10", 26: "vertebrae_T9"}, 92),
        ({18: "sacrum", 19: "vertebrae", 20: "intervertebral_discs"}, 18),
        ({1: "sacrum", 2: "vertebrae_L5", 3: "vertebrae_L4"}, 1),
    ],
    ids=["v1", "total_mr", "vertebrae_mr"],
)
def test_names_come_from_the_extension_of_nifti(tmp_path, bone, numbers, wanted):
    room, blocks, affine = above(*bone)
    others = [number for number in numbers if number != wanted]
    values = wanted * room
    values[blocks[0]], values[blocks[1]] = others
    path = voxels.write_nifti(tmp_path / "map.nii.gz", values, affine, names=numbers)
    mask, source = masks_of(path)
    np.testing.assert_array_equal(mask, room.astype(bool))
    assert source.to_json()["labels"] == [{"number": wanted, "name": "sacrum"}]
    assert source.to_json()["labels_named_by"] == "by the names in the file"
    assert masks_of(path, (numbers[others[0]],))[0].sum() == blocks[0].sum()


def test_a_table_of_names_that_could_expand_is_not_parsed(tmp_path, bone):
    inside, affine = bone
    path = voxels.write_nifti(tmp_path / "map.nii", inside.astype(np.uint8), affine, names={1: "sacrum"})
    raw = path.read_bytes().replace(
        b'<?xml version="1.0" encoding="UTF-8"?>', b'<!DOCTYPE a [<!ENTITY b "aaaaaaaaaaa">'
    )
    path.write_bytes(raw)
    assert read_image(path).labels == ()
    assert masks_of(path)[0].sum() == inside.sum()


# ------------------------------------------------------------------ one file a class
@pytest.mark.parametrize("kind", FORMATS)
def test_the_body_of_s1_in_a_file_of_its_own_is_united(tmp_path, bone, body, kind):
    inside, affine = bone
    path = voxels.write(kind, tmp_path, "sacrum", (inside & ~body).astype(np.uint8), affine)
    assert masks_of(path)[0].sum() == (inside & ~body).sum()
    other = voxels.write(kind, tmp_path, "vertebrae_S1", body.astype(np.uint8), affine)
    mask, source = masks_of(path)
    np.testing.assert_array_equal(mask, inside)
    assert source.to_json()["files"] == [path.name, other.name]
    assert f"{other.name} beside it holds the body of S1" in " ".join(source.notes)
    # What is asked for by number stands alone, and so does a file of another name.
    assert masks_of(path, (1,))[0].sum() == (inside & ~body).sum()
    voxels.write(kind, tmp_path, "vertebrae_S1", body.astype(np.uint8)[:-1], affine)
    with pytest.raises(InputError, match="lies on another grid than sacrum"):
        read_mask(path, ())
    if kind == ".nii.gz":
        elsewhere = tmp_path / "elsewhere.nii.gz"
        shutil.move(other, elsewhere)
        other.symlink_to(elsewhere)
        assert masks_of(path)[1].to_json()["files"] == [path.name]


@pytest.mark.slow
def test_a_sacrum_without_the_body_of_s1_is_refused_and_its_file_named(tmp_path, coarse):
    inside, affine = coarse
    body = block(inside, affine)
    path = voxels.write_nifti(tmp_path / "sacrum.nii.gz", (inside & ~body).astype(np.uint8), affine)
    case = Case.preset().with_(**{"anatomy.kind": "labels", "anatomy.path": str(path), "mesh.size_mm": 12.0})
    with pytest.raises(InputError, match=r"vertebrae_S1\.nii\.gz beside it"):
        scanned_sacrum(case.anatomy)
    voxels.write_nifti(tmp_path / "vertebrae_S1.nii.gz", body.astype(np.uint8), affine)
    hu = np.where(np.pad(inside, 1)[1:-1, 1:-1, 1:-1], 60, 40).astype(np.int16)
    ct = voxels.write_dicom(tmp_path / "ct", (hu + 1024).astype(np.uint16), affine, intercept=-1024.0)
    found = import_sacrum(case.with_(anatomy__ct=str(ct)))
    assert found.scan.confidence["endplate"] > 0.9
    write_import(tmp_path / "out", found, inputs={})
    content = json.loads((tmp_path / "out" / "import.json").read_text())
    assert content["image"]["files"] == ["sacrum.nii.gz", "vertebrae_S1.nii.gz"]
    assert content["image"]["orientation"] == "LPS"
    assert content["image"]["labels"] == [{"number": 1, "name": None}]
    assert content["ct"]["hu_shares"]["marrow"] == pytest.approx(1.0)
    assert content["ct"]["image"]["format"].startswith("DICOM series 1")
    assert "generic line" in content["ct"]["source"]
    # The folder is the whole sacrum again.
    again = Case.from_toml(tmp_path / "out" / "case.toml")
    assert scanned_sacrum(again.anatomy).checks.volume_ml == pytest.approx(inside.sum() * 3.0**3 / 1e3, rel=0.02)


# ------------------------------------------------------------------ segmentations of 3D Slicer
def segment(number, name, value, layer=0):
    stem = f"Segment{number}"
    return {
        f"{stem}_Name": name,
        f"{stem}_ID": f"S{number}",
        f"{stem}_LabelValue": str(value),
        f"{stem}_Layer": str(layer),
    }


def test_a_segmentation_is_padded_and_goes_by_its_names(tmp_path, bone):
    inside, affine = bone
    places = np.argwhere(inside)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    cropped = inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.uint8)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ low
    path = voxels.write_nrrd(tmp_path / "a.seg.nrrd", cropped, moved, **segment(0, "Sacrum", 1))
    found = read_mask(path, ())
    assert found.source.chosen.labels[0].name == "Sacrum"
    assert found.mask.shape == tuple(n + 2 for n in cropped.shape)
    np.testing.assert_allclose(found.affine[:3, 3], moved[:3, 3] - 1.5)
    index = np.argwhere(found.mask)
    np.testing.assert_allclose(
        (index @ found.affine[:3, :3].T + found.affine[:3, 3]).mean(axis=0),
        (places @ affine[:3, :3].T + affine[:3, 3]).mean(axis=0),
        atol=1e-9,
    )
    assert "cropped to its segments" in " ".join(found.source.notes)


def test_segments_that_overlap_lie_in_layers(tmp_path, bone, body):
    inside, affine = bone
    layers = np.stack([inside, 2 * body]).astype(np.uint8)
    layers[0][0, 0, 0] = 5
    names = {
        **segment(0, "hip", 5),
        **segment(1, "os sacrum", 1),
        **segment(2, "endplate", 2, 1),
        **segment(3, "x", 1, 1),
    }
    path = voxels.write_nrrd(tmp_path / "a.seg.nrrd", layers, affine, **names)
    assert read_mask(path, ()).mask.sum() == inside.sum()
    assert read_mask(path, ("endplate",)).mask.sum() == body.sum()
    assert read_mask(path, (2,)).mask.sum() == body.sum()
    with pytest.raises(InputError, match="no such label"):
        read_mask(path, ("canal",))


# ------------------------------------------------------------------ numbers that are nearly whole
@pytest.mark.parametrize("kind", FORMATS)
def test_labels_in_float_are_rounded_where_all_are_nearly_whole(tmp_path, bone, kind):
    inside, affine = bone
    path = voxels.write(kind, tmp_path, "map", inside.astype(np.float32) * np.float32(24.99999), affine)
    mask, source = masks_of(path)
    np.testing.assert_array_equal(mask, inside)
    assert source.chosen.labels[0].number == 25
    assert "to which they were rounded" in " ".join(source.notes)
    half = inside.astype(np.float32)
    half[10] *= 0.5
    half[40, 20:40] *= 0.5
    with pytest.raises(InputError, match="holds values that are no labels"):
        read_mask(voxels.write(kind, tmp_path, "half", half, affine), ())
    half[10], half[40] = 0.0, np.nan
    with pytest.raises(InputError, match="holds values that are no labels"):
        read_mask(voxels.write(kind, tmp_path, "nan", half, affine), ())


@pytest.mark.parametrize("kind", [".nii", ".nii.gz", ".mha"])
def test_a_label_map_with_a_slope(tmp_path, bone, kind):
    inside, affine = bone
    stored = (50 * inside).astype(np.int16)
    mask, source = masks_of(voxels.write(kind, tmp_path, "map", stored, affine, slope=0.5))
    np.testing.assert_array_equal(mask, inside)
    assert source.chosen.labels[0].number == 25


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int64, np.float64])
def test_labels_of_any_type(tmp_path, bone, dtype):
    inside, affine = bone
    values = (100 * inside).astype(dtype)
    if dtype != np.uint8:
        values[0, 0, 0] = -100
    mask, source = masks_of(voxels.write_nifti(tmp_path / "map.nii.gz", values, affine), (100,))
    np.testing.assert_array_equal(mask, inside)
    assert source.chosen.labels[0].number == 100


def test_a_ct_is_no_label_map(tmp_path, bone):
    inside, affine = bone
    values = np.random.default_rng(0).integers(-1000, 2000, inside.shape).astype(np.int16)
    with pytest.raises(InputError, match="that is a CT, no label map"):
        read_mask(voxels.write(".nrrd", tmp_path, "ct", values, affine), ())


# ------------------------------------------------------------------ numbers of the CT
@pytest.fixture(scope="module")
def mesh():
    return reference_mesh("sacrum-tiny-intact")


def density_of(mesh, ct, **changes):
    given = {"kind": "mesh", "path": "bone.vtu", "ct": str(ct), **changes}
    # Where there is a CT nothing follows landmarks.
    return bone_field(Case.preset("sif-unilateral").with_anatomy(given).with_(materials__rim="ct"), mesh, None)


@pytest.mark.parametrize("around", [-1000, 40], ids=["air", "soft tissue"])
@pytest.mark.parametrize("kind", [".nii", ".nii.gz", ".nrrd", ".mha", "dicom"])
def test_numbers_with_1024_left_in_are_refused(tmp_path, coarse, mesh, kind, around):
    inside, affine = coarse
    hu = np.where(inside, 60, around) + np.random.default_rng(0).integers(-20, 20, inside.shape)
    ct = voxels.write(kind, tmp_path, "ct", (hu + 1024).astype(np.uint16), affine)
    with pytest.raises(InputError, match=r"looks like HU \+ 1024; .*anatomy\.ct_offset_hu = -1024"):
        density_of(mesh, ct)
    if kind != ".nii" or around == -1000:
        return
    found = density_of(mesh, ct, ct_offset_hu=-1024.0)
    right = voxels.write(kind, tmp_path, "right", hu.astype(np.int16), affine)
    wanted = density_of(mesh, right)
    np.testing.assert_allclose(found.density, wanted.density, atol=1e-6)
    # 0.81 x 60 + 0.84 mg/cm³
    assert np.median(found.density) == pytest.approx(0.049, abs=0.005)
    assert "-1024 HU added to its numbers on purpose" in found.provenance.text
    assert density_of(mesh, ct, ct_offset_hu=0.0).density.mean() > 0.8


def test_pictures_and_scaled_numbers_are_no_hu(tmp_path, coarse, mesh):
    inside, affine = coarse
    grey = np.where(inside, 120, 80).astype(np.uint8)
    with pytest.raises(InputError, match="have 8 bits"):
        density_of(mesh, voxels.write(".nrrd", tmp_path, "grey", grey, affine))
    scaled = np.random.default_rng(0).random(inside.shape, np.float32)
    with pytest.raises(InputError, match="they were scaled and are no HU"):
        density_of(mesh, voxels.write(".nrrd", tmp_path, "scaled", scaled, affine))


def test_the_histogram_counts_the_volume_of_the_bone(tmp_path, coarse, mesh):
    inside, affine = coarse
    levels = np.array([-400, -100, 50, 300, 2000], np.int16)
    z = np.broadcast_to(np.arange(inside.shape[2]) * 5 // inside.shape[2], inside.shape)
    found = density_of(mesh, voxels.write(".mha", tmp_path, "ct", levels[z], affine), ct_transform=())
    shares = found.provenance.to_json()["hu_shares"]
    assert list(shares) == ["below_-200", "fat", "marrow", "bone", "above_1500"]
    wanted = [(inside & (z == k)).sum() / inside.sum() for k in range(5)]
    np.testing.assert_allclose(list(shares.values()), wanted, atol=0.05)
    assert "% below −200 HU" in found.provenance.text


def test_a_segmentation_is_no_ct(tmp_path, coarse, mesh):
    inside, affine = coarse
    slicer = voxels.write_nrrd(tmp_path / "a.seg.nrrd", inside.astype(np.uint8), affine, **segment(0, "Sacrum", 1))
    named = voxels.write_nifti(tmp_path / "a.nii", inside.astype(np.int16), affine, names={1: "sacrum"})
    for path in (slicer, named):
        with pytest.raises(InputError, match="it is a segmentation, no CT"):
            density_of(mesh, path)
    with pytest.raises(InputError, match="is the bone itself"):
        Case.preset().with_anatomy({"kind": "labels", "path": str(named), "ct": str(named)})


@pytest.mark.parametrize("key", [{"ct_series": 1}, {"ct_offset_hu": 0.0}])
def test_keys_of_a_ct_need_one(key):
    with pytest.raises(InputError, match=r"needs anatomy\.ct"):
        Case.preset().with_(**{f"anatomy__{name}": value for name, value in key.items()})
