"""The approach does not matter (Waites 2008), and motion returns to the intact level (Mears 2010)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import bars, main

from sacrofem.study.evaluate import IntactGroupSolver

KEYS = ("micromotion_mean_um", "fragment_motion_um", "fracture_von_mises_p95_mpa", "stiffness_n_per_mm")


def draw(rows):
    """Changes, approach by approach."""
    solved = [row for row in rows if row["status"] == "done"]
    return bars(solved, name, KEYS)


def name(row):
    """Approach, spread, and the state of the gap where it was varied."""
    keys = ("cement.approach", "cement.spread", "fracture.state")
    return ", ".join(str(row[key]) for key in keys if key in row)


def check(rows):
    """Every approach lessens the micromotion, and none leaks into canal or foramina."""
    solved = [row for row in rows if row["status"] == "done"]
    found = [f"{row['cement.approach']} does not" for row in solved if not row["micromotion_mean_um_change"] < 0]
    found += [
        f"{row['cement.approach']}: more than intact is not there"
        for row in solved
        if not row["fragment_motion_um_after"] > row["fragment_motion_um_intact"]
    ]
    return found + [f"{row['cement.approach']} is unsafe" for row in solved if row["safety_violated"]]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check, factory=IntactGroupSolver))
