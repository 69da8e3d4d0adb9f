"""A scanned or segmented sacrum of a case: read, made a solid, and brought to the anatomical frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sacrofem.anatomy.builtin.parameters import Sex
from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.landmarkfile import landmarks_to_dict, overridden, read_landmarks
from sacrofem.anatomy.scan.labelmap import label_solid
from sacrofem.anatomy.scan.landmarks import find_landmarks
from sacrofem.anatomy.scan.lattice import LatticeSolid
from sacrofem.anatomy.scan.likeness import CRITERIA, NEEDED, Likeness, of_landmarks, of_solid, of_twin
from sacrofem.anatomy.scan.surface import Checks, read_surface, surface_solid
from sacrofem.anatomy.scan.twin import Twin, fit_twin
from sacrofem.anatomy.solid import Landmarks
from sacrofem.case.anatomy import Anatomy
from sacrofem.errors import InputError, listed
from sacrofem.specimen.labelled import LabelSource, files_of_labels, read_mask

# Of its flatness, below which there is no endplate: a sacrum whose S1 body is missing has 0.
_LEAST_ENDPLATE = 0.1
_Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class ScannedSacrum:
    """A sacrum of one's own in the anatomical frame.

    Attributes
    ----------
    solid : LatticeSolid
        With its landmarks.
    frame : Frame
        From the axes of the file.
    twin : Twin or None
        None where the case gives frame and landmarks.
    twin_shift : Frame or None
        From the anatomical frame to that of the twin.
    checks : Checks
        What was found and mended.
    confidence : mapping
        Of every landmark, 0 to 1 (`sacrofem.anatomy.scan.landmarks.ScannedLandmarks`).
    likeness : Likeness or None
        Whether it is a sacrum; None where the case gives frame and landmarks.
    notes : tuple of str
    source : LabelSource or None
        Of a label map: its image and labels.
    """

    solid: LatticeSolid
    frame: Frame
    twin: Twin | None
    twin_shift: Frame | None
    checks: Checks
    confidence: Mapping[str, float]
    likeness: Likeness | None
    notes: tuple[str, ...]
    source: LabelSource | None = None

    @property
    def landmarks(self) -> Landmarks:
        """In the anatomical frame."""
        assert self.solid.landmarks is not None
        return self.solid.landmarks

    def to_json(self) -> dict[str, Any]:
        """Plain data: frame, landmarks with confidence, repairs, twin, notes."""
        twin = None
        if self.twin is not None:
            parameters = vars(self.twin.sacrum.parameters)
            twin = {
                "mean_distance_mm": self.twin.mean_mm,
                "p95_distance_mm": self.twin.p95_mm,
                "parameters": {n: list(v) if isinstance(v, tuple) else v for n, v in parameters.items()},
            }
        return {
            "image": self.source and self.source.to_json(),
            "frame": [[float(x) for x in row] for row in self.frame.matrix],
            "landmarks": landmarks_to_dict(self.landmarks),
            "confidence": {name: round(value, 3) for name, value in self.confidence.items()},
            "likeness": None if self.likeness is None else self.likeness.to_json(),
            "checks": self.checks.to_json(),
            "twin": twin,
            "notes": list(self.notes),
        }


def scanned_sacrum(anatomy: Anatomy) -> ScannedSacrum:
    """The scanned sacrum of a case; the last few are kept, as finding landmarks takes seconds.

    Raises
    ------
    InputError
        The file cannot be read or is no sacrum; naming field, value and mend.
    """
    assert anatomy.path is not None
    path = Path(anatomy.path)
    if not path.exists():
        raise InputError("no such file", file=path, field="anatomy.path", mend="give a surface or a label map")
    kind: Literal["surface", "labels"] = "labels" if anatomy.kind == "labels" else "surface"
    read = files_of_labels(path, anatomy.labels) if kind == "labels" else (path,)
    stamp = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in read)
    given = None if anatomy.landmarks_file is None else read_landmarks(anatomy.landmarks_file)
    solid, checks, notes, source = _solid(kind, str(path), stamp, anatomy.units, anatomy.labels)
    if given is not None:
        frame = _frame(anatomy.frame)
        found = ScannedSacrum(solid.placed(frame, given), frame, None, None, checks, {}, None, notes, source)
    else:
        found = _found(kind, str(path), stamp, anatomy.units, anatomy.labels, anatomy.sex)
        if anatomy.frame:
            found = _reframed(found, _frame(anatomy.frame))
    if not anatomy.landmarks:
        return found
    changed = overridden(found.landmarks, anatomy.landmarks)
    return replace(found, solid=replace(found.solid, landmarks=changed))


def _frame(numbers: tuple[float, ...]) -> Frame:
    matrix = np.reshape(numbers, (4, 4))
    return Frame(matrix[:3, :3], -matrix[:3, 3] @ matrix[:3, :3])


@lru_cache(maxsize=4)
def _solid(
    kind: Literal["surface", "labels"],
    path: str,
    stamp: _Stamp,
    units: str,
    labels: tuple[int | str, ...],
) -> tuple[LatticeSolid, Checks, tuple[str, ...], LabelSource | None]:
    if kind == "surface":
        return *surface_solid(read_surface(path, units)), None
    found = read_mask(Path(path), labels)
    solid, checks, notes = label_solid(found.mask, found.affine, path)
    return solid, checks, (*found.source.notes, *notes), found.source


@lru_cache(maxsize=4)
def _found(
    kind: Literal["surface", "labels"],
    path: str,
    stamp: _Stamp,
    units: str,
    labels: tuple[int | str, ...],
    sex: Sex,
) -> ScannedSacrum:
    solid, checks, notes, source = _solid(kind, path, stamp, units, labels)
    # What is no sacrum by its size alone costs no fit, and what no twin is like no search for landmarks.
    measured = of_solid(solid)
    _check_vital(Likeness(measured), path)
    try:
        twin = fit_twin(solid, sex)
    except InputError as error:
        raise InputError(error.problem, file=path, field=error.field, mend=error.mend) from error
    measured = of_twin(measured, solid, twin)
    _check_vital(Likeness(measured), path)
    marks = find_landmarks(solid, twin)
    if source is not None and source.chosen.lacks_s1 and marks.confidence["endplate"] < _LEAST_ENDPLATE:
        raise source.without_endplate()
    likeness = Likeness(of_landmarks(measured, solid, twin, marks))
    if not likeness.is_sacrum:
        raise _no_sacrum(likeness, path)
    residual = (
        f"nearest built-in sacrum: {twin.mean_mm:.1f} mm from it on the average, 95 % within {twin.p95_mm:.1f} mm"
    )
    return ScannedSacrum(
        solid.placed(marks.frame, marks.landmarks), marks.frame, twin, marks.twin_shift, checks, marks.confidence,
        likeness, (*notes, residual, *marks.notes), source,
    )  # fmt: skip


def _check_vital(likeness: Likeness, path: str) -> None:
    if likeness.score == 0.0:
        raise _no_sacrum(likeness, path)


def _no_sacrum(likeness: Likeness, path: str) -> InputError:
    volume = likeness.values["volume_ml"]
    part = "" if volume >= CRITERIA["volume_ml"].low else "it may be hollow, a part of one or another bone: "
    return InputError(
        f"does not look like a sacrum: score {likeness.score:.2f} of 1, {NEEDED:g} is needed; against it "
        f"{listed(likeness.against, 200)}",
        file=path, field="anatomy.path", mend=f"{part}give the surface or the label of a whole sacrum",
    )  # fmt: skip


def _reframed(found: ScannedSacrum, wanted: Frame) -> ScannedSacrum:
    """The same sacrum in another frame than the one that was found."""
    change = Frame(wanted.rotation @ found.frame.rotation.T, found.frame.place(wanted.origin[None])[0])
    assert found.twin_shift is not None
    back = Frame(change.rotation.T, change.place(np.zeros((1, 3)))[0])
    return replace(
        found, solid=found.solid.placed(wanted, found.landmarks.moved(change)), frame=wanted,
        twin_shift=back.then(found.twin_shift), notes=(*found.notes, "the frame is the case's own"),
    )  # fmt: skip
