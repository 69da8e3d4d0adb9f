"""Boundary conditions: joint, load, angle and moment."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import bars, main


def draw(rows):
    """Changes, support and load by support and load."""
    return bars(rows, lambda row: f"{row['supports.kind']}, {row['load']}")


def check(rows):
    """Cement lessens the micromotion whatever holds and loads the bone."""
    return [f"{row['supports.kind']}, {row['load']}" for row in rows if not row["micromotion_mean_um_change"] < 0]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
