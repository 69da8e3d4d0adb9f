"""The smaller sections of a case file: every key with its default, range, unit and source
(marks: docs/theory/sources.md).

A section bears the plain noun, `Mesh` or `Cement`, where no object of the physics does; else it is a `...Section`, and
of the load that a person writes the `LoadCase`. Anatomy, fracture and cement have modules of their own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from sacrofem.case.fields import within
from sacrofem.case.problems import refused
from sacrofem.case.section import FilePath, Point, Section, as_tuple, not_true

NamedLaw = Literal[
    "kopperdahl2002", "crawford2003", "morgan2003-vertebra", "morgan2003-femoral-neck", "dalstra1993", "keller1994"
]
"""Laws from density to modulus that are built in (`sacrofem.bone.laws`)."""

_HALF_AXIS = within(1, 60, "from a few voxels to the size of an ala [K]")
_MOMENT = within(-500, 500, "twice that of the heaviest lifting, 250 N m at L5/S1 [K]")
_LEAST_N = 1.0
_FORCE = within(-20000, 20000, "twice what a lumbar spine bears [K]")
_DISTANCE = within(0, 50, "beyond half a sacrum every plan would violate it [D]")


class Mesh(Section):
    """[mesh]: how finely it is divided."""

    reference: Literal["tiny", "coarse", "medium"] = Field(
        default="medium", description="shipped mesh that is used where no size is given"
    )
    size_mm: Annotated[float | None, within(0.5, 20, "from a voxel of a CT to a fifth of the bone [D]")] = Field(
        default=None,
        description="edge length away from the fracture, mm; not given: the shipped mesh named by `reference`",
    )
    fracture_size_mm: Annotated[float | None, within(0.3, 20, "the finest mesh that fits into memory [D]")] = Field(
        default=None, description="edge length at the fracture, mm; not given: 0.6 of size_mm"
    )
    replicate: Annotated[int, within(0, 9999, "more than any study draws")] = Field(
        default=0,
        description="not 0: another mesh of the same size_mm, from a lattice that lies elsewhere (seed of its shift, "
        "no unit)",
    )
    order: Annotated[Literal[1, 2], not_true] = Field(
        default=2, description="of the displacement, no unit: 2 quadratic; 1 a preview, far too stiff"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Mesh:
        if self.fracture_size_mm is not None and self.size_mm is None:
            raise refused("needs size_mm", "give mesh.size_mm too", "fracture_size_mm", self.fracture_size_mm)
        if self.replicate and self.size_mm is None:
            raise refused("needs size_mm", "give mesh.size_mm too", "replicate", self.replicate)
        if self.fracture_size_mm is not None and self.size_mm is not None and self.fracture_size_mm > self.size_mm:
            raise refused("coarser than mesh.size_mm", "make it smaller", "fracture_size_mm", self.fracture_size_mm)
        return self


class LesionSection(Section):
    """[lesion]: a lytic region."""

    kind: Literal["none", "focal", "infiltrative"] = Field(
        default="none", description="none; focal: an ellipsoid; infiltrative: graded around a centre"
    )
    centre_mm: Point = Field(
        default=(37.0, 26.0, -19.0), description="mm, anatomical frame: x left, y posterior, z superior"
    )
    radii_mm: Annotated[
        tuple[Annotated[float, _HALF_AXIS], Annotated[float, _HALF_AXIS], Annotated[float, _HALF_AXIS]], as_tuple
    ] = Field(default=(12.0, 10.0, 12.0), description="half-axes along x, y, z, mm")
    density_factor: Annotated[float, within(0, 10, "from nothing left to sclerosis of the density of cortex [D]")] = (
        Field(default=0.1, description="density in its middle over that of the bone there, no unit")
    )


class OwnLaw(Section):
    """[materials.law]: a law of one's own from density to modulus, E = offset_mpa + coefficient ρ^exponent."""

    name: str = Field(default="own law", min_length=1, max_length=100, description="what results call it")
    density: Literal["qct", "ash", "apparent"] = Field(
        description="which density ρ in g/cm³ is: that of calibrated QCT, of ash, or apparent; it is converted to that"
    )
    coefficient: Annotated[float, within(20, 1e6, "from marrow to many times cortical bone, in MPa [K]")] = Field(
        description="MPa (not GPa) at ρ = 1 g/cm³, without the offset"
    )
    exponent: Annotated[float, within(0.05, 10, "published ones are 1 to 3 [K]")] = Field(description="of ρ, no unit")
    offset_mpa: Annotated[float, within(-5000, 5000, "published ones are within it [K]")] = Field(
        default=0.0, description="added, MPa; below 0 the modulus is 0"
    )
    range_g_cm3: Annotated[
        tuple[Annotated[float, within(0, 3, "up to apatite")], Annotated[float, within(0, 3, "up to apatite")]] | None,
        as_tuple,
    ] = Field(
        default=None, description="lowest and highest ρ in g/cm³ that the law has support for; stated, not enforced"
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
    density_factor: Annotated[float, within(0.05, 10, "from a twentieth, marrow alone, to cortex everywhere [D]")] = (
        Field(default=1.0, description="multiplies the density everywhere, no unit")
    )
    alar_void: bool = Field(
        default=True, description="the generic map has its void lateral of the foramina S1-S3 (Wagner 2016 [A])"
    )
    floor_mpa: Annotated[float | None, within(0.1, 5000, "from marrow to dense cancellous bone [K]")] = Field(
        default=10.0, description="least modulus of bone by a law, MPa; 5-10 in the alar void [D]; none with `moduli`"
    )
    calibration: Literal["generic", "phantom", "two-tissue"] = Field(
        default="generic",
        description="HU to density: 0.810 HU + 0.84 mg/cm³ (Diagnostics 2025 [D]), or the line of a scan",
    )
    calibration_hu: tuple[Annotated[float, within(-1100, 4000, "what 12 bits of a CT hold")], ...] = Field(
        default=(), max_length=50, description="HU of the rods of a phantom, or of two tissues"
    )
    calibration_density_g_cm3: tuple[Annotated[float, within(-1, 3, "from air to apatite")], ...] = Field(
        default=(), max_length=50, description="their densities, g/cm³"
    )
    rim: Literal["membrane", "ct"] = Field(
        default="membrane", description="with a CT: membrane, and no voxels of the rim; or the CT, and no membrane"
    )
    moduli: FilePath | None = Field(
        default=None,
        description="CSV `element,youngs_mpa`, MPa, for the fractured mesh, instead of a law and its floor; pores are "
        "still those of the density",
    )
    poisson: Annotated[float, within(0, 0.45, "no measured bone lies outside [K]")] = Field(
        default=0.3, description="Poisson's ratio of bone, no unit; 0.2 is common too [T]"
    )
    cortex_thickness_mm: Annotated[float | None, within(0, 5, "no sacrum has a thicker shell [K]")] = Field(
        default=None, description="mm; not given: of the named bone; osteoporotic 0.5-0.8 [K]"
    )
    cortex_modulus_mpa: Annotated[float | None, within(1, 50000, "from cartilage to twice cortical bone [K]")] = Field(
        default=None, description="MPa; not given: of the named bone; 17 GPa, osteoporotic x 0.67 [T]"
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


class LoadCase(Section):
    """[load]: what stands on the S1 endplate."""

    kind: Literal[
        "standing", "standing-muscle", "walking", "sitting", "one-legged", "lateral-bending", "torsion", "free"
    ] = Field(default="standing", description="named load with its source; listed by `sacrofem info`")
    force_n: Annotated[float | None, within(1, 20000, "a unit load to twice what a lumbar spine bears [K]")] = Field(
        default=None, description="N; not given: that of the kind; standing 700 N"
    )
    force_vector_n: Annotated[
        tuple[Annotated[float, _FORCE], Annotated[float, _FORCE], Annotated[float, _FORCE]] | None, as_tuple
    ] = Field(
        default=None,
        description="N, of a free load: the force along x (left), y (back) and z (up) instead of force_n and slope_deg",
    )
    facet_share: Annotated[float, within(0, 0.9, "the endplate bears part of every load [D]")] = Field(
        default=0.0,
        description="share of the force that passes over the two S1 facets instead of the endplate, no unit; body and "
        "facets pass it on (Pal 1989 [A]), no share was found in print",
    )
    slope_deg: Annotated[float, within(0, 80, "beyond, the endplate would face forward [D]")] = Field(
        default=40.0, description="force to endplate normal, degrees; 24-55 in 709 people (Mac-Thiong 2011 [A])"
    )
    point_mm: Point | None = Field(default=None, description="where the force acts, mm; not given: endplate centre")
    moment_n_m: Annotated[
        tuple[Annotated[float, _MOMENT], Annotated[float, _MOMENT], Annotated[float, _MOMENT]], as_tuple
    ] = Field(default=(0.0, 0.0, 0.0), description="added moment about x, y, z, N m")

    @model_validator(mode="after")
    def _consistent(self) -> LoadCase:
        if self.force_vector_n is not None:
            given = list(self.force_vector_n)
            if self.kind != "free":
                raise refused("only a free load has it", 'use kind = "free", or leave it out', "force_vector_n", given)
            if self.force_n is not None:
                raise refused("is given beside load.force_n", "leave one of them out", "force_vector_n", given)
            if math.hypot(*self.force_vector_n) < _LEAST_N:
                mend = "give 1 N or more, or leave it out for a moment alone"
                raise refused("less than a unit load", mend, "force_vector_n", given)
        if self.kind == "free" and self.force_n is None and self.force_vector_n is None and not any(self.moment_n_m):
            mend = "give load.force_n or load.force_vector_n in N, or load.moment_n_m"
            raise refused("a free load has no force of its own", mend, "force_n")
        return self


class NamedLoad(LoadCase):
    """[[loads]]: a further load case, solved beside [load] with the same matrix."""

    name: Annotated[str, Field(max_length=100)] = Field(
        pattern=r"^[a-z][a-z0-9_-]*$", description="its name in every result: small letters, digits, _ and -"
    )


class SolverSection(Section):
    """[solver]: how the equations are solved."""

    method: Literal["multigrid", "direct"] = Field(
        default="multigrid",
        description="conjugate gradients, or a factorisation; small or linear models are factorised in any case",
    )
    tolerance: Annotated[float, within(1e-14, 1e-8, "below, rounding; above, balance fails [D]")] = Field(
        default=1e-10, description="true relative residual, no unit"
    )
    factorisation: Literal["multifrontal", "cholmod", "pardiso", "superlu"] = Field(
        default="multifrontal",
        description="who factorises: our own, or an installed package (cholmod: scikit-sparse, pardiso: pypardiso)",
    )
    assembly: Literal["gather", "scikit-fem"] = Field(
        default="gather",
        description="who makes the matrix: compiled kernels, or the scikit-fem forms that define it, far slower",
    )
    memory_gib: Annotated[float | None, within(0.1, 65536, "from a small board to the largest servers")] = Field(
        default=None, description="memory that may be used, GiB; not given: 80 % of what is available"
    )
    threads: Annotated[int | None, within(1, 512, "two sockets of 128 cores, two threads each")] = Field(
        default=None, description="count of threads; not given: the cores available"
    )


class SafetySection(Section):
    """[safety]: limits besides canal and foramina, which nothing may enter; beyond a limit a run ends with status 3."""

    needle_clearance_mm: Annotated[float | None, _DISTANCE] = Field(
        default=None, description="least distance of a needle's wall to any structure, mm; not given: none"
    )
    cement_clearance_mm: Annotated[float | None, _DISTANCE] = Field(
        default=None, description="least distance of cement to any structure, mm; not given: none"
    )
    leaked_ml: Annotated[float | None, within(0, 60, "all that can be injected")] = Field(
        default=None, description="most cement outside the bone, ml; not given: none"
    )
