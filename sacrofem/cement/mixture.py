"""Cements, and what bone becomes when its pores fill with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray


@dataclass(frozen=True)
class CementMaterial:
    """A set cement: Young's modulus in MPa with its published range, Poisson's ratio, source and mark."""

    name: str
    modulus_mpa: float
    poisson: float
    range_mpa: tuple[float, float]
    source: str
    mark: str


def _by_name(*cements: CementMaterial) -> Mapping[str, CementMaterial]:
    return MappingProxyType({cement.name: cement for cement in cements})


#: Sources with the marks of docs/theory/sources.md.
CEMENTS: Mapping[str, CementMaterial] = _by_name(
    CementMaterial(
        "pmma", 2000.0, 0.35, (1000.0, 3000.0),
        "1177 MPa in large cylinders (10.1177/0954411920971071), 1937 ± 478 MPa by ISO 5833 (PMC3698342), "
        "3000 MPa in a lumbosacral model (10.1186/s13018-020-01650-5); ν 0.3-0.4 [K]",
        "[A]/[T]",
    ),
    CementMaterial(
        "calcium-phosphate", 5000.0, 0.30, (1000.0, 10000.0),
        "bioceramic: 1-10 GPa, driven by porosity; brittle", "[K]",
    ),
    CementMaterial(
        "cortoss-like", 5500.0, 0.30, (5000.0, 6000.0),
        "bis-GMA glass-ceramic composite, 5-6 GPa", "[K]",
    ),
)  # fmt: skip


def cement_material(name: str) -> CementMaterial:
    """The preset of that name; ``"bioceramic"`` is calcium phosphate.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        return CEMENTS["calcium-phosphate" if name == "bioceramic" else name]
    except KeyError:
        raise InputError(
            "no such cement", field="cement.material", value=name, mend=f"use one of {', '.join(CEMENTS)}"
        ) from None


# A law takes the modulus of bone, that of cement (not below it), the share of cement, and the modulus that
# resists in a thin shell of bone around cement; it returns bone's modulus exactly where nothing is added.
_Law = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], FloatArray]


def _hashin_shtrikman_lower(bone: FloatArray, cement: FloatArray, f: FloatArray, shell: FloatArray) -> FloatArray:
    rise = cement - bone
    return bone + f * rise / (1.0 + (1.0 - f) * rise / (bone + shell))


def _voigt(bone: FloatArray, cement: FloatArray, f: FloatArray, shell: FloatArray) -> FloatArray:
    return bone + f * (cement - bone)


def _reuss(bone: FloatArray, cement: FloatArray, f: FloatArray, shell: FloatArray) -> FloatArray:
    rise = cement - bone
    return bone + f * rise / (1.0 + (1.0 - f) * rise / bone)


def _hill(bone: FloatArray, cement: FloatArray, f: FloatArray, shell: FloatArray) -> FloatArray:
    return 0.5 * (_voigt(bone, cement, f, shell) + _reuss(bone, cement, f, shell))


#: Laws for bulk and shear modulus of an element that cement fills in part. The default is the lower
#: Hashin-Shtrikman bound: islands of cement in a frame of bone, the stiffest mixture that is certain. Measured
#: composites lie well below the rule of mixtures (PMC3438401 [T]) and follow the cement's own modulus where
#: pores are full (Kinzl 2011 [A]), so the full element has the cement's modulus and never more. ``voigt`` and
#: ``reuss`` are bounds for studies, ``hill`` is their mean.
MIXTURES: Mapping[str, _Law] = MappingProxyType(
    {"hashin-shtrikman": _hashin_shtrikman_lower, "hill": _hill, "reuss": _reuss, "voigt": _voigt}
)
DEFAULT_MIXTURE = "hashin-shtrikman"


def mixture(
    youngs: FloatArray,
    poisson: FloatArray | float,
    fraction: FloatArray,
    cement_youngs: float,
    cement_poisson: float,
    law: str = DEFAULT_MIXTURE,
) -> tuple[FloatArray, FloatArray]:
    """Elastic constants of bone whose pore space is filled to a share ``fraction`` with cement.

    Bulk and shear modulus are mixed, each towards the larger of bone's and cement's, so cement can only
    stiffen. Then E(0) and ν(0) are bone's own numbers, E_bone <= E(f) <= max(E_bone, E_cement), and E(f)
    is nowhere above the rule of mixtures. Cement with bone's own constants returns these, bit by bit.

    Parameters
    ----------
    youngs, poisson : (m,)
        Of bone, MPa; ``poisson`` may be one number.
    fraction : (m,)
        Filled share of the pore space, 0 to 1.
    cement_youngs, cement_poisson
        Of set cement, MPa.
    law
        A name in ``MIXTURES``.

    Returns
    -------
    youngs, poisson : (m,)

    Raises
    ------
    InputError
        Unknown law, a modulus that is not positive, a Poisson's ratio outside (-1, 0.5).
    """
    if law not in MIXTURES:
        raise InputError("no such mixture", field="cement.mixture", value=law, mend=f"use one of {', '.join(MIXTURES)}")
    if not (np.isfinite(cement_youngs) and cement_youngs > 0.0):
        raise InputError(
            "must be positive", field="cement.modulus_mpa", value=cement_youngs, mend="PMMA has 1000 to 3000 MPa"
        )
    if not -1.0 < cement_poisson < 0.5:
        raise InputError("must lie in (-1, 0.5)", field="cement.poisson", value=cement_poisson, mend="PMMA has 0.35")
    youngs = np.asarray(youngs, dtype=float)
    poisson = np.broadcast_to(np.asarray(poisson, dtype=float), youngs.shape)
    f = np.clip(np.asarray(fraction, dtype=float), 0.0, 1.0)
    bulk, shear = _bulk_shear(youngs, poisson)
    cement_bulk, cement_shear = _bulk_shear(np.asarray(float(cement_youngs)), np.asarray(float(cement_poisson)))
    cement_bulk, cement_shear = np.maximum(bulk, cement_bulk), np.maximum(shear, cement_shear)
    mix = MIXTURES[law]
    # Hashin & Shtrikman 1963: what a spherical shell of bone sets against cement's expansion and shear [K].
    k = mix(bulk, cement_bulk, f, 4.0 / 3.0 * shear)
    g = mix(shear, cement_shear, f, shear * (9.0 * bulk + 8.0 * shear) / (6.0 * (bulk + 2.0 * shear)))
    mixed = 9.0 * k * g / (3.0 * k + g)
    # Unequal Poisson's ratios let E pass the rule of mixtures by a hair, because E is no linear function of K and G.
    mixed = np.clip(mixed, youngs, youngs + f * np.maximum(cement_youngs - youngs, 0.0))
    same = (k == bulk) & (g == shear)
    ratio = np.where(same, poisson, (3.0 * k - 2.0 * g) / (2.0 * (3.0 * k + g)))
    return np.where(same, youngs, mixed), ratio


def _bulk_shear(youngs: FloatArray, poisson: FloatArray) -> tuple[FloatArray, FloatArray]:
    return youngs / (3.0 * (1.0 - 2.0 * poisson)), youngs / (2.0 * (1.0 + poisson))
