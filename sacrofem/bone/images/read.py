"""Images on disk (NIfTI, NRRD, MetaImage, a folder of DICOM) in LPS mm."""

from __future__ import annotations

import os
from pathlib import Path

from sacrofem.bone.ct import CTVolume
from sacrofem.bone.images import metaimage, nifti, nrrdfile
from sacrofem.bone.images.dicom import read_series
from sacrofem.bone.images.image import Image
from sacrofem.bone.images.metaimage import read_metaimage
from sacrofem.bone.images.nifti import read_nifti
from sacrofem.bone.images.nrrdfile import read_nrrd
from sacrofem.errors import InputError

SUFFIXES = (*nifti.SUFFIXES, *nrrdfile.SUFFIXES, *metaimage.SUFFIXES, ".dcm")


def read_image(path: str | os.PathLike[str], *, series: int | str | None = None) -> Image:
    """Read an image of any orientation and spacing.

    Header facts are judged first: dimensions, sizes, type, bytes, spacing, place. Of a detached header only the file
    of its own stem in its own folder is opened; of a folder only what lies in it.

    Parameters
    ----------
    path
        A file of one of `SUFFIXES`, or a folder that holds a series of DICOM.
    series
        Which one, where a folder holds several: its number or its UID.

    Raises
    ------
    InputError
        Missing, unreadable, not three-dimensional, in colour, without orientation, or several series.
    EnvironmentFailure
        A library of the extra ``ct`` is not installed.
    """
    path = Path(path)
    if "\0" in str(path) or not path.exists():
        raise InputError("no such file", file=path, mend="give an image file or a folder of DICOM")
    if path.is_dir():
        return read_series(path, series)
    if not path.is_file():
        raise InputError("is no regular file", file=path, mend="give an image file or a folder of DICOM")
    name = path.name.lower()
    if name.endswith(".dcm"):
        return read_series(path, series)
    readers = {nifti.SUFFIXES: read_nifti, nrrdfile.SUFFIXES: read_nrrd, metaimage.SUFFIXES: read_metaimage}
    reader = next((read for suffixes, read in readers.items() if name.endswith(suffixes)), None)
    if reader is None:
        raise InputError("is no image that can be read", file=path, mend=f"use one of {', '.join(SUFFIXES)}")
    if series is not None:
        raise InputError(
            "only DICOM has series", file=path, field="anatomy.ct_series", value=series, mend="leave it out"
        )
    return reader(path)


def read_ct(
    path: str | os.PathLike[str], *, series: int | str | None = None, offset_hu: float | None = None
) -> CTVolume:
    """Read a CT.

    Parameters
    ----------
    path, series
        See `read_image`.
    offset_hu
        Added to every number of the image.

    Returns
    -------
    CTVolume
        Its affine leads to LPS mm.

    Raises
    ------
    InputError
        See `read_image`; numbers that no CT holds.
    """
    image = read_image(path, series=series)
    if len(image.values) != 1 or image.labels:
        problem = "names labels: it is a segmentation, no CT"
        raise InputError(
            problem, file=path, field="anatomy.ct", mend="give the CT here, and the labels in anatomy.path"
        )
    values = image.values[0]
    if offset_hu:
        values = values.astype("f4") + offset_hu
    return CTVolume(values, image.affine, str(path), image.facts, offset_hu)
