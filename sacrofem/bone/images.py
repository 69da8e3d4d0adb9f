"""Images on disk (NIfTI, NRRD, MetaImage, a folder of DICOM) through SimpleITK, in LPS mm."""

from __future__ import annotations

import gzip
import os
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from sacrofem.bone.ct import CTVolume
from sacrofem.bone.headers import check_image_header
from sacrofem.errors import EnvironmentFailure, InputError

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
# What a CT of a whole body takes; a header that declares more is wrong.
_MOST_VOXELS = 4_000_000_000
_NIFTI_HEADER = 348


def read_ct(path: str | os.PathLike[str]) -> CTVolume:
    """Read a CT of any orientation and spacing.

    Parameters
    ----------
    path
        A file of one of `SUFFIXES`, or a folder that holds one DICOM series.

    Returns
    -------
    CTVolume
        Its affine leads to LPS mm (ITK's and DICOM's axes; NIfTI's RAS is turned by the reader).

    Raises
    ------
    InputError
        Missing, unreadable, not three-dimensional, in colour, without orientation, or several DICOM series.
    EnvironmentFailure
        SimpleITK is not installed.
    """
    path = Path(path)
    try:
        sitk: Any = import_module("SimpleITK")
    except ImportError as error:
        raise EnvironmentFailure("reading a CT needs SimpleITK: pip install 'sacrofem[ct]'") from error
    if not path.exists():
        raise InputError("no such file", file=path, mend="give a CT file or a folder of DICOM")
    if path.is_file() and not path.name.lower().endswith(SUFFIXES):
        raise InputError("is no image that can be read", file=path, mend=f"use one of {', '.join(SUFFIXES)}")
    again = "the file may be truncated: export it again"
    try:
        if path.is_dir():
            image = _dicom(sitk, path)
        else:
            check_image_header(path)
            reader = sitk.ImageFileReader()
            reader.SetFileName(str(path))
            reader.ReadImageInformation()
            _check_header(path, reader)
            _check_length(path, reader, sitk)
            image = reader.Execute()
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise InputError(f"not a readable image ({lines[-1][-80:] if lines else 'no reason'})", file=path, mend=again) \
            from error  # fmt: skip
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"has {image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} values a voxel",
            file=path,
            mend="give one three-dimensional image of CT numbers",
        )
    spacing, direction = np.array(image.GetSpacing()), np.array(image.GetDirection()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction * spacing, image.GetOrigin()
    # SimpleITK's arrays run z, y, x.
    return CTVolume(sitk.GetArrayFromImage(image).transpose(2, 1, 0), affine, str(path))


def _check_header(path: Path, reader: Any) -> None:
    if (voxels := int(np.prod(np.array(reader.GetSize(), dtype=float)))) > _MOST_VOXELS:
        raise InputError(f"declares {voxels} voxels", file=path, mend="the header may be damaged: export it again")


def _check_length(path: Path, reader: Any, sitk: Any) -> None:
    """Refuse a NIfTI file that is cut short: its reader would take zeros for what is missing."""
    name = path.name.lower()
    if not name.endswith((".nii", ".nii.gz")):
        return
    voxel = sitk.Image([1, 1, 1], reader.GetPixelID(), reader.GetNumberOfComponents()).GetSizeOfPixelComponent()
    wanted = int(np.prod(reader.GetSize())) * voxel * reader.GetNumberOfComponents()
    found = 0
    try:
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as content:
            while piece := content.read(1 << 24):
                found += len(piece)
    except (EOFError, OSError, zlib.error):
        found = 0
    if found < _NIFTI_HEADER + wanted:
        raise InputError("not a readable image (it is cut short)", file=path, mend="export it again")


def _dicom(sitk: Any, folder: Path) -> Any:
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        problem = f"holds {len(series)} DICOM series" if series else "holds no DICOM series"
        raise InputError(problem, file=folder, mend="give a folder with the one series of the CT")
    names = reader.GetGDCMSeriesFileNames(str(folder), series[0])
    reader.SetFileNames(names)
    image = reader.Execute()
    # The reader takes the distance of the first two slices for all: a missing one would stretch the bone.
    positions = []
    for name in names:
        one = sitk.ImageFileReader()
        one.SetFileName(name)
        one.ReadImageInformation()
        positions.append(one.GetOrigin())
    steps = np.linalg.norm(np.diff(np.array(positions), axis=0), axis=1)
    if len(steps) and np.ptp(steps) > 0.01 * float(np.median(steps)):
        raise InputError(
            f"its slices lie {steps.min():.3g} to {steps.max():.3g} mm apart: some are missing",
            file=folder,
            mend="export the whole series",
        )
    return image
