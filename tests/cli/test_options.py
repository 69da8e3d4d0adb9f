"""Every option acts or is refused: none is taken and does nothing."""

import dataclasses
import tomllib

import pytest
from refusals import refused

from sacrofem import cli
from sacrofem.case.case import Case
from sacrofem.cli.app import CaseOptions, assigned
from sacrofem.errors import InputError
from sacrofem.study.design import read_study

BASE = 'preset = "sif-unilateral"\n[mesh]\nsize_mm = 8.0\nreplicate = 3\n'
ACTING = {
    "preset": ("lytic-focal", lambda case: case.lesion.kind == "focal"),
    "side": ("right", lambda case: case.fracture.side == "right"),
    "volume_ml": (3.0, lambda case: case.cement.volume_ml == 3.0),
    "approach": ("long-axis", lambda case: case.cement.approach == "long-axis"),
    "spread": ("column", lambda case: case.cement.spread == "column"),
    "needles": (2, lambda case: case.cement.needles == 2),
    "stop_at_encroachment": (True, lambda case: case.cement.stop_at_encroachment),
    "reference": (
        "tiny",
        lambda case: (case.mesh.reference, case.mesh.size_mm, case.mesh.replicate) == ("tiny", None, 0),
    ),
    "size": (6.0, lambda case: case.mesh.size_mm == 6.0),
    "order": (1, lambda case: case.mesh.order == 1),
    "threads": (1, lambda case: case.solver.threads == 1),
    "memory_gib": (2.0, lambda case: case.solver.memory_gib == 2.0),
    "set": (("fracture.filler=callus", "cement.needles=3"), lambda case: case.cement.needles == 3),
}
# They need a sacrum of one's own.
OWN = {"anatomy", "ct", "ct_series", "ct_offset_hu", "units", "label"}


def test_no_option_is_forgotten_here():
    assert {field.name for field in dataclasses.fields(CaseOptions)} == ACTING.keys() | OWN


@pytest.mark.parametrize("name", ACTING)
def test_an_option_of_a_case_acts(name, tmp_path):
    value, acts = ACTING[name]
    file = tmp_path / "case.toml"
    file.write_text(BASE)
    assert not acts(CaseOptions().case(file))
    assert acts(CaseOptions(**{name: value}).case(file))


def test_options_of_an_own_sacrum_act(tmp_path):
    (tmp_path / "a.nii").touch()
    (tmp_path / "a.stl").touch()
    (tmp_path / "ct.nii").touch()
    labels = CaseOptions(anatomy=tmp_path / "a.nii", ct=tmp_path / "ct.nii", label=("25", "S1")).case(None).anatomy
    assert (labels.kind, labels.labels, labels.ct) == ("labels", (25, "S1"), str(tmp_path / "ct.nii"))
    assert CaseOptions(anatomy=tmp_path / "a.stl", units="cm").case(None).anatomy.units == "cm"
    file = tmp_path / "case.toml"
    file.write_text('[anatomy]\nkind = "labels"\npath = "a.nii"\n')
    anatomy = CaseOptions(ct=tmp_path / "ct.nii", label=("25", "S1")).case(file).anatomy
    assert (anatomy.labels, anatomy.ct) == ((25, "S1"), str(tmp_path / "ct.nii"))
    of_ct = CaseOptions(ct=tmp_path / "ct.nii", ct_series="2", ct_offset_hu=-1024.0).case(file).anatomy
    assert (of_ct.ct_series, of_ct.ct_offset_hu) == (2, -1024.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "--units", "mm"], "--units = 'mm': does not count: only an own mesh or surface has units"),
        (["check", "--label", "3"], "only a label map takes it"),
        (["check", "--ct", "x.nii"], "does not take it"),
        (["check", "--ct-series", "2"], "needs anatomy.ct"),
        (["check", "--ct-offset-hu", "-1024"], "needs anatomy.ct"),
        (["check", "--size", "6", "--reference", "tiny"], "does not count: mesh.size_mm is given"),
        (["check", "--side", "left", "--preset", "hemisacrum-one-legged", "--needles", "2"], "there is no bolus"),
        (["check", "--preset", "hemisacrum-one-legged", "--stop-at-encroachment"], "there is no bolus"),
        (["check", "--set", "fracture.extent_from=anterior"], "fracture.extent is 1"),
        (["check", "--set", "materials.calibration_hu=[0.0, 1.0]"], "there is no CT"),
        (["check", "--set", "lesion.density_factor=0.2"], "there is no lesion"),
        (["check", "--set", "cement.volume_ml=3", "--volume-ml", "4"], "cement.volume_ml is given by --set too"),
        (["check", "--set", "cement={needles = 2}", "--volume-ml", "4"], "cement.volume_ml is given by --set too"),
        (["check", "--set", "cement.volume_ml"], "is no KEY=VALUE"),
        (["check", "--set", "=3"], "is no KEY=VALUE"),
        (["check", "--set", "cement.needles=1", "--set", "cement.needles=2"], "cement.needles is given twice"),
        (["check", "--set", "preset=lytic-focal"], "use --preset NAME"),
        (["check", "--set", "cement.volume=3"], "did you mean volume_ml?"),
        (["check", "--set", "cement.volume_ml=abc"], "cement.volume_ml = 'abc': must be a number"),
        (["check", "--set", f"cement.needles={'1' * 5000}"], "must be a whole number"),
        (["check", "--set", f"cement.needles={'[' * 3000}"], "must be a whole number"),
        (["check", "--set", "cement.needles=1\ncement.side='left'"], "must be a whole number"),
        (["check", "--set", "cement.injections.0.volume_ml=1"], "cement.injections"),
        (["mesh", "--out", "m.vtu", "--volume-ml", "3"], "--volume-ml = 3.0: does not count: a mesh has none"),
        (["mesh", "--out", "m.vtu", "--approach", "long-axis"], "a mesh has none"),
        (["mesh", "--out", "m.vtu", "--order", "1"], "whatever the order"),
        (["mesh", "--out", "m.vtu", "--set", "load.force_n=10"], "a mesh has none"),
        (["mesh", "--out", "m.vtu", "--set", "solver.tolerance=1e-9"], "nothing is solved"),
        (["deck", "--out", "d.inp", "--volume-ml", "3"], "add --state after"),
        (["deck", "--out", "d.inp", "--set", "solver.method=direct", "--state", "after"], "nothing is solved"),
        (["compare", "--overwrite"], "--overwrite: goes with a place to write to; add --out"),
        (["converge", "--overwrite"], "add --out"),
        (["view", ".", "--overwrite"], "add --png"),
        (["study", "run", "s.toml", "--out", "o", "--executor", "serial", "--jobs", "2"], "--jobs = 2: does not count"),
        (["study", "run", "s.toml", "--out", "o", "--scheduler", "tcp://x"], "does not count with --executor"),
        (["study", "run", "s.toml", "--out", "o", "--set", "cement.volume_ml=3"], "is the study's to say"),
        (["study", "run", "s.toml", "--out", "o", "--set", "cement={volume_ml=3}"], "is the study's to say"),
        (["study", "run", "s.toml", "--out", "o", "--set", "name=x"], "is the study's to say"),
        (["verify", "--reason", "x"], "only a change has one"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_would_do_nothing_is_refused(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(
        'schema = 1\nname = "s"\n[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 2.0]\n'
    )
    line = refused(capsys, tmp_path, words, said)
    assert len(line) < 400


def test_values_are_those_of_a_case_file():
    read = assigned(["a=1", "b = true", "c=[1, 2.5]", "d=callus", 'e="x=y"', "f={g = 1}", "h=x=y", "i=1.5"])
    assert read == {"a": 1, "b": True, "c": [1, 2.5], "d": "callus", "e": "x=y", "f": {"g": 1}, "h": "x=y", "i": 1.5}
    with pytest.raises(InputError, match="is given twice"):
        assigned(["a=1", "a=1"])


def test_files_that_are_set_are_taken_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert assigned(["materials.moduli=m.csv"]) == {"materials.moduli": str(tmp_path / "m.csv")}


def test_set_changes_the_base_of_a_study(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('schema = 1\nname = "s"\n[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 2.0]\n')
    cases = [scenario.case for scenario in read_study(path, {"mesh.reference": "tiny"}).scenarios]
    assert [(case.mesh.reference, case.cement.volume_ml) for case in cases] == [("tiny", 1.0), ("tiny", 2.0)]


def test_a_preset_is_not_told_that_its_own_keys_do_not_count():
    from sacrofem.case.unused import unused_keys

    spot = {"cement.volume_ml": 0.0, "cement.spot": {"radius_mm": 5.0}, "fracture.zone": "zone1"}
    case = Case.preset("lytic-focal").with_(**spot)
    assert case.cement.spread == "ellipsoid"
    assert not any("cement.spread" in text for text in unused_keys(case))
    assert any("cement.spread" in text for text in unused_keys(Case().with_(**spot, **{"cement.spread": "column"})))


def test_what_import_is_told_stands_in_its_case(tmp_path, monkeypatch, capsys):
    from sacrofem.report import importing as written
    from sacrofem.specimen import importing

    seen = []
    monkeypatch.setattr(importing, "import_sacrum", lambda case: seen.append(case) or _stop())
    (tmp_path / "a.stl").touch()
    words = [
        "--volume-ml",
        "3",
        "--side",
        "left",
        "--size",
        "5",
        "--approach",
        "long-axis",
        "--set",
        "anatomy.sex=male",
    ]
    monkeypatch.chdir(tmp_path)
    assert cli.main(["import", "a.stl", "--out", "p", *words]) == 2
    capsys.readouterr()
    (case,) = seen
    assert (case.cement.volume_ml, case.cement.side, case.mesh.size_mm, case.anatomy.sex) == (3.0, "left", 5.0, "male")
    data = tomllib.loads(written.case_text(case, {"kind": "surface", "path": "source.stl"}))
    assert data == {
        "schema": 2,
        "preset": "sif-bilateral",
        "cement": {"volume_ml": 3.0, "side": "left", "approach": "long-axis"},
        "mesh": {"size_mm": 5.0},
        "anatomy": {"kind": "surface", "path": "source.stl", "sex": "male"},
    }
    # Of a scan nobody said a sex of.
    assert "sex" not in written.case_text(case.with_(anatomy__sex="female"), {"kind": "surface"})


def _stop():
    raise InputError("enough", mend="stop")
