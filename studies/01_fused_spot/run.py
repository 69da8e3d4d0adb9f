"""A fused spot on a hemisacrum under 35 kg, joint face fixed (Whitlow 2007)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import curves, main

KEYS = ("micromotion_mean_um", "front_max_principal_p95_mpa", "fracture_max_principal_p95_mpa")


def draw(rows):
    """Changes over the radius of the spot."""
    return curves(rows, "cement.spot.radius_mm", "radius of the fused spot / mm", KEYS)


def check(rows):
    """Micromotion falls, and the more the larger the spot."""
    changes = [row["micromotion_mean_um_change"] for row in rows]
    return [] if changes == sorted(changes, reverse=True) and changes[0] < 0 else [f"micromotion {changes}"]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
