"""The README's result table: the default case on three meshes, cement in the gap bonded and absent.

python benchmarks/default_case.py            coarse, medium and a finer mesh; some minutes
python benchmarks/default_case.py --quick    coarse and medium only
"""

from __future__ import annotations

import argparse
import time

from sacrofem import Case, compare

MESHES = {
    "coarse": {"mesh.reference": "coarse"},
    "medium": {"mesh.reference": "medium"},
    "finer": {"mesh.size_mm": 3.2, "mesh.fracture_size_mm": 1.4},
}
ROWS = {
    "micromotion_mean_um": ("micromotion, mean", "µm", 0),
    "micromotion_p95_um": ("micromotion, 95th percentile", "µm", 0),
    "fragment_motion_um": ("motion between fragments", "µm", 0),
    "fracture_von_mises_mean_mpa": ("von Mises at the fracture, mean", "MPa", 3),
    "fracture_von_mises_p95_mpa": ("von Mises at the fracture, 95th percentile", "MPa", 3),
    "fracture_max_principal_mean_mpa": ("max principal at the fracture, mean", "MPa", 3),
    "fracture_cortex_von_mises_p95_mpa": ("cortex von Mises at the fracture, 95th percentile", "MPa", 1),
    "pericement_shell_min_principal_strain_mean": ("compressive strain beside the cement, mean", "–", 5),
    "stiffness_n_per_mm": ("stiffness", "N/mm", 0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    names = [name for name in MESHES if name != "finer" or not parser.parse_args().quick]
    results = {}
    for name in names:
        for in_gap in ("bonded", "none"):
            began = time.perf_counter()
            case = Case.preset().with_(**MESHES[name], **{"cement.in_gap": in_gap})
            result = results[name, in_gap] = compare(case, intact=True)
            seconds = time.perf_counter() - began
            print(
                f"{name}, {in_gap}: {result.mesh_info['tets']} tets, {result.mesh_info['dofs']} unknowns, "
                f"{result.solver['iterations']} iterations, solves {result.solver['seconds']:.0f} s of {seconds:.0f}, "
                f"{result.cement['in_gap_ml']:.2f} ml in the gap",
                flush=True,
            )
    print("\n| measure | unit | mesh | intact | before | after, bonded | change | after, none in gap | change |")
    print("|---|---|---|---:|---:|---:|---:|---:|---:|")
    for key, (label, unit, digits) in ROWS.items():
        for name in names:
            bonded, none = results[name, "bonded"], results[name, "none"]
            assert bonded.intact is not None
            values = [bonded.intact[key], bonded.before[key], bonded.after[key], none.after[key]]
            intact, before, after, bare = ("–" if v is None else f"{v:.{digits}f}" for v in values)
            shifts = ("–" if c is None else f"{100 * c:+.0f} %" for c in (bonded.change[key], none.change[key]))
            change, other = shifts
            print(f"| {label} | {unit} | {name} | {intact} | {before} | {after} | {change} | {bare} | {other} |")


if __name__ == "__main__":
    main()
