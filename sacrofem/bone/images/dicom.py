"""A series of DICOM: its slices by pydicom, laid where their headers say, gantry tilt included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sacrofem.bone.images.image import (
    AGAIN,
    Image,
    check_place,
    check_shape,
    check_spacing,
    facts_of,
    foreign,
    library,
    placed,
    unoriented,
)
from sacrofem.bone.images.stored import scaled
from sacrofem.errors import InputError, cut, listed
from sacrofem.system.arrays import FloatArray

_MOST_FILES = 20_000
_MOST_DEPTH = 8
# Of the distance of slices: how far they may lie off equal steps. Positions are often rounded to 0.1 mm.
_UNEVEN = 0.1
_SAME_MM = 1e-3
_SKEW = 1e-3
_SERIES = "anatomy.ct_series"
_NO_VOLUME = ("LOCALIZER", "SCOUT")


@dataclass(frozen=True, eq=False)
class _Slice:
    """One slice: a file, or a frame of one."""

    file: Path
    frame: int | None
    uid: str
    number: int | None
    description: str
    size: tuple[int, int]
    position: FloatArray
    axes: FloatArray
    spacing: FloatArray
    slope: float
    intercept: float

    def of(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """(columns, rows) numbers of the CT, from those of its file."""
        return scaled(self.file, (pixels if self.frame is None else pixels[self.frame]).T, self.slope, self.intercept)


def _pixels(file: Path) -> tuple[NDArray[np.generic], bool]:
    """The numbers of a file, and whether slope and intercept are in them already."""
    pydicom = library("pydicom")
    with foreign(file):
        data = pydicom.dcmread(file)
        if not data.file_meta.TransferSyntaxUID.is_compressed:
            return np.asarray(data.pixel_array), False
        # What pydicom unpacks depends on the libraries beside it; ITK knows most of the rest.
        with suppress(Exception):
            return np.asarray(data.pixel_array), False
        sitk = library("SimpleITK")
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(file)))), True


def read_series(path: Path, wanted: int | str | None = None) -> Image:
    """Read a series of slices from a folder, or of one file of many frames.

    A folder that holds nothing but another folder is looked into. Slices need not stack along their normal.

    Parameters
    ----------
    path
        Links in a folder are not followed.
    wanted
        Number or UID of the series, where there are several.

    Raises
    ------
    InputError
        No series or several, slices that are missing, differ or have no place, another modality than CT.
    """
    slices = _chosen(path, [one for file in _files(path) for one in _slices(file)], wanted)
    first, notes = slices[0], []
    across, down = first.axes
    normal = np.cross(across, down)
    for one in slices:
        if (
            one.size != first.size
            or np.abs(one.axes - first.axes).max() > _SKEW
            or not np.allclose(one.spacing, first.spacing)
        ):
            problem = f"{one.file.name} and {first.file.name} differ in size or direction"
            raise InputError(problem, file=path, mend="export the one series of the CT alone")
    slices = sorted(slices, key=lambda one: float(one.position @ normal))
    values, kept = list[NDArray[np.generic]](), list[_Slice]()
    opened: tuple[Path, NDArray[np.generic], bool] | None = None
    for one in slices:
        if opened is None or opened[0] != one.file:
            opened = (one.file, *_pixels(one.file))
        read = np.squeeze(opened[1][one.frame or 0].T) if opened[2] else one.of(opened[1])
        if read.shape != first.size:
            raise InputError("has other pixels than its header says", file=one.file, mend=AGAIN)
        if kept and np.abs(one.position - kept[-1].position).max() < _SAME_MM:
            if not np.array_equal(read, values[-1]):
                problem = (
                    f"{kept[-1].file.name} and {one.file.name} lie at one place and differ: two scans in one series"
                )
                raise InputError(problem, file=path, mend="export the one series of the CT alone")
            notes.append(f"{one.file.name} is {kept[-1].file.name} once more and was left out")
            continue
        values.append(read)
        kept.append(one)
    if len(notes) > 3:
        notes = [f"{len(notes)} slices are there twice; each was taken once"]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = across * first.spacing[0], down * first.spacing[1]
    affine[:3, 2] = _step(path, np.array([one.position for one in kept]))
    affine[:3, 3] = kept[0].position
    shape = check_shape(path, (*first.size, len(kept)), "Rows")
    affine, skew = placed(path, affine)
    if (first.slope, first.intercept) != (1.0, 0.0):
        notes.append(f"stored with slope {first.slope:g} and intercept {first.intercept:g}, which are applied")
    kind = f"DICOM series {_name(kept)}"
    facts = facts_of(path, kind, shape, affine, list(dict.fromkeys(one.file for one in kept)), (*skew, *notes))
    return Image(np.stack(values, axis=2)[None], affine, facts)


def _step(path: Path, positions: FloatArray) -> FloatArray:
    """From slice to slice; refuses what is not evenly spaced."""
    if len(positions) < 2:
        raise InputError("holds one slice", file=path, mend="give the folder of the whole series")
    count = np.arange(len(positions)) - 0.5 * (len(positions) - 1)
    step = np.asarray(count @ positions / (count @ count))
    line = positions.mean(axis=0) + count[:, None] * step
    if not np.linalg.norm(positions - line, axis=1).max() <= _UNEVEN * np.linalg.norm(step):
        steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
        raise InputError(
            f"its slices lie {steps.min():.3g} to {steps.max():.3g} mm apart: some are missing", file=path,
            mend="export the whole series",
        )  # fmt: skip
    return step


def _files(path: Path) -> list[Path]:
    """The files of a folder, or of the only folder in it."""
    if path.is_file():
        return [path]
    for _ in range(_MOST_DEPTH):
        entries = sorted(entry for entry in path.iterdir() if not entry.is_symlink() and not entry.name.startswith("."))
        files = [entry for entry in entries if entry.is_file() and entry.name != "DICOMDIR"]
        folders = [entry for entry in entries if entry.is_dir()]
        if len(files) > _MOST_FILES:
            raise InputError(f"holds {len(files)} files", file=path, mend="give the folder of the one series of the CT")
        if any(_is_dicom(file) for file in files) or not folders:
            return files
        if len(folders) > 1:
            names = listed(folder.name for folder in folders)
            raise InputError(f"holds no DICOM series, but the folders {names}", file=path, mend="name one of them")
        (path,) = folders
    return []


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(132)[128:] == b"DICM"


def _slices(file: Path) -> Iterator[_Slice]:
    """The slices of a file; none of what is no image with a place in space."""
    if not _is_dicom(file):
        return
    pydicom = library("pydicom")
    with foreign(file):
        data = pydicom.dcmread(file, stop_before_pixels=True)
        if "Rows" not in data or "Columns" not in data:
            return
        kind = [str(word).upper() for word in _several(data.get("ImageType"))]
        if any(word in kind for word in _NO_VOLUME):
            return
        found: list[tuple[int | None, list[Any]]] = [(None, [data])]
        if frames := data.get("PerFrameFunctionalGroupsSequence"):
            shared = list(data.get("SharedFunctionalGroupsSequence") or [])
            found = [(n, [frame, *shared, data]) for n, frame in enumerate(frames)]
        slices = [_slice(file, data, frame, where) for frame, where in found]
    yield from slices


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else [] if value is None else [value]


def _within(where: Sequence[Any], group: str, name: str) -> Any:
    """An attribute of a slice: in a group of functions of its frame or of all frames, or in the data set itself."""
    for data in where:
        inner = list(data.get(group) or [])
        if inner and inner[0].get(name) is not None:
            return inner[0].get(name)
        if data.get(name) is not None:
            return data.get(name)
    return None


def _slice(file: Path, data: Any, frame: int | None, where: Sequence[Any]) -> _Slice:
    modality = str(data.get("Modality") or "CT")
    if modality not in ("CT", "OT"):
        problem = f"is no CT: only the numbers of a CT are HU ({cut(modality, 10)})"
        raise InputError(problem, file=file, field="Modality", value=modality, mend="give the CT")
    if (samples := int(data.get("SamplesPerPixel") or 1)) != 1:
        problem = f"has {samples} values a voxel"
        raise InputError(
            problem, file=file, field="SamplesPerPixel", value=samples, mend="give one image of CT numbers"
        )

    def numbers(group: str, name: str, count: int) -> FloatArray:
        value = _several(_within(where, group, name))
        found = np.array([float(x) for x in value])
        if len(found) != count:
            raise unoriented(file, f"DICOM without {name}")
        return found

    axes = numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6).reshape(2, 3)
    position = numbers("PlanePositionSequence", "ImagePositionPatient", 3)
    check_place(file, "ImagePositionPatient", position)
    spacing = numbers("PixelMeasuresSequence", "PixelSpacing", 2)[::-1]
    check_spacing(file, "PixelSpacing", spacing.tolist())
    length = np.linalg.norm(axes, axis=1)
    if not (np.abs(length - 1.0) < 10 * _SKEW).all() or abs(axes[0] @ axes[1]) > 10 * _SKEW:
        value = " ".join(f"{x:.4g}" for x in axes.ravel())
        raise InputError(
            "are no two directions at a right angle",
            file=file,
            field="ImageOrientationPatient",
            value=value,
            mend=AGAIN,
        )
    slope = _within(where, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _within(where, "PixelValueTransformationSequence", "RescaleIntercept")
    number = data.get("SeriesNumber")
    return _Slice(
        file, frame, str(data.get("SeriesInstanceUID", "")), None if number is None else int(number),
        cut(data.get("SeriesDescription") or "", 40), (int(data.Columns), int(data.Rows)),
        position, axes / length[:, None], spacing,
        1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept),
    )  # fmt: skip


def _name(slices: Sequence[_Slice]) -> str:
    first = slices[0]
    number = first.uid if first.number is None else str(first.number)
    description = f' "{first.description}"' if first.description else ""
    return f"{number}{description} ({len(slices)} slices)"


def _chosen(path: Path, slices: list[_Slice], wanted: int | str | None) -> list[_Slice]:
    series: dict[str, list[_Slice]] = {}
    for one in slices:
        series.setdefault(one.uid, []).append(one)
    if not series:
        raise InputError("holds no DICOM series", file=path, mend="give a folder with the one series of the CT")
    there = listed((_name(found) for found in series.values()), most=160)
    if wanted is not None:
        number = int(wanted) if re.fullmatch(r"\d{1,9}", str(wanted)) else None
        fits = [
            found
            for uid, found in series.items()
            if uid == wanted or (number is not None and found[0].number == number)
        ]
        if len(fits) != 1:
            problem = "several series have this number" if fits else "no such series"
            mend = f"there are {there}" + ("; give the UID" if fits else "")
            raise InputError(problem, file=path, field=_SERIES, value=wanted, mend=mend)
        return fits[0]
    # A picture of a table or a single slice beside the scan is no choice.
    stacks = [found for found in series.values() if len(found) > 1] or list(series.values())
    if len(stacks) > 1:
        mend = f"name one by {_SERIES}, or give a folder with it alone"
        raise InputError(f"holds {len(series)} DICOM series: {there}", file=path, mend=mend)
    return stacks[0]
