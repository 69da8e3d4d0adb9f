"""Dose response from 0.5 to 9 ml: where does it saturate?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import curves, main


def draw(rows):
    """Changes over the volume, cement in the gap bonded."""
    return curves(
        [row for row in rows if row["cement.in_gap"] == "bonded"], "cement.volume_ml", "cement / ml, both sides"
    )


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
