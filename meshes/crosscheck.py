"""The baselines on the tiny mesh by CalculiX: shown beside ours, stored with --write.

    python meshes/crosscheck.py [--write] [CASE ...]

Needs `ccx` (Debian: calculix-ccx). Mesh, moduli, springs and loads go over in the deck; stress at integration points,
jumps, displacements, reactions and energy come back and pass through our measures.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
import calculix

from sacrofem import Specimen
from sacrofem.study.regression import CASES, baselines_folder, record_text
from sacrofem.system.files import replace_file

# Seven printed digits, and what percentiles and eigenvalues make of them.
TOLERANCE = 1e-5


def calculix_values(reference) -> dict[str, float]:
    """Every measure of every state, under the keys of the baseline."""
    specimen = Specimen(reference.case)
    plan = specimen.plan()
    zones = specimen.zones(plan)
    recipes = {"intact": specimen.recipe(intact=True), "before": specimen.recipe(), "after": specimen.recipe(plan)}
    values, answers = {}, {}
    for state, recipe in recipes.items():
        # Without a fracture the intact bone is that before.
        key = "before" if state == "intact" and not plan.coverage.size else state
        if key not in answers:
            with tempfile.TemporaryDirectory() as folder:
                answers[key] = calculix.solve_state(Path(folder), specimen, recipes[key])
        found = calculix.measured(specimen, recipe, answers[key], zones)
        values |= {f"{state}.{name}": float(value) for name, value in found.items() if value is not None}
    return values


def main() -> None:
    quick = [reference for reference in CASES if reference.quick]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="store CalculiX's values beside ours")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(reference.name for reference in quick))
    given = parser.parse_args()
    banner = subprocess.run([calculix.ccx(), "-v"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"Version (\S+)", banner)
    print(f"{'case':30} {'measure':52} {'ours':>14} {'CalculiX':>14} {'difference':>11}")
    for reference in quick:
        if given.cases and reference.name not in given.cases:
            continue
        path = baselines_folder() / f"{reference.name}.json"
        stored = json.loads(path.read_text(encoding="utf-8"))
        values = calculix_values(reference)
        for key, value in values.items():
            ours = stored["values"][key]["value"]
            difference = abs(value - ours) / np.maximum(abs(ours), 1e-300)
            print(f"{reference.name:30} {key:52} {ours:14.7g} {value:14.7g} {difference:11.1e}", flush=True)
        if given.write:
            stored["calculix"] = {
                "version": version[1] if version else "unknown",
                "sha256": stored["sha256"],
                "tolerance": TOLERANCE,
                "values": values,
            }
            replace_file(path, record_text(stored))


if __name__ == "__main__":
    main()
