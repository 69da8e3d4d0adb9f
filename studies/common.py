"""What the studies share: run the study file beside the script, keep its table, draw its figure, check its claim.

python studies/NN_name/run.py          the full study: results.csv and figure.png beside it; where there is a
                                       fresh.toml too, results-fresh.csv and figure-fresh.png
python studies/NN_name/run.py --draw   the figures anew from those tables, nothing solved
python studies/NN_name/run.py --ci     study-ci.toml, a few scenarios on the tiny mesh; checked by sign and loose band
"""

from __future__ import annotations

import argparse
import csv
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib import cycler, rc_context
from matplotlib.figure import Figure

from sacrofem.report.figures.drawing import CYCLE
from sacrofem.study.design import read_study
from sacrofem.study.executors import Factory
from sacrofem.study.runner import run_study
from sacrofem.study.store import value_of

Row = dict[str, Any]
FRESH = "fresh.toml"
SHOWN = {
    "micromotion_mean_um": "micromotion, mean",
    "fracture_von_mises_p95_mpa": "von Mises at the fracture, p95",
    "stiffness_n_per_mm": "stiffness",
}
LABELS = SHOWN | {
    "fragment_motion_um": "motion between fragments",
    "front_max_principal_p95_mpa": "max principal at the front, p95",
    "fracture_max_principal_p95_mpa": "max principal at the fracture, p95",
    "contralateral_max_principal_p95_mpa": "max principal of the untreated ala, p95",
    "lesion_von_mises_p95_mpa": "von Mises at the lesion, p95",
    "lesion_max_principal_p95_mpa": "max principal at the lesion, p95",
    "lesion_min_principal_strain_p95": "compressive strain at the lesion, p95",
}


def read_table(path: Path) -> list[Row]:
    """Rows of a results.csv, numbers as floats and empty cells as None."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{key: value_of(text) for key, text in row.items()} for row in csv.DictReader(file)]


def percent(row: Row, key: str) -> str:
    """A change in per cent."""
    value = row.get(f"{key}_change")
    return "–" if value is None else f"{100 * value:+.0f} %"


def curves(rows: Sequence[Row], factor: str, label: str, keys: Sequence[str] = tuple(SHOWN)) -> Figure:
    """Changes over a number."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    ax = figure.subplots()
    for key in keys:
        points = [(row[factor], 100 * row[f"{key}_change"]) for row in rows if row.get(f"{key}_change") is not None]
        if points:
            ax.plot(*zip(*sorted(points), strict=True), marker="o", label=LABELS[key])
    ax.axhline(0.0, color="0.6", lw=0.8)
    ax.set(xlabel=label, ylabel="change by cement / %")
    ax.legend(frameon=False)
    return figure


def bars(rows: Sequence[Row], name: Callable[[Row], str], keys: Sequence[str] = tuple(SHOWN)) -> Figure:
    """Changes side by side."""
    figure = Figure(figsize=(6.8, (0.14 * len(keys) + 0.1) * len(rows) + 1.4), layout="constrained")
    ax = figure.subplots()
    ax.margins(y=0.01)
    width = 0.8 / len(keys)
    for number, key in enumerate(keys):
        values = [100 * (row.get(f"{key}_change") or 0.0) for row in rows]
        places = [place + (number - (len(keys) - 1) / 2) * width for place in range(len(rows))]
        ax.barh(places, values, width, label=LABELS[key])
    ax.set_yticks(range(len(rows)), [name(row) for row in rows])
    ax.invert_yaxis()
    ax.axvline(0.0, color="0.4", lw=0.8)
    ax.set_xlabel("change by cement / %")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def main(
    script: str,
    draw: Callable[[list[Row]], Figure],
    check: Callable[[list[Row]], list[str]],
    *,
    factory: Factory | None = None,
    say: Callable[[Row], str] | None = None,
) -> int:
    """Run a study as its script asks; the exit status is 1 where a check fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--ci", action="store_true")
    how.add_argument("--draw", action="store_true")
    parser.add_argument("--out", type=Path, help="folder of the run; without it a temporary one")
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    tell_scenarios()
    here = Path(script).resolve().parent
    if options.draw:
        for mark in ("", "-fresh"):
            if (table := here / f"results{mark}.csv").exists():
                save(draw, read_table(table), here / f"figure{mark}.png")
        return 0
    names = {"study-ci.toml": ""} if options.ci else {"study.toml": "", FRESH: "-fresh"}
    rows: list[Row] = []
    failed = 0
    for name, mark in names.items():
        if not (here / name).exists():
            continue
        study = read_study(here / name)
        with tempfile.TemporaryDirectory() as temporary:
            out = (options.out or Path(temporary) / "out") / (mark and FRESH)
            executor = "serial" if options.ci else "processes"
            outcome = run_study(study, out, executor=executor, jobs=options.jobs, factory=factory)
            found = read_table(out / "results.csv")
            failed += outcome.failed
            if not options.ci:
                shutil.copyfile(out / "results.csv", here / f"results{mark}.csv")
                save(draw, found, here / f"figure{mark}.png")
            else:
                save(draw, found, Path(temporary) / "figure.png")
        for row in found:
            factors = ", ".join(f"{key} = {row[key]}" for key in study.columns)
            changes = (
                ", ".join(f"{label} {percent(row, key)}" for key, label in SHOWN.items()) if say is None else say(row)
            )
            sys.stdout.write(f"{factors}: {row['error'] or changes}\n")
        rows += found if not mark else []
    return conclude(check(rows), failed)


def save(draw: Callable[[list[Row]], Figure], rows: list[Row], path: Path) -> None:
    """Draw rows with colours that any eye tells apart."""
    with rc_context({"axes.prop_cycle": cycler(color=CYCLE)}):
        draw(rows).savefig(path, dpi=150)


def conclude(problems: Sequence[str], failed: int) -> int:
    """Say what is not as expected; the exit status."""
    problems = [*problems, *([f"{failed} scenarios failed"] if failed else [])]
    for text in problems:
        sys.stdout.write(f"not as expected: {text}\n")
    return 1 if problems else 0


def tell_scenarios() -> None:
    """A line on standard error for every scenario."""
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: hasattr(record, "scenarios"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
