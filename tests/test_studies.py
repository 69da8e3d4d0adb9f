"""The studies of published claims: every one has its parts, and its small variant comes out as expected."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sacrofem.study.design import read_study

STUDIES = Path(__file__).resolve().parents[1] / "studies"
CLAIMS = sorted(path.parent for path in STUDIES.glob("*/study.toml"))
VERDICTS = ("reproduced", "partly reproduced", "not reproduced", "cannot be tested here")


@pytest.mark.parametrize("folder", CLAIMS, ids=lambda path: path.name)
def test_parts(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    for heading in ("Claim", "Source", "Set-up", "Outcome", "Verdict"):
        assert f"**{heading}" in text, heading
    assert any(f"**Verdict** {verdict}" in text for verdict in VERDICTS)
    assert f"[{folder.name}]" in (STUDIES / "README.md").read_text(encoding="utf-8")
    rows = (folder / "results.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + len(read_study(folder / "study.toml").scenarios)
    assert (folder / "figure.png").stat().st_size < 300_000
    assert len(read_study(folder / "study-ci.toml").scenarios) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("folder", CLAIMS, ids=lambda path: path.name)
def test_small_variant(folder):
    done = subprocess.run(
        [sys.executable, str(folder / "run.py"), "--ci"], capture_output=True, text=True, check=False,
        env=os.environ | {"MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
