"""The studies: every one has its parts, and its small variant comes out as expected."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sacrofem.study.design import read_study
from sacrofem.study.sensitivity import KINDS, indices

STUDIES = Path(__file__).resolve().parents[1] / "studies"
FOLDERS = sorted(path.parent for path in STUDIES.glob("*/study.toml"))
# What asks a question of its own has no published claim to judge.
QUESTIONS = ("16_sensitivity",)
VERDICTS = ("reproduced", "partly reproduced", "not reproduced", "cannot be tested here")


def test_no_study_is_left_out():
    """Fifteen claims and a question: every folder is a study, and every number is there."""
    assert sorted(path for path in STUDIES.iterdir() if path.name[0].isdigit()) == FOLDERS
    assert [folder.name[:2] for folder in FOLDERS] == [f"{number:02d}" for number in range(1, 17)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_parts(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    asks = folder.name in QUESTIONS
    for heading in ("Question" if asks else "Claim", "Source", "Set-up", "Outcome"):
        assert f"**{heading}" in text, heading
    assert any(f"**Verdict** {verdict}" in text for verdict in VERDICTS) != asks
    assert f"[{folder.name}]" in (STUDIES / "README.md").read_text(encoding="utf-8")
    rows = (folder / "results.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + len(read_study(folder / "study.toml").scenarios)
    assert (folder / "figure.png").stat().st_size < 300_000
    assert len(read_study(folder / "study-ci.toml").scenarios) <= (8 if asks else 4)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_small_variant(folder):
    done = subprocess.run(
        [sys.executable, str(folder / "run.py"), "--ci"], capture_output=True, text=True, check=False,
        env=os.environ | {"MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text


@pytest.mark.parametrize(("file", "table"), [("study.toml", "results.csv"), ("sobol.toml", "results-sobol.csv")])
def test_the_indices_are_those_of_the_tables(file, table):
    """sensitivity.csv, computed again from the committed tables."""
    pytest.importorskip("SALib")
    folder = STUDIES / "16_sensitivity"
    study = read_study(folder / file)
    assert study.design.kind in KINDS
    with (folder / table).open(encoding="utf-8", newline="") as stream:
        rows = [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(stream)]
    for scenario, row in zip(study.scenarios, rows, strict=True):
        assert scenario.factors == pytest.approx({name: row[name] for name in study.columns}, rel=1e-12)
    with (folder / "sensitivity.csv").open(encoding="utf-8", newline="") as stream:
        stored = {(r["measure"], r["factor"], r["index"]): r for r in csv.DictReader(stream)}
    found = indices(study, rows, sorted({measure for measure, _, _ in stored}))
    assert len(found) >= 24
    for index in found:
        line = stored[index.measure, index.factor, index.index]
        assert index.value == pytest.approx(float(line["value"]), rel=1e-9, abs=1e-12)
        if index.half_width is not None:
            assert index.half_width == pytest.approx(float(line["half_width_95"]), rel=1e-9, abs=1e-12)
