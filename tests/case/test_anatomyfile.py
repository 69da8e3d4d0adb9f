"""What lies at a path: a surface, a label map, a mesh, an imported folder, or nothing."""

from pathlib import Path

import pytest

from sacrofem import cli
from sacrofem.case.anatomyfile import anatomy_keys
from sacrofem.errors import InputError


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.STL", "surface"), ("a.ply", "surface"), ("a.nii.gz", "labels"), ("a.nrrd", "labels"), ("a.vtu", "mesh")],
)
def test_kind_by_name(tmp_path, name, kind):
    (tmp_path / name).touch()
    assert anatomy_keys(tmp_path / name) == {"kind": kind, "path": str((tmp_path / name).resolve())}


def test_what_the_command_line_adds(tmp_path):
    (tmp_path / "a.nii").touch()
    keys = anatomy_keys(tmp_path / "a.nii", ct=Path("ct.nii"), units="mm", labels=("25", "vertebrae_S1"))
    assert keys["labels"] == (25, "vertebrae_S1")
    assert Path(keys["ct"]).is_absolute()


@pytest.mark.parametrize("label", ["²", "٣", "-1", "9" * 5000])
def test_what_looks_like_a_number_and_is_none_stays_a_name(tmp_path, label):
    (tmp_path / "a.nii").touch()
    assert anatomy_keys(tmp_path / "a.nii", labels=(label,))["labels"] == (label,)


def test_options_of_a_ct(tmp_path):
    (tmp_path / "a.nii").touch()
    keys = anatomy_keys(tmp_path / "a.nii", ct=tmp_path, ct_series="4", ct_offset_hu=-1024.0)
    assert (keys["ct_series"], keys["ct_offset_hu"]) == (4, -1024.0)
    assert anatomy_keys(tmp_path / "a.nii", ct=tmp_path, ct_series="1.2.840")["ct_series"] == "1.2.840"


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_nul_in_a_path_is_refused(tmp_path, capsys, at):
    (tmp_path / "a.nii").touch()
    words = [str(tmp_path / "a.nii"), str(tmp_path / "ct.nii"), str(tmp_path / "out")]
    words[at] += "\0b"
    assert cli.main(["import", words[0], "--ct", words[1], "--out", words[2]]) == 2
    assert "holds a NUL" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_imported_folder(tmp_path):
    (tmp_path / "case.toml").write_text('schema = 1\n[anatomy]\nkind = "surface"\npath = "source.stl"\n')
    assert anatomy_keys(tmp_path)["path"] == str(tmp_path / "source.stl")


def test_nothing_there(tmp_path, capsys):
    with pytest.raises(InputError, match="holds no imported sacrum"):
        anatomy_keys(tmp_path)
    for command in (["compare", "--anatomy", "x.stl"], ["import", "x.stl", "--out", str(tmp_path / "out")]):
        assert cli.main(command) == 2
        assert "no such file" in capsys.readouterr().err
    (tmp_path / "m.vtu").touch()
    assert cli.main(["import", str(tmp_path / "m.vtu"), "--out", str(tmp_path / "out")]) == 2
    assert "is no surface and no label map" in capsys.readouterr().err
    assert cli.main(["check", "--ct", "ct.nii"]) == 2
    assert "does not take it" in capsys.readouterr().err
