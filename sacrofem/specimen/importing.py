"""A sacrum of one's own prepared once: frame, landmarks, mesh and pictures in a folder that a case can name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sacrofem.case.case import Case
from sacrofem.mesh.quality import element_quality
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.mesh import DEFAULT_SIZE_MM, check_found, sacrum_mesh
from sacrofem.specimen.scanned import ScannedSacrum, scanned_sacrum
from sacrofem.system.arrays import FloatArray
from sacrofem.system.progress import stage


@dataclass(frozen=True, eq=False)
class ImportedSacrum:
    """A scanned sacrum, its unbroken mesh, and the case that it came with."""

    case: Case
    scan: ScannedSacrum
    mesh: TetMesh

    def to_json(self) -> dict[str, Any]:
        """Plain data: what `import --json` prints."""
        mesh = self.mesh
        areas = {name: float(mesh.face_areas[members].sum()) for name, members in mesh.face_sets.items()}
        return {
            "schema": 1,
            "path": self.case.anatomy.path,
            **self.scan.to_json(),
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
        The file cannot be read, is no sacrum, or its loaded and held faces were not found.
    """
    scan = scanned_sacrum(case.anatomy)
    stage("mesh")
    mesh = sacrum_mesh(scan.solid, size_mm=case.mesh.size_mm or DEFAULT_SIZE_MM, replicate=case.mesh.replicate)
    check_found(mesh, case.anatomy.path, scan.notes)
    return ImportedSacrum(case, scan, mesh)
