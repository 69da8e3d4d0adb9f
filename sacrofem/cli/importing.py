"""`import`: a scanned or segmented sacrum made ready, and shown, before anything is solved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sacrofem.cli.app import CaseOptions, app
from sacrofem.cli.common import files_of, hashes, print_json
from sacrofem.errors import InputError


@app.command(name="import")
def import_(
    path: Path,
    /,
    *,
    out: Path,
    options: CaseOptions | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Find frame and landmarks of a scanned surface or a label map, mesh it, and leave pictures to check.

    The folder is a sacrum that `compare --anatomy` takes; its case file holds what the options say too.

    Parameters
    ----------
    path
        Surface (STL, PLY, OBJ, OFF, VTP) or label map (NIfTI, NRRD, MetaImage).
    out
        Folder for case.toml, landmarks.json, sacrum.vtu, import.json, anatomy.png and twin.png.
    overwrite
        Write into a folder that holds other files, or the import of another sacrum.
    json
        One JSON object to standard output.
    """
    from sacrofem.case.anatomyfile import CASE_FILE
    from sacrofem.case.identity import identity
    from sacrofem.system.folders import check_folder
    from sacrofem.system.progress import Stages, stage

    given = options or CaseOptions()
    if given.anatomy is not None:
        raise InputError("is the first argument here", field="--anatomy", value=str(given.anatomy), mend="leave it out")
    case = replace(given, anatomy=path).case(None, field="PATH")
    if path.is_dir() or case.anatomy.kind == "mesh":
        raise InputError(
            "is no surface and no label map", field="PATH", value=str(path),
            mend="a mesh is used as it is: compare --anatomy FILE",
        )  # fmt: skip
    read = files_of(None, case)
    check_folder(out, overwrite=overwrite, inputs=read, of=identity("import", case))
    files = hashes(read)
    with Stages():
        stage("landmarks")
        from sacrofem.report.importing import write_import
        from sacrofem.specimen.importing import import_sacrum

        found = import_sacrum(case)
        stage(f"writing {out}")
        write_import(out, found, inputs=files)
    content = found.to_json()
    if json:
        print_json(content)
        return 0
    checks, twin, mesh, likeness = (content[key] for key in ("checks", "twin", "mesh", "likeness"))
    print(f"{path.name}: {checks['volume_ml']:.1f} ml, surface moved by at most {checks['displacement_mm']:.2f} mm")
    print(f"twin: {twin['mean_distance_mm']:.2f} mm on the average, 95 % within {twin['p95_distance_mm']:.2f} mm")
    votes = found.scan.likeness
    if votes is not None:
        against = f"; against it {', '.join(votes.against)}" if votes.against else ""
        print(f"a sacrum: score {votes.score:.2f} of 1, {likeness['needed']:g} is needed{against}")
    print("confidence: " + ", ".join(f"{name} {value:.2f}" for name, value in content["confidence"].items()))
    print(f"mesh: {mesh['tets']} tets, worst quality {mesh['min_quality']:.2f}, {mesh['volume_ml']:.1f} ml")
    if found.density is not None:
        print(f"density: {found.density.provenance.text}")
    for note in content["notes"]:
        print(f"note: {note}")
    print(f"written: {out}; look at anatomy.png and twin.png, then: sacrofem compare {out / CASE_FILE}")
    return 0
