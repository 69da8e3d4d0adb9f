"""The catalogue of bad inputs is complete, and every test that it names exists."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CATALOGUE = tomllib.loads((HERE / "catalogue.toml").read_text(encoding="utf-8"))
COUNTS = {"M": 38, "A": 12, "C": 32, "G": 26, "R": 28}


def named_tests(entry):
    return [entry["test"]] if isinstance(entry["test"], str) else entry["test"]


def test_every_entry_is_there_once():
    assert list(CATALOGUE) == [f"{kind}{n:02d}" for kind, count in COUNTS.items() for n in range(1, count + 1)]
    assert len(CATALOGUE) == 136


@pytest.mark.parametrize("name", CATALOGUE)
def test_entry_says_what_is_done_about_it(name):
    entry = CATALOGUE[name]
    assert set(entry) - {"note"} == {"input", "status", "test" if entry["status"] == "tested" else "why"}
    assert entry["status"] in ("tested", "not applicable")
    assert all(entry.values())


def test_no_more_is_left_out_than_agreed():
    left_out = {name for name, entry in CATALOGUE.items() if entry["status"] == "not applicable"}
    assert left_out == {"A06", "A07", "G15", "G16"}


def test_named_tests_exist_and_are_not_skipped():
    wanted = {test for entry in CATALOGUE.values() if entry["status"] == "tested" for test in named_tests(entry)}
    files = sorted({test.split("::")[0] for test in wanted})
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-n",
        "0",
        "-m",
        "",
        "-p",
        "no:cacheprovider",
        *files,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert wanted - set(done.stdout.splitlines()) == set()
