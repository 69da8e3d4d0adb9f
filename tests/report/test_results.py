import json
import os
import subprocess
import sys

import pytest

from sacrofem import cli
from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.system.files import UNFINISHED, sha256
from sacrofem.system.folders import check_folder, manifest_of, result_folder


def write(folder, **files):
    with result_folder(folder, seconds=1.5) as stage:
        for name, text in files.items():
            (stage / name).write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_result_carries_a_manifest_with_hashes(tmp_path):
    folder = tmp_path / "a" / "b"
    write(folder, one="1", two="22")
    assert names(folder) == ["manifest.json", "one", "two"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seconds"] == 1.5
    assert manifest["versions"]["sacrofem"]
    assert manifest["files"]["two"] == {"sha256": sha256(folder / "two"), "bytes": 2}
    assert manifest_of(folder) is not None


def test_failure_leaves_an_earlier_result_whole(tmp_path):
    write(tmp_path, one="old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ZeroDivisionError), result_folder(tmp_path) as stage:  # noqa: PT012
        (stage / "one").write_text("new")
        raise ZeroDivisionError
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_renewal_replaces_ours_and_keeps_the_rest(tmp_path):
    write(tmp_path, one="old", gone="old")
    (tmp_path / "notes.txt").write_text("mine")
    write(tmp_path, one="new")
    assert names(tmp_path) == ["manifest.json", "notes.txt", "one"]
    assert (tmp_path / "one").read_text() == "new"


def test_an_edited_manifest_cannot_delete_elsewhere(tmp_path):
    folder, other = tmp_path / "out", tmp_path / "thesis.txt"
    other.write_text("mine")
    write(folder, one="1")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../thesis.txt"] = {}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    write(folder, one="2")
    assert other.read_text() == "mine"


def test_full_disk_is_the_environment(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EnvironmentFailure, match="No space left"):
        write(tmp_path / "out", one="1")
    assert names(tmp_path) == []


def test_folder_may_be_absent_empty_or_ours(tmp_path):
    check_folder(tmp_path / "absent" / "deep")
    check_folder(tmp_path)
    write(tmp_path, one="1")
    check_folder(tmp_path)
    assert not (tmp_path / "absent").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from sacrofem.system import folders
from sacrofem.system.files import Publisher

folder, most, earlier = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"

def write():
    with folders.result_folder(folder, of="a") as stage:
        for name in ("one", "two", "gone"):
            (stage / name).write_text(name)
        if most < 0:
            os.kill(os.getpid(), signal.SIGKILL)

class Killed(Publisher):
    moved = 0
    def replace(self, temporary, path):
        if Killed.moved == most:
            os.kill(os.getpid(), signal.SIGKILL)
        super().replace(temporary, path)
        Killed.moved += 1

if earlier:
    count, most = most, 99
    write()
    most = count
folders.Publisher = Killed
write()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("moved", [-1, 0, 1, 3])
def test_a_kill_at_any_moment_leaves_a_folder_that_can_be_written_again(moved, earlier, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, out, str(moved), str(earlier)]
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    assert any(name.startswith(UNFINISHED) for name in names(out))
    check_folder(out, of="a")
    write(out, one="1")
    # What the killed run had moved already goes too.
    assert names(out) == ["manifest.json", "one"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks")
def test_what_another_run_is_writing_stays(tmp_path):
    with result_folder(tmp_path) as stage:
        (stage / "one").write_text("first")
        write(tmp_path, one="second")
        assert stage.is_dir()
    assert (tmp_path / "one").read_text() == "first"


def test_the_result_of_something_else_needs_overwrite(tmp_path):
    with result_folder(tmp_path, of="a") as stage:
        (stage / "one").write_text("1")
    check_folder(tmp_path, of="a")
    with pytest.raises(InputError, match="holds another result"):
        check_folder(tmp_path, of="b")
    check_folder(tmp_path, of="b", overwrite=True)


def test_a_file_that_somebody_changed_is_not_cleared_away(tmp_path):
    write(tmp_path, one="1", two="2", three="3")
    (tmp_path / "two").write_text("with my notes")
    write(tmp_path, one="1")
    assert names(tmp_path) == ["manifest.json", "one", "two"]


@pytest.mark.parametrize(
    "manifest",
    ["[]", "5", "null", '{"versions": 5}', '{"versions": ["sacrofem"], "files": {}}', "[" * 5000, "{",
     '{"versions": {"sacrofem": 1}, "files": [1]}', '{"versions": {"sacrofem": 1}}', "1" * 5000],
)  # fmt: skip
def test_a_manifest_of_another_program_is_none_of_ours(manifest, tmp_path):
    (tmp_path / "manifest.json").write_text(manifest)
    assert manifest_of(tmp_path) is None
    with pytest.raises(InputError, match="not ours"):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "..", "a/b", "\ud800"])
def test_strange_names_in_a_manifest_are_left_alone(name, tmp_path):
    write(tmp_path, one="1")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["files"] |= {name: {"sha256": "x"}, "one": 5}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    write(tmp_path, two="2")
    assert names(tmp_path) == ["manifest.json", "one", "two"]


def test_foreign_folder_needs_overwrite(tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(InputError, match="not ours"):
        check_folder(tmp_path)
    check_folder(tmp_path, overwrite=True)


def keys_of(content):
    """Every key of nested data."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from keys_of(value)
    elif isinstance(content, list):
        for value in content:
            yield from keys_of(value)


@pytest.mark.slow
def test_equal_runs_leave_equal_numbers_and_each_a_manifest_of_its_own(tmp_path, capsys):
    case = tmp_path / "case.toml"
    case.write_text('preset = "sif-unilateral"\n[mesh]\nreference = "tiny"\norder = 1\n')
    manifests = []
    for name in ("one", "two"):
        assert cli.main(["compare", str(case), "--out", str(tmp_path / name), "--json"]) == 0
        manifests.append(json.loads((tmp_path / name / "manifest.json").read_text()))
    one, two = ({name: entry["sha256"] for name, entry in m["files"].items()} for m in manifests)
    assert one["comparison.json"] == two["comparison.json"]
    # The report says how long it took; all else is the result.
    assert {name for name in one if one[name] != two[name]} <= {"report.html"}
    content = json.loads((tmp_path / "one" / "comparison.json").read_text())
    # `created`, seconds and memory are of the run; `solver` holds method, iterations and residual alone.
    assert not {key for key in keys_of(content) if any(word in key for word in ("seconds", "peak", "created", "date"))}
    assert set(content["solver"]) == {"method", "iterations", "residual"}
    for manifest in manifests:
        assert 0 < manifest["solver_seconds"] < manifest["seconds"]
        assert manifest["peak_memory_mib"] > 0
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert 'data-path="run/solver_seconds"' in page
