"""NRRD, attached or with data of its own stem beside it, and the segmentations that 3D Slicer writes in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sacrofem.anatomy.scan.labels import Label
from sacrofem.bone.images.image import (
    AGAIN,
    DAMAGED,
    Image,
    beside,
    check_shape,
    check_spacing,
    facts_of,
    foreign,
    library,
    placed,
    unoriented,
)
from sacrofem.bone.images.stored import Encoding, Stored, beginning
from sacrofem.errors import InputError, cut
from sacrofem.system.arrays import FloatArray

SUFFIXES = (".nrrd", ".nhdr")
# https://teem.sourceforge.net/nrrd/format.html
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_NUMPY = {name: code for code, names in _TYPES.items() for name in names}
_ENCODINGS: dict[str, Encoding] = {
    "raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2", "text": "text", "txt": "text",
    "ascii": "text",
}  # fmt: skip
_MM = {"": 1.0, "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "µm": 1e-3, "micron": 1e-3}
_TOWARDS_LPS = {"left": 1.0, "right": -1.0, "posterior": 1.0, "anterior": -1.0, "superior": 1.0, "inferior": -1.0}
_ABBREVIATED = {name[0]: name for name in _TOWARDS_LPS}
_MOST_HEADER = 1 << 20
_MOST_SEGMENTS = 1000


def read_nrrd(path: Path) -> Image:
    """Read a NRRD of three axes, or of segments in layers.

    Raises
    ------
    InputError
        Naming the field of the header and its value.
    """
    nrrd = library("nrrd")
    lines, offset = _lines(path)
    data, offset = _data(path, lines, offset)
    with foreign(path):
        header: Mapping[str, Any] = nrrd.read_header(lines)
        sizes = [int(count) for count in header["sizes"]]
    if not header.get("dimension") == len(sizes) == len(header.get("kinds") or sizes):
        value = " ".join(map(str, sizes))
        raise InputError("are not those of its dimensions", file=path, field="sizes", value=value, mend=DAMAGED)
    labels = _segments(header)
    layered = bool(labels) and len(sizes) == 4
    layers = sizes.pop(0) if layered else 1
    _one_value(path, header)
    shape = check_shape(path, sizes, "sizes")
    affine, notes = placed(path, _affine(path, header, len(shape)))
    encoding = _ENCODINGS.get(str(header.get("encoding", "")).strip().lower())
    if encoding is None:
        raise InputError(
            "is not read", file=path, field="encoding", value=str(header.get("encoding")), mend="save it as raw or gzip"
        )
    stored = (layers, *shape) if layered else shape
    if layered and not 0 < layers <= _MOST_SEGMENTS:
        raise InputError("is no number of layers", file=path, field="sizes", value=layers, mend=DAMAGED)
    values = Stored(path, data, offset, stored, _dtype(path, header), encoding).read()
    cropped = bool(labels)
    files = (path,) if data == path else (path, data)
    facts = facts_of(path, "segmentation of 3D Slicer" if cropped else "NRRD", shape, affine, files, notes)
    return Image(values if layered else values[None], affine, facts, labels, cropped)


def _lines(path: Path) -> tuple[list[str], int]:
    """The lines of the header, and where it ends."""
    start = beginning(path, _MOST_HEADER)
    if not re.match(rb"NRRD000\d", start):
        raise InputError("not a readable image (no NRRD header)", file=path, mend=DAMAGED)
    end = re.search(rb"\r?\n\r?\n", start)
    if end is None and len(start) >= _MOST_HEADER:
        raise InputError("not a readable image (its header does not end)", file=path, mend=DAMAGED)
    text = start[: end.start()] if end else start
    return text.decode("utf-8", "replace").splitlines(), end.end() if end else len(start)


def _data(path: Path, lines: list[str], offset: int) -> tuple[Path, int]:
    """The file with the numbers, and how many bytes stand before them."""
    found = [re.match(r"(data ?file|byte ?skip|line ?skip)\s*:(?!=)\s*(.*)", line, re.IGNORECASE) for line in lines]
    fields = {m[1].replace(" ", "").lower(): m[2].strip() for m in found if m}
    for field in ("byteskip", "lineskip"):
        if (value := fields.get(field, "0")) not in ("0", "-1") or (field == "lineskip" and value != "0"):
            raise InputError("is not read", file=path, field=field, value=value, mend="save it as one .nrrd file")
    last = fields.get("byteskip") == "-1"
    if "datafile" in fields:
        return beside(path, fields["datafile"], "data file"), -1 if last else 0
    return path, -1 if last else offset


def _one_value(path: Path, header: Mapping[str, Any]) -> None:
    kinds = [str(kind).lower() for kind in header.get("kinds", ())]
    for axis, kind in enumerate(kinds):
        count = int(header["sizes"][axis])
        if count > 1 and kind not in ("domain", "space", "time", "list", "none", "???"):
            raise InputError(
                f"has {count} values a voxel",
                file=path,
                field="kinds",
                value=" ".join(kinds),
                mend="give one image of numbers",
            )


def _dtype(path: Path, header: Mapping[str, Any]) -> np.dtype[Any]:
    name, endian = str(header.get("type", "")).lower(), str(header.get("endian", "little")).lower()
    if name not in _NUMPY or endian not in ("little", "big"):
        field, value = ("type", name) if name not in _NUMPY else ("endian", endian)
        raise InputError("is no type of numbers that is read", file=path, field=field, value=value, mend=AGAIN)
    return np.dtype(("<" if endian == "little" else ">") + _NUMPY[name])


def _affine(path: Path, header: Mapping[str, Any], axes: int) -> FloatArray:
    if "space directions" not in header:
        if "spacings" not in header:
            problem = "has no spacings or space directions: the size of its voxels is unknown"
            raise InputError(problem, file=path, mend=AGAIN)
        check_spacing(path, "spacings", [float(step) for step in header["spacings"] if np.isfinite(step) or axes == 3])
        raise unoriented(path, "NRRD without space directions")
    with foreign(path):
        directions = np.array(
            [row for row in header["space directions"] if row is not None and not np.isnan(row).all()], dtype=float
        )
        origin = np.asarray(header.get("space origin", (0.0, 0.0, 0.0)), dtype=float)
    if directions.shape != (3, 3) or origin.shape != (3,):
        raise InputError("its directions are not those of three axes", file=path, field="space directions", mend=AGAIN)
    space = str(header.get("space", "")).lower()
    words = [_ABBREVIATED.get(word, word) for word in (space.split("-") if "-" in space else list(space))]
    if len(words) != 3 or [_axis(word) for word in words] != [0, 1, 2]:
        raise unoriented(path, f"NRRD in the space {cut(space, 30) or '(none)'}")
    flip = np.array([_TOWARDS_LPS[word] for word in words])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = (directions * flip).T, origin * flip
    affine[:3] *= _unit(path, header)
    return affine


def _axis(word: str) -> int:
    pairs = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))
    return next((axis for axis, pair in enumerate(pairs) if word in pair), -1)


def _unit(path: Path, header: Mapping[str, Any]) -> float:
    """Of a length, in mm."""
    units = {str(unit).strip('" ').lower() for unit in header.get("space units", ())}
    if len(units) > 1 or not units <= set(_MM):
        value = " ".join(sorted(units))
        raise InputError("is no unit of length that is read", file=path, field="space units", value=value, mend=AGAIN)
    return _MM[units.pop()] if units else 1.0


def _segments(header: Mapping[str, Any]) -> tuple[Label, ...]:
    """Segments of 3D Slicer: ``Segment0_Name``, ``_LabelValue`` and ``_Layer``."""
    found = []
    for key in header:
        if (match := re.fullmatch(r"Segment(\d{1,4})_LabelValue", key)) and re.fullmatch(r"\d{1,9}", str(header[key])):
            stem = f"Segment{match[1]}"
            layer = str(header.get(f"{stem}_Layer", "0"))
            name = cut(header.get(f"{stem}_Name", header.get(f"{stem}_ID", "")))
            found.append(Label(int(header[key]), name, int(layer) if re.fullmatch(r"\d{1,4}", layer) else 0))
    return tuple(found[:_MOST_SEGMENTS])
