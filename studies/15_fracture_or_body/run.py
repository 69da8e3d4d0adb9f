"""The same volume at the fracture and in the S1 body."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import bars, main

NAMES = ("place", "cement.spread", "cement.in_gap")


def draw(rows):
    """Changes by place, spread and what cement does in the gap."""
    return bars(rows, lambda row: ", ".join(str(row[key]) for key in NAMES if key in row))


def check(rows):
    """Cement that bonds at the fracture takes more micromotion away than cement in the body."""
    bonded = [row for row in rows if row.get("cement.in_gap", "bonded") == "bonded"]
    change = {(row["place"], row["cement.spread"]): row["micromotion_mean_um_change"] for row in bonded}
    return [
        spread
        for spread in {key[1] for key in change}
        if not change["at the fracture", spread] < change["in the S1 body", spread] - 0.1
    ]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
