"""Which inputs decide what cement does: Morris' effects of five of them, then Sobol' indices of gap and cement.

python studies/16_sensitivity/run.py          results.csv, results-sobol.csv, sensitivity.csv and figure.png beside it
python studies/16_sensitivity/run.py --ci     study-ci.toml, eight scenarios with linear elements; checked by order
"""

import argparse
import csv
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import LABELS, conclude, read_table, tell_scenarios
from matplotlib.figure import Figure

from sacrofem.report.figures.studyfigures import draw_indices
from sacrofem.study.design import read_study
from sacrofem.study.runner import run_study
from sacrofem.study.sensitivity import indices, write_indices
from sacrofem.study.store import TABLE, Store

HERE = Path(__file__).resolve().parent
KEYS = {
    "micromotion_mean_um": LABELS["micromotion_mean_um"],
    "fracture_von_mises_mean_mpa": "von Mises at the fracture, mean",
    "stiffness_n_per_mm": LABELS["stiffness_n_per_mm"],
}
CHANGES = [f"{key}_change" for key in KEYS]
SOBOL = "results-sobol.csv"


def kept(path, columns):
    """The columns of a table that the indices need: the whole one would be a megabyte."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    measured = [f"{key}_{part}" for key in KEYS for part in ("before", "after", "change")]
    with (HERE / SOBOL).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, ["scenario", *columns, "status", "error", *measured], extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)


def draw(effects, shares):
    """Morris above, Sobol below; one column a measure."""
    rows = [found for found in (effects, shares) if found]
    figure = Figure(figsize=(15.6, 3.4 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(KEYS), squeeze=False)
    for line, found in zip(axes, rows, strict=True):
        for ax, change, name in zip(line, CHANGES, KEYS.values(), strict=True):
            draw_indices(ax, found, change, name)
        line[-1].legend(loc="lower right", fontsize=8)
    return figure


def check(effects, shares):
    """The filler of the gap moves micromotion far more than the modulus of the cement does."""
    size = {i.factor: i.value for i in effects if i.measure == CHANGES[0] and i.index == "mu_star"}
    whole = {i.factor: i.value for i in shares if i.measure == CHANGES[0] and i.index == "ST"}
    found = []
    for values in (size, whole):
        if values and not values["fracture.filler_modulus_mpa"] > 3 * values["cement.modulus_mpa"]:
            found.append(f"micromotion {values}")
    return found


def run(name, out, **how):
    """One study file: its study, its rows, the indices, and how many scenarios failed."""
    study = read_study(HERE / name)
    outcome = run_study(study, out, **how)
    rows = read_table(out / TABLE)
    return study, [] if outcome.failed else indices(study, rows, CHANGES), outcome.failed


def main():
    """Run as asked; the exit status is 1 where a scenario fails or the order is another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ci", action="store_true")
    parser.add_argument("--out", type=Path, help="folder of the runs; without it a temporary one")
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    tell_scenarios()
    shares, failed = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or Path(temporary)
        if options.ci:
            _, effects, failed = run("study-ci.toml", out / "ci", executor="serial")
            draw(effects, shares).savefig(Path(temporary) / "figure.png", dpi=60)
        else:
            _, effects, failed = run("study.toml", out / "study", jobs=options.jobs)
            study, shares, more = run("sobol.toml", out / "sobol", jobs=options.jobs)
            failed += more
            shutil.copyfile(out / "study" / TABLE, HERE / "results.csv")
            kept(out / "sobol" / TABLE, study.columns)
            write_indices(Store(HERE), [*effects, *shares])
            draw(effects, shares).savefig(HERE / "figure.png", dpi=110)
    for index in (*effects, *shares):
        width = "" if index.half_width is None else f" ± {index.half_width:.3f}"
        sys.stdout.write(f"{index.measure}, {index.factor}: {index.index} {index.value:.3f}{width}\n")
    return conclude(check(effects, shares), failed)


if __name__ == "__main__":
    sys.exit(main())
