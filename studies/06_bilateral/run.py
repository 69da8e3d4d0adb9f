"""Bilateral against unilateral fracture, each treated."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import bars, main


def draw(rows):
    """Changes, fracture by fracture."""
    return bars(rows, lambda row: row["fracture"])


def check(rows):
    """Cement lessens the micromotion of every one."""
    return [row["fracture"] for row in rows if not row["micromotion_mean_um_change"] < 0]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
