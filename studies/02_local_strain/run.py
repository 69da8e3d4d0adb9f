"""Local strain and global stiffness: is the effect of cement mainly local?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import main, percent
from matplotlib.figure import Figure

ZONES = ("inside", "shell", "both")
KEY = "pericement_{}_min_principal_strain_mean"


def draw(rows):
    """Mean compressive strain in three zones around the cement, and stiffness, cement in the gap bonded."""
    chosen = [row for row in rows if row["cement.in_gap"] == "bonded"]
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    ax = figure.subplots()
    names = [f"{row['bone']}, {row['cement.volume_ml']:g} ml" for row in chosen]
    keys = {**{KEY.format(zone): f"compressive strain, {zone}" for zone in ZONES}, "stiffness_n_per_mm": "stiffness"}
    for number, (key, label) in enumerate(keys.items()):
        values = [100 * (row.get(f"{key}_change") or 0.0) for row in chosen]
        ax.barh([place + 0.2 * (number - 1.5) for place in range(len(chosen))], values, 0.2, label=label)
    ax.axvspan(-60, -40, color="0.85", zorder=0, label="published: local strain")
    ax.axvspan(1, 4, color="0.7", zorder=0, label="published: stiffness")
    ax.set_yticks(range(len(chosen)), names)
    ax.invert_yaxis()
    ax.set_xlabel("change by cement / %")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def check(rows):
    """Strain inside the cement falls, in unbroken bone far more than stiffness rises."""
    found = []
    for row in rows:
        if row["cement.volume_ml"] > 4.0 and not row[KEY.format("inside") + "_change"] < -0.2:
            found.append(f"{row['bone']}: strain inside {row[KEY.format('inside') + '_change']}")
        if row["bone"] == "unbroken" and not 0.0 < row["stiffness_n_per_mm_change"] < 0.1:
            found.append(f"unbroken: stiffness {row['stiffness_n_per_mm_change']}")
    return found


def say(row):
    """The three zones and stiffness."""
    return ", ".join(f"{zone} {percent(row, KEY.format(zone))}" for zone in ZONES) + (
        f", stiffness {100 * row['stiffness_n_per_mm_change']:+.1f} %"
    )


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check, say=say))
