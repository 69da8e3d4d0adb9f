"""Which sacrum a case has: built in, scanned, or a mesh with landmarks of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.landmarkfile import overridden, read_landmarks
from sacrofem.anatomy.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.anatomy.solid import FloatArray, Landmarks, Side, Solid
from sacrofem.case import Case
from sacrofem.casesections import Fracture
from sacrofem.mesh.surfaces import joint_room
from sacrofem.scanned import scanned_sacrum

NEAREST_MM = 5.0
"""Nearer to the joint than this no fracture is moved by itself."""


@dataclass(frozen=True, eq=False)
class CaseAnatomy:
    """The bone of a case before it is meshed.

    Attributes
    ----------
    solid : Solid
        Of an own mesh the built-in sacrum, which is not used.
    landmarks : Landmarks
    inside : callable or None
        Signed distance of the bone, where a solid is known.
    frame : Frame or None
        From the axes of a scan to the anatomical frame.
    notes : tuple of str
    """

    solid: Solid
    landmarks: Landmarks
    inside: Callable[[FloatArray], FloatArray] | None
    frame: Frame | None
    notes: tuple[str, ...]


def case_anatomy(case: Case) -> CaseAnatomy:
    """The sacrum of a case with its landmarks, those that the case gives in their place.

    Raises
    ------
    InputError
        The file cannot be read or is no sacrum.
    """
    anatomy = case.anatomy
    if anatomy.kind in ("surface", "labels"):
        scan = scanned_sacrum(anatomy)
        return CaseAnatomy(scan.solid, scan.landmarks, scan.solid.signed_distance, scan.frame, scan.notes)
    solid = _built_in(_parameters(case))
    landmarks, notes = solid.landmarks, ()
    if anatomy.landmarks_file is not None:
        landmarks = read_landmarks(anatomy.landmarks_file)
    if anatomy.landmarks:
        landmarks = overridden(landmarks, anatomy.landmarks)
    inside = solid.signed_distance if anatomy.kind == "parametric" else None
    return CaseAnatomy(solid, landmarks, inside, None, notes)


def fitted(case: Case, landmarks: Landmarks) -> tuple[Case, tuple[str, ...]]:
    """The case with its default fracture moved towards the joint, where an own sacrum leaves it less room.

    A distance from the joint that the case gives itself stays, and is refused where it runs into a foramen.
    """
    fracture = case.fracture
    usual = Fracture.model_fields["joint_distance_mm"].default
    own = case.anatomy.kind != "parametric" and (case.anatomy.kind != "mesh" or case.anatomy.landmarks_file is not None)
    if not own or fracture.zone not in ("zone1", "H", "U") or fracture.joint_distance_mm != usual:
        return case, ()
    sides: tuple[Side, ...] = ("left", "right") if fracture.side == "both" else (fracture.side,)
    room, name = min(joint_room(landmarks, side) for side in sides)
    # Infinite where no foramen was found.
    if room >= usual or (distance := math.floor(10.0 * (room - 0.3)) / 10.0) < NEAREST_MM:
        return case, ()
    changed = case.with_(fracture__joint_distance_mm=distance, fracture__allow_near_joint=True)
    where = f"the fracture lies {distance:g} mm from it, not {usual:g}"
    return changed, (f"foramen {name} begins {room:.1f} mm from the joint: {where}",)


@lru_cache(maxsize=4)
def _built_in(parameters: SacrumParameters) -> ParametricSacrum:
    # Its landmarks take longer to find than all else of a small model.
    return ParametricSacrum(parameters)


def _parameters(case: Case) -> SacrumParameters:
    given: dict[str, Any] = dict(case.anatomy.parameters)
    return replace(SacrumParameters.preset(case.anatomy.sex), **given)
