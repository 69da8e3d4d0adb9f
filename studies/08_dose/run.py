"""Dose response from 0.5 to 9 ml: where does it saturate?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import SHOWN, main
from matplotlib.figure import Figure

IN_GAP = {"bonded": "o-", "contact": "^--", "none": "s:"}


def draw(rows):
    """Changes over the volume; cement in the gap bonded, in contact, or none of it there."""
    figure = Figure(figsize=(9.6, 3.5), layout="constrained")
    for (key, label), ax in zip(SHOWN.items(), figure.subplots(1, len(SHOWN)), strict=True):
        for in_gap, style in IN_GAP.items():
            mine = [row for row in rows if row["cement.in_gap"] == in_gap]
            points = [(row["cement.volume_ml"], 100 * row[f"{key}_change"]) for row in mine]
            if points:
                ax.plot(*zip(*sorted(points), strict=True), style, label=f"cement in the gap: {in_gap}")
        ax.axhline(0.0, color="0.6", lw=0.8)
        ax.set(title=label, xlabel="cement / ml, both sides")
    figure.axes[0].set_ylabel("change by cement / %")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def check(rows):
    """More bonded cement, less micromotion and less strain energy."""
    bonded = [row for row in rows if row["cement.in_gap"] == "bonded"]
    found = []
    for key in ("micromotion_mean_um_after", "strain_energy_nmm_after"):
        values = [row[key] for row in bonded]
        if values != sorted(values, reverse=True):
            found.append(f"{key} {values}")
    return found


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
