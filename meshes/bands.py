"""Compute the mesh band and the input range of the default case that ship with the package (some minutes).

python meshes/bands.py

To be run again whenever the numbers of the default case change: bands are attached to a result only where
the case and its numbers are those that they were computed for.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sacrofem import Case
from sacrofem.study.bands import SHIPPED, ship


def main() -> int:
    path = Path(__file__).resolve().parent / SHIPPED
    ship(Case.preset(), path, progress=lambda stage: print(stage, flush=True))
    print(f"written: {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
