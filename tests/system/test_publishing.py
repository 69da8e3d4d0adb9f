"""One way into place for every file: whole or not at all, with the permissions of any other file."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.figure
import pytest

import sacrofem
from sacrofem import cli
from sacrofem.errors import EnvironmentFailure
from sacrofem.report.figures.drawing import save_figure
from sacrofem.system.files import UNFINISHED, Publisher, json_text, replace_file

STEPS = ("create", "write", "sync", "replace", "sync_folder")


@pytest.mark.parametrize("content", ["µm\n", "µm\n".encode(), lambda temporary: temporary.write_text("µm\n", "utf-8")])
def test_text_bytes_and_what_fills_a_file(content, tmp_path):
    replace_file(tmp_path / "a.txt", content)
    assert (tmp_path / "a.txt").read_bytes() == "µm\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_fills_a_file_sees_its_ending(tmp_path):
    seen = []
    replace_file(tmp_path / "a.nii.gz", lambda temporary: seen.append(temporary))
    assert seen[0].parent == tmp_path
    assert seen[0].name.startswith(UNFINISHED)
    assert seen[0].name.endswith("a.nii.gz")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_any_step_leaves_a_whole_file_and_nothing_else(step, error, tmp_path, monkeypatch):
    def failing(self, *given):
        raise error

    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(Publisher, step, failing)
    with pytest.raises(EnvironmentFailure if isinstance(error, OSError) else KeyboardInterrupt):
        replace_file(path, "new")
    # The name stands before the folder is synced.
    assert path.read_text() == ("new" if step == "sync_folder" else "old")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_writer_that_fails_half_way(tmp_path):
    def half(temporary):
        temporary.write_text("ne")
        raise ValueError("no more")

    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(ValueError, match="no more"):
        replace_file(tmp_path / "a.txt", half)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(EnvironmentFailure, match=r"absent.a\.txt: cannot be written \(No such file"):
        replace_file(tmp_path / "absent" / "a.txt", "")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077])
def test_permissions_are_those_that_the_process_has_now(mask, tmp_path):
    """In a process of its own: the mask is that of all threads."""
    code = (
        "import os, sys; from pathlib import Path; from sacrofem.system.files import replace_file\n"
        f"os.umask({mask}); replace_file(Path(sys.argv[1]) / 'a', 'x'); (Path(sys.argv[1]) / 'b').write_text('x')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a").symlink_to(tmp_path / "mine")
    replace_file(tmp_path / "a", "new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "a").is_symlink()


def test_a_figure_that_cannot_be_drawn_leaves_the_old_one(tmp_path, monkeypatch):
    def torn(self, path, **given):
        Path(path).write_bytes(b"half")
        raise ValueError("no")

    (tmp_path / "a.png").write_bytes(b"old")
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", torn)
    with pytest.raises(ValueError, match="no"):
        save_figure(matplotlib.figure.Figure(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_case_file_is_whole_or_absent(tmp_path, monkeypatch, capsys):
    def full(self, temporary):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Publisher, "sync", full)
    assert cli.main(["init", str(tmp_path / "case.toml")]) == 5
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_json_is_readable_and_refuses_what_is_no_number():
    assert json_text({"a": "µ"}, indent=1) == '{\n "a": "µ"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"a": float("nan")})


def _calls(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_there_is_no_second_way_into_place():
    """Elsewhere in the package text is written only into the stage of a result folder."""
    package = Path(sacrofem.__file__).parent
    renames = {"os.replace", "os.rename", "os.umask", "os.chmod", "tempfile.mkstemp", "tempfile.NamedTemporaryFile"}
    found = set()
    for path in package.rglob("*.py"):
        if path == package / "system" / "files.py":
            continue
        for name, node in _calls(path):
            last = name.rpartition(".")[2]
            renamed = last == "rename" or (
                last == "replace" and name != last and len(node.args) == 1 and not node.keywords
            )
            written = last in ("write_text", "write_bytes") and not ast.unparse(node.func).startswith("(stage / ")
            if name in renames or renamed or written:
                found.add(f"{path.relative_to(package)}: {ast.unparse(node)}")
    assert found == set()


def test_the_mask_of_the_process_is_never_touched(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("all threads share it"))
    replace_file(tmp_path / "a", "x")
