"""PMMA against bioceramic cement, and a sweep of the modulus from 1 to 9 GPa."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import curves, main


def draw(rows):
    """Changes over the modulus; the two materials differ in Poisson's ratio then."""
    return curves([row for row in rows if row["cement.material"] == "pmma"], "cement.modulus_mpa", "modulus / MPa")


def check(rows):
    """A stiffer cement stiffens more: strain energy cannot rise with a modulus."""
    pmma = [row["strain_energy_nmm_after"] for row in rows if row["cement.material"] == "pmma"]
    return [] if pmma == sorted(pmma, reverse=True) else [f"strain energy {pmma}"]


if __name__ == "__main__":
    sys.exit(main(__file__, draw, check))
