"""`check` and `mesh`: everything short of solving."""

from __future__ import annotations

from pathlib import Path

from sacrofem.cli.app import CaseOptions, app
from sacrofem.cli.common import UNSOLVED, print_json, read_from, safety_status, show
from sacrofem.errors import InputError

_OF_NO_MESH = {
    **dict.fromkeys(("cement", "lesion", "materials", "supports", "load", "safety"), "a mesh has none"),
    "mesh.order": "a mesh holds corners, whatever the order",
    **dict.fromkeys(UNSOLVED, "nothing is solved"),
}


@app.command
def check(case: Path | None = None, /, *, options: CaseOptions | None = None, json: bool = False) -> int:
    """Do everything short of solving: mesh, fracture, cement, load and supports.

    Parameters
    ----------
    case
        Case file (TOML).
    json
        One JSON object to standard output.
    """
    from sacrofem.system.progress import Stages

    resolved = (options or CaseOptions()).case(case)
    with read_from(case), Stages():
        from sacrofem.specimen.check import summary as summary_of
        from sacrofem.specimen.specimen import Specimen

        specimen = Specimen(resolved)
        summary = summary_of(specimen, specimen.plan())
    status = safety_status(summary)
    if json:
        print_json(summary)
        return status
    from sacrofem.report.text.checked import sentences, tables

    show(*tables(summary))
    touching = "ready to solve, but cement or a needle touches, see above"
    ready = touching if (summary.get("safety") or {}).get("verdict") == "touching" else "ready to solve"
    for text in (*sentences(summary), f"{resolved.name}: {'not safe, see above' if status else ready}"):
        print(text)
    return status


@app.command
def mesh(
    case: Path | None = None,
    /,
    *,
    out: Path,
    options: CaseOptions | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Write the fractured mesh of a case with its named sets and paired faces.

    Parameters
    ----------
    case
        Case file (TOML).
    out
        Mesh file; .vtu keeps all names.
    overwrite
        Replace an existing file.
    json
        One JSON object to standard output.
    """
    from sacrofem.system.folders import check_writable
    from sacrofem.system.progress import Stages

    resolved = (options or CaseOptions()).case(case, idle=_OF_NO_MESH)
    if out.is_dir() or (out.exists() and not overwrite):
        mend = "name a file" if out.is_dir() else "name another or give --overwrite"
        raise InputError("exists already", field="--out", value=str(out), mend=mend)
    if not out.parent.is_dir():
        raise InputError("its folder does not exist", field="--out", value=str(out), mend="make the folder first")
    check_writable(out.parent, "--out")
    with read_from(case), Stages():
        from sacrofem.mesh.files.files import write_mesh
        from sacrofem.specimen.specimen import Specimen

        made = Specimen(resolved).mesh
        write_mesh(out, made)
    facts = {
        "file": str(out),
        "points": len(made.points),
        "tets": len(made.tets),
        "faces": len(made.faces),
        "pairs": len(made.paired[0]),
        "volume_ml": float(made.volumes.sum()) / 1000,
    }
    if json:
        print_json(facts)
    else:
        text = "{file}: {points} points, {tets} tets, {pairs} paired fracture faces, {volume_ml:.1f} ml"
        print(text.format(**facts))
    return 0
