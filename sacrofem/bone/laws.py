"""Density to modulus: named laws, with the density that each of them means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from sacrofem.errors import InputError
from sacrofem.system.arrays import BoolArray, FloatArray

DensityKind = Literal["qct", "ash", "apparent"]

#: Floor of the cancellous modulus, MPa; literature.md, suggested defaults: 5-10 MPa for the alar void.
FLOOR_MPA = 10.0
#: Density of bone tissue for BV/TV = apparent density / tissue density, g/cm³ (DESIGN 4).
TISSUE_DENSITY = 1.9
#: The default. The generic map and calibrated CT give mineral-equivalent QCT densities, and of the laws only L3 and
#: L4 take these without a conversion whose offset (L8) would lend osteoporotic bone some 0.13 g/cm³. L3 is a power
#: law, the form that fits vertebral cores best (10.1186/s12891-021-04571-4 [A]), and stays positive down to zero.
DEFAULT_LAW = "kopperdahl2002"


@dataclass(frozen=True)
class DensityLaw:
    """E = ``offset_mpa`` + ``coefficient`` ρ^``exponent``, E in MPa, ρ in g/cm³.

    ``density`` says which density ρ is. ``range_g_cm3`` is where the law has support, in that density;
    ``range_source`` says where the range comes from. ``mark`` is that of ``literature.md``, section 4.1.
    """

    name: str
    key: str
    coefficient: float
    exponent: float
    density: DensityKind
    range_g_cm3: tuple[float, float]
    range_source: str
    source: str
    mark: str
    offset_mpa: float = 0.0

    def __call__(self, density_qct: FloatArray) -> FloatArray:
        """Modulus in MPa from calibrated QCT density in g/cm³, without a floor except zero."""
        density = np.maximum(convert_density(density_qct, self.density), 0.0)
        return np.maximum(self.offset_mpa + self.coefficient * density**self.exponent, 0.0)


_VERTEBRA = (0.09, 0.35)
_SPREAD = "apparent densities in the vertebral review L9 [A]"
_CORES = (0.0145, 0.30)
_CORES_SOURCE = "lower end: QCT of elderly vertebral failure sites [A]; upper end: last tabulated density [D]"


def _registry(*laws: DensityLaw) -> Mapping[str, DensityLaw]:
    return MappingProxyType({law.name: law for law in laws})


LAWS: Mapping[str, DensityLaw] = _registry(
    DensityLaw(
        "morgan2003-vertebra", "L1", 4730.0, 1.56, "apparent", _VERTEBRA, _SPREAD,
        "Morgan 2003, 10.1016/s0021-9290(03)00071-x, human vertebra", "[C]",
    ),
    DensityLaw(
        "morgan2003-femoral-neck", "L2", 6850.0, 1.49, "apparent", (0.26, 0.75), "recalled [K]",
        "Morgan 2003, 10.1016/s0021-9290(03)00071-x, femoral neck", "[K]",
    ),
    DensityLaw(
        "kopperdahl2002", "L3", 2980.0, 1.05, "qct", _CORES, _CORES_SOURCE,
        "Kopperdahl 2002, vertebra", "[C]",
    ),
    DensityLaw(
        "crawford2003", "L4", 3230.0, 1.0, "qct", _CORES, _CORES_SOURCE,
        "Crawford 2003, whole-vertebra voxel models", "[C]", offset_mpa=-34.7,
    ),
    DensityLaw(
        "dalstra1993", "L5", 2017.3, 2.46, "apparent", (0.15, 0.38),
        "lower end: not below without a floor [D]; upper end: 20 % volume fraction (L10 [A]) x 1.9",
        "Dalstra 1993 [K], coefficients as in Leung 2009, pelvis", "[A]",
    ),
    DensityLaw(
        "keller1994", "L6", 10500.0, 2.29, "ash", (0.05, 1.2), "recalled [K]",
        "Keller 1994, femur and spine pooled", "[C]/[K]",
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


def convert_density(density_qct: FloatArray, kind: DensityKind) -> FloatArray:
    """Calibrated QCT density to ash or apparent density, g/cm³.

    L8 (Schileo 2008 [K]): ρ_ash = 0.877 ρ_QCT + 0.079, ρ_ash = 0.60 ρ_app.
    """
    density = np.asarray(density_qct, dtype=float)
    if kind == "qct":
        return density
    ash = 0.877 * density + 0.079
    return ash if kind == "ash" else ash / 0.60


def modulus_from_density(
    density_qct: FloatArray, law: str = DEFAULT_LAW, floor_mpa: float = FLOOR_MPA
) -> tuple[FloatArray, BoolArray]:
    """Young's modulus from density by a named law, and where it lies on the floor.

    Parameters
    ----------
    density_qct : (n,)
        Calibrated QCT density, g/cm³.
    law
        A name in ``LAWS``.
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
    youngs = density_law(law)(density)
    on_floor = youngs < floor_mpa
    return np.where(on_floor, floor_mpa, youngs), on_floor


def modulus(density_qct: FloatArray, law: str = DEFAULT_LAW, floor_mpa: float = FLOOR_MPA) -> FloatArray:
    """Young's modulus in MPa alone; see `modulus_from_density`."""
    return modulus_from_density(density_qct, law, floor_mpa)[0]


def bone_volume_fraction(density_qct: FloatArray) -> FloatArray:
    """BV/TV = ρ_apparent / 1.9 (L8 [K]), clipped to [0.01, 0.6]; what is left is pore space."""
    return np.clip(convert_density(density_qct, "apparent") / TISSUE_DENSITY, 0.01, 0.6)
