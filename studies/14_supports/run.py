"""The supports themselves: motions of the unbroken sacrum against published tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calibrate import NUTATION_DEG, S1_ANTERIOR_MM, TRANSLATION_MM
from common import main
from matplotlib.figure import Figure
from motions import MotionSolver

PANELS = {
    "nutation_deg": "nutation / °",
    "joint_translation_mm": "translation of the joint / mm",
    "s1_anterior_mm": "forward motion of S1 / mm",
}
# Force in N, and ends of the range; what is fitted to with its source in calibrate.py, 2.80° of Bruna-Rosso 2016.
PUBLISHED = {
    "nutation_deg": [(600.0, NUTATION_DEG, NUTATION_DEG), (1000.0, 2.80, 2.80)],
    "joint_translation_mm": [(600.0, TRANSLATION_MM, TRANSLATION_MM)],
    "s1_anterior_mm": [(981.0, *S1_ANTERIOR_MM)],
}
NAMES = {
    ("elastic", True, "coarse"): ("calibrated joint", "o-"),
    ("elastic", True, "medium"): ("the same, medium mesh", "s"),
    ("elastic", False, "coarse"): ("without ligaments", "^"),
    ("fixed", False, "coarse"): ("fixed joint", "v"),
}


def kind(row):
    """What holds the sacrum, and the mesh."""
    return row["supports.kind"], row["supports.ligaments"], row["mesh.reference"]


def draw(rows):
    """Motions over force, beside what was published."""
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    for key, ax in zip(PANELS, figure.subplots(1, len(PANELS)), strict=True):
        for which, (label, style) in NAMES.items():
            mine = sorted((row["load.force_n"], row[key]) for row in rows if kind(row) == which)
            if mine:
                ax.plot(*zip(*mine, strict=True), style, label=label)
        for number, (force, low, high) in enumerate(PUBLISHED[key]):
            middle, reach = (low + high) / 2, (high - low) / 2
            label = None if number else "published"
            ax.errorbar(force, middle, reach or None, fmt="k_", ms=16, mew=2, capsize=6, zorder=3, label=label)
        ax.set(xlabel="force on S1 / N", ylabel=PANELS[key], xlim=(500, 1100))
        ax.set_ylim(bottom=0.0)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def check(rows):
    """Nutation and translation within 30 % of their targets; ligaments hold back, a fixed joint hardly moves."""
    at_600 = {kind(row): row for row in rows if row["load.force_n"] == 600.0}
    turns = {which[:2]: row["nutation_deg"] for which, row in at_600.items()}
    found = []
    for key in ("nutation_deg", "joint_translation_mm"):
        target = PUBLISHED[key][0][1]
        values = [row[key] for which, row in at_600.items() if which[:2] == ("elastic", True)]
        found += [f"{key} {value:.3g}, published {target:g}" for value in values if abs(value / target - 1.0) > 0.3]
    if not turns["elastic", False] > turns["elastic", True] > 5.0 * turns["fixed", False]:
        found.append(f"nutation {turns}")
    return found


def say(row):
    """Motions and shares of the load."""
    motion = ", ".join(f"{label.split(' /')[0]} {row[key]:.3f}" for key, label in PANELS.items())
    return f"{motion}, joints {100 * (row['share_left'] + row['share_right']):.1f} % of the load"


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check, factory=MotionSolver, say=say))
