"""The command line: thin, and light until a command runs."""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from sacrofem import __version__
from sacrofem.errors import BaselineError, EnvironmentFailure, InputError, SacrofemError, one_line

if TYPE_CHECKING:
    from sacrofem.case import Case

CLAIM = "Research use, not a medical device."
INTERRUPTED = 130

app = App(
    name="sacrofem",
    version=__version__,
    help=f"What does cement do to a fractured sacrum? Finite-element comparison before and after. {CLAIM}",
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
_of_case = Group("Case", sort_key=1)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CaseOptions:
    """Options that override the case file, which overrides the preset."""

    preset: Annotated[str | None, Parameter(group=_of_case)] = None
    """Named case; `sacrofem info` lists them."""
    side: Annotated[Literal["left", "right"] | None, Parameter(group=_of_case)] = None
    """Fractured and treated side of a unilateral case."""
    volume_ml: Annotated[float | None, Parameter(group=_of_case)] = None
    """Cement in all, ml, split evenly over the needles."""
    size: Annotated[float | None, Parameter(group=_of_case)] = None
    """Edge length of the mesh, mm; without it presets use the shipped medium mesh."""
    order: Annotated[int | None, Parameter(group=_of_case)] = None
    """2: quadratic displacement; 1: a preview, far too stiff."""
    threads: Annotated[int | None, Parameter(group=_of_case)] = None
    """Threads of the solver; without it the cores available."""
    memory_gib: Annotated[float | None, Parameter(group=_of_case)] = None
    """Memory that may be used, GiB; without it 80 % of what is available."""

    def case(self, file: Path | None) -> Case:
        """The case of a file (or of the preset alone) with these options laid over it."""
        from sacrofem.case import Case
        from sacrofem.presets import DEFAULT_PRESET

        if file is not None:
            case = Case.from_toml(file, preset=self.preset)
        else:
            case = Case.preset(self.preset or DEFAULT_PRESET)
        if self.side is not None:
            case = case.on_side(self.side)
        given = {
            "cement.volume_ml": self.volume_ml,
            "mesh.size_mm": self.size,
            "mesh.order": self.order,
            "solver.threads": self.threads,
            "solver.memory_gib": self.memory_gib,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        return case.with_(**changes) if changes else case


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
        Write into a folder that holds other files.
    json
        One JSON object to standard output instead of the table.
    """
    from sacrofem.progress import Stages
    from sacrofem.report.results import check_folder, write_comparison

    resolved = (options or CaseOptions()).case(case)
    read = _files_of(case, resolved)
    if out is not None:
        check_folder(out, overwrite=overwrite, inputs=read)
    files = _hashes(read)
    with _read_from(case), Stages() as stages:
        stages("loading the solver")
        from sacrofem.compare import compare as solve
        from sacrofem.study.bands import with_bands
        from sacrofem.study.ladder import ladder

        if band:
            ladder(resolved)  # refuses a mesh without others before anything is solved
        started = time.perf_counter()
        result = solve(resolved, intact=intact, progress=stages)
        result = with_bands(result, mesh=band, inputs=input_range, progress=stages)
        seconds = time.perf_counter() - started
        if out is not None:
            stages(f"writing {out}")
            write_comparison(out, result, seconds=seconds, inputs=files)
    content = result.to_json()
    if json:
        _print_json(content)
        return 0
    from sacrofem.report.bands import sentences
    from sacrofem.report.table import left_out, rows, terminal_table

    mesh_band, inputs = content.get("mesh_band"), content.get("input_range")
    lines = rows(result.before, result.after, result.change, result.intact, mesh_band=mesh_band, input_range=inputs)
    unsettled = left_out(result.before, mesh_band)
    info = content["mesh"]
    written = [] if out is None else [f"written: {out}"]
    _show(
        f"{resolved.name}: {_placed(content)}",
        terminal_table(lines, intact=result.intact is not None),
        *(f"note: {text}" for text in result.warnings),
        *([f"not converged under refinement, and left out: {'; '.join(unsettled)}"] if unsettled else []),
        *sentences(content.get("bands") or {}, hints=True),
        f"{info['tets']} tets, {info['dofs']} unknowns, {_elements(resolved)}; {seconds:.1f} s. {CLAIM}",
        *written,
    )
    return 0


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
        Write into a folder that holds other files.
    json
        One JSON object to standard output instead of the table.
    """
    from sacrofem.progress import Stages
    from sacrofem.report.results import check_folder

    resolved = (options or CaseOptions()).case(case)
    read = _files_of(case, resolved)
    if out is not None:
        check_folder(out, overwrite=overwrite, inputs=read)
    files = _hashes(read)
    with _read_from(case), Stages() as stages:
        stages("loading the solver")
        from sacrofem.report.convergence import terminal_table, write_convergence
        from sacrofem.study.convergence import converge as solve

        started = time.perf_counter()
        result = solve(resolved, progress=stages)
        seconds = time.perf_counter() - started
        if out is not None:
            stages(f"writing {out}")
            write_convergence(out, result, seconds=seconds, inputs=files)
    if json:
        _print_json(result.to_json())
        return 0
    written = [] if out is None else [f"written: {out}"]
    _show(
        f"{resolved.name}: mesh band of {result.levels[result.own].name}, {_elements(resolved)}",
        terminal_table(result),
        *(f"note: {text}" for text in result.warnings),
        "Band: extrapolated where the order lies between 0.5 and 3, elsewhere three times the range.",
        f"{len(result.levels)} meshes; {seconds:.0f} s. {CLAIM}",
        *written,
    )
    return 0


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
    from sacrofem.progress import Stages

    resolved = (options or CaseOptions()).case(case)
    with _read_from(case), Stages() as stages:
        from sacrofem.compare import prepare
        from sacrofem.threads import threads

        with threads(resolved.solver.threads):
            model = prepare(resolved, progress=stages)
    summary: dict[str, Any] = model.summary()
    if json:
        _print_json(summary)
        return 0
    for section, values in summary.items():
        for key, value in values.items():
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            print(f"{section}.{key}: {text}")
    print(f"{resolved.name}: ready to solve")
    return 0


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
    from sacrofem.progress import Stages
    from sacrofem.report.results import check_writable

    resolved = (options or CaseOptions()).case(case)
    if out.is_dir() or (out.exists() and not overwrite):
        mend = "name a file" if out.is_dir() else "name another or give --overwrite"
        raise InputError("exists already", field="--out", value=str(out), mend=mend)
    if not out.parent.is_dir():
        raise InputError("its folder does not exist", field="--out", value=str(out), mend="make the folder first")
    check_writable(out.parent, "--out")
    with _read_from(case), Stages() as stages:
        from sacrofem.compare import prepare
        from sacrofem.mesh.files import write_mesh
        from sacrofem.threads import threads

        with threads(resolved.solver.threads):
            made = prepare(resolved, progress=stages).mesh
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
        _print_json(facts)
    else:
        text = "{file}: {points} points, {tets} tets, {pairs} paired fracture faces, {volume_ml:.1f} ml"
        print(text.format(**facts))
    return 0


@app.command
def init(path: Path = Path("case.toml"), /, *, preset: str | None = None, json: bool = False) -> int:
    """Write a case file with every key explained; never over an existing file.

    Parameters
    ----------
    path
        File to write.
    preset
        Case to start from.
    json
        One JSON object to standard output.
    """
    from sacrofem.case import Case
    from sacrofem.presets import DEFAULT_PRESET, PRESETS

    name = preset or DEFAULT_PRESET
    case = Case.preset(name)
    about = PRESETS[name]
    head = f"# {about.title[0].upper()}{about.title[1:]}.\n# {about.source}\n# {CLAIM}\n\n"
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(head + case.to_toml(comments=True))
    except FileExistsError:
        raise InputError("exists already", field="path", value=str(path), mend="name another file") from None
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise InputError(problem, field="path", value=str(path), mend="name another place") from None
    if json:
        _print_json({"file": str(path), "preset": name})
    else:
        print(f"written: {path} (run it with: sacrofem compare {path})")
    return 0


@app.command
def info(*, json: bool = False) -> int:
    """Print versions, threads, presets, loads and density laws with their sources.

    Parameters
    ----------
    json
        One JSON object to standard output.
    """
    from sacrofem.report.about import about, lines

    content = about()
    if json:
        _print_json(content)
    else:
        _show(f"sacrofem {__version__}. {CLAIM}", *lines(content))
    return 0


@app.command
def verify(*, update: bool = False, reason: str | None = None, json: bool = False) -> int:
    """Rerun the reference cases and compare with the stored baselines.

    Parameters
    ----------
    update
        Store today's values as the new baselines; in a checkout only.
    reason
        Why they change; logged with the old and the new values.
    json
        One JSON object to standard output.
    """
    if update and not (reason or "").strip():
        raise InputError("a changed baseline needs one", field="--reason", value=reason, mend="add --reason TEXT")
    if reason is not None and not update:
        raise InputError("only a change has one", field="--reason", value=reason, mend="add --update or leave it out")
    from sacrofem.progress import Stages

    with Stages() as stages:
        stages("rerunning the reference cases")
        from sacrofem.regression import run as rerun

        differences = [str(difference) for difference in rerun(update, reason)]
    if json:
        _print_json({"updated": update, "differences": differences})
    else:
        for text in differences:
            print(text)
        if update:
            print(f"baselines stored, {len(differences)} values changed" if differences else "no baseline changes")
        elif not differences:
            print("all baselines reproduced")
    if differences and not update:
        raise BaselineError(f"{len(differences)} measures differ from their baselines")
    return 0


# ---------------------------------------------------------------------- helpers
@contextmanager
def _read_from(file: Path | None) -> Iterator[None]:
    """Name the case file in refusals that come from building what it asks for."""
    try:
        yield
    except InputError as error:
        if file is None or error.file is not None or error.field is None or error.field.startswith("--"):
            raise
        raise InputError(error.problem, file=file, field=error.field, value=error.value, mend=error.mend) from error


def _files_of(file: Path | None, case: Case) -> list[Path]:
    """What a run reads: the case file and a mesh of one's own."""
    mesh = None if case.anatomy.path is None else Path(case.anatomy.path)
    return [path for path in (file, mesh) if path is not None and path.is_file()]


def _hashes(files: list[Path]) -> dict[str, str]:
    """Hash of each file by name."""
    from sacrofem.report.results import sha256

    return {path.name: sha256(path) for path in files}


def _elements(case: Case) -> str:
    return "P2" if case.mesh.order == 2 else "P1 (a preview, too stiff)"


def _placed(content: dict[str, Any]) -> str:
    cement = content.get("cement") or {}
    if not cement.get("placed_ml"):
        return "no bolus"
    where = ", ".join(
        f"{cement[key]:.2f} in {key[3:-3]}" for key in ("in_bone_ml", "in_gap_ml", "in_lesion_ml") if cement.get(key)
    )
    return f"{cement['placed_ml']:.2f} ml cement ({where})"


def _show(*parts: Any) -> None:
    from rich.console import Console
    from rich.text import Text

    # Piped text must not be cut at an assumed width of 80. Rich would end the program on a closed pipe: we print.
    console = Console(width=None if sys.stdout.isatty() else 120, emoji=False)
    with console.capture() as page:
        for part in parts:
            console.print(Text(part) if isinstance(part, str) else part)
    print(page.get(), end="")


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def run(command: Callable[[], object]) -> int:
    """Run a command; its exit status, and one line on standard error where it failed."""
    try:
        status = command()
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except SacrofemError as error:
        kind, text, code = "error", one_line(error), error.exit_status
    except CycloptsError as error:
        kind, text, code = "error", f"{one_line(error)} Try `sacrofem --help`.", InputError.exit_status
    except KeyboardInterrupt as error:
        kind, text, code = "interrupted", one_line(error) or "nothing was written", INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        kind, text, code = (
            "error",
            "out of memory; use a larger --size, or --order 1 for a preview",
            EnvironmentFailure.exit_status,
        )
    except OSError as error:
        kind, text, code = "error", one_line(error), EnvironmentFailure.exit_status
    except Exception as error:
        if os.environ.get("SACROFEM_DEBUG"):
            raise
        text = f"{type(error).__name__}: {one_line(error)}; please report it (SACROFEM_DEBUG=1 shows where)"
        kind, code = "internal error", SacrofemError.exit_status
    print(f"{kind}: {text}", file=sys.stderr)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``sacrofem``; returns the exit status."""
    tokens = sys.argv[1:] if arguments is None else list(arguments)

    def command() -> object:
        return app(tokens, exit_on_error=False, print_error=False, result_action="return_value")

    with warnings.catch_warnings():
        # A result keeps its warnings itself; standard error stays free for the one line of an error.
        warnings.simplefilter("ignore")
        return run(command)
