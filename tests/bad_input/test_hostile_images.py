"""Images that would do harm if they were believed: other files' names, impossible sizes, hundreds of small lies."""

import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import voxels
from refusals import refused

from sacrofem.bone.images.read import read_image
from sacrofem.errors import InputError

pytest.importorskip("nibabel")
VALUES = np.random.default_rng(0).integers(-200, 300, (6, 5, 4)).astype(np.int16)
AFFINE = np.diag([1.5, 1.5, 2.0, 1.0])


@pytest.fixture
def folder(tmp_path):
    """An image of every format, and beside its folder one that nobody named."""
    mine, victim = tmp_path / "mine", tmp_path / "victim"
    mine.mkdir()
    victim.mkdir()
    for kind in (".mhd", ".nhdr"):
        voxels.write(kind, victim, "l", VALUES, AFFINE)
    return mine


def line(path, key, value):
    """The file with another line in the place of one of its header."""
    lines = path.read_bytes().split(b"\n")
    at = next(k for k, text in enumerate(lines) if text.lower().startswith(key.lower().encode()))
    lines[at] = value.encode("latin-1")
    path.write_bytes(b"\n".join(lines))
    return path


OTHERS = (
    "../victim/l.raw", "/etc/passwd", "l.raw", "ct.mhd/../../victim/l.raw", "LIST", "LIST 3", "ct.%03d.raw 1 4 1",
    "ct.*.raw", "http://example.org/ct.raw", "file:///etc/passwd", "", "ct", ".", "..", "~/ct.raw", "CT.raw",
    "ct.raw\\x", "ct\0.raw",
)  # fmt: skip


@pytest.mark.parametrize("name", OTHERS, ids=repr)
def test_a_detached_header_names_nothing_but_its_own_data(folder, name):
    (folder / "l.raw").write_bytes(VALUES.tobytes(order="F"))
    meta = line(voxels.write(".mhd", folder, "ct", VALUES, AFFINE), "ElementDataFile", f"ElementDataFile = {name}")
    nrrd = line(voxels.write(".nhdr", folder, "ct", VALUES, AFFINE), "data file", f"data file: {name}")
    attached = voxels.write(".nrrd", folder, "in", VALUES, AFFINE)
    attached.write_bytes(attached.read_bytes().replace(b"\nencoding", f"\ndatafile: {name}\nencoding".encode(), 1))
    for path in (meta, nrrd, attached):
        with pytest.raises(InputError) as told:
            read_image(path)
        assert "names another file" in str(told.value) or "no MetaImage header" in str(told.value)
        assert "no other file is read" in str(told.value) or path == meta
        assert "\0" not in str(told.value)


@pytest.mark.parametrize("kind", [".mhd", ".nhdr"])
def test_links_fifos_and_folders_are_no_data(folder, kind):
    path = voxels.write(kind, folder, "ct", VALUES, AFFINE)
    data = next(file for file in folder.iterdir() if file != path)
    np.testing.assert_array_equal(read_image(path).values[0], VALUES)
    assert [Path(file).name for file in read_image(path).facts.files] == [path.name, data.name]
    content = data.read_bytes()
    data.unlink()
    (folder.parent / "victim" / "data").write_bytes(content)
    data.symlink_to(folder.parent / "victim" / "data")
    with pytest.raises(InputError, match="is a link to another file"):
        read_image(path)
    data.unlink()
    os.mkfifo(data)
    with pytest.raises(InputError, match="no such file beside the header"):
        read_image(path)
    data.unlink()
    data.mkdir()
    with pytest.raises(InputError, match="no such file beside the header"):
        read_image(path)


def test_a_fifo_and_a_device_are_no_image(tmp_path):
    os.mkfifo(tmp_path / "ct.nii")
    (tmp_path / "ct.nrrd").symlink_to("/dev/zero")
    for name in ("ct.nii", "ct.nrrd"):
        with pytest.raises(InputError, match="is no regular file"):
            read_image(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        read_image("ct\0.nii")


def test_the_header_of_a_pair_is_not_read(folder):
    path = voxels.write(".nii", folder, "ct", VALUES, AFFINE)
    path.write_bytes(path.read_bytes().replace(b"n+1\0", b"ni1\0", 1))
    with pytest.raises(InputError, match="is the header of a pair"):
        read_image(path)


OPENED = None


def _audit(event, arguments):
    if OPENED is not None and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        OPENED.add(os.fsdecode(arguments[0]))


sys.addaudithook(_audit)


@pytest.mark.parametrize("kind", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", "dicom"])
def test_no_file_is_opened_but_those_that_are_named(folder, kind):
    global OPENED
    path = voxels.write(kind, folder, "ct", VALUES, AFFINE)
    voxels.write(".nii", folder, "other", VALUES, AFFINE)
    read_image(path)
    OPENED = set()
    try:
        files = read_image(path).facts.files
        mine = {name for name in OPENED if name.startswith(str(folder.parent))}
    finally:
        OPENED = None
    assert mine == set(files)
    assert len(files) == {"dicom": 4, ".mhd": 2, ".nhdr": 2}.get(kind, 1)


@pytest.mark.parametrize("count", [99, -3, 1000000, 0, 2, 8, "x", "3 3", "٣", 10**30, "3.0", ""], ids=str)
def test_dimensions_of_a_metaimage(folder, capsys, count):
    """Some of these end the process of the usual reader."""
    path = line(voxels.write(".mha", folder, "ct", VALUES, AFFINE), "NDims", "")
    path.write_bytes(f"NDims = {count}\n".encode() + path.read_bytes().replace(b"\n\n", b"\n", 1))
    refused(capsys, folder, ["import", path, "--out", folder.parent / "out"], "ct.mha: NDims")


FIELDS = [
    (".mha", "DimSize", "DimSize = {}", ["0 5 4", "-6 5 4", "6 5", "1e300 5 4", "nan 5 4", "6.5 5 4"]),
    (".mha", "DimSize", "DimSize = {}", ["99999 99999 99999", "100000 100000 1", "3000000000 1 1"]),
    (".mha", "ElementType", "ElementType = {}", ["MET_STRING", "MET_NONE", "", "short"]),
    (".mha", "ElementSpacing", "ElementSpacing = {}", ["1e300 1 1", "0 1 1", "-1 1 1", "inf 1 1", "1e-300 1 1", "1 1"]),
    (".mha", "Offset", "Offset = {}", ["1e300 0 0", "nan 0 0", "0 0", "x y z"]),
    (".mha", "TransformMatrix", "TransformMatrix = {}", ["1 0 0 1 0 0 0 0 1", "0 " * 9, "1 0 0", "nan " * 9]),
    (".mha", "BinaryData ", "HeaderSize = {}", ["-5", "1e9", "x"]),
    (".mha", "BinaryData ", "CompressedData = {}", ["True"]),
    (".mha", "BinaryData ", "BinaryData = {}", ["False"]),
    (".mha", "BinaryData ", "ElementNumberOfChannels = {}", ["3", "0", "-1"]),
    (".mha", "BinaryData ", "ElementToIntensityFunctionSlope = {}", ["0", "nan", "1e300"]),
    (".nrrd", "sizes", "sizes: {}", ["0 5 4", "-6 5 4", "6 5", "99999 99999 99999", "x 5 4", "1000000000000 5 4"]),
    (".nrrd", "dimension", "dimension: {}", ["2", "-1", "x", "99"]),
    (".nrrd", "type", "type: {}", ["block", "x", ""]),
    (".nrrd", "encoding", "encoding: {}", ["hex", "x", "bzip2", "text", "raw"]),
    (".nrrd", "space directions", "space directions: {}", [
        "(1e300,0,0) (0,1,0) (0,0,1)", "(0,0,0) (0,1,0) (0,0,1)", "(1,0,0) (1,0,0) (0,0,1)", "none none none", "x",
        "(nan,0,0) (0,1,0) (0,0,1)", "(1,0) (0,1) (0,0)",
    ]),
    (".nrrd", "space origin", "space origin: {}", ["(1e300,0,0)", "(nan,0,0)", "(0,0)", "x"]),
    (".nrrd", "kinds", "byte skip: {}", ["5", "-2", "x"]),
    (".nrrd", "kinds", "kinds: {}", ["3-color domain domain", "vector domain domain"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "key", "text"),
    [(kind, key, text.format(value)) for kind, key, text, values in FIELDS for value in values],
    ids=lambda value: value if len(value) < 60 else None,
)
def test_fields_that_make_no_image(folder, kind, key, text):
    path = line(voxels.write(kind, folder, "ct", VALUES, AFFINE), key, text)
    with pytest.raises(InputError) as told:
        read_image(path)
    assert len(str(told.value)) < 400
    assert "; " in str(told.value)


@pytest.mark.parametrize(("at", "value"), [(80, 1e30), (268, 1e30), (268, float("nan")), (280, 1e30), (108, 1e30)])
def test_places_of_nifti_that_are_none(folder, at, value):
    import struct

    path = voxels.write(".nii", folder, "ct", VALUES, AFFINE)
    raw = bytearray(path.read_bytes())
    struct.pack_into("<f", raw, at, value)
    path.write_bytes(raw)
    with pytest.raises(InputError):
        read_image(path)


def test_coordinates_of_1e300_in_nifti_2(folder):
    far = AFFINE.copy()
    far[0, 3] = 1e300
    with pytest.raises(InputError, match="lies nowhere near a scanner"):
        read_image(voxels.write_nifti(folder / "ct.nii", VALUES, far, codes=(0, 1), two=True))


def test_packed_zeros_are_unpacked_no_further_than_declared(folder):
    path = voxels.write(".nii", folder, "ct", VALUES, AFFINE)
    bomb = folder / "bomb.nii.gz"
    with gzip.open(bomb, "wb", 9) as packed:
        packed.write(path.read_bytes())
        for _ in range(64):
            packed.write(bytes(1 << 22))
    np.testing.assert_array_equal(read_image(bomb).values[0], VALUES)
    big = line(voxels.write(".nrrd", folder, "big", VALUES, AFFINE), "sizes", "sizes: 1500 1500 1500")
    with pytest.raises(InputError, match="cut short"):
        read_image(big)


def mutated(content, random, header):
    """A file less its end, with other bytes, with a piece twice or gone, mostly in its header."""
    raw = bytearray(content)
    reach = min(len(raw), header) if random.random() < 0.8 else len(raw)
    kind = random.integers(5)
    if kind == 0:
        return bytes(raw[: random.integers(len(raw))])
    for _ in range(int(random.integers(1, 6))):
        at = int(random.integers(reach))
        if kind == 1:
            raw[at] = int(random.integers(256))
        elif kind == 2:
            raw[at] ^= 1 << int(random.integers(8))
        elif kind == 3:
            del raw[at : at + int(random.integers(1, 9))]
        else:
            digits = [k for k in range(reach) if raw[k] in b"0123456789"] or [at]
            raw[int(random.choice(digits))] = int(random.choice(list(b"0123456789-.enx \n")))
    return bytes(raw)


@pytest.mark.parametrize("kind", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", "dicom"])
def test_mutated_images_are_read_or_refused_in_one_line(folder, kind):
    random = np.random.default_rng(21)
    path = voxels.write(kind, folder, "ct", VALUES, AFFINE)
    target = sorted(path.iterdir())[1] if path.is_dir() else path
    whole = target.read_bytes()
    plain = gzip.decompress(whole) if kind == ".nii.gz" else whole
    told = []
    for _ in range(60):
        broken = mutated(plain, random, 700)
        target.write_bytes(gzip.compress(broken, 1) if kind == ".nii.gz" and random.random() < 0.7 else broken)
        try:
            image = read_image(path)
            assert np.isfinite(image.affine).all()
        except InputError as error:
            told.append(str(error))
    assert len(told) > 5
    assert max(map(len, told)) - len(str(folder)) < 400
    assert not any("\n" in text for text in told)
