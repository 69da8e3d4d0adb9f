"""The reference cases reproduce their baselines, through the comparer of `sacrofem verify`."""

import json

import pytest

from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.study import regression

QUICK = [case for case in regression.CASES if case.quick]
SLOW = [case for case in regression.CASES if not case.quick]


def _differences(reference):
    path = regression.baselines_folder() / f"{reference.name}.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    found = regression.values_of(reference)
    assert found["sha256"] == stored["sha256"], "the reference mesh is not the one of the baseline"
    return [str(d) for d in regression.compared(reference.name, stored, found)]


@pytest.mark.parametrize("reference", QUICK[:1], ids=lambda r: r.name)
def test_quick_baselines(reference):
    assert _differences(reference) == []


@pytest.mark.slow
@pytest.mark.parametrize("reference", [*QUICK[1:], *SLOW], ids=lambda r: r.name)
def test_slow_baselines(reference):
    assert _differences(reference) == []


@pytest.mark.parametrize("reference", QUICK, ids=lambda r: r.name)
def test_calculix_has_the_same_values(reference):
    """Every measure of every state, as `meshes/crosscheck.py` stored them (its seven digits: 1e-5)."""
    stored = json.loads((regression.baselines_folder() / f"{reference.name}.json").read_text(encoding="utf-8"))
    other = stored["calculix"]
    assert other["sha256"] == stored["sha256"], "the mesh has changed: run meshes/crosscheck.py --write"
    assert set(other["values"]) == {key for key in stored["values"] if not key.startswith("cement.")}
    ours, theirs = (
        {"values": {key: {"value": value, "tolerance": other["tolerance"]} for key, value in values}}
        for values in (((key, stored["values"][key]["value"]) for key in other["values"]), other["values"].items())
    )
    assert [str(d) for d in regression.compared(reference.name, ours, theirs)] == []
    assert other["tolerance"] <= 1e-5


def test_a_difference_is_found_and_named():
    stored = {"values": {"before.slip_mean_um": {"value": 100.0, "tolerance": 1e-7}}}
    found = {"values": {"before.slip_mean_um": {"value": 100.001, "tolerance": 1e-7}}}
    (difference,) = regression.compared("case", stored, found)
    assert "case: before.slip_mean_um is 100.001, stored 100.0" in str(difference)
    assert list(regression.compared("case", stored, stored)) == []
    missing = list(regression.compared("case", stored, {"values": {}}))
    assert len(missing) == 1
    assert missing[0].found is None


def test_noise_in_what_is_zero_by_symmetry_is_no_difference():
    stored = {
        "values": {
            "before.slip_mean_um": {"value": 100.0, "tolerance": 1e-7},
            "before.opening_mean_um": {"value": 0.0, "tolerance": 1e-7},
        }
    }
    found = json.loads(json.dumps(stored))
    found["values"]["before.opening_mean_um"]["value"] = 1e-6
    assert list(regression.compared("case", stored, found)) == []


def test_baselines_change_only_on_purpose(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="--reason"):
        regression.run(update=True)
    monkeypatch.setattr(regression, "reference_folder", lambda: tmp_path / "_meshes")
    with pytest.raises(EnvironmentFailure, match="only in a checkout"):
        regression.run(update=True, reason="try")


def test_an_update_stores_what_changed_and_what_is_new_and_logs_it(tmp_path, monkeypatch):
    folder = tmp_path / "meshes"
    (folder / "baselines").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(regression, "reference_folder", lambda: folder)
    monkeypatch.setattr(regression, "CASES", regression.CASES[:1])
    values = {"before.slip_mean_um": {"value": 100.0, "tolerance": 1e-7}}
    monkeypatch.setattr(regression, "values_of", lambda reference: {"sha256": "a", "values": dict(values)})
    path, log = (folder / "baselines" / f"{name}.json" for name in (regression.CASES[0].name, "log"))

    assert [d.found for d in regression.run(update=True, reason="first")] == [100.0]
    assert regression.run() == []
    calculix = {"version": "2.20", "values": {"before.slip_mean_um": 100.0}}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"calculix": calculix}))
    values["before.slip_mean_um"] = {"value": 101.0, "tolerance": 1e-7}
    values["after.yield_load_n"] = {"value": 7.0, "tolerance": 1e-7}
    assert len(regression.run()) == 2
    stored = path.read_bytes()
    assert len(regression.run(update=True, reason="second")) == 2
    assert path.read_bytes() != stored
    assert json.loads(path.read_text())["calculix"] == calculix
    assert regression.run() == []
    assert regression.run(update=True, reason="nothing changes") == []
    history = json.loads(log.read_text())
    assert [entry["reason"] for entry in history] == ["first", "second"]
    assert history[0]["cases"][0]["changed"] == {}
    changed = {"after.yield_load_n": [None, 7.0], "before.slip_mean_um": [100.0, 101.0]}
    assert history[1]["cases"][0]["changed"] == changed


def test_an_update_that_fails_halfway_changes_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "meshes"
    (folder / "baselines").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(regression, "reference_folder", lambda: folder)

    def values_of(reference):
        if reference is regression.CASES[1]:
            raise KeyboardInterrupt
        return {"sha256": "a", "values": {"before.slip_mean_um": {"value": 1.0, "tolerance": 1e-7}}}

    monkeypatch.setattr(regression, "values_of", values_of)
    with pytest.raises(KeyboardInterrupt):
        regression.run(update=True, reason="try")
    assert list((folder / "baselines").iterdir()) == []


def test_every_baseline_has_a_case_and_an_entry_in_the_log():
    folder = regression.baselines_folder()
    names = {path.stem for path in folder.glob("*.json")} - {"log"}
    assert names == {case.name for case in regression.CASES}
    log = json.loads((folder / regression.LOG).read_text(encoding="utf-8"))
    assert names <= {entry["case"] for change in log for entry in change["cases"]}
    assert all(change["reason"].strip() for change in log)
