"""What bone a case has in each element: density, moduli and cortex, each with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.solid import Landmarks
from sacrofem.bone.ct import calibration, element_density
from sacrofem.bone.density import QUALITIES, generic_density
from sacrofem.bone.images.read import read_ct
from sacrofem.bone.laws import DensityLaw, density_law
from sacrofem.bone.lesion import Lesion, lesion_density
from sacrofem.bone.moduli import read_moduli
from sacrofem.bone.provenance import DensityProvenance, LesionProvenance
from sacrofem.case.case import Case
from sacrofem.errors import InputError
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.materials import bone_elasticity, cortex, cortical_membrane, no_membrane
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class BoneField:
    """Calibrated QCT density (m,) in g/cm³ and where it comes from; whether the cortical membrane is there; notes."""

    density: FloatArray
    membrane: bool
    provenance: DensityProvenance
    notes: tuple[str, ...] = ()

    def with_lesion(self, mesh: TetMesh, lesion: Lesion) -> BoneField:
        """The same with a lesion in it."""
        there = LesionProvenance(lesion.kind, lesion.density_factor)
        return replace(
            self,
            density=lesion_density(mesh, self.density, lesion),
            provenance=replace(self.provenance, lesion=there),
        )


def bone_field(case: Case, mesh: TetMesh, landmarks: Landmarks, frame: Frame | None = None) -> BoneField:
    """The density of a case; ``frame`` leads from the axes of its scan, which are those of the CT, to the mesh.

    Raises
    ------
    InputError
        The CT cannot be read or does not fit the mesh, or keys that need a CT stand without one.
    """
    materials = case.materials
    anatomy = case.anatomy
    if anatomy.ct is None:
        for name, idle in (("rim", "membrane"), ("calibration", "generic")):
            if (value := getattr(materials, name)) != idle:
                raise InputError(
                    "there is no CT", field=f"materials.{name}", value=value, mend="give anatomy.ct, or leave it out"
                )
        density = generic_density(mesh.centroids, landmarks, materials.bone, alar_void=materials.alar_void)
        provenance = DensityProvenance(
            "map", bone=materials.bone, alar_void=materials.alar_void, source=QUALITIES[materials.bone].source,
            factor=materials.density_factor,
        )  # fmt: skip
        return BoneField(density * materials.density_factor, True, provenance)
    line = calibration(materials.calibration, materials.calibration_hu, materials.calibration_density_g_cm3)
    volume = read_ct(anatomy.ct, series=anatomy.ct_series, offset_hu=anatomy.ct_offset_hu)
    if anatomy.ct_transform:
        volume = volume.moved(np.reshape(anatomy.ct_transform, (4, 4)))
    if frame is not None:
        volume = volume.moved(frame.matrix)
    found = element_density(mesh, volume, line, rim=materials.rim)
    provenance = DensityProvenance(
        "ct", file=anatomy.ct, line=(line.slope, line.intercept), rim=materials.rim, source=line.source,
        image=volume.facts, offset_hu=anatomy.ct_offset_hu, shares=found.shares, factor=materials.density_factor,
    )  # fmt: skip
    said = () if volume.facts is None else (f"{Path(anatomy.ct).name}: {note}" for note in volume.facts.notes)
    notes = (f"density is that of {anatomy.ct}: {line.source}", *said, *found.warnings)
    return BoneField(found.density * materials.density_factor, found.membrane, provenance, notes)


def case_law(case: Case) -> DensityLaw:
    """The law from density to modulus of a case, its own or a named one; not asked for where it has moduli."""
    own = case.materials.law
    if own is None:
        assert case.materials.density_law is not None
        return density_law(case.materials.density_law)
    return DensityLaw(
        own.name, own.coefficient, own.exponent, own.density, own.source, offset_mpa=own.offset_mpa,
        range_g_cm3=own.range_g_cm3,
    )  # fmt: skip


def case_elasticity(case: Case, density: FloatArray) -> Elasticity:
    """The bone of a case: by its law, not below its floor, or with the moduli of its table as they are.

    Parameters
    ----------
    case
    density : (m,)
        Calibrated QCT density, g/cm³, a lesion included.

    Raises
    ------
    InputError
        The table or the law is refused.
    """
    materials = case.materials
    if materials.moduli is not None:
        table = read_moduli(materials.moduli, len(density))
        return Elasticity.given(table.youngs, materials.poisson).stating(table.provenance)
    assert materials.floor_mpa is not None
    return bone_elasticity(density, law=case_law(case), floor_mpa=materials.floor_mpa, poisson=materials.poisson)


def case_membrane(case: Case, mesh: TetMesh, field: BoneField) -> Membrane:
    """The cortex of a case; none where its CT stands for it."""
    if not field.membrane:
        return no_membrane(mesh, "the voxels of the CT stand for it")
    materials = case.materials
    shell = cortex(materials.bone, thickness_mm=materials.cortex_thickness_mm, modulus_mpa=materials.cortex_modulus_mpa)
    return cortical_membrane(mesh, shell)
