"""MetaImage, with data inside or of its own stem beside it; read here, as its library dies of some headers."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from sacrofem.bone.images.image import (
    AGAIN,
    DAMAGED,
    Image,
    beside,
    check_shape,
    check_spacing,
    facts_of,
    placed,
    unoriented,
)
from sacrofem.bone.images.stored import Encoding, Stored, beginning, scaled
from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

SUFFIXES = (".mha", ".mhd")
# https://itk.org/Wiki/ITK/MetaIO/Documentation
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_MM = {"": 1.0, "?": 1.0, "mm": 1.0, "um": 1e-3, "cm": 10.0, "m": 1000.0}
_MOST_HEADER = 1 << 16
_LAST = "ElementDataFile"
_SLOPE, _INTERCEPT = "ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset"


class _Fields:
    """``Key = Value`` up to where the data are said to be."""

    def __init__(self, path: Path) -> None:
        self.path, self._given = path, dict[str, str]()
        start, self.end = beginning(path, _MOST_HEADER), 0
        for line in start.splitlines(keepends=True):
            self.end += len(line)
            key, equals, value = (part.strip() for part in line.decode("latin-1").partition("="))
            if not equals or not re.fullmatch(r"\w{1,100}", key, re.ASCII):
                break
            if key in self._given:
                raise InputError("stands twice", file=path, field=key, value=value, mend=DAMAGED)
            self._given[key] = value
            if key == _LAST:
                return
        raise InputError(f"not a readable image (no MetaImage header: it has no {_LAST})", file=path, mend=DAMAGED)

    def first(self, *keys: str) -> tuple[str, str]:
        """The first of some keys that is given, and its value; empty where none is."""
        key = next((key for key in keys if key in self._given), keys[0])
        return key, self._given.get(key, "")

    def numbers(self, count: int, *keys: str, missing: float | None = None) -> list[float]:
        """So many numbers of the first of some keys."""
        key, value = self.first(*keys)
        if not value and missing is not None:
            return [missing] * count
        try:
            found = [float(word) for word in value.split()]
        except ValueError:
            found = []
        if len(found) != count:
            problem = f"is not {count} numbers" if count > 1 else "is no number"
            raise InputError(problem, file=self.path, field=key, value=value, mend=AGAIN)
        return found

    def whole(self, key: str, missing: int | None = None) -> int:
        """A whole number."""
        value = self.first(key)[1]
        if not value and missing is not None:
            return missing
        if not re.fullmatch(r"-?\d{1,12}", value):
            raise InputError("is no whole number", file=self.path, field=key, value=value, mend=DAMAGED)
        return int(value)

    def true(self, *keys: str, missing: str = "False") -> bool:
        """Whether something is so."""
        return (self.first(*keys)[1] or missing)[:1].lower() in ("t", "1")


def read_metaimage(path: Path) -> Image:
    """Read a MetaImage of three axes.

    Raises
    ------
    InputError
        Naming the field of the header and its value.
    """
    fields = _Fields(path)
    axes = fields.whole("NDims")
    if not 3 <= axes <= 7:
        raise InputError(
            f"has {axes} dimensions", file=path, field="NDims", value=axes, mend="give one three-dimensional image"
        )
    sizes = fields.numbers(axes, "DimSize")
    if not all(math.isfinite(size) and size == int(size) for size in sizes):
        raise InputError(
            "is no size of an image", file=path, field="DimSize", value=fields.first("DimSize")[1], mend=DAMAGED
        )
    shape = check_shape(path, [int(size) for size in sizes], "DimSize")
    if (channels := fields.whole("ElementNumberOfChannels", 1)) != 1:
        mend = "give one image of numbers"
        raise InputError(
            f"has {channels} values a voxel", file=path, field="ElementNumberOfChannels", value=channels, mend=mend
        )
    kind = fields.first("ElementType")[1]
    if kind not in _TYPES:
        raise InputError("is no type of numbers that is read", file=path, field="ElementType", value=kind, mend=AGAIN)
    affine, notes = placed(path, _affine(path, fields, axes))
    slope, intercept = fields.numbers(1, _SLOPE, missing=1.0)[0], fields.numbers(1, _INTERCEPT, missing=0.0)[0]
    big = fields.true("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    stored = _stored(path, fields, shape, np.dtype((">" if big else "<") + _TYPES[kind]))
    values = scaled(path, stored.read(), slope, intercept)
    files = (path,) if stored.path == path else (path, stored.path)
    if (slope, intercept) != (1.0, 0.0):
        notes = (*notes, f"stored with slope {slope:g} and intercept {intercept:g}, which are applied")
    return Image(values[None], affine, facts_of(path, "MetaImage", shape, affine, files, notes))


def _stored(path: Path, fields: _Fields, shape: tuple[int, int, int], dtype: np.dtype[np.generic]) -> Stored:
    name = fields.first(_LAST)[1]
    inside = name.upper() == "LOCAL"
    skipped = fields.whole("HeaderSize", 0)
    if skipped < -1:
        raise InputError("is no size of a header", file=path, field="HeaderSize", value=skipped, mend=DAMAGED)
    encoding: Encoding = "raw"
    if fields.true("CompressedData"):
        encoding = "zlib"
    elif not fields.true("BinaryData", missing="True"):
        encoding = "text"
    data = path if inside else beside(path, name, _LAST)
    return Stored(path, data, fields.end if inside else skipped, shape, dtype, encoding)


def _affine(path: Path, fields: _Fields, axes: int) -> FloatArray:
    key, value = fields.first("ElementSpacing", "ElementSize")
    if not value:
        problem = "has no ElementSpacing or ElementSize: the size of its voxels is unknown"
        raise InputError(problem, file=path, mend=AGAIN)
    unit = _MM.get(fields.first("DistanceUnits")[1].lower())
    if unit is None:
        value = fields.first("DistanceUnits")[1]
        raise InputError("is no unit of length that is read", file=path, field="DistanceUnits", value=value, mend=AGAIN)
    spacing = np.array([unit * step if math.isfinite(step) else step for step in _loose(fields, axes, key)])[:3]
    if not (spacing > 0.0).all() or not np.isfinite(spacing).all():
        raise InputError("is no spacing of voxels", file=path, field=key, value=value, mend=AGAIN)
    check_spacing(path, key, spacing.tolist())
    if not fields.first("TransformMatrix", "Rotation", "Orientation")[1]:
        raise unoriented(path, "MetaImage without TransformMatrix")
    rows = np.reshape(fields.numbers(axes * axes, "TransformMatrix", "Rotation", "Orientation"), (axes, axes))
    affine = np.eye(4)
    # A row is the direction of an axis.
    affine[:3, :3] = rows[:3, :3].T * spacing
    affine[:3, 3] = np.array(fields.numbers(axes, "Offset", "Position", "Origin", missing=0.0)[:3]) * unit
    return affine


def _loose(fields: _Fields, axes: int, key: str) -> list[float]:
    """Spacings, of which those of further axes may be missing."""
    words = fields.first(key)[1].split()
    return fields.numbers(min(max(len(words), 3), axes), key)
