"""`study run`, `status` and `report`: many scenarios from one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from sacrofem.cli.app import CLAIM, app, assigned
from sacrofem.cli.common import print_json, show
from sacrofem.errors import InputError, SacrofemError

study = App(name="study", help="Run many scenarios from one study file; the same command again resumes.")
app.command(study)


@study.command
def run(
    file: Path,
    /,
    *,
    out: Path,
    executor: Literal["serial", "processes", "dask"] = "processes",
    jobs: int | None = None,
    scheduler: str | None = None,
    dry_run: bool = False,
    retry_failed: bool = False,
    set: Annotated[tuple[str, ...], Parameter(consume_multiple=False)] = (),
    json: bool = False,
) -> int:
    """Solve every scenario of a study that is not solved yet, and write results.csv.

    Parameters
    ----------
    file
        Study file (TOML).
    out
        Folder of the study; running again with it resumes.
    executor
        serial, processes (one thread each), or dask.
    jobs
        Workers; without it the cores available, as far as memory goes.
    scheduler
        Address of a Dask scheduler; without it a local cluster.
    dry_run
        Print the scenarios and solve nothing.
    retry_failed
        Solve scenarios again that failed.
    set
        KEY=VALUE: a key of the base case, such as mesh.reference=tiny; may be given several times.
    json
        One JSON object to standard output.
    """
    if jobs is not None and jobs < 1:
        raise InputError("must be 1 or more", field="--jobs", value=jobs, mend="leave it out for the cores available")
    for name, value, takes in (("--jobs", jobs, executor != "serial" and scheduler is None),
                               ("--scheduler", scheduler, executor == "dask")):  # fmt: skip
        if value is not None and not takes:
            problem = f"does not count with --executor {executor}" + (" and --scheduler" if scheduler else "")
            raise InputError(problem, field=name, value=value, mend="leave it out")
    from sacrofem.study.design import read_study

    read = read_study(file, assigned(set))
    groups = len(read.groups())
    if dry_run:
        rows = [{"scenario": s.number, **s.factors} for s in read.scenarios]
        if json:
            print_json({"name": read.name, "groups": groups, "scenarios": rows})
        else:
            show(*("  ".join(f"{key} = {value}" for key, value in row.items()) for row in rows))
            show(f"{read.name}: {len(rows)} scenarios in {groups} groups that share mesh and set-up")
        return 0
    _check_folder(out, file)
    from sacrofem.study.runner import run_study
    from sacrofem.system.progress import Counter

    try:
        with Counter():
            outcome = run_study(read, out, executor=executor, jobs=jobs, retry_failed=retry_failed, scheduler=scheduler)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_safe(out)) from None
    facts: dict[str, Any] = {"folder": str(out), **vars(outcome)}
    if json:
        print_json(facts)
    else:
        show(
            f"{read.name}: {outcome.done} of {outcome.total} scenarios done, {outcome.failed} failed, "
            f"{outcome.solved} solved now",
            f"written: {out / 'results.csv'}. {CLAIM}",
        )
    return SacrofemError.exit_status if outcome.failed else 0


def _safe(out: Path) -> str:
    """What is kept of a study that was interrupted."""
    from sacrofem.study.store import Store
    from sacrofem.system.signals import interrupts_wait

    with interrupts_wait():
        try:
            found = Store(out).progress()
        except InputError:
            return "nothing was written"
    return f"{found.done + found.failed} of {len(found.keys)} scenarios are safe in {out}; the same command goes on"


def _check_folder(out: Path, file: Path) -> None:
    from sacrofem.system.folders import check_writable

    if out.exists() and not out.is_dir():
        raise InputError("is not a folder", field="--out", value=str(out), mend="name another folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "study.json").exists() and not (out / "lock").exists():
        raise InputError("holds files that are not of a study", field="--out", value=str(out), mend="name another")
    if file.resolve().parent == out.resolve():
        raise InputError("holds the study file", field="--out", value=str(out), mend="name a folder of its own")
    check_writable(out, "--out")


@study.command
def status(folder: Path, /, *, json: bool = False) -> int:
    """How many scenarios of a study are done, and whether a runner is at work.

    Parameters
    ----------
    folder
        What `study run --out` writes to.
    json
        One JSON object to standard output.
    """
    from sacrofem.study.store import Store

    store = Store(folder)
    found = store.progress()
    facts = {
        "name": found.name,
        "total": len(found.keys),
        "done": found.done,
        "failed": found.failed,
        "runner": store.runner(),
    }
    if json:
        print_json(facts)
    else:
        at_work = f"; at work: {facts['runner']}" if facts["runner"] else ""
        print(f"{found.name}: {found.done} of {len(found.keys)} done, {found.failed} failed{at_work}")
    return 0


@study.command
def report(folder: Path, /, *, measure: tuple[str, ...] = (), json: bool = False) -> int:
    """Write report.html into the folder of a study: curves, maps, sensitivity, and a table that sorts and filters.

    Parameters
    ----------
    folder
        What `study run --out` wrote to.
    measure
        A measure to show, such as micromotion_mean_um; may be given several times. Without it the headlines.
    json
        One JSON object to standard output.
    """
    from sacrofem.report.page.study import write_study_report
    from sacrofem.study.store import Store

    written = write_study_report(folder, measure)
    found = Store(folder).progress()
    if json:
        print_json({"folder": str(folder), "files": written, "missing": found.missing})
    else:
        if found.missing:
            show(f"unfinished: {found.missing} of {len(found.keys)} scenarios are not solved yet")
        show(f"written: {', '.join(str(folder / name) for name in written)}. {CLAIM}")
    return 0
