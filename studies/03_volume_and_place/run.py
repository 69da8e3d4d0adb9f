"""Volume and place of cement do not change stiffness (Richards 2009)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import bars, main


def draw(rows):
    """Changes, plan by plan."""
    return bars(rows, lambda row: f"{row['cement a side']}, gap {row.get('cement.in_gap') or row['fracture.state']}")


def check(rows):
    """More cement in a gap that it bonds stiffens at least as much."""
    bonded = [row["stiffness_n_per_mm_change"] for row in rows if row["cement.in_gap"] == "bonded"]
    return [] if min(bonded) > 0 and bonded[1] >= bonded[0] else [f"stiffness {bonded}"]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
