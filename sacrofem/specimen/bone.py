"""What bone a case has in each element: the generic map or its CT, and moduli from a file of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.solid import Landmarks
from sacrofem.bone.ct import calibration, element_density
from sacrofem.bone.density import generic_density
from sacrofem.bone.images import read_ct
from sacrofem.bone.moduli import read_moduli
from sacrofem.case.case import Case
from sacrofem.errors import InputError
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class BoneField:
    """Calibrated QCT density (m,) in g/cm³, whether the cortical membrane is there, and notes on both."""

    density: FloatArray
    membrane: bool
    notes: tuple[str, ...] = ()


def bone_field(case: Case, mesh: TetMesh, landmarks: Landmarks, frame: Frame | None = None) -> BoneField:
    """The density of a case; ``frame`` leads from the axes of its scan, which are those of the CT, to the mesh.

    Raises
    ------
    InputError
        The CT cannot be read or does not fit the mesh, or keys that need a CT stand without one.
    """
    materials = case.materials
    if case.anatomy.ct is None:
        for name, idle in (("rim", "membrane"), ("calibration", "generic")):
            if (value := getattr(materials, name)) != idle:
                raise InputError(
                    "there is no CT", field=f"materials.{name}", value=value, mend="give anatomy.ct, or leave it out"
                )
        density = generic_density(mesh.centroids, landmarks, materials.bone, alar_void=materials.alar_void)
        return BoneField(density * materials.density_factor, True)
    line = calibration(materials.calibration, materials.calibration_hu, materials.calibration_density_g_cm3)
    volume = read_ct(case.anatomy.ct)
    if case.anatomy.ct_transform:
        volume = volume.moved(np.reshape(case.anatomy.ct_transform, (4, 4)))
    if frame is not None:
        volume = volume.moved(frame.matrix)
    found = element_density(mesh, volume, line, rim=materials.rim)
    notes = (f"density is that of {case.anatomy.ct}: {line.source}", *found.warnings)
    return BoneField(found.density * materials.density_factor, found.membrane, notes)


def own_moduli(case: Case, bone: Elasticity) -> Elasticity:
    """The bone with the moduli of the case's own file, where there is one: the law and its floor do not count then."""
    if case.materials.moduli is None:
        return bone
    youngs = read_moduli(case.materials.moduli, len(bone.youngs))
    return Elasticity.given(youngs, bone.poisson)
