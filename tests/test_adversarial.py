"""A seeded share of `adversarial.py`; the full counts are that script's."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from random_input import FIELDS, STUDY, case_texts, damaged, seeds_of_damage

from sacrofem.case.case import Case
from sacrofem.case.fields import keys, section_in
from sacrofem.case.unused import idle_keys, unused_keys
from sacrofem.errors import InputError
from sacrofem.study.design import read_study

QUIET = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


def read(text, folder, kind):
    """What a file gives, or the one line by which it is refused."""
    path = folder / "f.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return Case.from_toml(path) if kind == "case" else read_study(path)
    except InputError as error:
        said = str(error).replace(str(folder), "")
        assert len(said) < 400, said
        assert said.isprintable()
        return None


@seed(0)
@settings(max_examples=60, **QUIET)
@given(text=case_texts())
def test_random_cases_are_read_and_written_back_or_refused_in_a_line(text, tmp_path_factory):
    case = read(text, tmp_path_factory.getbasetemp(), "case")
    if case is not None:
        assert Case.from_dict(case.to_dict()) == case
        assert read(case.to_toml(comments=True), tmp_path_factory.getbasetemp(), "case") == case
        assert all(text.split(" = ")[0] in idle_keys(case) for text in unused_keys(case))


def test_random_cases_come_to_every_key():
    """But those that name files, and those that would cost minutes."""
    every = {
        (name, key)
        for name, info in keys(Case).items()
        if (model := section_in(info.annotation))
        for key in keys(model)
    }
    files = {("anatomy", "path"), ("anatomy", "landmarks_file")}
    assert every - FIELDS.keys() == files | {("mesh", "fracture_size_mm"), ("fracture", "surfaces")}


@pytest.mark.parametrize("place", range(len(seeds_of_damage())))
def test_damaged_files_are_read_or_refused_in_a_line(place, tmp_path):
    kind, text = seeds_of_damage()[place]
    assert read(text, tmp_path, kind) is not None

    @seed(place)
    @settings(max_examples=30, **QUIET)
    @given(example=damaged(text))
    def check(example):
        read(example, tmp_path, kind)

    check()


def test_the_study_of_the_interrupts_is_sound(tmp_path):
    assert len(read(STUDY, tmp_path, "study").scenarios) == 6


@pytest.mark.slow
@pytest.mark.parametrize(("only", "share"), [("cases", 0.02), ("files", 0.1), ("interrupts", 0.02)])
def test_a_share_in_processes_of_their_own(only, share):
    script = Path(__file__).parent / "adversarial.py"
    words = [sys.executable, str(script), "--share", str(share), "--seed", "1", "--only", only]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
