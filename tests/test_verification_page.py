"""docs/verification.md says what the tests find: every problem is on it, and every error within its tolerance."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def page_rows():
    """{problem: {(quantity, mesh): (error, tolerance)}} of the tables."""
    problem, found = None, {}
    for line in (ROOT / "docs" / "verification.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            problem = line[3:]
            found[problem] = {}
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if problem and len(cells) == 7 and cells[0] != "quantity" and set(cells[0]) != {"-"}:
            found[problem][cells[0], cells[1]] = cells[4], cells[5]
    return found


def value(text):
    return float(text.rstrip(" %")) / (100.0 if text.endswith("%") else 1.0)


def test_every_error_on_the_page_is_within_its_tolerance():
    rows = page_rows()
    assert len(rows) >= 15
    for problem, table in rows.items():
        assert table, problem
        for key, (error, tolerance) in table.items():
            assert abs(value(error)) <= value(tolerance) * 1.01, (problem, key)


def test_every_plot_of_the_page_is_there():
    text = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")
    plots = re.findall(r"\(images/(convergence-[^)]+\.png)\)", text)
    assert len(plots) >= 5
    assert sorted(plots) == sorted(path.name for path in (ROOT / "docs" / "images").glob("convergence-*.png"))


def titles():
    """First lines of the modules in tests/verification."""
    modules = (ROOT / "tests" / "verification").glob("test_*.py")
    return {
        ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).split("\n")[0].rstrip(".") for path in modules
    }


def test_the_page_has_what_the_tests_record(tmp_path):
    numbers = tmp_path / "numbers.json"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/verification", "-q", "-n", "0", "--verification-json", str(numbers)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    rows = page_rows()
    for entry in json.loads(numbers.read_text(encoding="utf-8")):
        assert (entry["quantity"], entry["mesh"]) in rows.get(entry["problem"], {}), (
            entry["problem"],
            entry["quantity"],
        )
    assert {problem for problem in rows if problem.startswith("VP-")} <= titles()
