"""NIfTI: header and extensions by nibabel, numbers with slope and intercept, names of labels where a tool left them."""

from __future__ import annotations

import math
import struct
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from sacrofem.anatomy.scan.labels import Label
from sacrofem.bone.images.image import (
    AGAIN,
    DAMAGED,
    Image,
    check_shape,
    check_spacing,
    facts_of,
    foreign,
    library,
    placed,
    unoriented,
)
from sacrofem.bone.images.stored import Stored, beginning, is_packed, scaled
from sacrofem.errors import InputError, cut
from sacrofem.system.arrays import FloatArray

SUFFIXES = (".nii", ".nii.gz")
# Headers of NIfTI-1 and NIfTI-2, and where their magic stands: https://nifti.nimh.nih.gov
_KINDS = {348: ("Nifti1Header", 344, b"n+1\0", "NIfTI-1"), 540: ("Nifti2Header", 4, b"n+2\0", "NIfTI-2")}
_MOST_EXTENSIONS = 1 << 24
_MOST_NAMES = 5000
# Distance of the corners, in voxels, above which sform and qform are two places.
_APART = 0.5
_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_nifti(path: Path) -> Image:
    """Read a single-file NIfTI-1 or NIfTI-2.

    Raises
    ------
    InputError
        Naming the field of the header and its value.
    """
    packed = is_packed(path)
    header, kind = _header(path, packed)
    shape = check_shape(path, header["dim"][1 : 1 + min(max(int(header["dim"][0]), 0), 7)].tolist(), "dim")
    spacing = [float(step) for step in header["pixdim"][1:4]]
    unit = _MM.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        raise InputError(
            "is no unit of length", file=path, field="xyzt_units", value=int(header["xyzt_units"]), mend=AGAIN
        )
    check_spacing(path, "pixdim", [unit * step for step in spacing])
    with foreign(path):
        dtype = header.get_data_dtype()
        slope, intercept = header.get_slope_inter()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        parts = len(dtype.fields or ()) or 2
        raise InputError(
            f"has {parts} values a voxel",
            file=path,
            field="datatype",
            value=str(dtype),
            mend="give one image of numbers",
        )
    affine = _RAS_TO_LPS @ np.diag([unit, unit, unit, 1.0]) @ _affine(path, header, shape)
    affine, notes = placed(path, affine)
    if unit != 1.0:
        notes = (*notes, f"its lengths are taken in units of {unit:g} mm, as its header says")
    offset = max(int(header["vox_offset"]), header.template_dtype.itemsize + 4)
    values = Stored(path, path, offset, shape, dtype, "gzip" if packed else "raw", inside=packed).read()
    if slope is not None:
        values = scaled(path, values, slope, intercept)
        if (slope, intercept) != (1.0, 0.0):
            notes = (*notes, f"stored with slope {slope:g} and intercept {intercept:g}, which are applied")
    facts = facts_of(path, kind, shape, affine, (), notes)
    return Image(values[None], affine, facts, _names(header))


def _header(path: Path, packed: bool) -> tuple[Any, str]:
    nibabel = library("nibabel")
    start = beginning(path, 544, packed=packed)
    size, order = next(
        ((n, mark) for n in _KINDS for mark in "<>" if start[:4] == struct.pack(f"{mark}i", n)), (0, "<")
    )
    if not size or len(start) < size:
        raise InputError("not a readable image (no NIfTI header)", file=path, mend=DAMAGED)
    name, at, magic, kind = _KINDS[size]
    if (found := start[at : at + 4]) != magic:
        if found[:2] in (b"ni", b"\0\0"):
            mend = "no other file is read: save it as one .nii file"
            raise InputError("is the header of a pair, whose numbers lie in another file", file=path, mend=mend)
        raise InputError("not a readable image (no NIfTI header)", file=path, mend=DAMAGED)
    offset = (
        struct.unpack_from(f"{order}f", start, 108)[0]
        if size == 348
        else struct.unpack_from(f"{order}q", start, 168)[0]
    )
    if not (math.isfinite(offset) and 0 <= offset <= _MOST_EXTENSIONS):
        raise InputError("is no place for numbers", file=path, field="vox_offset", value=float(offset), mend=DAMAGED)
    from io import BytesIO

    with foreign(path):
        whole = beginning(path, max(int(offset), size + 4), packed=packed)
        return getattr(nibabel, name).from_fileobj(BytesIO(whole), check=False), kind


def _affine(path: Path, header: Any, shape: tuple[int, int, int]) -> FloatArray:
    """From indices to RAS in the file's unit: the sform where there is one, else the qform."""
    first, second = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    if not first and not second:
        raise unoriented(path, "NIfTI without sform and qform")
    with foreign(path):
        sform = np.asarray(header.get_sform(), dtype=float)
        if not second:
            return sform
        qform = np.asarray(header.get_qform(), dtype=float)
        if not first:
            return qform
        # A qform cannot lean: beside a sform that does, the nearest upright one is right.
        upright = header.copy()
        upright.set_qform(sform)
        apart = min(_apart(qform, form, shape) for form in (sform, np.asarray(upright.get_qform(), dtype=float)))
    if not apart <= _APART * float(np.linalg.norm(sform[:3, :3], axis=0).min()):
        steps = [" x ".join(f"{x:.4g}" for x in np.linalg.norm(f[:3, :3], axis=0)) for f in (sform, qform)]
        raise InputError(
            f"sform and qform place the image up to {apart:.3g} mm apart (voxels {steps[0]} and {steps[1]} mm)",
            file=path,
            mend="keep the true one and set the other to it",
        )
    return sform


def _apart(first: FloatArray, second: FloatArray, shape: tuple[int, int, int]) -> float:
    """Largest distance between the corners of an image in two places."""
    corners = np.array(list(product(*([0.0, n - 1.0] for n in shape))))
    between = (first - second)[:3]
    return float(np.linalg.norm(corners @ between[:, :3].T + between[:, 3], axis=1).max())


def _names(header: Any) -> tuple[Label, ...]:
    """Names of labels in the extension that TotalSegmentator and Connectome Workbench write."""
    for extension in header.extensions:
        content = extension.get_content()
        text = content if isinstance(content, bytes) else str(content).encode()
        if b"<LabelTable" not in text or b"<!" in text.replace(b"<![CDATA[", b""):
            # A document type could expand without end.
            continue
        try:
            entries = ElementTree.fromstring(text.strip().rstrip(b"\0").decode("utf-8")).iter("Label")
            found = [(int(entry.get("Key", "")), cut((entry.text or "").strip())) for entry in entries]
        except (ElementTree.ParseError, ValueError):
            continue
        return tuple(Label(number, name) for number, name in found[:_MOST_NAMES])
    return ()
