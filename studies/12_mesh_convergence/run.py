"""Every measure on three meshes: observed order and band."""

import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import main, percent
from matplotlib.figure import Figure

from sacrofem.specimen.mesh import REFERENCE_FRACTURE_MM
from sacrofem.study.order import estimate

KEYS = {
    "micromotion_mean_um": "micromotion, mean",
    "fragment_motion_um": "motion between fragments",
    "fracture_von_mises_mean_mpa": "von Mises at the fracture, mean",
    "fracture_von_mises_p95_mpa": "von Mises at the fracture, p95",
    "stiffness_n_per_mm": "stiffness",
    "yield_load_n": "yield load",
}


def orders(rows):
    """Measure, part, values from coarse to fine, observed order and half width of the band of the finest."""
    sizes = [REFERENCE_FRACTURE_MM[row["mesh.reference"]] for row in rows]
    for key in rows[0]:
        name, _, part = key.rpartition("_")
        values = [row[key] for row in rows]
        if part not in ("before", "after", "change") or not all(isinstance(v, float) for v in values):
            continue
        scale = 1.0 if part == "change" else max(abs(values[-1]), 1e-12)
        yield name, part, values, estimate(sizes, values, at=len(sizes) - 1, scale=scale)


def draw(rows):
    """Values over the size at the fracture, relative to the finest mesh; the table of orders beside the script."""
    if len(rows) == 3:
        with (Path(__file__).parent / "orders.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["measure", "part", *(row["mesh.reference"] for row in rows), "order", "half_width"])
            for name, part, values, found in orders(rows):
                order = "" if found.order is None else f"{found.order:.2f}"
                writer.writerow([name, part, *(f"{v:.6g}" for v in values), order, f"{found.half_width:.3g}"])
    sizes = [REFERENCE_FRACTURE_MM[row["mesh.reference"]] for row in rows]
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    ax = figure.subplots()
    for number, (key, label) in enumerate(KEYS.items()):
        for part, style in (("before", "-"), ("after", "--")):
            values = [row[f"{key}_{part}"] for row in rows]
            if all(isinstance(v, float) for v in values):
                ax.plot(sizes, [100 * (v / values[-1] - 1) for v in values], style, color=f"C{number}", marker="o",
                        label=label if part == "before" else None)  # fmt: skip
    ax.axhline(0.0, color="0.6", lw=0.8)
    ax.set(xlabel="edge length at the fracture / mm", ylabel="off the medium mesh / % (solid before, dashed after)")
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.minorticks_off()
    ax.legend(frameon=False, fontsize=8)
    return figure


def check(rows):
    """The change of mean micromotion moves by less than a tenth between the two finest meshes."""
    last = [row["micromotion_mean_um_change"] for row in rows[-2:]]
    return [] if abs(last[1] - last[0]) < 0.1 else [f"micromotion {last}"]


def say(row):
    """Headlines of one mesh."""
    return ", ".join(f"{label} {percent(row, key)}" for key, label in KEYS.items())


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check, say=say))
