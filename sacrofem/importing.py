"""A sacrum of one's own prepared once: frame, landmarks, mesh and pictures in a folder that a case can name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sacrofem.case import Case
from sacrofem.mesh.quality import element_quality
from sacrofem.mesh.sources import DEFAULT_SIZE_MM, check_found, sacrum_mesh
from sacrofem.mesh.tetmesh import FloatArray, TetMesh
from sacrofem.scanned import ScannedSacrum, scanned_sacrum

SOURCE = "source"


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


def import_sacrum(case: Case, progress: Callable[[str], None] | None = None) -> ImportedSacrum:
    """Read, place and mesh the scanned sacrum of a case.

    Raises
    ------
    InputError
        The file cannot be read, is no sacrum, or its loaded and held faces were not found.
    """
    scan = scanned_sacrum(case.anatomy)
    if progress is not None:
        progress("mesh")
    mesh = sacrum_mesh(scan.solid, size_mm=case.mesh.size_mm or DEFAULT_SIZE_MM, replicate=case.mesh.replicate)
    check_found(mesh, case.anatomy.path, scan.notes)
    return ImportedSacrum(case, scan, mesh)


def write_import(folder: Path, imported: ImportedSacrum, *, inputs: Mapping[str, str]) -> None:
    """Leave the folder: everything, or after an error nothing.

    Raises
    ------
    EnvironmentFailure
        Disk or permission.
    """
    from sacrofem.casefile import emit_toml
    from sacrofem.mesh.files import write_mesh
    from sacrofem.report.drawing import save_figure
    from sacrofem.report.landmarks import distance_figure, landmarks_figure
    from sacrofem.report.results import result_folder

    anatomy, scan = imported.case.anatomy, imported.scan
    assert anatomy.path is not None
    given = Path(anatomy.path)
    suffix = ".nii.gz" if given.name.lower().endswith(".nii.gz") else given.suffix.lower()
    keys: dict[str, Any] = {
        "kind": anatomy.kind,
        "path": SOURCE + suffix,
        "frame": [float(x) for x in np.round(scan.frame.matrix, 12).ravel()],
        "landmarks_file": "landmarks.json",
        "sex": anatomy.sex,
    }
    if anatomy.labels:
        keys["labels"] = list(anatomy.labels)
    if anatomy.kind == "surface":
        keys["units"] = anatomy.units
    if anatomy.ct is not None:
        keys["ct"] = anatomy.ct
    content = imported.to_json()
    with result_folder(folder, inputs=dict(inputs)) as stage:
        shutil.copyfile(given, stage / (SOURCE + suffix))
        data = {"schema": 1, "preset": "sif-bilateral", "anatomy": keys}
        (stage / "case.toml").write_text(emit_toml(data, None), encoding="utf-8")
        landmarks = {"schema": 1, "landmarks": content["landmarks"], "confidence": content["confidence"]}
        for name, part in (("landmarks.json", landmarks), ("import.json", content)):
            text = json.dumps(part, indent=1, ensure_ascii=False, allow_nan=False)
            (stage / name).write_text(text + "\n", encoding="utf-8")
        write_mesh(stage / "sacrum.vtu", imported.mesh)
        save_figure(landmarks_figure(imported.mesh, scan.landmarks, title=given.name), stage / "anatomy.png", dpi=150)
        twin = scan.twin
        if twin is not None:
            title = f"{given.name}: {twin.mean_mm:.1f} mm on the average, 95 % within {twin.p95_mm:.1f} mm"
            save_figure(
                distance_figure(imported.mesh, imported.twin_distance(), title=title), stage / "twin.png", dpi=150
            )
