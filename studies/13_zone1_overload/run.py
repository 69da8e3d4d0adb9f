"""Where does the intact osteoporotic sacrum overload, with and without the alar void?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import main
from matplotlib.figure import Figure
from overload import OverloadSolver


def name(row):
    """A scenario in words."""
    void = "void" if row["materials.alar_void"] else "no void"
    return f"{void}, {row['supports.kind']}, {row['load.kind']}"


def draw(rows):
    """Shares of the most strained hundredth of the bone by Denis zone, beside those of all cancellous bone."""
    figure = Figure(figsize=(7.2, 0.42 * len(rows) + 1.8), layout="constrained")
    ax = figure.subplots()
    left = [0.0] * (len(rows) + 1)
    for number in (1, 2, 3):
        values = [100 * row[f"overload_zone{number}_share"] for row in rows]
        values.append(100 * rows[0][f"bone_zone{number}_share"])
        ax.barh(range(len(values)), values, left=left, label=f"zone {number}")
        left = [a + b for a, b in zip(left, values, strict=True)]
    ax.set_yticks(range(len(rows) + 1), [*(name(row) for row in rows), "all cancellous bone"])
    ax.invert_yaxis()
    ax.set_xlabel("share of the most strained hundredth / %")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def check(rows):
    """Zone 1 holds more of the overloaded bone than of the bone, where there is a void."""
    return [
        name(row)
        for row in rows
        if row["materials.alar_void"] and not row["overload_zone1_share"] > row["bone_zone1_share"]
    ]


def say(row):
    """Zones, levels and yield load."""
    shares = ", ".join(f"zone {k} {100 * row[f'overload_zone{k}_share']:.0f} %" for k in (1, 2, 3))
    return f"{shares}, S1 {100 * row['overload_s1_share']:.0f} %, yield load {row['yield_load_n']:.0f} N"


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check, factory=OverloadSolver, say=say))
