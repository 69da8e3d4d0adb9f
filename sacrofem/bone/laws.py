"""Density to modulus: laws that name the density which they mean, and the one conversion between densities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from sacrofem.errors import InputError
from sacrofem.system.arrays import BoolArray, FloatArray

DensityKind = Literal["qct", "ash", "apparent"]

#: Floor of the cancellous modulus, MPa: 5-10 MPa in the alar void [D].
FLOOR_MPA = 10.0
#: Density of bone tissue for BV/TV = apparent density / tissue density, g/cm³ [K].
TISSUE_DENSITY = 1.9
#: The default. The generic map and calibrated CT give mineral-equivalent QCT densities, and of the laws only those of
#: Kopperdahl and Crawford take these without a conversion whose offset would lend osteoporotic bone some 0.13 g/cm³.
#: Kopperdahl's is a power law, the form that fits vertebral cores best (10.1186/s12891-021-04571-4 [A]), and stays
#: positive down to zero.
DEFAULT_LAW = "kopperdahl2002"

# ------------------------------------------------------------------ densities
ASH_SLOPE, ASH_OFFSET_G_CM3, ASH_PER_APPARENT = 0.877, 0.079, 0.60
CONVERSION_SOURCE = "Schileo 2008 [K]"
"""Of ρ_ash = 0.877 ρ_QCT + 0.079 g/cm³ and ρ_ash = 0.60 ρ_app."""
_ASH_TEXT = f"{ASH_SLOPE:g} ρ_QCT + {ASH_OFFSET_G_CM3:g}"
CONVERSIONS: Mapping[DensityKind, str] = MappingProxyType(
    {"ash": f"ρ_ash = {_ASH_TEXT}", "apparent": f"ρ_app = ({_ASH_TEXT}) / {ASH_PER_APPARENT:g}"}
)
"""The conversion of each density that is not QCT density itself, in g/cm³, as text."""
DENSITY_WORDS: Mapping[DensityKind, str] = MappingProxyType(
    {"qct": "calibrated QCT density", "ash": "ash density", "apparent": "apparent density"}
)


def convert_density(density_qct: FloatArray, kind: DensityKind) -> FloatArray:
    """Calibrated QCT density as the density that a law means, g/cm³; nowhere else is one density made of another.

    ρ_ash = 0.877 ρ_QCT + 0.079, ρ_ash = 0.60 ρ_app (Schileo 2008 [K]).
    """
    density = np.asarray(density_qct, dtype=float)
    if kind == "qct":
        return density
    ash = ASH_SLOPE * density + ASH_OFFSET_G_CM3
    return ash if kind == "ash" else ash / ASH_PER_APPARENT


def bone_volume_fraction(density_qct: FloatArray) -> FloatArray:
    """BV/TV = ρ_apparent / 1.9 ([K]), clipped to [0.01, 0.6]; what is left is pore space."""
    return np.clip(convert_density(density_qct, "apparent") / TISSUE_DENSITY, 0.01, 0.6)


# ------------------------------------------------------------------ laws
# QCT density of dense cancellous bone, g/cm³, and what no law of bone goes beyond there, MPa: the published laws give
# 200 to 2000, in GPa or with another unit of density they would give less than 2, and bone tissue has 20 000 [D].
_PROBE_G_CM3, _LEAST_MPA, _MOST_MPA = 0.2, 5.0, 20000.0


@dataclass(frozen=True)
class DensityLaw:
    """E = ``offset_mpa`` + ``coefficient`` ρ^``exponent``, E in MPa, ρ in g/cm³ of the density that the law means.

    A law is called with *its own* density: ``law(rho)`` is E in MPa. `from_qct` converts calibrated QCT density, which
    is what the generic map and a CT give, and calls it.

    Parameters
    ----------
    name
        What results call it.
    coefficient
        MPa at ρ = 1 g/cm³, without the offset.
    exponent
        Of ρ, without a unit.
    density
        Which density ρ is: ``qct`` (calibrated, mineral-equivalent), ``ash`` or ``apparent``.
    source
        Where the law comes from; stands in every result.
    mark
        How well its numbers are known: [T] read in the article, [A] in an abstract, [C] in public code, [K] recalled,
        [D] derived.
    offset_mpa
        Negative where the modulus vanishes above ρ = 0.
    range_g_cm3, range_source
        Where the law has support, in its own density, and where that comes from.

    Raises
    ------
    InputError
        A number that is not finite or not positive, an unknown density, no name or source, or moduli that no bone has
        at 0.2 g/cm³ of QCT density: most likely GPa for MPa, or mg/cm³ or kg/m³ for g/cm³.
    """

    name: str
    coefficient: float
    exponent: float
    density: DensityKind
    source: str
    mark: str = ""
    offset_mpa: float = 0.0
    range_g_cm3: tuple[float, float] | None = None
    range_source: str = ""

    def __post_init__(self) -> None:
        if self.density not in get_args(DensityKind):
            mend = f"use one of {', '.join(get_args(DensityKind))}"
            raise InputError("no such density", field="materials.law.density", value=self.density, mend=mend)
        for key, mend in (("name", "name the law"), ("source", "say where the law comes from")):
            if not getattr(self, key).strip():
                raise InputError("is empty", field=f"materials.law.{key}", value=getattr(self, key), mend=mend)
        for key in ("coefficient", "exponent"):
            if not (math.isfinite(value := getattr(self, key)) and value > 0.0):
                mend = "the modulus rises with density"
                raise InputError("must be positive", field=f"materials.law.{key}", value=value, mend=mend)
        if not math.isfinite(self.offset_mpa):
            raise InputError("must be finite", field="materials.law.offset_mpa", value=self.offset_mpa, mend="give MPa")
        if self.range_g_cm3 is not None and not 0.0 <= self.range_g_cm3[0] < self.range_g_cm3[1] < math.inf:
            mend = "give lowest and highest density in g/cm³"
            raise InputError("is no range", field="materials.law.range_g_cm3", value=self.range_g_cm3, mend=mend)
        probe = float(self.from_qct(np.array([_PROBE_G_CM3]))[0])
        if not _LEAST_MPA <= probe <= _MOST_MPA:
            raise InputError(
                f"gives {probe:.3g} MPa at {_PROBE_G_CM3:g} g/cm³ of QCT density, where bone has some 200 to 2000",
                field="materials.law.coefficient", value=self.coefficient,
                mend="give MPa for a density in g/cm³",
            )  # fmt: skip

    def __call__(self, density: FloatArray) -> FloatArray:
        """Modulus in MPa from the density that the law means, g/cm³; below zero both count as zero."""
        density = np.maximum(np.asarray(density, dtype=float), 0.0)
        return np.asarray(np.maximum(self.offset_mpa + self.coefficient * density**self.exponent, 0.0))

    def from_qct(self, density_qct: FloatArray) -> FloatArray:
        """Modulus in MPa from calibrated QCT density, g/cm³, converted first where the law means another."""
        return self(convert_density(density_qct, self.density))

    @property
    def formula(self) -> str:
        """The law as people write it."""
        offset = f"{self.offset_mpa:g} + " if self.offset_mpa else ""
        return f"E = {offset}{self.coefficient:g} ρ^{self.exponent:g} MPa"

    @property
    def cited(self) -> str:
        """Source and mark."""
        return f"{self.source} {self.mark}".rstrip()


_VERTEBRA = (0.09, 0.35)
_SPREAD = "apparent densities in a review of vertebral bone (Öhman-Mägi 2022 [A])"
_CORES = (0.0145, 0.30)
_CORES_SOURCE = "lower end: QCT of elderly vertebral failure sites [A]; upper end: last tabulated density [D]"


def _registry(*laws: DensityLaw) -> Mapping[str, DensityLaw]:
    return MappingProxyType({law.name: law for law in laws})


LAWS: Mapping[str, DensityLaw] = _registry(
    DensityLaw(
        "morgan2003-vertebra", 4730.0, 1.56, "apparent",
        "Morgan 2003, 10.1016/s0021-9290(03)00071-x, human vertebra", "[C]",
        range_g_cm3=_VERTEBRA, range_source=_SPREAD,
    ),
    DensityLaw(
        "morgan2003-femoral-neck", 6850.0, 1.49, "apparent",
        "Morgan 2003, 10.1016/s0021-9290(03)00071-x, femoral neck", "[K]",
        range_g_cm3=(0.26, 0.75), range_source="recalled [K]",
    ),
    DensityLaw(
        "kopperdahl2002", 2980.0, 1.05, "qct", "Kopperdahl 2002, vertebra", "[C]",
        range_g_cm3=_CORES, range_source=_CORES_SOURCE,
    ),
    DensityLaw(
        "crawford2003", 3230.0, 1.0, "qct", "Crawford 2003, whole-vertebra voxel models", "[C]", offset_mpa=-34.7,
        range_g_cm3=_CORES, range_source=_CORES_SOURCE,
    ),
    DensityLaw(
        "dalstra1993", 2017.3, 2.46, "apparent", "Dalstra 1993 [K], coefficients as in Leung 2009, pelvis", "[A]",
        range_g_cm3=(0.15, 0.38),
        range_source="lower end: not below without a floor [D]; upper end: 20 % volume fraction (Dalstra 1993 [A]) "
        "x 1.9",
    ),
    DensityLaw(
        "keller1994", 10500.0, 2.29, "ash", "Keller 1994, femur and spine pooled", "[C]/[K]",
        range_g_cm3=(0.05, 1.2), range_source="recalled [K]",
    ),
)  # fmt: skip


def density_law(name: str) -> DensityLaw:
    """The law of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        return LAWS[name]
    except KeyError:
        raise InputError(
            "no such density law", field="materials.density_law", value=name, mend=f"use one of {', '.join(LAWS)}"
        ) from None


def modulus_from_density(
    density_qct: FloatArray, law: str | DensityLaw = DEFAULT_LAW, floor_mpa: float = FLOOR_MPA
) -> tuple[FloatArray, BoolArray]:
    """Young's modulus from density by a law, and where it lies on the floor.

    Parameters
    ----------
    density_qct : (n,)
        Calibrated QCT density, g/cm³; the law gets the density that it means.
    law
        A law, or a name in ``LAWS``.
    floor_mpa
        Lowest modulus, MPa. It decides the answer where a fracture runs through the alar void, so the
        second result belongs into every report.

    Returns
    -------
    youngs : (n,)
        MPa.
    on_floor : (n,) bool
        True where the law gave less than the floor.

    Raises
    ------
    InputError
        Unknown law, floor not positive, density not finite.
    """
    if not (np.isfinite(floor_mpa) and floor_mpa > 0.0):
        raise InputError(
            "the floor must be positive", field="materials.floor_mpa", value=floor_mpa, mend="5 to 20 MPa is usual"
        )
    density = np.asarray(density_qct, dtype=float)
    if not np.isfinite(density).all():
        raise InputError(
            f"{np.count_nonzero(~np.isfinite(density))} densities are not finite",
            field="materials.bone", mend="give every element a density in g/cm³",
        )  # fmt: skip
    youngs = (density_law(law) if isinstance(law, str) else law).from_qct(density)
    on_floor = youngs < floor_mpa
    return np.where(on_floor, floor_mpa, youngs), on_floor
