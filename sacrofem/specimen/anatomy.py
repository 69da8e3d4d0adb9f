"""Which sacrum a case has: built in, scanned, or a mesh with landmarks of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum, SacrumParameters
from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.landmarkfile import overridden, read_landmarks
from sacrofem.anatomy.solid import Landmarks, Side, Solid
from sacrofem.case.case import Case
from sacrofem.case.fracture import Fracture
from sacrofem.mesh.make.surfaces import NEAR_JOINT_MM, joint_room
from sacrofem.specimen.scanned import scanned_sacrum
from sacrofem.system.arrays import FloatArray

NEAREST_MM = 5.0
"""Nearer to the joint than this no fracture is moved by itself."""
MOST_TILT_DEG = 12.0
"""Further than this the lower end of no fracture is turned to the joint by itself [D]: 30 mm below the joint's centre
it lies 6 mm nearer to the joint then, and a fracture 12 mm from the joint still ends medial of it."""
_CLEAR_MM = 0.3


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
    """The case with its default fracture made to pass lateral of the foramina, where an own sacrum leaves it less room.

    Joint and foramina draw together downwards, so its lower end is turned to the joint, as little as will do. Where
    that does not suffice, it is moved towards the joint as well. A place that the case gives itself stays, and is
    refused where it runs into a foramen.
    """
    fracture = case.fracture
    usual = Fracture.model_fields["joint_distance_mm"].default
    own = case.anatomy.kind != "parametric" and (case.anatomy.kind != "mesh" or case.anatomy.landmarks_file is not None)
    given = fracture.joint_distance_mm != usual or fracture.tilt_deg != 0
    if not own or not fracture.beside_joint or given:
        return case, ()
    sides: tuple[Side, ...] = ("left", "right") if fracture.side == "both" else (fracture.side,)

    def room(tilt_deg: float) -> tuple[float, str]:
        return min(joint_room(landmarks, side, tilt_deg) for side in sides)

    # Infinite where no foramen was found.
    parallel, name = room(0.0)
    if parallel >= usual:
        return case, ()
    tilts = [round(0.1 * tenth, 1) for tenth in range(round(10 * MOST_TILT_DEG) + 1)]
    enough = (tilt for tilt in tilts if room(tilt)[0] >= usual + _CLEAR_MM)
    tilt = next(enough, max(tilts, key=lambda tilt: room(tilt)[0]))
    distance = min(usual, math.floor(10.0 * (room(tilt)[0] - _CLEAR_MM)) / 10.0)
    if distance < NEAREST_MM:
        return case, ()
    found = {"fracture.tilt_deg": tilt, "fracture.joint_distance_mm": distance}
    if distance < NEAR_JOINT_MM:
        found["fracture.allow_near_joint"] = True
    turned = [f"its lower end is turned {tilt:g}° towards it"] if tilt > 0 else []
    moved = [f"it lies {distance:g} mm from it, not {usual:g}"] if distance < usual else []
    text = f"foramen {name} begins {parallel:.1f} mm from the joint, the fracture passes between them: "
    return case.with_(**found), (text + " and ".join([*turned, *moved]),)


@lru_cache(maxsize=4)
def _built_in(parameters: SacrumParameters) -> ParametricSacrum:
    # Its landmarks take longer to find than all else of a small model.
    return ParametricSacrum(parameters)


def _parameters(case: Case) -> SacrumParameters:
    given: dict[str, Any] = dict(case.anatomy.parameters)
    return replace(SacrumParameters.preset(case.anatomy.sex), **given)
