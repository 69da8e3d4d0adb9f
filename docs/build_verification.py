"""docs/verification.md and its plots, from the numbers that the verification tests keep.

pytest tests/verification --verification-json quick.json
pytest tests/verification -m slow --verification-json slow.json
python docs/build_verification.py quick.json slow.json
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

HERE = Path(__file__).parent
Row = dict[str, Any]


def problems(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by problem, in the order of their numbers; a number that two tests keep counts once."""
    found: dict[str, dict[tuple[str, str], Row]] = {}
    for row in rows:
        found.setdefault(row["problem"], {}).setdefault((row["quantity"], row["mesh"]), row)
    names = sorted(found, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])
    return {name: sorted(found[name].values(), key=_place(list(found[name].values()))) for name in names}


def _place(rows: list[Row]) -> Any:
    first = {row["quantity"]: number for number, row in reversed(list(enumerate(rows)))}
    return lambda row: (first[row["quantity"]], -(row["size"] or 0.0))


def series(rows: Iterable[Row]) -> dict[str, list[tuple[float, float]]]:
    """Size and error of every quantity that is known on two meshes or more."""
    found: dict[str, dict[float, float]] = {}
    for row in rows:
        if row["size"] is not None and row["error"] != 0.0:
            found.setdefault(_curve(row), {})[row["size"]] = abs(row["error"])
    return {name: sorted(points.items()) for name, points in found.items() if len(points) > 1}


def _curve(row: Row) -> str:
    element = row["mesh"].split(",")[0]
    return row["quantity"] if element in row["quantity"] else f"{row['quantity']}, {element}"


def slug(problem: str) -> str:
    """Name of the plot of a problem."""
    return "convergence-" + problem.split()[0].lower() + ".png"


def plot(problem: str, curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Error over size, both logarithmic, with a triangle's worth of first and second order."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
        for number, (name, points) in enumerate(curves.items()):
            sizes, errors = np.array(points).T
            axes.loglog(sizes, errors, "os^Dv<>"[number % 7] + "-", ms=4, lw=1.2, label=name)
        sizes = np.unique([size for points in curves.values() for size, _ in points])
        top = max(error for points in curves.values() for _, error in points)
        for order, style in ((1, ":"), (2, "--")):
            axes.loglog(
                sizes, 1.6 * top * (sizes / sizes[-1]) ** order, style, color="0.6", lw=1, label=f"order {order}"
            )
        ticks = [size for i, size in enumerate(sizes) if i == 0 or size > 1.2 * sizes[i - 1]]
        axes.set_xticks(ticks, [f"{size:.3g}" for size in ticks])
        axes.minorticks_off()
        axes.set_xlabel("size of the tets over the length of the problem")
        axes.set_ylabel("relative error")
        axes.set_title(problem, loc="left", fontsize=9)
        axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.savefig(path, dpi=120)
        plt.close(figure)


def number(value: float | None) -> str:
    """A value of the table; a dash where it is a whole field."""
    return "–" if value is None else f"{value:.6g}"


def error(value: float, tolerance: float) -> str:
    """Per cent where the tolerance is one, powers of ten where it is rounding."""
    return f"{100 * value:+.2f} %" if tolerance >= 1e-4 else f"{abs(value):.0e}"


def tolerance(value: float) -> str:
    """See `error`."""
    return f"{100 * value:.3g} %" if value >= 1e-4 else f"{value:.0e}"


def page(rows: Sequence[Row], images: Path) -> str:
    """The page; draws its plots into ``images``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.globals |= {"number": number, "error": error, "tolerance": tolerance}
    entries = []
    for name, members in problems(rows).items():
        curves = series(members)
        if curves:
            plot(name, curves, images / slug(name))
        worst = max(abs(row["error"]) / row["tolerance"] for row in members if row["tolerance"])
        drawn = slug(name) if curves else None
        entries.append({"name": name, "text": members[0]["text"], "rows": members, "plot": drawn, "worst": worst})
    seconds = sum(row["cpu_seconds"] for row in rows)
    return environment.get_template("verification.md.jinja").render(
        problems=entries, numbers=len(rows), seconds=seconds
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of verification.md and images/")
    arguments = parser.parse_args()
    mpl.use("Agg")
    images = arguments.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    rows = [row for path in arguments.numbers for row in json.loads(path.read_text(encoding="utf-8"))]
    (arguments.out / "verification.md").write_text(page(rows, images), encoding="utf-8")


if __name__ == "__main__":
    main()
