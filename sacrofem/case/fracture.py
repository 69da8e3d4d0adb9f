"""[fracture]: where the bone is broken, and what lies in the gap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sacrofem.case.fields import within
from sacrofem.case.frozen import FrozenMapping
from sacrofem.case.problems import refused
from sacrofem.case.section import Point, Section, as_tuple

FILLER_MODULUS_MPA = FrozenMapping({"granulation": 1.0, "callus": 500.0})
"""Granulation: Geris model, range 0.2-10; callus: newly formed bone, Shefelbine & Carter (PMC5082538 [T])."""
BONE_FRICTION = 0.4
"""Cortical and cancellous bone in a fracture model (10.1186/1471-2474-14-217 [T]); 0.3 and 0.46 are used too [K]."""
FRESH_APERTURE_MM = 0.1
"""Largest aperture of a fresh gap."""
GAP_STATES: Mapping[str, Mapping[str, Any]] = FrozenMapping(
    {
        "subacute": {"aperture_mm": 1.0, "filler": "granulation", "closure": "bonded"},
        "fresh": {"aperture_mm": 0.05, "filler": "open", "closure": "contact"},
    }
)
"""What a state of the gap says about it where nothing else is given; fresh: the middle of 0 to 0.1 mm."""

_COMPONENT = within(-1e6, 1e6, "only its direction counts")


class FracturePlane(Section):
    """[[fracture.surfaces]]: a planar fracture of one's own, a disc where a radius is given."""

    name: Annotated[str, Field(max_length=100)] = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="its name in every result: small letters, digits and _"
    )
    point: Point = Field(description="a point of the plane, mm")
    normal: Annotated[
        tuple[Annotated[float, _COMPONENT], Annotated[float, _COMPONENT], Annotated[float, _COMPONENT]], as_tuple
    ] = Field(description="normal from side -1 into side +1, no unit; any length")
    radius_mm: Annotated[float | None, within(0.5, 200, "from a voxel of a fine CT to the whole bone [K]")] = Field(
        default=None, description="broken within this distance of `point` only, mm; not given: everywhere"
    )

    @model_validator(mode="after")
    def _consistent(self) -> FracturePlane:
        if math.hypot(*self.normal) < 1e-6:
            raise refused("has no direction", "give a normal that is not zero", "normal", list(self.normal))
        return self


class Fracture(Section):
    """[fracture]: where it is broken and what lies in the gap."""

    zone: Literal["zone1", "zone2", "zone3", "transverse", "H", "U", "none"] = Field(
        default="zone1", description="Denis zone or pattern; zone 1: 13 of 15 cadaver fractures (Waites 2007 [A])"
    )
    side: Literal["left", "right", "both"] = Field(
        default="both", description="broken side of zone1 and zone2, and of H and U, which then have one vertical limb"
    )
    joint_distance_mm: Annotated[float, within(2, 30, "between joint and foramina, 5 to 15 mm [K]")] = Field(
        default=12.0, description="zone 1: distance medial of the sacroiliac joint, mm"
    )
    allow_near_joint: bool = Field(default=False, description="accept less than 10 mm, where supports disturb the gap")
    tilt_deg: Annotated[float, within(-20, 20, "joint and foramina draw together by less [D]")] = Field(
        default=0.0,
        description="zone 1: lower end turned towards the joint, degrees, about its centre's height; 0 is parallel "
        "to it [D]",
    )
    extent: Annotated[float, within(0.1, 1, "below a tenth the front lies at the margin [D]")] = Field(
        default=1.0, description="share of its height that is broken, no unit; below 1 it has a front"
    )
    extent_from: Literal["superior", "inferior", "anterior", "posterior"] = Field(
        default="superior", description="margin from which a partial fracture starts"
    )
    state: Literal["subacute", "fresh"] = Field(
        default="subacute",
        description="granulation, 1 mm, bonded; or a fresh gap: 0.05 mm, nothing in it, contact",
    )
    aperture_mm: Annotated[float, within(0.01, 5, "a hairline to a gap that would be reduced [K]")] = Field(
        default=1.0, description="gap width of the law, mm; hairline [K] to 2 mm (PMC4633425 [A])"
    )
    filler: Literal["open", "granulation", "callus", "cement"] = Field(
        default="granulation", description="what fills the gap"
    )
    filler_modulus_mpa: Annotated[float | None, within(0.001, 50000, "from clotted blood to metal [K]")] = Field(
        default=None,
        description="MPa; not given: granulation 1 (0.2-10), callus 500 (both PMC5082538 [T]), or the cement's",
    )
    filler_poisson: Annotated[float, within(0, 0.45, "above, a thin layer locks: give the drained value")] = Field(
        default=0.17, description="Poisson's ratio, no unit; drained granulation tissue (Geris [T])"
    )
    closure: Literal["bonded", "contact"] = Field(
        default="bonded", description="linear gap law, or contact: faces that close touch and rub"
    )
    friction: Annotated[float | None, within(0, 2, "bone on bone 0.3 to 0.5 [T], interlocked more")] = Field(
        default=None,
        description="Coulomb's coefficient of what touches in the gap, no unit; not given: 0.4 (bone, fracture FE [T])",
    )
    surfaces: tuple[FracturePlane, ...] = Field(
        default=(), max_length=20, description='own planes beside `zone` (or zone = "none")'
    )

    @model_validator(mode="before")
    @classmethod
    def _of_state(cls, data: Any) -> Any:
        known = isinstance(data, Mapping) and isinstance(data.get("state"), str)
        return {**GAP_STATES.get(data["state"], {}), **data} if known else data

    @model_validator(mode="after")
    def _consistent(self) -> Fracture:
        if self.state == "fresh":
            if self.filler != "open":
                raise refused("a fresh gap is empty", 'use state = "subacute", or leave it out', "filler", self.filler)
            if self.closure != "contact":
                raise refused("nothing holds an empty gap but contact", "leave it out", "closure", self.closure)
            if self.aperture_mm > FRESH_APERTURE_MM:
                problem, mend = "too wide for a fresh gap", f"give at most {FRESH_APERTURE_MM:g}, or leave it out"
                raise refused(problem, mend, "aperture_mm", self.aperture_mm)
        if self.beside_joint and self.joint_distance_mm < 10 and not self.allow_near_joint:
            raise refused(
                "less than 10 mm from the joint, where supports disturb the gap",
                "give 10 or more, or set fracture.allow_near_joint = true",
                "joint_distance_mm",
                self.joint_distance_mm,
            )
        if self.filler == "open" and self.filler_modulus_mpa is not None:
            raise refused("an open gap has no modulus", "leave it out", "filler_modulus_mpa", self.filler_modulus_mpa)
        names = [surface.name for surface in self.surfaces]
        if len(set(names)) < len(names):
            raise refused("two surfaces bear one name", "name each differently", "surfaces", names)
        return self

    @property
    def beside_joint(self) -> bool:
        """Whether it has a limb in zone 1, the only one whose place is told from the joint."""
        return self.zone in ("zone1", "H", "U")

    @property
    def friction_coefficient(self) -> float:
        """Coulomb's μ of what touches in the gap: as given, or of bone."""
        return BONE_FRICTION if self.friction is None else self.friction

    @property
    def modulus_mpa(self) -> float | None:
        """Modulus of the filler in MPa: as given or the filler's own; None for an open gap and for cement."""
        own = FILLER_MODULUS_MPA.get(self.filler)
        return own if self.filler_modulus_mpa is None else self.filler_modulus_mpa
