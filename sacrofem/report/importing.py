"""The folder that an import leaves."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sacrofem.case.case import Case
from sacrofem.case.identity import identity
from sacrofem.case.schema import SCHEMA
from sacrofem.case.tomlfile import emit_toml, nested
from sacrofem.mesh.files.files import write_mesh
from sacrofem.report.figures.drawing import save_figure
from sacrofem.report.figures.landmarks import distance_figure, landmarks_figure
from sacrofem.specimen.importing import ImportedSacrum
from sacrofem.system.files import json_text
from sacrofem.system.folders import result_folder

SOURCE = "source"


def write_import(folder: Path, imported: ImportedSacrum, *, inputs: Mapping[str, str]) -> None:
    """Leave the folder: everything, or after an error nothing.

    Raises
    ------
    EnvironmentFailure
        Disk or permission.
    """

    anatomy, scan = imported.case.anatomy, imported.scan
    assert anatomy.path is not None
    given = Path(anatomy.path)
    suffix = ".nii.gz" if given.name.lower().endswith(".nii.gz") else given.suffix.lower()
    copies = {SOURCE + suffix: given}
    if scan.source is not None and len(scan.source.image.files) > 1:
        # Files that belong together find one another by their names.
        copies = {Path(file).name: Path(file) for file in scan.source.image.files}
    keys: dict[str, Any] = {
        "kind": anatomy.kind,
        "path": next(iter(copies)),
        "frame": [float(x) for x in np.round(scan.frame.matrix, 12).ravel()],
        "landmarks_file": "landmarks.json",
    }
    if anatomy.labels:
        keys["labels"] = list(anatomy.labels)
    if anatomy.kind == "surface":
        keys["units"] = anatomy.units
    for name in ("ct", "ct_series", "ct_offset_hu", "ct_transform"):
        if (value := getattr(anatomy, name)) not in (None, ()):
            keys[name] = list(value) if isinstance(value, tuple) else value
    content = imported.to_json()
    with result_folder(folder, of=identity("import", imported.case), inputs=dict(inputs)) as stage:
        for name, file in copies.items():
            shutil.copyfile(file, stage / name)
        (stage / "case.toml").write_text(case_text(imported.case, keys), encoding="utf-8")
        landmarks = {"schema": 1, "landmarks": content["landmarks"], "confidence": content["confidence"]}
        for name, part in (("landmarks.json", landmarks), ("import.json", content)):
            (stage / name).write_text(json_text(part, indent=1), encoding="utf-8")
        write_mesh(stage / "sacrum.vtu", imported.mesh)
        save_figure(landmarks_figure(imported.mesh, scan.landmarks, title=given.name), stage / "anatomy.png", dpi=150)
        twin = scan.twin
        if twin is not None:
            title = f"{given.name}: {twin.mean_mm:.1f} mm on the average, 95 % within {twin.p95_mm:.1f} mm"
            save_figure(
                distance_figure(imported.mesh, imported.twin_distance(), title=title), stage / "twin.png", dpi=150
            )


def case_text(case: Case, anatomy: Mapping[str, Any]) -> str:
    """The case file of an import: all that the case says otherwise than its preset, and the sacrum as it was found.

    Parameters
    ----------
    case
    anatomy
        Keys of the sacrum.
    """
    found = case.differences
    said = {key: mine for key, (mine, _) in found.values.items() if mine is not None}
    others = {key: value for key, value in said.items() if not key.startswith("anatomy.") or key == "anatomy.sex"}
    name = {"name": found.case} if found.case != found.preset else {}
    data = {"schema": SCHEMA, "preset": found.preset, **name, **nested(others)}
    return emit_toml({**data, "anatomy": {**anatomy, **data.get("anatomy", {})}}, None)
