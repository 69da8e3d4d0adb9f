"""Does cement on one side raise the stress in the untreated ala?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import bars, main

KEYS = ("contralateral_max_principal_p95_mpa", "micromotion_mean_um", "stiffness_n_per_mm")


def draw(rows):
    """Changes, with the other side broken and sound."""
    return bars(rows, lambda row: f"fractured: {row['fractured']}", KEYS)


def check(rows):
    """There is an untreated side, and its stress is known."""
    missing = [row["fractured"] for row in rows if row["contralateral_max_principal_p95_mpa_after"] is None]
    return [f"no stress of the other side: {missing}"] if missing else []


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
