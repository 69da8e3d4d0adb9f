"""What may go wrong around a sound case: disk, memory, interrupts, and a solver that gives up."""

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from refusals import contents, refused

import sacrofem.specimen.compare
import sacrofem.specimen.specimen
from sacrofem import cli
from sacrofem.case.case import Case
from sacrofem.case.identity import identity
from sacrofem.errors import InputError, SolverError
from sacrofem.report import results
from sacrofem.system import memory

compare_module = sys.modules["sacrofem.specimen.compare"]


MEAN = {"micromotion_mean_um": 1.0}


@dataclass
class Result:
    """Just what is printed, and what bands are attached to."""

    case: Case
    before: dict = field(default_factory=MEAN.copy)
    after: dict = field(default_factory=MEAN.copy)
    change: dict = field(default_factory=MEAN.copy)
    mesh_band: dict | None = None
    input_range: dict | None = None
    bands: dict = field(default_factory=dict)
    intact: dict | None = None
    warnings: tuple = ()

    def to_json(self):
        return {"mesh": {"tets": 7, "dofs": 99}, "cement": {}, "bone": {"modulus": {"text": "a law"}}}


@pytest.fixture
def solved(monkeypatch):
    """A solver that is quick, and a result of one file that ``write`` makes."""

    def write(stage):
        (stage / "comparison.json").write_text("new")

    def write_comparison(folder, comparison, *, seconds, inputs):
        with results.result_folder(folder, of=identity("compare", comparison.case)) as stage:
            write_comparison.write(stage)

    write_comparison.write = write
    monkeypatch.setattr(compare_module, "compare", lambda case, **_: Result(case))
    monkeypatch.setattr(results, "write_comparison", write_comparison)
    return write_comparison


def test_disk_full_leaves_the_old_result(solved, tmp_path, capsys):
    arguments = ["compare", "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 0
    assert "written" in capsys.readouterr().out
    before = contents(tmp_path)
    assert Path("out/comparison.json") in before

    def full(stage):
        (stage / "comparison.json").write_text("torn")
        raise OSError(28, "No space left on device")

    solved.write = full
    assert cli.main(arguments) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"error: {tmp_path / 'out'}: cannot be written (No space left on device)"]
    assert contents(tmp_path) == before


@pytest.fixture(autouse=True)
def _interruptible():
    """A job in the background of a script is born with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)


def test_interrupt_while_the_result_is_written(solved, tmp_path, capsys):
    solved.write = interrupt
    assert cli.main(["compare", "--out", str(tmp_path / "out")]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", "interrupted: nothing was written\n")
    assert contents(tmp_path) == {}


def test_interrupt_while_files_are_renamed(solved, tmp_path, capsys, monkeypatch):
    """It waits for the last of them, and the message does not say that nothing was written."""
    rename = Path.replace
    monkeypatch.setattr(Path, "replace", lambda *names: (interrupt(), rename(*names))[1])
    assert cli.main(["compare", "--out", str(tmp_path / "out")]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"interrupted: the result in {tmp_path / 'out'} is complete\n")
    assert set(contents(tmp_path)) == {Path("out/comparison.json"), Path("out/manifest.json")}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_results_can_be_written_outside_the_main_thread(tmp_path):
    def write():
        with results.result_folder(tmp_path / "out") as stage:
            (stage / "comparison.json").write_text("new")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_interrupt_of_a_solve(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(compare_module, "compare", lambda case, **_: interrupt())
    assert cli.main(["compare", "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr() == ("", "interrupted: nothing was written\n")
    assert contents(tmp_path) == {}


def test_solver_that_gives_up(tmp_path, capsys, monkeypatch):
    def stagnated(case, **_):
        raise SolverError("stagnated at a true residual of 3.1e-04")

    monkeypatch.setattr(compare_module, "compare", stagnated)
    assert cli.main(["compare", "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr() == ("", "error: stagnated at a true residual of 3.1e-04\n")
    assert contents(tmp_path) == {}


def test_model_larger_than_the_memory(tmp_path, capsys, monkeypatch):
    """Found before anything is factorised: 73,206 unknowns in a machine of 64 MiB."""
    path = tmp_path / "case.toml"
    path.write_text('[mesh]\nreference = "tiny"\n')
    monkeypatch.setattr(memory, "limit_bytes", lambda memory_gib: 2**26)
    expected = ["73206 unknowns need about 0.2 GiB", "0.1 GiB are allowed", "a larger mesh.size_mm"]
    refused(capsys, tmp_path, ["compare", path, "--out", tmp_path / "out"], *expected, status=5)


def test_a_small_model_fits_this_machine():
    memory.check_unknowns(1000)


@pytest.mark.parametrize("command", ["check", "mesh"])
def test_threads_count_for_every_command(command, tmp_path, monkeypatch):
    import numba

    seen = []

    def case_anatomy(case):
        seen.append((case.solver.threads, numba.get_num_threads()))
        raise InputError("enough", mend="stop")

    monkeypatch.setattr(sacrofem.specimen.specimen, "case_anatomy", case_anatomy)
    out = ["--out", str(tmp_path / "m.vtu")] if command == "mesh" else []
    assert cli.main([command, "--threads", "1", *out]) == 2
    assert seen == [(1, 1)]


@pytest.mark.parametrize(("name", "module"), [("cholmod", "sksparse.cholmod"), ("pardiso", "pypardiso")])
def test_a_solver_that_is_not_installed_is_refused_at_once(name, module, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(sacrofem.specimen.specimen, "case_anatomy", lambda case: pytest.fail("something was built"))
    path = tmp_path / "case.toml"
    path.write_text(f'[solver]\nfactorisation = "{name}"\n')
    refused(capsys, tmp_path, ["check", path], "needs the package", "or leave the key out")
