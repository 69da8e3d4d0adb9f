"""Compute the mesh band and the input range of the default case that ship with the package (some minutes).

Draws docs/images/converge.png from them.

python meshes/bands.py

To be run again whenever the numbers of the default case change: bands are attached to a result only where
the case and its numbers are those that they were computed for.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from sacrofem import Case
from sacrofem.report.page.convergence import convergence_figure
from sacrofem.study.bands import SHIPPED, read_shipped, shipped_convergence
from sacrofem.study.convergence import converge
from sacrofem.study.inputs import input_range
from sacrofem.system.files import json_text, replace_file
from sacrofem.system.version import VERSION


def ship(case: Case, path: Path) -> None:
    """Compute both bands of a case, which lies on the finest shipped mesh, and put them into the file that ships."""
    convergence = converge(case)
    content = {
        "schema": 1,
        "version": VERSION,
        "case": case.to_dict(),
        "levels": [level.to_json() for level in convergence.levels],
        "input_range": input_range(case).to_json(),
    }
    replace_file(path, json_text(content, indent=1))


def main() -> int:
    path = Path(__file__).resolve().parent / SHIPPED
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    ship(Case.preset(), path)
    content = read_shipped()
    assert content is not None
    picture = path.parents[1] / "docs" / "images" / "converge.png"
    convergence_figure(shipped_convergence(content, Case.preset())).savefig(picture, dpi=130)
    print(f"written: {path.name}, {picture.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
