"""A focal and an infiltrative lesion, 3.6 ml."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import bars, main

KEYS = (
    "lesion_von_mises_p95_mpa",
    "lesion_max_principal_p95_mpa",
    "lesion_min_principal_strain_p95",
    "stiffness_n_per_mm",
)


def draw(rows):
    """Changes, lesion by lesion."""
    return bars(rows, lambda row: row["lesion"], KEYS)


def check(rows):
    """Cement in the place of lost bone stiffens, if by little."""
    return [f"{row['lesion']}: stiffness" for row in rows if not row["stiffness_n_per_mm_change"] > 0]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
