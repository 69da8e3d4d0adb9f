"""`compare` and `converge`: the commands that solve a case."""

from __future__ import annotations

import time
from pathlib import Path

from sacrofem.cli.app import CLAIM, CaseOptions, app
from sacrofem.cli.common import (
    check_overwrites,
    elements,
    files_of,
    hashes,
    near,
    placed,
    print_json,
    read_from,
    safety_status,
    show,
    standing,
    verdict,
)

NO_HEADLINE = "No headline: the model does not hold for these numbers. --json and --out have them all."


@app.command
def compare(
    case: Path | None = None,
    /,
    *,
    options: CaseOptions | None = None,
    intact: bool = False,
    band: bool = False,
    input_range: bool = False,
    out: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Solve before and after cement, and print what changed. Without a case: the typical patient.

    Parameters
    ----------
    case
        Case file (TOML); `sacrofem init` writes one.
    intact
        Solve the unfractured bone too.
    band
        Compute the mesh band on two further meshes; the default case ships it.
    input_range
        Compute the range over the uncertain inputs on a coarser mesh; the default case ships it.
    out
        Folder for comparison.json, meshes, figures, report.html, case.toml and manifest.json.
    overwrite
        Write into a folder that holds other files, or the result of another case.
    json
        One JSON object to standard output instead of the table.
    """
    from sacrofem.case.identity import identity
    from sacrofem.report.results import write_comparison
    from sacrofem.system.folders import check_folder
    from sacrofem.system.progress import Stages, stage

    check_overwrites(overwrite, out)
    resolved = (options or CaseOptions()).case(case)
    read = files_of(case, resolved)
    if out is not None:
        check_folder(out, overwrite=overwrite, inputs=read, of=identity("compare", resolved))
    files = hashes(read)
    with read_from(case), Stages():
        stage("loading the solver")
        from sacrofem.specimen.compare import compare as solve
        from sacrofem.study.bands import with_bands
        from sacrofem.study.ladder import ladder

        if band:
            ladder(resolved)  # refuses a mesh without others before anything is solved
        started = time.perf_counter()
        result = solve(resolved, intact=intact)
        result = with_bands(result, mesh=band, inputs=input_range)
        seconds = time.perf_counter() - started
        if out is not None:
            stage(f"writing {out}")
            write_comparison(out, result, seconds=seconds, inputs=files)
    content = result.to_json()
    status = safety_status(content)
    if json:
        print_json(content)
        return status
    from sacrofem.report.text.bands import sentences
    from sacrofem.report.text.loads import load_table
    from sacrofem.report.text.table import left_out, rows, terminal_table

    mesh_band, inputs = content.get("mesh_band"), content.get("input_range")
    lines = rows(result.before, result.after, result.change, result.intact, mesh_band=mesh_band, input_range=inputs)
    unsettled = left_out(result.before, mesh_band)
    info = content["mesh"]
    outside = (content.get("validity") or {}).get("state") == "outside"
    written = [] if out is None else [f"written: {out}"]
    show(
        f"{resolved.name}: {placed(content)}",
        standing(content),
        verdict(content),
        *near(content),
        terminal_table(lines, intact=result.intact is not None) if not outside else NO_HEADLINE,
        *([load_table(content)] if content.get("loads") else []),
        f"modulus of bone: {content['bone']['modulus']['text']}",
        *(f"note: {text}" for text in result.warnings),
        *([f"not converged under refinement, and left out: {'; '.join(unsettled)}"] if unsettled else []),
        *sentences(content.get("bands") or {}, hints=True),
        f"{info['tets']} tets, {info['dofs']} unknowns, {elements(resolved)}; {seconds:.1f} s. {CLAIM}",
        *written,
    )
    return status


@app.command
def converge(
    case: Path | None = None,
    /,
    *,
    options: CaseOptions | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Solve a case on three meshes, and print observed order and mesh band of every headline measure.

    The shipped meshes where the case uses them; else its own size and 1.5 and 2.25 times as much.

    Parameters
    ----------
    case
        Case file (TOML). Without one: the typical patient.
    out
        Folder for convergence.json (all measures), figures, case.toml and manifest.json.
    overwrite
        Write into a folder that holds other files, or the result of another case.
    json
        One JSON object to standard output instead of the table.
    """
    from sacrofem.case.identity import identity
    from sacrofem.system.folders import check_folder
    from sacrofem.system.progress import Stages, stage

    check_overwrites(overwrite, out)
    resolved = (options or CaseOptions()).case(case)
    read = files_of(case, resolved)
    if out is not None:
        check_folder(out, overwrite=overwrite, inputs=read, of=identity("converge", resolved))
    files = hashes(read)
    with read_from(case), Stages():
        stage("loading the solver")
        from sacrofem.report.page.convergence import terminal_table, write_convergence
        from sacrofem.study.convergence import converge as solve

        started = time.perf_counter()
        result = solve(resolved)
        seconds = time.perf_counter() - started
        if out is not None:
            stage(f"writing {out}")
            write_convergence(out, result, seconds=seconds, inputs=files)
    if json:
        print_json(result.to_json())
        return 0
    written = [] if out is None else [f"written: {out}"]
    show(
        f"{resolved.name}: mesh band of {result.levels[result.own].name}, {elements(resolved)}",
        terminal_table(result),
        *(f"note: {text}" for text in result.warnings),
        "Band: extrapolated where the order lies between 0.5 and 3, elsewhere three times the range.",
        f"{len(result.levels)} meshes; {seconds:.0f} s. {CLAIM}",
        *written,
    )
    return 0
