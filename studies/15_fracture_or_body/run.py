"""The same volume at the fracture and in the S1 body."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import bars, main


def draw(rows):
    """Changes by place and spread."""
    return bars(rows, lambda row: f"{row['place']}, {row['cement.spread']}")


def check(rows):
    """Cement at the fracture takes more micromotion away than cement in the body."""
    change = {(row["place"], row["cement.spread"]): row["micromotion_mean_um_change"] for row in rows}
    return [
        spread
        for spread in {key[1] for key in change}
        if not change["at the fracture", spread] < change["in the S1 body", spread] - 0.1
    ]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
