"""From bone and cement to what the stiffness needs: cortex on faces, modulus of every tet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from sacrofem.bone.laws import DEFAULT_LAW, FLOOR_MPA, DensityLaw, density_law, modulus_from_density
from sacrofem.bone.provenance import CortexProvenance, ModulusProvenance
from sacrofem.cement.mixture import DEFAULT_MIXTURE, CementMaterial, mixture
from sacrofem.errors import InputError
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import BoolArray, FloatArray

BONE_POISSON = 0.3
"""0.3 in sacral-fracture models [T]; 0.2 is common for cancellous bone too [T]."""


@dataclass(frozen=True)
class Cortex:
    """Thickness (mm) and modulus (MPa) of the cortical shell, apart for endplate and auricular faces.

    A shell of thickness 0 is left out. ``source`` tells where the numbers come from.
    """

    thickness_mm: float
    modulus_mpa: float
    endplate_thickness_mm: float
    endplate_modulus_mpa: float
    auricular_thickness_mm: float
    auricular_modulus_mpa: float
    poisson: float = 0.3
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("thickness_mm", "endplate_thickness_mm", "auricular_thickness_mm"):
            if not 0.0 <= getattr(self, name) <= 5.0:
                raise InputError(
                    "is no cortex", field=f"cortex.{name}", value=getattr(self, name), mend="give 0 to 5 mm"
                )
        for name in ("modulus_mpa", "endplate_modulus_mpa", "auricular_modulus_mpa"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0.0):
                raise InputError("must be positive", field=f"cortex.{name}", value=getattr(self, name), mend="give MPa")
        if not 0.0 <= self.poisson < 0.5:
            raise InputError("must lie in [0, 0.5)", field="cortex.poisson", value=self.poisson, mend="bone has 0.3")


_NORMAL = Cortex(
    thickness_mm=1.0,
    modulus_mpa=17000.0,
    endplate_thickness_mm=1.0,
    endplate_modulus_mpa=1000.0,
    auricular_thickness_mm=1.5,
    auricular_modulus_mpa=17000.0,
    source="17 GPa, nu 0.3 (10.1186/1471-2474-14-217 [T]); bony endplate 1000 MPa (10.1186/s12891-021-04856-8 [T]); "
    "ala 0.5-1 mm, auricular subchondral plate 1-2 mm [K]",
)

# Cortex is lost evenly over all regions (Richards 2010 [A]): one factor on every thickness and modulus.
_OSTEOPOROTIC = Cortex(
    thickness_mm=0.65,
    modulus_mpa=0.67 * 17000.0,
    endplate_thickness_mm=0.65,
    endplate_modulus_mpa=0.67 * 1000.0,
    auricular_thickness_mm=1.0,
    auricular_modulus_mpa=0.67 * 17000.0,
    source="normal modulus x 0.67 (10.1186/s13018-020-01650-5 [T]); thickness x 0.65, "
    "the middle of 0.5-0.8 mm at the ala [K]; even loss (Richards 2010 [A])",
)

CORTICES: Mapping[str, Cortex] = MappingProxyType(
    {
        "normal": _NORMAL,
        "osteopenic": Cortex(
            thickness_mm=0.8,
            modulus_mpa=0.84 * 17000.0,
            endplate_thickness_mm=0.8,
            endplate_modulus_mpa=0.84 * 1000.0,
            auricular_thickness_mm=1.25,
            auricular_modulus_mpa=0.84 * 17000.0,
            source="midway between normal and osteoporotic [K]",
        ),
        "osteoporotic": _OSTEOPOROTIC,
    }
)
"""Cortex by the name of the bone."""


def cortex(
    bone: str = "osteoporotic", *, thickness_mm: float | None = None, modulus_mpa: float | None = None
) -> Cortex:
    """The cortex of a named bone; a given thickness or modulus replaces that of the shell.

    Endplate and auricular faces keep their proportion to the shell.

    Raises
    ------
    InputError
        Unknown bone, or numbers that are no cortex.
    """
    if bone not in CORTICES:
        raise InputError("unknown bone", field="materials.bone", value=bone, mend=f"give one of {', '.join(CORTICES)}")
    result = CORTICES[bone]
    source = f"{bone} bone: {result.source}"
    given = {"thickness": thickness_mm, "modulus": modulus_mpa}
    if own := " and ".join(name for name, value in given.items() if value is not None):
        source = f"{own} of the shell as given" + ("" if None not in given.values() else f", else {source}")
    result = replace(result, source=source)
    if thickness_mm is not None:
        scale = thickness_mm / result.thickness_mm
        result = replace(
            result,
            thickness_mm=thickness_mm,
            endplate_thickness_mm=scale * result.endplate_thickness_mm,
            auricular_thickness_mm=scale * result.auricular_thickness_mm,
        )
    if modulus_mpa is not None:
        scale = modulus_mpa / result.modulus_mpa
        result = replace(
            result,
            modulus_mpa=modulus_mpa,
            endplate_modulus_mpa=scale * result.endplate_modulus_mpa,
            auricular_modulus_mpa=scale * result.auricular_modulus_mpa,
        )
    return result


def cortical_membrane(mesh: TetMesh, shell: Cortex) -> Membrane:
    """Cortex on the faces that were outer before any cut: none on fractures, none on the face of a hemisacrum.

    Parameters
    ----------
    mesh
        Its set ``outer`` says where cortex is; without it every unpaired face has some.
    shell
    """
    covered = mesh.face_sets.get("outer", np.ones(len(mesh.faces), dtype=bool)) & (mesh.pair_side == 0)
    covered = covered & ~mesh.face_sets.get("cut", np.zeros(len(mesh.faces), dtype=bool))
    thickness = np.where(covered, shell.thickness_mm, 0.0)
    youngs = np.where(covered, shell.modulus_mpa, 0.0)
    own = {
        "endplate": (shell.endplate_thickness_mm, shell.endplate_modulus_mpa),
        "auricular_left": (shell.auricular_thickness_mm, shell.auricular_modulus_mpa),
        "auricular_right": (shell.auricular_thickness_mm, shell.auricular_modulus_mpa),
    }
    for name, (mm, mpa) in own.items():
        if name in mesh.face_sets:
            here = covered & mesh.face_sets[name]
            thickness[here], youngs[here] = mm, mpa
    youngs[thickness == 0.0] = 0.0
    return Membrane(youngs, thickness, shell.poisson).stating(_cortex_provenance(shell))


def _cortex_provenance(shell: Cortex) -> CortexProvenance:
    faces = (
        ("shell", shell.thickness_mm, shell.modulus_mpa),
        ("endplate", shell.endplate_thickness_mm, shell.endplate_modulus_mpa),
        ("auricular", shell.auricular_thickness_mm, shell.auricular_modulus_mpa),
    )
    there = tuple(face for face in faces if face[1] > 0.0)
    if not there:
        return CortexProvenance.none("its thickness is 0")
    return CortexProvenance("membrane", there, shell.poisson, shell.source)


def no_membrane(mesh: TetMesh, reason: str) -> Membrane:
    """No cortex on any face, and why."""
    nothing = np.zeros(len(mesh.faces))
    return Membrane(nothing, nothing).stating(CortexProvenance.none(reason))


def bone_elasticity(
    density: FloatArray,
    *,
    law: str | DensityLaw = DEFAULT_LAW,
    floor_mpa: float = FLOOR_MPA,
    poisson: float = BONE_POISSON,
) -> Elasticity:
    """Cancellous bone from QCT density (m,) in g/cm³, which the law gets as the density that it means.

    Raises
    ------
    InputError
        Unknown law, densities or floor that make no bone, Poisson's ratio outside [0, 0.45].
    """
    if not 0.0 <= poisson <= 0.45:
        raise InputError("must lie in [0, 0.45]", field="materials.poisson", value=poisson, mend="bone has 0.2 to 0.3")
    law = density_law(law) if isinstance(law, str) else law
    youngs, on_floor = modulus_from_density(density, law, floor_mpa)
    provenance = ModulusProvenance.from_law(law, floor_mpa, applied=bool(on_floor.any()))
    return Elasticity(youngs, np.full(len(youngs), poisson), on_floor).stating(provenance)


def cemented_elasticity(
    bone: Elasticity, fraction: FloatArray, cement: CementMaterial, *, law: str = DEFAULT_MIXTURE
) -> Elasticity:
    """Bone with a share ``fraction`` (m,) of its pores full of cement; untouched tets keep their constants exactly.

    Its provenance is that of the bone.
    """
    youngs, poisson = mixture(bone.youngs, bone.poisson, fraction, cement.modulus_mpa, cement.poisson, law)
    return Elasticity(youngs, poisson, bone.on_floor).stating(bone.provenance)


def floor_share(mesh: TetMesh, bone: Elasticity, within: BoolArray | None = None) -> float | None:
    """Share of the bone volume that lies on the floor, of all tets or of those in ``within`` (m,).

    None without a floor, and if no tet is in ``within``.
    """
    if bone.provenance.floor_mpa is None:
        return None
    volumes = mesh.volumes if within is None else mesh.volumes[within]
    on_floor = bone.on_floor if within is None else bone.on_floor[within]
    total = float(volumes.sum())
    return float(volumes[on_floor].sum()) / total if total > 0.0 else None


def floor_note(mesh: TetMesh, bone: Elasticity, near: BoolArray | None) -> str | None:
    """How much of the bone lies on the floor, overall and ``near`` (m,) the fracture; None where nothing does."""
    share = floor_share(mesh, bone)
    if not share:
        return None
    text = f"bone on the modulus floor of {bone.provenance.floor_mpa:g} MPa: {100 * share:.0f} % of the volume"
    if near is not None:
        text += f", {100 * (floor_share(mesh, bone, near) or 0.0):.0f} % within 5 mm of the fracture"
    return text
