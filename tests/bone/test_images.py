"""CT files of every kind come to LPS mm; files without place, cut short or of another kind are refused."""

import builtins
import gzip
import locale
import struct
from importlib import import_module

import numpy as np
import pytest

from sacrofem.bone.images import image as images
from sacrofem.bone.images.read import read_ct
from sacrofem.errors import EnvironmentFailure, InputError

sitk = import_module("SimpleITK")


def image(flip=False):
    """An asymmetric image, turned, with three spacings; flipped: the same one stored from left to right."""
    values = np.arange(5 * 6 * 7, dtype=np.int16).reshape(7, 6, 5)
    made = sitk.GetImageFromArray(values)
    made.SetSpacing((0.5, 0.75, 2.0))
    made.SetOrigin((10.0, -20.0, 30.0))
    made.SetDirection((0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    return sitk.Flip(made, (True, False, False)) if flip else made


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_every_format_and_storage_order_gives_the_same_points(tmp_path, suffix, flip):
    sitk.WriteImage(image(flip), str(tmp_path / f"ct{suffix}"))
    volume = read_ct(tmp_path / f"ct{suffix}")
    original = image()
    for index in [(0, 0, 0), (4, 1, 2), (2, 5, 6)]:
        point = np.array([original.TransformIndexToPhysicalPoint(index)])
        value, inside = volume.at(point)
        assert inside.all()
        assert value[0] == pytest.approx(original[index], abs=1e-3)
    np.testing.assert_allclose(volume.spacing, [0.5, 0.75, 2.0], rtol=1e-6)


def dicom(folder, slices, series="1.2.3"):
    folder.mkdir(exist_ok=True)
    spoken = locale.setlocale(locale.LC_ALL)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in slices:
        one = sitk.GetImageFromArray(np.full((4, 5), 10 * k, dtype=np.int16))
        for key, value in {
            "0008|0060": "CT",
            "0020|000e": series,
            "0020|000d": "1.2",
            "0008|0018": f"{series}.{k + 1}",
            "0020|0032": f"0\\0\\{2.5 * k}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(k),
        }.items():
            one.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{series}-{k}.dcm"))
        writer.Execute(one)
    # Writing DICOM leaves the process in the locale "C".
    locale.setlocale(locale.LC_ALL, spoken)


def test_a_series_of_dicom_is_one_volume(tmp_path):
    dicom(tmp_path / "ct", range(4))
    spoken = locale.setlocale(locale.LC_ALL)
    volume = read_ct(tmp_path / "ct")
    assert locale.setlocale(locale.LC_ALL) == spoken
    assert volume.hu.shape == (5, 4, 4)
    np.testing.assert_allclose(volume.spacing[2], 2.5)
    assert volume.at(np.array([[1.0, 1.0, 5.0]]))[0] == pytest.approx(20.0)


def test_missing_slices_mixed_series_and_empty_folders_are_refused(tmp_path):
    dicom(tmp_path / "gap", (0, 1, 3, 4))
    with pytest.raises(InputError, match="some are missing"):
        read_ct(tmp_path / "gap")
    dicom(tmp_path / "two", range(2))
    dicom(tmp_path / "two", range(2), series="1.2.9")
    with pytest.raises(InputError, match="holds 2 DICOM series"):
        read_ct(tmp_path / "two")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no DICOM series"):
        read_ct(tmp_path / "none")


def test_nifti_without_orientation_is_refused(tmp_path):
    path = tmp_path / "ct.nii"
    sitk.WriteImage(image(), str(path))
    raw = bytearray(path.read_bytes())
    raw[252:256] = struct.pack("<hh", 0, 0)  # qform_code and sform_code
    path.write_bytes(raw)
    with pytest.raises(InputError, match="without sform and qform"):
        read_ct(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_sform_and_qform_that_disagree_are_refused(tmp_path, suffix):
    path = tmp_path / f"ct{suffix}"
    sitk.WriteImage(image(), str(path))
    whole = path.read_bytes()
    raw = bytearray(gzip.decompress(whole) if suffix == ".nii.gz" else whole)
    rows = np.array(struct.unpack_from("<12f", raw, 280)).reshape(3, 4)
    shifted, wider = rows.copy(), rows.copy()
    shifted[0, 3] += 0.1
    struct.pack_into("<12f", raw, 280, *shifted.ravel())
    path.write_bytes(gzip.compress(raw) if suffix == ".nii.gz" else raw)
    assert read_ct(path).hu.shape == (5, 6, 7)
    wider[:, 2] /= 2.0
    struct.pack_into("<12f", raw, 280, *wider.ravel())
    path.write_bytes(gzip.compress(raw) if suffix == ".nii.gz" else raw)
    with pytest.raises(InputError, match=r"6 mm apart \(voxels 0\.5 x 0\.75 x 1 and 0\.5 x 0\.75 x 2 mm\)"):
        read_ct(path)


META = "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\n{}ElementType = MET_SHORT\nElementDataFile = a.raw\n"
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\n{}encoding: raw\ndata file: a.raw\n\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.mhd", META.format(""), "has no ElementSpacing or ElementSize"),
        ("a.mhd", META.format("ElementSpacing = 1 0 1\n"), "ElementSpacing = '1 0 1': is no spacing"),
        ("a.mhd", META.format("ElementSpacing = 1 -1 1\n"), "ElementSpacing = '1 -1 1': is no spacing"),
        ("a.mhd", META.format("ElementSpacing = 1 nan 1\n"), "ElementSpacing = '1 nan 1': is no spacing"),
        ("a.nhdr", NRRD.format(""), "has no spacings or space directions"),
        ("a.nhdr", NRRD.format("spacings: 1 1 inf\n"), "spacings = '1 1 inf': is no spacing"),
    ],
    ids=["missing", "zero", "negative", "no number", "missing in NRRD", "endless"],
)
def test_spacing_that_is_missing_or_none_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    (tmp_path / "a.raw").write_bytes(b"\0" * 16)
    with pytest.raises(InputError, match=message):
        read_ct(tmp_path / name)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")], ids=["zero", "negative", "no number"])
def test_impossible_spacing_of_nifti_is_refused(tmp_path, value):
    path = tmp_path / "ct.nii"
    sitk.WriteImage(image(), str(path))
    raw = bytearray(path.read_bytes())
    struct.pack_into("<f", raw, 84, value)
    path.write_bytes(raw)
    with pytest.raises(InputError, match=f"pixdim = '0.5 {value:g} 2': is no spacing"):
        read_ct(path)


def test_what_is_no_ct_is_refused_in_one_line(tmp_path):
    sitk.WriteImage(image(), str(tmp_path / "whole.nii.gz"))
    content = (tmp_path / "whole.nii.gz").read_bytes()
    (tmp_path / "short.nii.gz").write_bytes(gzip.compress(gzip.decompress(content)[:500]))
    (tmp_path / "broken.nii.gz").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.nrrd").write_text("no image")
    sitk.WriteImage(sitk.Compose(image(), image()), str(tmp_path / "two.mha"))
    sitk.WriteImage(sitk.JoinSeries(image(), image()), str(tmp_path / "four.nrrd"))
    for name, message in {
        "absent.nii": "no such file",
        "short.nii.gz": "not a readable image",
        "broken.nii.gz": "not a readable image",
        "text.nrrd": "not a readable image",
        "two.mha": "2 values a voxel",
        "four.nrrd": "4 dimensions",
    }.items():
        with pytest.raises(InputError, match=message) as refused:
            read_ct(tmp_path / name)
        assert "\n" not in str(refused.value)
    (tmp_path / "a.stl").write_text("solid")
    with pytest.raises(InputError, match="no image that can be read"):
        read_ct(tmp_path / "a.stl")


def test_a_header_that_declares_too_much_is_refused(tmp_path):
    (tmp_path / "huge.mhd").write_text(
        "ObjectType = Image\nNDims = 3\nElementSpacing = 1 1 1\nDimSize = 100000 100000 100000\n"
        "ElementType = MET_SHORT\n"
        "ElementDataFile = huge.raw\n"
    )
    (tmp_path / "huge.raw").write_bytes(b"\0" * 64)
    with pytest.raises(InputError, match="declares 1000000000000000 voxels"):
        read_ct(tmp_path / "huge.mhd")


def test_without_the_reader_the_mend_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise builtins.ImportError(name)

    path = tmp_path / "ct.nii"
    sitk.WriteImage(image(), str(path))
    monkeypatch.setattr(images, "import_module", missing)
    with pytest.raises(EnvironmentFailure, match=r"sacrofem\[ct\]"):
        read_ct(path)
