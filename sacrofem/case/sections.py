"""The sections of a case file: every key with its default, range, unit and source (marks: docs/theory/sources.md)."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

FILLER_MODULUS_MPA = {"granulation": 1.0, "callus": 500.0}
"""Granulation: Geris model, range 0.2-10; callus: newly formed bone, Shefelbine & Carter (PMC5082538 [T])."""
NamedLaw = Literal[
    "kopperdahl2002", "crawford2003", "morgan2003-vertebra", "morgan2003-femoral-neck", "dalstra1993", "keller1994"
]
"""Laws from density to modulus that are built in (`sacrofem.bone.laws`)."""
BONE_FRICTION = 0.4
"""Cortical and cancellous bone in a fracture model (10.1186/1471-2474-14-217 [T]); 0.3 and 0.46 are used too [K]."""
FRESH_APERTURE_MM = 0.1
"""Largest aperture of a fresh gap."""
GAP_STATES: Mapping[str, Mapping[str, Any]] = {
    "subacute": {"aperture_mm": 1.0, "filler": "granulation", "closure": "bonded"},
    "fresh": {"aperture_mm": 0.05, "filler": "open", "closure": "contact"},
}
"""What a state of the gap says about it where nothing else is given; fresh: the middle of 0 to 0.1 mm."""

Side = Literal["left", "right"]
Vector = Annotated[tuple[float, float, float], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]


def refused(problem: str, mend: str, at: str, value: object = None) -> PydanticCustomError:
    """An error for a validator of a whole section to raise, which cannot otherwise say that it means the key ``at``."""
    return PydanticCustomError("refused", "{problem}", {"problem": problem, "mend": mend, "at": at, "found": value})


class Section(BaseModel):
    """What all sections share: frozen, no unknown keys, no silent conversion."""

    # Strict: `true` is not 1 and "1e3" is not 1000; NaN and infinity never enter.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


class Anatomy(Section):
    """[anatomy]: which bone."""

    kind: Literal["parametric", "surface", "labels", "mesh"] = Field(
        default="parametric",
        description="built-in sacrum, or your own: surface of a scan, label map, or tet mesh with named sets",
    )
    sex: Literal["female", "male"] = Field(default="female", description="preset dimensions")
    path: str | None = Field(default=None, description="file of an own sacrum, relative to the case file")
    ct: str | None = Field(default=None, description="CT of an own sacrum: a file or a folder of DICOM")
    ct_transform: tuple[float, ...] = Field(
        default=(),
        description="4 x 4, row by row, from the CT's LPS mm to those of `path`; not given: they share a frame",
    )
    labels: tuple[int | str, ...] = Field(
        default=(),
        description="numbers or names of the sacrum's labels; not given: TotalSegmentator's 25 and 26, or the only one",
    )
    units: Literal["mm", "cm", "m"] = Field(default="mm", description="length unit of the file at `path`")
    half: Literal["none", "left", "right"] = Field(
        default="none", description="a hemisacrum: this half only, the cut face at x = 0 free (Whitlow 2007 [T])"
    )
    parameters: dict[str, float | tuple[float, ...]] = Field(
        default_factory=dict, description="dimensions that differ from the preset's"
    )
    landmarks: dict[str, Vector] = Field(
        default_factory=dict, description="landmarks that take the place of those found, mm, in the anatomical frame"
    )
    landmarks_file: str | None = Field(
        default=None, description="all landmarks of an own sacrum, as `sacrofem import` writes them"
    )
    frame: tuple[float, ...] = Field(
        default=(), description="4 x 4, row by row, from the file's mm to the anatomical frame; not given: found"
    )
    sets: dict[Literal["endplate", "auricular_left", "auricular_right", "outer"], str] = Field(
        default_factory=dict,
        description='what an own mesh calls its faces; "by-geometry": found from the landmarks',
    )

    @field_validator("parameters", mode="before")
    @classmethod
    def _dimensions(cls, data: Any) -> Any:
        return {name: _dimension(name, value) for name, value in data.items()} if isinstance(data, Mapping) else data

    @model_validator(mode="after")
    def _consistent(self) -> Anatomy:
        if self.kind != "parametric" and self.path is None:
            raise refused(f'kind = "{self.kind}" needs a file', 'add path = "FILE" to [anatomy]', "path")
        if self.kind == "parametric" and (self.path or self.landmarks):
            at = "path" if self.path else "landmarks"
            value = self.path or sorted(self.landmarks)
            raise refused("the built-in sacrum takes none", 'set kind = "mesh" or leave it out', at, value)
        if self.kind != "parametric" and self.parameters:
            raise refused("an own sacrum has no parameters", "leave them out", "parameters", sorted(self.parameters))
        own: dict[str, Any] = {
            "ct": self.ct,
            "frame": self.frame,
            "sets": dict(self.sets),
            "landmarks_file": self.landmarks_file,
        }
        takes = {
            "parametric": (), "surface": ("ct", "frame", "landmarks_file"),
            "labels": ("ct", "frame", "landmarks_file"), "mesh": ("ct", "sets", "landmarks_file"),
        }[self.kind]  # fmt: skip
        for name, value in own.items():
            if value and name not in takes:
                raise refused(f'kind = "{self.kind}" does not take it', "leave it out", name, str(value))
        if self.labels and self.kind != "labels":
            raise refused("only a label map takes it", "leave it out", "labels", str(list(self.labels)))
        if self.half != "none" and self.kind in ("surface", "labels"):
            raise refused("a scan is used whole", "leave it out, or import it and cut the mesh", "half", self.half)
        if self.landmarks_file and self.kind != "mesh" and not self.frame:
            raise refused("needs the frame in which they are", "give anatomy.frame too", "landmarks_file")
        if self.frame and not _is_motion(self.frame):
            raise refused(
                "is no rigid motion", "give 16 numbers, row by row: rotation and shift", "frame", str(self.frame)
            )
        if self.ct_transform and (self.ct is None or len(self.ct_transform) != 16):
            problem = "needs anatomy.ct" if self.ct is None else "is no 4 x 4 matrix"
            raise refused(problem, "give 16 numbers, row by row, with a CT", "ct_transform", str(self.ct_transform))
        return self


class Mesh(Section):
    """[mesh]: how finely it is divided."""

    reference: Literal["tiny", "coarse", "medium"] = Field(
        default="medium", description="shipped mesh that is used where no size is given"
    )
    size_mm: float | None = Field(
        default=None,
        ge=0.5,
        le=20,
        description="edge length away from the fracture; not given: the shipped mesh named by `reference`",
    )
    fracture_size_mm: float | None = Field(
        default=None, ge=0.3, le=20, description="edge length at the fracture; not given: 0.6 of size_mm"
    )
    replicate: int = Field(
        default=0,
        ge=0,
        le=9999,
        description="not 0: another mesh of the same size_mm, from a lattice that lies elsewhere (seed of its shift)",
    )
    order: Literal[1, 2] = Field(default=2, description="2: quadratic displacement; 1: a preview, far too stiff")

    @model_validator(mode="after")
    def _consistent(self) -> Mesh:
        if self.fracture_size_mm is not None and self.size_mm is None:
            raise refused("needs size_mm", "give mesh.size_mm too", "fracture_size_mm", self.fracture_size_mm)
        if self.replicate and self.size_mm is None:
            raise refused("needs size_mm", "give mesh.size_mm too", "replicate", self.replicate)
        if self.fracture_size_mm is not None and self.size_mm is not None and self.fracture_size_mm > self.size_mm:
            raise refused("coarser than mesh.size_mm", "make it smaller", "fracture_size_mm", self.fracture_size_mm)
        return self


class FractureSurfaceCase(Section):
    """[[fracture.surfaces]]: a planar fracture of one's own, a disc where a radius is given."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="its name in every result")
    point: Vector = Field(description="a point of the plane, mm")
    normal: Vector = Field(description="normal from side -1 into side +1; any length")
    radius_mm: float | None = Field(
        default=None, gt=0, le=200, description="broken within this distance of `point` only"
    )

    @model_validator(mode="after")
    def _consistent(self) -> FractureSurfaceCase:
        if not any(self.normal):
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
    joint_distance_mm: float = Field(
        default=12.0, ge=2, le=30, description="zone 1: distance medial of the sacroiliac joint; 5-15 mm [K]"
    )
    allow_near_joint: bool = Field(default=False, description="accept less than 10 mm, where supports disturb the gap")
    tilt_deg: float = Field(
        default=0.0,
        ge=-20,
        le=20,
        description="zone 1: lower end turned towards the joint, about its centre's height; 0 is parallel to it [D]",
    )
    extent: float = Field(
        default=1.0, ge=0.1, le=1, description="share of its height that is broken; below 1 it has a front"
    )
    extent_from: Literal["superior", "inferior", "anterior", "posterior"] = Field(
        default="superior", description="margin from which a partial fracture starts"
    )
    state: Literal["subacute", "fresh"] = Field(
        default="subacute",
        description="granulation, 1 mm, bonded; or a fresh gap: 0.05 mm, nothing in it, contact",
    )
    aperture_mm: float = Field(
        default=1.0, ge=0.01, le=5, description="gap width of the law; hairline [K] to 2 mm (PMC4633425 [A])"
    )
    filler: Literal["open", "granulation", "callus", "cement"] = Field(
        default="granulation", description="what fills the gap"
    )
    filler_modulus_mpa: float | None = Field(
        default=None,
        gt=0,
        le=50000,
        description="not given: granulation 1 (0.2-10), callus 500 (both PMC5082538 [T]), or the cement's",
    )
    filler_poisson: float = Field(default=0.17, ge=0, le=0.45, description="drained granulation tissue (Geris [T])")
    closure: Literal["bonded", "contact"] = Field(
        default="bonded", description="linear gap law, or contact: faces that close touch and rub"
    )
    friction: float | None = Field(
        default=None, ge=0, le=2, description="of what touches in the gap; not given: 0.4 (bone, fracture FE [T])"
    )
    surfaces: tuple[FractureSurfaceCase, ...] = Field(
        default=(), description='own planes beside `zone` (or zone = "none")'
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
        if self.joint_distance_mm < 10 and not self.allow_near_joint:
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
    def friction_coefficient(self) -> float:
        """Coulomb's μ of what touches in the gap: as given, or of bone."""
        return BONE_FRICTION if self.friction is None else self.friction

    @property
    def modulus_mpa(self) -> float | None:
        """Modulus of the filler in MPa: as given or the filler's own; None for an open gap and for cement."""
        own = FILLER_MODULUS_MPA.get(self.filler)
        return own if self.filler_modulus_mpa is None else self.filler_modulus_mpa


class Lesion(Section):
    """[lesion]: a lytic region."""

    kind: Literal["none", "focal", "infiltrative"] = Field(
        default="none", description="ellipsoid, or graded around a centre"
    )
    centre_mm: Vector = Field(
        default=(37.0, 26.0, -19.0), description="anatomical frame: x left, y posterior, z superior"
    )
    radii_mm: Vector = Field(default=(12.0, 10.0, 12.0), description="half-axes along x, y, z")
    density_factor: float = Field(
        default=0.1, ge=0, le=10, description="density in its middle over that of the bone there"
    )

    @model_validator(mode="before")
    @classmethod
    def _positive(cls, data: Any) -> Any:
        radii = data.get("radii_mm") if isinstance(data, Mapping) else None
        if isinstance(radii, list | tuple) and any(isinstance(r, int | float) and not 1 <= r <= 60 for r in radii):
            raise refused("radii lie outside 1 to 60 mm", "give three lengths in mm", "radii_mm", list(radii))
        return data


class OwnLaw(Section):
    """[materials.law]: a law of one's own from density to modulus, E = offset_mpa + coefficient ρ^exponent."""

    name: str = Field(default="own law", min_length=1, max_length=100, description="what results call it")
    density: Literal["qct", "ash", "apparent"] = Field(
        description="which density ρ in g/cm³ is: that of calibrated QCT, of ash, or apparent; it is converted to that"
    )
    coefficient: float = Field(ge=20, le=1e6, description="MPa (not GPa) at ρ = 1 g/cm³, without the offset")
    exponent: float = Field(gt=0, le=10, description="of ρ, without a unit")
    offset_mpa: float = Field(default=0.0, ge=-5000, le=5000, description="added; below 0 the modulus is 0")
    range_g_cm3: tuple[float, float] | None = Field(
        default=None, description="lowest and highest ρ that the law has support for; stated, not enforced"
    )
    source: str = Field(min_length=1, max_length=500, description="where the law comes from; stands in every result")

    @model_validator(mode="after")
    def _consistent(self) -> OwnLaw:
        if self.name in get_args(NamedLaw):
            mend = f'use materials.density_law = "{self.name}", or another name'
            raise refused("is the name of a law that is built in", mend, "name", self.name)
        for key in ("name", "source"):
            if not (text := getattr(self, key)).strip() or not text.isprintable():
                raise refused("must be text in one line", "write it in one line", key, text)
        if self.range_g_cm3 is not None and not 0 <= self.range_g_cm3[0] < self.range_g_cm3[1]:
            raise refused("is no range", "give lowest and highest", "range_g_cm3", list(self.range_g_cm3))
        return self


def _law_of_python(data: Any) -> Any:
    """A law given as the dataclass that it becomes: its fields by the names of the section."""
    if not dataclasses.is_dataclass(data) or isinstance(data, type):
        return data
    given = {name: getattr(data, name, None) for name in OwnLaw.model_fields}
    return {name: value for name, value in given.items() if value is not None}


class Materials(Section):
    """[materials]: bone, from density to modulus."""

    bone: Literal["osteoporotic", "osteopenic", "normal"] = Field(
        default="osteoporotic", description="generic density map and cortex (Wagner 2016, 2018 [A])"
    )
    density_law: NamedLaw | None = Field(
        default="kopperdahl2002",
        description="density to modulus, where neither `law` nor `moduli` is given; sources: `sacrofem info`",
    )
    law: Annotated[OwnLaw | None, BeforeValidator(_law_of_python)] = Field(
        default=None, description="a law of one's own instead"
    )
    density_factor: float = Field(default=1.0, gt=0, le=10, description="multiplies the density everywhere")
    alar_void: bool = Field(
        default=True, description="the generic map has its void lateral of the foramina S1-S3 (Wagner 2016 [A])"
    )
    floor_mpa: float | None = Field(
        default=10.0,
        ge=0.1,
        le=5000,
        description="least modulus of bone by a law; 5-10 in the alar void [D]; none with `moduli`",
    )
    calibration: Literal["generic", "phantom", "two-tissue"] = Field(
        default="generic",
        description="HU to density: 0.810 HU + 0.84 mg/cm³ (Diagnostics 2025 [D]), or the line of a scan",
    )
    calibration_hu: tuple[float, ...] = Field(default=(), description="HU of the rods of a phantom, or of two tissues")
    calibration_density_g_cm3: tuple[float, ...] = Field(default=(), description="their densities, g/cm³")
    rim: Literal["membrane", "ct"] = Field(
        default="membrane", description="with a CT: membrane, and no voxels of the rim; or the CT, and no membrane"
    )
    moduli: str | None = Field(
        default=None,
        description="CSV `element,youngs_mpa` for the fractured mesh, instead of a law and its floor; pores are still "
        "those of the density",
    )
    poisson: float = Field(default=0.3, ge=0, le=0.45, description="of bone; 0.2 is common too [T]")
    cortex_thickness_mm: float | None = Field(
        default=None, ge=0, le=5, description="not given: of the named bone; osteoporotic 0.5-0.8 [K]"
    )
    cortex_modulus_mpa: float | None = Field(
        default=None, ge=1, le=50000, description="not given: of the named bone; 17 GPa, osteoporotic x 0.67 [T]"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_one_source(cls, data: Any) -> Any:
        """Without a named law and a floor where something else gives the modulus: a case holds only what counts.

        A key at its default is no wish of anybody: complete cases have every key.
        """
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        idle = {"density_law"} if data.get("law") is not None else set()
        idle |= {"density_law", "floor_mpa"} if data.get("moduli") is not None else set()
        for key in ("density_law", "floor_mpa"):
            default = cls.model_fields[key].default
            if key not in idle and data.get(key) is None:
                data.pop(key, None)
            elif key in idle and data.get(key, default) == default:
                data[key] = None
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Materials:
        if self.law is not None and self.moduli is not None:
            mend = "leave one of them out: a law makes moduli of density, and materials.moduli has them"
            raise refused("materials.law and materials.moduli are both given", mend, "moduli", self.moduli)
        other = "law" if self.law is not None else "moduli" if self.moduli is not None else None
        for key in ("density_law", "floor_mpa"):
            if other is not None and (value := getattr(self, key)) is not None and (other, key) != ("law", "floor_mpa"):
                raise refused(f"does not count beside materials.{other}", "leave one of them out", key, value)
        return self


class Injection(Section):
    """[[cement.injections]]: one needle of one's own."""

    entry_mm: Vector = Field(description="where the needle enters the bone")
    target_mm: Vector = Field(description="its tip")
    gauge: Literal[10, 11, 13] = Field(default=11, description="outer diameter 3.40, 3.05 or 2.41 mm [K]")
    volume_ml: float = Field(gt=0, le=60, description="cement through this needle")

    @model_validator(mode="after")
    def _consistent(self) -> Injection:
        if sum((a - b) ** 2 for a, b in zip(self.entry_mm, self.target_mm, strict=True)) < 1e-6:
            raise refused("entry and target coincide", "move one of them", "target_mm", list(self.target_mm))
        return self


class Spot(Section):
    """[cement.spot]: a disc of the fracture that is cemented without a bolus (Whitlow 2007 [T])."""

    centre: Vector | None = Field(default=None, description="mm; not given: the middle of the fracture")
    radius_mm: float = Field(default=5.0, gt=0, le=60, description="radius of the disc")


class FlowSection(Section):
    """[cement.flow]: how easily cement moves, over osteoporotic cancellous bone."""

    permeability: Literal["kozeny-carman", "cube", "uniform"] = Field(
        default="kozeny-carman", description="law from the pore fraction; uniform: density does not count"
    )
    gap: float = Field(default=3.0, ge=1e-3, le=100, description="in the fracture gap, which cement prefers [D]")
    cortex: float = Field(default=0.02, ge=1e-3, le=1, description="through the cortex, so that it can leak [D]")
    tissue: float = Field(default=0.5, ge=1e-3, le=10, description="outside the bone [D]")


class Cement(Section):
    """[cement]: which, how much, and through which needles."""

    material: Literal["pmma", "calcium-phosphate", "cortoss-like"] = Field(
        default="pmma", description="preset of modulus and nu"
    )
    modulus_mpa: float | None = Field(
        default=None, ge=0.1, le=50000, description="not given: the material's; PMMA: 2000 (1000-3000 [A])"
    )
    poisson: float | None = Field(default=None, ge=0, le=0.45, description="not given: the material's; PMMA 0.35 [K]")
    mixture: Literal["hashin-shtrikman", "hill", "reuss", "voigt"] = Field(
        default="hashin-shtrikman", description="bone and cement to one modulus; the default is the lower bound"
    )
    spread: Literal["column", "ellipsoid", "flow"] = Field(
        default="flow", description="shape of a bolus; flow: along the easiest paths, leaks included"
    )
    flow: FlowSection = Field(default_factory=FlowSection)
    column_length_mm: float | None = Field(
        default=None,
        ge=0,
        le=80,
        description="of a column's axis or a flow's line, back from the tip; not given: 15 (flow 0), long axis 40",
    )
    ellipsoid_aspect: float = Field(
        default=1.5, ge=1, le=5, description="long over short axis; the long one lies on the needle"
    )
    approach: Literal["short-axis", "long-axis", "transiliac"] = Field(
        default="short-axis", description="planned needles (Whitlow 2007, Smith & Gilula 2006 [A]; transiliac [K])"
    )
    gauge: Literal[10, 11, 13] = Field(default=11, description="of planned needles: 3.40, 3.05 or 2.41 mm [K]")
    stop_at_encroachment: bool = Field(
        default=False, description="end an injection where its cement reaches canal or foramen; the rest is withheld"
    )
    side: Literal["left", "right", "both"] | None = Field(
        default=None, description="treated side; not given: the broken one"
    )
    needles: int = Field(default=1, ge=1, le=5, description="needles a treated side")
    sequence: Literal["in-turn", "together"] = Field(
        default="in-turn", description="flows of several needles: one by one around set cement, or all at once"
    )
    volume_ml: float = Field(
        default=4.1, ge=0, le=60, description="in all, split evenly; 3-9 a side in cadavers (Richards 2009 [A])"
    )
    in_gap: Literal["bonded", "contact", "none"] = Field(
        default="bonded",
        description="cement that reaches the gap: bonded to both faces, only touching, or left out",
    )
    interface_n_per_mm3: float | None = Field(
        default=None,
        ge=1,
        le=1e6,
        description="compliant layer of bonded cement on either face of the gap; not given: none; 1000 from 1 µm at "
        "1 MPa (PMC4877298 [A])",
    )
    injections: tuple[Injection, ...] = Field(default=(), description="own needles instead of `approach`")
    spot: Spot | None = Field(default=None, description="a cemented disc; with volume_ml = 0 there is no bolus")

    @model_validator(mode="before")
    @classmethod
    def _total(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not data.get("injections") or "volume_ml" in data:
            return data
        volumes = [i.get("volume_ml") if isinstance(i, Mapping) else None for i in data["injections"]]
        return {**data, "volume_ml": sum(volumes)} if all(isinstance(v, int | float) for v in volumes) else data

    @model_validator(mode="after")
    def _consistent(self) -> Cement:
        if self.volume_ml == 0 and self.spot is None:
            raise refused("no cement is placed", "give a volume above 0, or a [cement.spot]", "volume_ml", 0.0)
        if self.sequence == "together" and self.spread != "flow":
            raise refused("only flows can be injected together", 'use spread = "flow"', "sequence", "together")
        total = sum(injection.volume_ml for injection in self.injections)
        if self.injections and abs(total - self.volume_ml) > 1e-9 * total:
            mend = "leave volume_ml out or make it their sum"
            raise refused(f"the injections sum to {total:g} ml", mend, "volume_ml", self.volume_ml)
        return self


class Supports(Section):
    """[supports]: what holds the auricular faces."""

    kind: Literal["elastic", "fixed"] = Field(
        default="elastic", description="calibrated joint, or fixed (Whitlow 2007 [T])"
    )
    ligaments: bool = Field(default=True, description="ligament springs beside the elastic layer")


class Load(Section):
    """[load]: what stands on the S1 endplate."""

    kind: Literal["standing", "standing-muscle", "walking", "sitting", "one-legged", "free"] = Field(
        default="standing", description="named load with its source; listed by `sacrofem info`"
    )
    force_n: float | None = Field(
        default=None, gt=0, le=20000, description="not given: that of the kind; standing 700 N"
    )
    slope_deg: float = Field(
        default=40.0, ge=0, le=80, description="force to endplate normal; 24-55 in 709 people (Mac-Thiong 2011 [A])"
    )
    point: Vector | None = Field(default=None, description="where the force acts, mm; not given: endplate centre")
    moment: Vector = Field(default=(0.0, 0.0, 0.0), description="added moment, N mm")

    @model_validator(mode="after")
    def _consistent(self) -> Load:
        if self.kind == "free" and self.force_n is None:
            raise refused("a free load has no force of its own", "give load.force_n in N", "force_n")
        return self


class Solver(Section):
    """[solver]: how the equations are solved."""

    method: Literal["multigrid", "direct"] = Field(
        default="multigrid",
        description="conjugate gradients, or a factorisation; small or linear models are factorised in any case",
    )
    tolerance: float = Field(default=1e-10, ge=1e-14, le=1e-8, description="true relative residual")
    factorisation: Literal["multifrontal", "cholmod", "pardiso", "superlu"] = Field(
        default="multifrontal",
        description="who factorises: our own, or an installed package (cholmod: scikit-sparse, pardiso: pypardiso)",
    )
    assembly: Literal["gather", "scikit-fem"] = Field(
        default="gather",
        description="who makes the matrix: compiled kernels, or the scikit-fem forms that define it, far slower",
    )
    memory_gib: float | None = Field(
        default=None, gt=0, le=1e6, description="memory that may be used, GiB; not given: 80 % of what is available"
    )
    threads: int | None = Field(default=None, ge=1, le=1024, description="not given: the cores available")


class Safety(Section):
    """[safety]: limits besides canal and foramina, which nothing may enter; beyond a limit a run ends with status 3."""

    needle_clearance_mm: float | None = Field(
        default=None, ge=0, le=50, description="least distance of a needle's wall to any structure; not given: none"
    )
    cement_clearance_mm: float | None = Field(
        default=None, ge=0, le=50, description="least distance of cement to any structure; not given: none"
    )
    leaked_ml: float | None = Field(
        default=None, ge=0, le=60, description="most cement outside the bone; not given: none"
    )


def _is_motion(numbers: tuple[float, ...]) -> bool:
    """Whether 16 numbers, row by row, are a turn without reflection and a shift."""
    if len(numbers) != 16 or tuple(numbers[12:]) != (0.0, 0.0, 0.0, 1.0):
        return False
    rows = [numbers[4 * k : 4 * k + 3] for k in range(3)]
    products = [sum(a * b for a, b in zip(p, q, strict=True)) for p in rows for q in rows]
    (a, b, c), (d, e, f), (g, h, i) = rows
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    unit = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return determinant > 0 and all(abs(x - y) < 1e-4 for x, y in zip(products, unit, strict=True))


def _dimension(name: str, value: object) -> object:
    """A dimension of the built-in sacrum as it must be: a number, or a tuple of as many as there are levels."""
    # Late: a case without own dimensions is read without numpy.
    from sacrofem.anatomy.builtin.sacrum import SacrumParameters

    known = SacrumParameters.__dataclass_fields__
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        mend = f"did you mean {close[0]}?" if close else "known are " + ", ".join(known)
        raise refused("no such dimension", mend, name, value)
    default = known[name].default
    count = len(default) if isinstance(default, tuple) else 0
    numbers: list[Any] = list(value) if isinstance(value, list | tuple) and count else [value]
    sound = len(numbers) == max(count, 1) and all(
        isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in numbers
    )
    if not sound:
        wanted = f"{count} finite numbers in a list, from S1 down" if count else "a finite number"
        raise refused(f"must be {wanted}", f"write {wanted}", name, list(value) if isinstance(value, tuple) else value)
    return tuple(float(x) for x in numbers) if count else value
