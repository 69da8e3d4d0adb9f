"""The README's script runs as it stands, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")


def test_the_script_runs(capsys):
    script, _ = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len([line for line in script.splitlines() if line.strip()]) <= 15
    exec(compile(script, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert re.search(r"micromotion_mean_um: \S+ -> \S+ -> \S+ \(-\d+%\)", out)
    assert "3.00 ml placed" in out


@pytest.mark.slow
def test_the_script_of_many_plans_runs(capsys):
    _, script = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(script, "README.md", "exec"), {})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [float(volume) for volume, _ in lines] == [1.0, 2.0, 4.0]
    assert all(float(change) < 0.0 for _, change in lines)


def test_pictures_exist_and_every_measure_is_explained():
    for path in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT):
        assert (README.parent / path).is_file(), path
    assert "<!--" not in TEXT


def test_the_two_commands_are_those_that_ci_runs():
    commands = re.findall(r"```sh\n(.*?)\n```", TEXT, flags=re.DOTALL)
    assert commands == ["pip install . && sacrofem compare", 'pip install ".[test]" && pytest']


@pytest.mark.parametrize("word", ["Research use, not a medical device"])
def test_limits_are_said(word):
    assert word in TEXT
