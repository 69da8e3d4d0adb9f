"""A thousand scenarios through the study runner: volume x position x bone quality, and the same solved one by one.

python benchmarks/thousand.py [--reference coarse] [--volumes 10] [--positions 10] [--bones 10] [--jobs N] [--json FILE]

Positions are needles of one's own, moved in steps of 1 mm across the fracture; plans of one bone share a specimen.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from sacrofem import Case, Specimen, compare
from sacrofem.study.design import read_study
from sacrofem.study.runner import run_study

ONE_BY_ONE = 3


def study_text(reference: str, volumes: int, positions: int, bones: int) -> str:
    """The study file."""
    case = Case.preset("sif-unilateral").with_(mesh__reference=reference)
    specimen = Specimen(case)
    (needle, *_) = specimen.plan().needles
    entry, tip = np.array(needle.entry_mm), np.array(needle.target_mm)
    normal = specimen.landmarks.auricular["left"].normal
    levels = []
    for place in np.arange(positions) - 0.5 * (positions - 1):
        for volume in np.linspace(0.5, 5.0, volumes):
            a, b = (", ".join(f"{x:.4f}" for x in point + place * normal) for point in (entry, tip))
            injection = f"{{ entry_mm = [{a}], target_mm = [{b}], volume_ml = {volume:.3f} }}"
            label = f"{place:+.1f} mm, {volume:.2f} ml"
            levels.append(f'    {{ label = "{label}", "cement.injections" = [{injection}] }},')
    factors = ", ".join(f"{x:.3f}" for x in np.linspace(0.7, 1.6, bones))
    return "\n".join([
        "schema = 1", 'name = "a thousand"', 'preset = "sif-unilateral"', "[case.mesh]", f'reference = "{reference}"',
        "[[factors]]", 'path = "materials.density_factor"', f"values = [{factors}]",
        "[[factors]]", 'name = "plan"', "levels = [", *levels, "]", "",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", default="coarse")
    for name in ("volumes", "positions", "bones"):
        parser.add_argument(f"--{name}", type=int, default=10)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(study_text(options.reference, options.volumes, options.positions, options.bones))
        study = read_study(path)
        began = time.perf_counter()
        outcome = run_study(study, Path(folder) / "out", jobs=options.jobs)
        wall = time.perf_counter() - began
        table = (Path(folder) / "out" / "results.csv").read_text().splitlines()
    alone = []
    for scenario in study.scenarios[:: max(len(study.scenarios) // ONE_BY_ONE, 1)][:ONE_BY_ONE]:
        began = time.perf_counter()
        compare(scenario.case)
        alone.append(time.perf_counter() - began)
    found = {
        "scenarios": outcome.total, "done": outcome.done, "failed": outcome.failed, "rows": len(table) - 1,
        "wall_s": wall, "seconds_a_scenario": wall / outcome.total, "one_by_one_s": statistics.median(alone),
        "speed_up": statistics.median(alone) / (wall / outcome.total),
    }  # fmt: skip
    text = json.dumps(found, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
