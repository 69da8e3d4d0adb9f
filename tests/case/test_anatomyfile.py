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
