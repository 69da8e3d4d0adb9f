"""Images of the kinds that people have: scaled, tilted, off a right angle, twice, without a place; in every format."""

import locale

import numpy as np
import pytest
import voxels

from sacrofem.bone.images.read import read_ct, read_image
from sacrofem.errors import InputError

pytest.importorskip("nibabel")
FILES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
EVERY = (*FILES, "dicom")
SCALED = (".nii", ".nii.gz", ".mha", ".mhd", "dicom")


@pytest.fixture(scope="module")
def ct():
    """Noise around soft tissue, 12 x 11 x 10 voxels, and an affine to LPS mm with three spacings."""
    values = np.random.default_rng(0).integers(-200, 300, (12, 11, 10)).astype(np.int16)
    affine = np.diag([0.75, 0.5, 2.0, 1.0])
    affine[:3, 3] = -31.5, 12.25, -904.0
    return values, affine


@pytest.mark.parametrize("kind", EVERY)
def test_numbers_and_place_come_back(tmp_path, ct, kind):
    values, affine = ct
    image = read_image(voxels.write(kind, tmp_path, "ct", values, affine))
    np.testing.assert_array_equal(image.values[0], values)
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
    assert image.facts.orientation == "LPS"
    assert image.facts.shape == (12, 11, 10)
    np.testing.assert_allclose(image.facts.voxel_mm, [0.75, 0.5, 2.0], rtol=1e-6)
    assert image.facts.notes == ()


@pytest.mark.parametrize("kind", SCALED)
def test_slope_and_intercept_are_applied(tmp_path, ct, kind):
    values, affine = ct
    stored = (values + 1024).astype(np.uint16)
    found = read_image(voxels.write(kind, tmp_path, "a", stored, affine, slope=1.0, intercept=-1024.0))
    np.testing.assert_array_equal(found.values[0], values)
    assert any("slope 1 and intercept -1024" in note for note in found.facts.notes)
    half = read_image(voxels.write(kind, tmp_path, "b", (2 * values).astype(np.int16), affine, slope=0.5))
    np.testing.assert_array_equal(half.values[0], values)


def test_nifti_is_unpacked_by_its_content_not_by_its_name(tmp_path, ct):
    values, affine = ct
    plain, packed = (voxels.write(kind, tmp_path, "ct", values, affine) for kind in (".nii", ".nii.gz"))
    plain.rename(tmp_path / "a.nii.gz")
    packed.rename(tmp_path / "a.nii")
    for name in ("a.nii", "a.nii.gz"):
        np.testing.assert_array_equal(read_image(tmp_path / name).values[0], values)


def test_slope_of_nifti_2_and_of_a_big_endian_file(tmp_path, ct):
    values, affine = ct
    stored = (values + 1024).astype(">u2")
    path = voxels.write_nifti(tmp_path / "a.nii", stored, affine, slope=1.0, intercept=-1024.0, two=True)
    found = read_image(path)
    assert found.facts.format == "NIfTI-2"
    np.testing.assert_array_equal(found.values[0], values)
    big = voxels.write_nrrd(tmp_path / "big.nrrd", values.astype(">i2"), affine)
    np.testing.assert_array_equal(read_image(big).values[0], values)


@pytest.mark.parametrize("kind", EVERY)
def test_a_tilted_gantry_is_laid_where_it_is(tmp_path, ct, kind):
    values, affine = ct
    tilt = np.radians(15.0)
    sheared = affine.copy()
    # Slices are tilted about x, and step along z: 26 mm in 100.
    sheared[:3, 1] = 0.5 * np.array([0.0, np.cos(tilt), np.sin(tilt)])
    codes = {} if kind == "dicom" or not kind.startswith(".nii") else {"codes": (0, 1)}
    if codes:
        path = voxels.write_nifti(tmp_path / f"ct{kind}", values, sheared, **codes)
    else:
        path = voxels.write(kind, tmp_path, "ct", values, sheared)
    found = read_ct(path)
    np.testing.assert_allclose(found.affine, sheared, atol=1e-4)
    assert any("15° off a right angle" in note for note in found.facts.notes)
    corners = np.array([[11, 10, 9], [0, 10, 0], [3, 0, 9]])
    value, inside = found.at(corners @ sheared[:3, :3].T + sheared[:3, 3])
    assert inside.all()
    np.testing.assert_allclose(value, values[tuple(corners.T)], atol=0.05)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("off", [2e-4, 2e-3])
def test_axes_off_a_right_angle_by_rounding_are_taken(tmp_path, ct, kind, off):
    values, affine = ct
    rounded = affine.copy()
    rounded[0, 1] += off * 0.5
    path = (
        voxels.write_nifti(tmp_path / f"ct{kind}", values, rounded, codes=(0, 1))
        if kind.startswith(".nii")
        else voxels.write(kind, tmp_path, "ct", values, rounded)
    )
    np.testing.assert_allclose(read_image(path).affine, rounded, atol=1e-5)


def test_a_sform_that_leans_beside_the_qform_that_cannot_is_taken(tmp_path, ct):
    values, affine = ct
    sheared = affine.copy()
    sheared[1, 2] = 2.0 * np.tan(np.radians(15.0))
    np.testing.assert_allclose(
        read_image(voxels.write_nifti(tmp_path / "a.nii", values, sheared)).affine, sheared, atol=1e-4
    )


# ------------------------------------------------------------------ no orientation
def without(path, *fields):
    """The file less some lines of its header."""
    head, blank, data = path.read_bytes().partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if not line.startswith(tuple(f.encode() for f in fields))]
    path.write_bytes(b"\n".join(lines) + blank + data)
    return path


def unplaced(kind, folder, values, affine):
    if kind.startswith(".nii"):
        return voxels.write_nifti(folder / f"ct{kind}", values, affine, codes=(0, 0))
    if kind == "dicom":
        return voxels.write_dicom(folder / "ct", values, affine, ImageOrientationPatient=None)
    path = voxels.write(kind, folder, "ct", values, affine)
    if kind in (".mha", ".mhd"):
        return without(path, "TransformMatrix")
    without(path, "space")
    path.write_bytes(path.read_bytes().replace(b"\nencoding", b"\nspacings: 0.75 0.5 2.0\nencoding", 1))
    return path


@pytest.mark.parametrize("kind", EVERY)
def test_an_image_without_orientation_is_refused_in_every_format(tmp_path, ct, kind):
    with pytest.raises(InputError, match="its orientation is unknown, and with it which side is left"):
        read_image(unplaced(kind, tmp_path, *ct))


@pytest.mark.parametrize(("space", "turn"), [("right-anterior-superior", (-1, -1, 1)), ("LAS", (1, -1, 1))])
def test_spaces_of_nrrd_are_turned_to_lps(tmp_path, ct, space, turn):
    values, affine = ct
    other = np.diag([*turn, 1.0]) @ affine
    path = voxels.write_nrrd(tmp_path / "a.nrrd", values, other, space=space)
    np.testing.assert_allclose(read_image(path).affine, affine, atol=1e-9)
    for unknown in ("scanner-xyz", "LSP", "left-posterior", "LL"):
        path.write_bytes(
            without(path, "space:").read_bytes().replace(b"\nencoding", f"\nspace: {unknown}\nencoding".encode(), 1)
        )
        with pytest.raises(InputError, match="its orientation is unknown"):
            read_image(path)


def test_lengths_in_metres_are_mm(tmp_path, ct):
    import nibabel

    values, affine = ct
    metres = voxels.LPS @ affine
    metres[:3] /= 1000.0
    image = nibabel.Nifti1Image(values, metres)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "a.nii")
    np.testing.assert_allclose(read_image(tmp_path / "a.nii").affine, affine, atol=1e-3)
    small = affine.copy()
    small[:3] /= 10.0
    path = voxels.write_nrrd(tmp_path / "a.nrrd", values, small, **{"space units": ["cm", "cm", "cm"]})
    np.testing.assert_allclose(read_image(path).affine, affine, atol=1e-6)


# ------------------------------------------------------------------ series of DICOM
def test_an_equal_slice_is_dropped_and_another_one_at_its_place_is_refused(tmp_path, ct):
    values, affine = ct
    folder = voxels.write_dicom(tmp_path / "ct", values, affine)
    (folder / "again.dcm").write_bytes((folder / "s4.dcm").read_bytes())
    found = read_image(folder)
    np.testing.assert_array_equal(found.values[0], values)
    assert any("once more and was left out" in note for note in found.facts.notes)
    voxels.write_dicom(folder, values[:, :, 4:5] + 1, affine @ shift(4), names="other{}.dcm")
    with pytest.raises(InputError, match="lie at one place and differ"):
        read_image(folder)


def shift(slices):
    moved = np.eye(4)
    moved[2, 3] = slices
    return moved


def test_one_folder_down_is_looked_into_where_there_is_only_one(tmp_path, ct):
    values, affine = ct
    voxels.write_dicom(tmp_path / "patient" / "study" / "series", values, affine, names="IM{}")
    (tmp_path / "patient" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    np.testing.assert_array_equal(read_image(tmp_path / "patient").values[0], values)
    (tmp_path / "patient" / "other").mkdir()
    with pytest.raises(InputError, match="holds no DICOM series, but the folders other, study; name one of them"):
        read_image(tmp_path / "patient")


def test_several_series_are_listed_and_one_is_chosen(tmp_path, ct):
    values, affine = ct
    voxels.write_dicom(tmp_path, values, affine, number=3, description="Bone 1.0", uid="1.2.3", names="a{}")
    voxels.write_dicom(tmp_path, values[:, :, :7] + 5, affine, number=4, description="Lung", uid="1.2.4", names="b{}")
    voxels.write_dicom(tmp_path, values[:, :, :1], affine, number=1, uid="1.2.1", names="c{}")
    words = r'holds 3 DICOM series: 3 "Bone 1.0" \(10 slices\), 4 "Lung" \(7 slices\), 1 \(1 slices\)'
    with pytest.raises(InputError, match=words):
        read_image(tmp_path)
    assert read_image(tmp_path, series=4).values.shape == (1, 12, 11, 7)
    np.testing.assert_array_equal(read_image(tmp_path, series="1.2.3").values[0], values)
    with pytest.raises(InputError, match=r"anatomy\.ct_series = 9: no such series"):
        read_image(tmp_path, series=9)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Modality": "MR"}, "only the numbers of a CT are HU"),
        ({"PixelSpacing": ["0", "1"]}, "is no spacing of voxels"),
        ({"PixelSpacing": ["1e300", "1"]}, "is no spacing of voxels"),
        ({"ImagePositionPatient": ["1e300", "0", "0"]}, "lies nowhere near a scanner"),
        ({"ImagePositionPatient": None}, "its orientation is unknown"),
        ({"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]}, "no two directions at a right angle"),
        ({"SamplesPerPixel": 3}, "3 values a voxel"),
        ({"Columns": 6}, "has other pixels than its header says"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "holds no DICOM series"),
    ],
)
def test_series_that_are_no_ct_in_space_are_refused(tmp_path, ct, elements, message):
    with pytest.raises(InputError, match=message) as refused:
        read_image(voxels.write_dicom(tmp_path / "ct", *ct, **elements))
    assert len(str(refused.value)) < 400 + len(str(tmp_path))


def test_frames_of_one_file_are_slices(tmp_path, ct):
    import pydicom
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    values, affine = ct
    folder = voxels.write_dicom(tmp_path / "ct", values[:, :, :1], affine)
    whole = pydicom.dcmread(folder / "s0.dcm")
    frames = []
    for k in range(values.shape[2]):
        frame, place, scale = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [float(x) for x in affine[:3, 2] * k + affine[:3, 3]]
        scale.RescaleSlope, scale.RescaleIntercept = 1.0, -5.0
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = Sequence([place]), Sequence([scale])
        frames.append(frame)
    shared, measures, turned = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, turned.ImageOrientationPatient = whole.PixelSpacing, whole.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([turned])
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(whole, name)
    whole.PerFrameFunctionalGroupsSequence, whole.SharedFunctionalGroupsSequence = Sequence(frames), Sequence([shared])
    whole.NumberOfFrames = len(frames)
    whole.PixelData = np.ascontiguousarray(values.transpose(2, 1, 0)).astype("<i2").tobytes()
    whole.save_as(tmp_path / "enhanced.dcm")
    found = read_image(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(found.values[0], values - 5)
    np.testing.assert_allclose(found.affine, affine, atol=1e-6)


def test_links_in_a_folder_are_not_followed(tmp_path, ct):
    voxels.write_dicom(tmp_path / "elsewhere", *ct)
    (tmp_path / "ct").mkdir()
    for file in (tmp_path / "elsewhere").iterdir():
        (tmp_path / "ct" / file.name).symlink_to(file)
    with pytest.raises(InputError, match="holds no DICOM series"):
        read_image(tmp_path / "ct")


def test_run_lengths_and_jpeg_are_unpacked(tmp_path, ct):
    import pydicom
    import SimpleITK

    values, affine = ct
    folder = voxels.write_dicom(tmp_path / "rle", (values + 1024).astype(np.uint16), affine, intercept=-1024.0)
    for file in folder.iterdir():
        data = pydicom.dcmread(file)
        data.compress(pydicom.uid.RLELossless)
        data.save_as(file)
    np.testing.assert_array_equal(read_image(folder).values[0], values)
    # What pydicom unpacks with further libraries alone.
    (tmp_path / "jpeg").mkdir()
    spoken = locale.setlocale(locale.LC_ALL)
    for k in range(values.shape[2]):
        one = SimpleITK.GetImageFromArray((values[:, :, k].T + 1024).astype(np.uint16))
        one.SetSpacing((0.75, 0.5))
        place = "\\".join(f"{x:g}" for x in affine[:3, 2] * k + affine[:3, 3])
        for key, value in {
            "0008|0060": "CT", "0020|000e": "1.2.3", "0020|000d": "1.2", "0008|0018": f"1.2.3.{k + 1}",
            "0020|0032": place, "0020|0037": "1\\0\\0\\0\\1\\0", "0028|1052": "-1024", "0028|1053": "1",
        }.items():  # fmt: skip
            one.SetMetaData(key, value)
        writer = SimpleITK.ImageFileWriter()
        writer.SetUseCompression(True)
        writer.SetCompressor("JPEG")
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(tmp_path / "jpeg" / f"{k}.dcm"))
        writer.Execute(one)
    locale.setlocale(locale.LC_ALL, spoken)
    packed = pydicom.dcmread(tmp_path / "jpeg" / "0.dcm")
    assert packed.file_meta.TransferSyntaxUID.is_compressed
    assert float(packed.RescaleIntercept) == -1024.0
    # ITK takes what it writes for HU, and stores it less the intercept.
    np.testing.assert_array_equal(read_image(tmp_path / "jpeg").values[0], values + 1024)


@pytest.mark.parametrize("suffix", FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_what_itk_writes_is_read_as_it_lies(tmp_path, suffix, packed):
    import SimpleITK

    written = SimpleITK.GetImageFromArray(np.arange(210, dtype=np.int32).reshape(7, 6, 5))
    written.SetSpacing((0.5, 0.75, 2.0))
    written.SetOrigin((10.0, -20.0, 30.0))
    c, s = np.cos(0.3), np.sin(0.3)
    written.SetDirection((c, 0.0, s, 0.0, 1.0, 0.0, -s, 0.0, c))
    SimpleITK.WriteImage(written, str(tmp_path / f"ct{suffix}"), packed)
    found = read_image(tmp_path / f"ct{suffix}")
    np.testing.assert_array_equal(found.values[0], SimpleITK.GetArrayFromImage(written).transpose(2, 1, 0))
    for index in ((0, 0, 0), (4, 5, 6)):
        point = found.affine[:3, :3] @ index + found.affine[:3, 3]
        np.testing.assert_allclose(point, written.TransformIndexToPhysicalPoint(index), atol=1e-5)
