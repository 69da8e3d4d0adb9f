"""A scanned or segmented sacrum of a case: read, made a solid, and brought to the anatomical frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sacrofem.anatomy.builtin.parameters import Sex
from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.landmarkfile import landmarks_to_dict, overridden, read_landmarks
from sacrofem.anatomy.scan.labelmap import label_numbers, label_solid
from sacrofem.anatomy.scan.landmarks import find_landmarks
from sacrofem.anatomy.scan.lattice import LatticeSolid
from sacrofem.anatomy.scan.likeness import CRITERIA, NEEDED, Likeness, of_landmarks, of_solid, of_twin
from sacrofem.anatomy.scan.surface import Checks, read_surface, surface_solid
from sacrofem.anatomy.scan.twin import Twin, fit_twin
from sacrofem.anatomy.solid import Landmarks
from sacrofem.bone.images import read_ct
from sacrofem.case.anatomy import Anatomy
from sacrofem.errors import InputError, listed

_WIDEST, _MOST_LABELS = 20_000, 500


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
    """

    solid: LatticeSolid
    frame: Frame
    twin: Twin | None
    twin_shift: Frame | None
    checks: Checks
    confidence: Mapping[str, float]
    likeness: Likeness | None
    notes: tuple[str, ...]

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
    stamp = (path.stat().st_mtime_ns, path.stat().st_size)
    given = None if anatomy.landmarks_file is None else read_landmarks(anatomy.landmarks_file)
    solid, checks, notes = _solid(kind, str(path), stamp, anatomy.units, anatomy.labels)
    if given is not None:
        frame = _frame(anatomy.frame)
        found = ScannedSacrum(solid.placed(frame, given), frame, None, None, checks, {}, None, notes)
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
    stamp: tuple[int, int],
    units: str,
    labels: tuple[int | str, ...],
) -> tuple[LatticeSolid, Checks, tuple[str, ...]]:
    if kind == "surface":
        return surface_solid(read_surface(path, units))
    volume = read_ct(path)
    numbers = label_numbers(labels, _present(volume.hu, path), path)
    solid, checks, notes = label_solid(np.isin(volume.hu, numbers), volume.affine, path)
    return solid, checks, (f"labels {', '.join(map(str, numbers))} of {Path(path).name}", *notes)


@lru_cache(maxsize=4)
def _found(
    kind: Literal["surface", "labels"],
    path: str,
    stamp: tuple[int, int],
    units: str,
    labels: tuple[int | str, ...],
    sex: Sex,
) -> ScannedSacrum:
    solid, checks, notes = _solid(kind, path, stamp, units, labels)
    # What is no sacrum by its size alone costs no fit, and what no twin is like no search for landmarks.
    _check_vital(Likeness(of_solid(solid)), path)
    twin = fit_twin(solid, sex)
    _check_vital(Likeness(of_twin(solid, twin)), path)
    marks = find_landmarks(solid, twin)
    likeness = Likeness(of_landmarks(solid, twin, marks))
    if not likeness.is_sacrum:
        raise _no_sacrum(likeness, path)
    residual = (
        f"nearest built-in sacrum: {twin.mean_mm:.1f} mm from it on the average, 95 % within {twin.p95_mm:.1f} mm"
    )
    return ScannedSacrum(
        solid.placed(marks.frame, marks.landmarks), marks.frame, twin, marks.twin_shift, checks, marks.confidence,
        likeness, (*notes, residual, *marks.notes),
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


def _present(values: NDArray[Any], path: str) -> list[int]:
    """The labels that a map holds; refuses what is none."""
    mend = "give the label map here, and the CT in anatomy.ct"
    if values.dtype.kind == "f":
        whole = np.asarray(np.where(np.isfinite(values), values, 0.5))
        if (whole != np.round(whole)).any():
            raise InputError("holds values that are no labels", file=path, field="anatomy.path", mend=mend)
        values = whole.astype(np.int64)
    low, high = int(values.min()), int(values.max())
    # Counted, not sorted: a scan has a hundred million voxels.
    few = high - low <= _WIDEST
    found: list[int] = (np.flatnonzero(np.bincount((values - low).ravel())) + low).tolist() if few else []
    if not 0 < len(found) <= _MOST_LABELS:
        raise InputError(
            f"holds values from {low} to {high}: that is a CT, no label map", file=path, field="anatomy.path", mend=mend
        )
    return found
