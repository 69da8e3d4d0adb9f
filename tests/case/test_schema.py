"""Files of an older schema: read under the new names, each translation said, and nothing else changed."""

import copy
import pickle

import pytest

from sacrofem import Case
from sacrofem.case.problems import CaseError
from sacrofem.case.schema import RENAMED, SCHEMA, translated, translated_study
from sacrofem.case.tomlfile import emit_toml
from sacrofem.specimen.specimen import Specimen
from sacrofem.study.design import read_study, study_of

OLD = """schema = 1
[mesh]
reference = "tiny"
order = 1
[load]
kind = "free"
force_n = 500
point = [0, 1.5, 2]
moment = [5000, 0, -250.0]
"""
NEW = OLD.replace("schema = 1", "schema = 2").replace("point =", "point_mm =")
NEW = NEW.replace("moment = [5000, 0, -250.0]", "moment_n_m = [5, 0, -0.25]")


@pytest.fixture
def cases(tmp_path):
    for name, text in (("old", OLD), ("new", NEW)):
        (tmp_path / f"{name}.toml").write_text(text)
    return Case.from_toml(tmp_path / "old.toml"), Case.from_toml(tmp_path / "new.toml")


def test_an_old_file_is_the_new_case_and_says_what_was_translated(cases):
    old, new = cases
    assert old == new
    assert hash(old) == hash(new)
    assert old.load.moment_n_m == (5.0, 0.0, -0.25)
    assert old.to_dict() == new.to_dict()
    assert old.to_dict()["schema"] == SCHEMA
    assert new.translations == ()
    assert len(old.translations) == 2
    assert "load.moment is load.moment_n_m now (N m, was N mm)" in old.translations[1]


def test_notes_stay_with_copies_and_reach_the_result(cases):
    old, _ = cases
    for copied in (old.with_(cement__volume_ml=3.0), copy.deepcopy(old), pickle.loads(pickle.dumps(old))):
        assert copied.translations == old.translations
    specimen = Specimen(old)
    assert list(old.translations) == list(specimen.notes[:2])
    assert specimen.loading.resultant.moment.tolist() == [5000.0, 0.0, -250.0]


def test_what_is_not_stated_is_of_this_version():
    assert Case.from_dict({"load": {"moment_n_m": [5.0, 0.0, 0.0]}}).load.moment_n_m == (5.0, 0.0, 0.0)
    for version in ({}, {"schema": SCHEMA}):
        with pytest.raises(CaseError, match=r"load\.moment = .*load\.moment_n_m now \(N m, was N mm\)"):
            Case.from_dict({**version, "load": {"moment": [5000.0, 0.0, 0.0]}})


@pytest.mark.parametrize("value", ["x", True, [1, "y", 2], {"a": 1}, [[1, 2], 3], None, float("inf")])
def test_what_is_no_number_is_refused_as_ever(value):
    with pytest.raises(CaseError, match="load"):
        Case.from_dict({"schema": 1, "load": {"moment": value, "point": value}})


def test_old_and_new_name_together_are_refused():
    with pytest.raises(CaseError, match=r"load\.moment"):
        Case.from_dict({"schema": 1, "load": {"moment": [1.0, 0, 0], "moment_n_m": [1.0, 0, 0]}})


def test_a_complete_case_of_schema_1_has_nothing_to_say():
    """Results hold complete cases: what lies at its default was no wish."""
    data = Case().to_dict()
    load = {key: value for key, value in data["load"].items() if key != "moment_n_m"}
    old = Case.from_dict({**data, "schema": 1, "load": {**load, "moment": [0.0, 0.0, 0.0]}})
    assert (old, old.translations) == (Case(), ())


def test_every_renamed_key_is_one_of_the_case():
    known = {f"{section}.{key}" for section, table in Case.model_fields.items()
             for key in getattr(table.annotation, "model_fields", {})}  # fmt: skip
    assert {new.key for new in RENAMED.values()} <= known
    assert not set(RENAMED) & known


def test_a_study_of_schema_1_in_all_the_places_of_a_key(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        'schema = 1\nname = "s"\ncase = { "load.moment" = [100.0, 0.0, 0.0], load = { point = [0.0, 1.0, 2.0] } }\n'
        '[[factors]]\npath = "load.moment"\nvalues = [[1000.0, 0.0, 0.0], [0.0, 2000.0, 0.0]]\n'
        '[[factors]]\nname = "way"\nlevels = [{ label = "a", "load.point" = [0.0, 0.0, 5.0] }, { label = "b" }]\n'
    )
    study = read_study(path)
    assert [s.case.load.moment_n_m for s in study.scenarios] == [(1.0, 0.0, 0.0)] * 2 + [(0.0, 2.0, 0.0)] * 2
    assert [s.case.load.point_mm for s in study.scenarios[:2]] == [(0.0, 0.0, 5.0), (0.0, 1.0, 2.0)]
    assert study.columns == ("load.moment_n_m", "way")
    assert all(len(s.case.translations) == 2 for s in study.scenarios)
    again = study_of(study.to_json(), file=path)
    assert again.digest == study.digest


def test_translating_leaves_new_and_newer_alone():
    for data in ({"schema": 2, "load": {"moment": 1}}, {"schema": 7}, {"schema": True, "load": {"moment": 1}}, {}):
        assert translated(data) == (data, ())
        assert translated_study(data) == (data, ())
    assert emit_toml(translated({"schema": 1, "name": "x"})[0]) == 'schema = 2\nname = "x"\n'
