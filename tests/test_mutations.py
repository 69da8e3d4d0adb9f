"""Do the tests catch faults? Each is put into a process of its own, in which a named test must fail.

The same tests pass, all in one process, where nothing is wrong.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from faults import FAULTS

ROOT = Path(__file__).parent.parent
VERIFICATION, MECHANICS, CEMENT = "tests/verification", "tests/mechanics", "tests/cement"

CAUGHT_BY = {
    "sign_of_a_gap_normal": f"{MECHANICS}/test_measures.py::test_known_jump_gives_known_micromotion",
    "swapped_mid_side_nodes": f"{VERIFICATION}/test_quadratic_patch.py::test_quadratic_patch[False-bending]",
    "factor_2_in_the_shear_modulus": f"{VERIFICATION}/test_patch.py::test_patch[1]",
    "transposed_jacobian": f"{VERIFICATION}/test_patch.py::test_patch[2]",
    "wrong_face_area": "tests/regression/test_block_gap.py::test_shipped_block_in_series[1]",
    "cement_one_layer_of_elements_off": f"{CEMENT}/test_spread.py::test_volume_is_exact[coarse-2.0-column]",
    "ligaments_on_the_wrong_side": f"{MECHANICS}/test_supports.py::test_ligaments_pull_where_anatomy_says",
    "load_tilted_to_the_other_side": f"{MECHANICS}/test_loads.py::test_force_turned_by_the_slope_is_vertical",
    "lost_moment": f"{MECHANICS}/test_loads.py::"
    "test_force_and_moment_of_the_nodal_forces_equal_the_resultant[point0-1]",
    "jump_in_metres": f"{VERIFICATION}/test_layers.py::test_slip_of_a_filled_gap[1]",
    "hundred_cubic_millimetres_to_the_millilitre": f"{CEMENT}/test_spread.py::test_volume_is_exact[coarse-2.0-column]",
    "young_for_the_constrained_modulus": f"{MECHANICS}/test_interface.py::"
    "test_a_layer_has_constrained_modulus_and_shear_modulus_over_its_thickness",
    "gap_normal_and_tangential_exchanged": f"{VERIFICATION}/test_layers.py::test_slip_of_a_filled_gap[2]",
    "tensor_for_engineering_shear": f"{MECHANICS}/test_space.py::test_linear_field_gives_hooke_in_every_tet[1]",
    "twins_left_untied_in_the_intact_state": f"{VERIFICATION}/test_patch.py::test_patch_on_tied_twins[1]",
    "ligament_forgotten_in_the_reactions": "tests/specimen/test_comparison.py::test_every_solve_balances",
    "a_little_cement_everywhere": f"{MECHANICS}/test_materials.py::test_cement_stiffens_only_where_it_is",
}


def run(tests, fault=""):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "faults",
        "-p",
        "no:cacheprovider",
        "-m",
        "",
        *tests,
    ]
    path = os.pathsep.join(filter(None, [str(ROOT / "tests" / "helpers"), str(ROOT), os.environ.get("PYTHONPATH")]))
    # Wide enough for the reason behind the name of a failed test.
    environment = {**os.environ, "SACROFEM_FAULT": fault, "PYTHONPATH": path, "COLUMNS": "1000"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


@pytest.mark.slow
def test_without_a_fault_all_pass():
    done = run(sorted(set(CAUGHT_BY.values())))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_caught(fault):
    """By an assertion of that test, or by the package's own check of its result: not by a crash."""
    test = CAUGHT_BY[fault]
    done = run([test], fault)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith((f"FAILED {test}", f"ERROR {test}"))]
    assert re.search(r" - (AssertionError|assert |sacrofem\.errors\.SolverError)", line), line
