"""Faults in the headers of images that their readers pass over: spacing that is not there, two places at once."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

_NIFTI_BYTES = 348
_TEXT_BYTES = 1 << 16
# Distance of the corners, in voxels, above which sform and qform are two places.
_APART = 0.5
_AGAIN = "export it again from DICOM"


def check_image_header(path: Path) -> None:
    """Refuse a NIfTI, MetaImage or NRRD file whose spacing or place is missing, impossible or twofold.

    Raises
    ------
    InputError
        Naming the field of the header and its value.
    """
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        _check_nifti(path)
    elif name.endswith((".mha", ".mhd")):
        _check_text(path, "=", {"ElementSpacing": True, "ElementSize": True}, end="ElementDataFile")
    elif name.endswith((".nrrd", ".nhdr")):
        _check_text(path, ":", {"spacings": True, "space directions": False}, end="")


def _start(path: Path, count: int) -> bytes:
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as content:
            return content.read(count)
    except (EOFError, OSError, zlib.error):
        return b""


def _check_nifti(path: Path) -> None:
    """Fields of NIfTI-1: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h."""
    header = _start(path, _NIFTI_BYTES)
    order = next((mark for mark in "<>" if header[:4] == struct.pack(f"{mark}i", _NIFTI_BYTES)), None)
    if len(header) < _NIFTI_BYTES or order is None:
        return
    shape = np.array(struct.unpack_from(f"{order}3h", header, 42), dtype=float)
    flip, *spacing = struct.unpack_from(f"{order}4f", header, 76)
    _check_spacing(path, "pixdim", spacing)
    qform, sform = struct.unpack_from(f"{order}2h", header, 252)
    if not qform and not sform:
        raise InputError(
            "NIfTI without sform and qform: its orientation is unknown",
            file=path,
            mend=f"{_AGAIN} with its orientation",
        )
    if not (qform and sform):
        return
    b, c, d, *offset = struct.unpack_from(f"{order}6f", header, 256)
    turn = Rotation.from_quat([b, c, d, math.sqrt(max(1.0 - b * b - c * c - d * d, 0.0))]).as_matrix()
    first = np.column_stack([turn * np.multiply(spacing, [1.0, 1.0, -1.0 if flip < 0 else 1.0]), offset])
    second = np.reshape(struct.unpack_from(f"{order}12f", header, 280), (3, 4))
    apart = _corners(second, shape) - _corners(first, shape)
    distance = float(np.linalg.norm(apart, axis=1).max())
    if not distance <= _APART * min(spacing):
        steps = [" x ".join(f"{step:.4g}" for step in np.linalg.norm(form[:, :3], axis=0)) for form in (second, first)]
        raise InputError(
            f"sform and qform place the image up to {distance:.3g} mm apart (voxels {steps[0]} and {steps[1]} mm)",
            file=path,
            mend="keep the true one and set the other to it",
        )


def _corners(affine: FloatArray, shape: FloatArray) -> FloatArray:
    index = np.stack(np.meshgrid(*([0.0, n - 1.0] for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(index @ affine[:, :3].T + affine[:, 3])


def _check_text(path: Path, between: str, wanted: dict[str, bool], *, end: str) -> None:
    """One of the wanted fields must be there; those that are marked hold numbers above zero."""
    found = False
    for line in _start(path, _TEXT_BYTES).decode("latin-1").splitlines():
        key, _, value = line.partition(between)
        if key.strip() in wanted:
            found = True
            if wanted[key.strip()]:
                _check_spacing(path, key.strip(), [_number(word) for word in value.split()])
        if key.strip() == end:
            break
    else:
        return
    if not found:
        raise InputError(f"has no {' or '.join(wanted)}: the size of its voxels is unknown", file=path, mend=_AGAIN)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def _check_spacing(path: Path, field: str, spacing: list[float]) -> None:
    if not all(math.isfinite(step) and step > 0.0 for step in spacing):
        raise InputError(
            "is no spacing of voxels",
            file=path,
            field=field,
            value=" ".join(f"{step:g}" for step in spacing),
            mend=_AGAIN,
        )
