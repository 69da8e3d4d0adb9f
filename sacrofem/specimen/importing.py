"""A sacrum of one's own prepared once: frame, landmarks, mesh and pictures in a folder that a case can name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sacrofem.case.case import Case
from sacrofem.mesh.quality import element_quality
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.bone import BoneField, bone_field
from sacrofem.specimen.mesh import DEFAULT_SIZE_MM, check_found, sacrum_mesh
from sacrofem.specimen.scanned import ScannedSacrum, scanned_sacrum
from sacrofem.system.arrays import FloatArray
from sacrofem.system.progress import stage


@dataclass(frozen=True, eq=False)
class ImportedSacrum:
    """A scanned sacrum, its unbroken mesh, the case that it came with, and its density where that has a CT."""

    case: Case
    scan: ScannedSacrum
    mesh: TetMesh
    density: BoneField | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of bone and CT."""
        return (*self.scan.notes, *(() if self.density is None else self.density.notes))

    def to_json(self) -> dict[str, Any]:
        """Plain data: what `import --json` prints."""
        mesh = self.mesh
        areas = {name: float(mesh.face_areas[members].sum()) for name, members in mesh.face_sets.items()}
        return {
            "schema": 1,
            "path": self.case.anatomy.path,
            **self.scan.to_json(),
            "notes": list(self.notes),
            "ct": self.density and self.density.provenance.to_json(),
            "mesh": {
                "points": len(mesh.points),
                "tets": len(mesh.tets),
                "volume_ml": float(mesh.volumes.sum()) / 1e3,
                "min_quality": float(element_quality(mesh.points, mesh.tets).min()),
                "areas_mm2": areas,
            },
        }

    def twin_distance(self) -> FloatArray:
        """(f,) distance in mm from the centre of every outer face to the twin; positive: the bone stands out."""
        twin, shift = self.scan.twin, self.scan.twin_shift
        assert twin is not None
        assert shift is not None
        assert self.mesh.pair_side is not None
        faces = self.mesh.faces[self.mesh.pair_side == 0]
        return twin.sacrum.signed_distance(shift.place(self.mesh.points[faces].mean(axis=1)))


def import_sacrum(case: Case) -> ImportedSacrum:
    """Read, place and mesh the scanned sacrum of a case.

    Raises
    ------
    InputError
        The file cannot be read, is no sacrum, or its loaded and held faces were not found; the CT does not fit.
    """
    scan = scanned_sacrum(case.anatomy)
    stage("mesh")
    mesh = sacrum_mesh(scan.solid, size_mm=case.mesh.size_mm or DEFAULT_SIZE_MM, replicate=case.mesh.replicate)
    check_found(mesh, case.anatomy.path, scan.notes)
    if case.anatomy.ct is None:
        return ImportedSacrum(case, scan, mesh)
    stage("density")
    return ImportedSacrum(case, scan, mesh, bone_field(case, mesh, scan.landmarks, scan.frame))
