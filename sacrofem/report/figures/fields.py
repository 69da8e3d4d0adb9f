"""Fields of a solved state on tets, points and faces: what figures draw and result meshes carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

if TYPE_CHECKING:
    from sacrofem.specimen.comparison import Comparison


def von_mises(stress: FloatArray) -> FloatArray:
    """Von Mises stress of (..., 6) components xx, yy, zz, yz, xz, xy."""
    xx, yy, zz, yz, xz, xy = np.moveaxis(stress, -1, 0)
    normal = (xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2
    return np.asarray(np.sqrt(0.5 * normal + 3.0 * (yz**2 + xz**2 + xy**2)))


def tet_von_mises(comparison: Comparison, name: str) -> FloatArray:
    """(m,) von Mises stress of a state in MPa, averaged over the integration points of each tet."""
    state = comparison.solutions[name].state
    stress = comparison.space.stresses(state.displacement, state.bone.youngs, state.bone.poisson)
    _, weights = comparison.space.integration()
    return np.asarray((von_mises(stress) * weights).sum(axis=1) / weights.sum(axis=1))


def pair_micromotion(comparison: Comparison, name: str) -> FloatArray:
    """(p,) length of the jump in µm, averaged over each pair of fracture faces."""
    jump = np.linalg.norm(comparison.space.jump(comparison.solutions[name].state.displacement), axis=-1)
    areas = comparison.space.gap.areas
    return np.asarray(1e3 * (jump * areas).sum(axis=1) / areas.sum(axis=1))


def pair_parts(comparison: Comparison, name: str) -> tuple[FloatArray, FloatArray]:
    """(p,) opening (negative where the gap closes) and (p,) slip in µm, averaged over each pair of faces."""
    gap = comparison.space.gap
    jump = comparison.space.jump(comparison.solutions[name].state.displacement)
    normal = gap.normal_part(jump)
    slip = np.linalg.norm(jump - normal[..., None] * gap.normals[:, None], axis=-1)
    total = gap.areas.sum(axis=1)
    opening, slipped = ((part * gap.areas).sum(axis=1) / total for part in (normal, slip))
    return np.asarray(1e3 * opening), np.asarray(1e3 * slipped)


def on_faces(mesh: TetMesh, pair_values: FloatArray) -> FloatArray:
    """(k,) values of pairs on both of their faces, NaN elsewhere."""
    values = np.full(len(mesh.faces), np.nan)
    for side in mesh.paired:
        values[side] = pair_values
    return values


def state_fields(comparison: Comparison, name: str) -> Mapping[str, Mapping[str, FloatArray]]:
    """Keyword arguments of ``write_mesh``: the fields of a state."""
    mesh, state = comparison.mesh, comparison.solutions[name].state
    faces = {"membrane_thickness_mm": state.cortex.thickness}
    if len(mesh.paired[0]):
        faces["micromotion_um"] = on_faces(mesh, pair_micromotion(comparison, name))
        covered = state.coverage.mean(axis=1) if state.coverage.size else np.zeros(len(mesh.paired[0]))
        faces["cement_coverage"] = on_faces(mesh, covered)
    return {
        "point_data": {"displacement_mm": state.displacement[: len(mesh.points)]},
        "cell_data": {
            "youngs_mpa": state.bone.youngs,
            "poisson": state.bone.poisson,
            "cement_fraction": state.fraction,
            "von_mises_mpa": tet_von_mises(comparison, name),
        },
        "face_data": faces,
    }
