"""What a study runner promises: nothing finished is lost, torn or done twice, whatever happens to it."""

import csv
import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from cheap_study import Cheap, Deadly
from refusals import refused

from sacrofem import cli
from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.study import runner
from sacrofem.study.design import read_study
from sacrofem.study.executors import _pool
from sacrofem.study.runner import keys_of, run_study, write_table
from sacrofem.study.store import Store, value_of
from sacrofem.system.files import UNFINISHED, Publisher
from sacrofem.system.signals import unheard_by_children

HELPERS = Path(__file__).parents[1] / "helpers"
STEPS = ("create", "write", "sync", "replace", "sync_folder")


def study_file(tmp_path, volumes=4, factors=3):
    path = tmp_path / "study.toml"
    path.write_text(
        'schema = 1\nname = "trial"\npreset = "sif-unilateral"\n[case.mesh]\nreference = "tiny"\norder = 1\n'
        f'[[factors]]\npath = "cement.volume_ml"\nvalues = {[0.5 + k for k in range(volumes)]}\n'
        f'[[factors]]\npath = "materials.density_factor"\nvalues = {[0.5 + 0.25 * k for k in range(factors)]}\n'
    )
    return path


@pytest.fixture
def study(tmp_path):
    return read_study(study_file(tmp_path))


@pytest.fixture
def expected(study, tmp_path):
    """The table of a run that nothing disturbed."""
    run_study(study, tmp_path / "calm", executor="serial", factory=Cheap)
    return (tmp_path / "calm" / "results.csv").read_bytes()


def test_the_table(expected):
    rows = list(csv.DictReader(expected.decode().splitlines()))
    assert len(rows) == 12
    assert list(rows[0]) == [
        "scenario", "cement.volume_ml", "materials.density_factor", "status", "error", "answer", "count",
    ]  # fmt: skip
    for row in rows:
        volume, factor = float(row["cement.volume_ml"]), float(row["materials.density_factor"])
        assert float(row["answer"]) == np.sin(volume) / factor
    assert b"/" not in expected


def test_processes_give_the_same_table(study, tmp_path, expected, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")]))
    outcome = run_study(study, tmp_path / "out", executor="processes", jobs=2, factory=Cheap)
    assert (outcome.done, outcome.failed, outcome.solved) == (12, 0, 12)
    assert (tmp_path / "out" / "results.csv").read_bytes() == expected


@pytest.mark.slow
def test_dask_gives_the_same_table_and_survives_a_worker(study, tmp_path, expected, monkeypatch, caplog):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")]))
    killed = []

    def kill_once(record):
        # Other libraries speak to the same handler.
        told = getattr(record, "scenarios", None)
        if told and told.done >= 2 and not killed:
            pid = int((tmp_path / "log").read_text().split()[2])
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    monkeypatch.setattr(caplog.handler, "emit", kill_once)
    caplog.set_level(logging.INFO, logger="sacrofem")

    monkeypatch.setenv("CHEAP_LOG", str(tmp_path / "log"))
    outcome = run_study(study, tmp_path / "out", executor="dask", jobs=2, factory=Cheap)
    assert outcome.done == 12
    assert killed
    assert (tmp_path / "out" / "results.csv").read_bytes() == expected


def test_running_again_solves_nothing(study, tmp_path, expected):
    run_study(study, tmp_path / "out", executor="serial", factory=Cheap)
    outcome = run_study(study, tmp_path / "out", executor="serial", factory=Cheap)
    assert outcome.solved == 0
    assert (tmp_path / "out" / "results.csv").read_bytes() == expected


def test_the_same_inputs_twice_are_solved_once_and_stand_in_the_table_twice(tmp_path, monkeypatch):
    path = tmp_path / "study.toml"
    row = '[[scenarios]]\n"cement.volume_ml" = {}\n'
    path.write_text(
        'schema = 1\nname = "twins"\n[case.mesh]\nreference = "tiny"\n[design]\nkind = "list"\n'
        + "".join(row.format(volume) for volume in (1.0, 2.0, 1.0, 6.5, 6.5))
    )
    monkeypatch.setenv("CHEAP_LOG", str(tmp_path / "log"))
    outcome = run_study(read_study(path), tmp_path / "out", executor="serial", factory=Cheap)
    assert (outcome.total, outcome.done, outcome.failed, outcome.solved) == (5, 3, 2, 3)
    assert len((tmp_path / "log").read_text().splitlines()) == 3
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows[:3]] == [rows[0]["answer"], rows[1]["answer"], rows[0]["answer"]]
    assert [row["status"] for row in rows] == ["done"] * 3 + ["failed"] * 2
    assert run_study(read_study(path), tmp_path / "out", executor="serial", factory=Cheap).solved == 0
    retried = run_study(read_study(path), tmp_path / "out", executor="serial", factory=Cheap, retry_failed=True)
    assert (retried.failed, retried.solved) == (2, 1)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_at_every_step_of_publishing(study, tmp_path, expected, step, moment):
    """Whatever step of whatever file fails, the next run finishes the study, and no published file is torn."""

    class Crash(BaseException):
        pass

    class Crashing(Publisher):
        left = 7

    def crashing(self, *given):
        type(self).left -= 1
        done = getattr(Publisher, step)(self, *given) if moment == "after" else None
        if type(self).left == 0:
            raise Crash
        return getattr(Publisher, step)(self, *given) if moment == "before" else done

    setattr(Crashing, step, crashing)
    folder = tmp_path / "out"
    with pytest.raises(Crash):
        run_study(study, folder, executor="serial", store=Store(folder, Crashing()), factory=Cheap)
    store = Store(folder)
    published = {key for key in keys_of(study).values() if store.path(key).exists()}
    assert published
    assert all(store.read(key) for key in published)
    outcome = run_study(study, folder, executor="serial", factory=Cheap)
    assert outcome.solved == 12 - len(published)
    assert (folder / "results.csv").read_bytes() == expected
    assert not list(folder.rglob(f"{UNFINISHED}*"))


def test_half_a_write_is_no_result(study, tmp_path, expected):
    class Torn(Publisher):
        def write(self, temporary, content):
            temporary.write_text(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "out"
    with pytest.raises(EnvironmentFailure, match="make room"):
        run_study(study, folder, executor="serial", store=Store(folder, Torn()), factory=Cheap)
    assert not list(folder.rglob(f"{UNFINISHED}*"))
    run_study(study, folder, executor="serial", factory=Cheap)
    assert (folder / "results.csv").read_bytes() == expected


def test_a_file_with_a_flipped_bit_is_done_again(study, tmp_path, expected):
    folder = tmp_path / "out"
    run_study(study, folder, executor="serial", factory=Cheap)
    victim = Store(folder).path(next(iter(keys_of(study).values())))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    assert run_study(study, folder, executor="serial", factory=Cheap).solved == 1
    assert (folder / "results.csv").read_bytes() == expected


def test_failed_scenarios_are_rows_and_retried_on_request(tmp_path):
    study = read_study(study_file(tmp_path, volumes=8, factors=1))
    folder = tmp_path / "out"
    outcome = run_study(study, folder, executor="serial", factory=Cheap)
    assert (outcome.done, outcome.failed) == (7, 1)
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    assert [row["error"] for row in rows if row["status"] == "failed"] == ["InputError: too much"]
    assert run_study(study, folder, executor="serial", factory=Cheap).solved == 0
    assert run_study(study, folder, executor="serial", factory=Cheap, retry_failed=True).solved == 1


@pytest.mark.slow
def test_a_scenario_that_kills_its_worker_is_a_failed_row(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")]))
    path = tmp_path / "study.toml"
    path.write_text(
        'schema = 1\nname = "t"\npreset = "sif-unilateral"\n[[factors]]\npath = "cement.volume_ml"\n'
        'values = [1.0, 2.0]\n[[factors]]\npath = "materials.density_factor"\nvalues = [1.0, 1.1]\n'
    )
    outcome = run_study(read_study(path), tmp_path / "out", executor="processes", jobs=2, factory=Deadly)
    assert (outcome.done, outcome.failed) == (3, 1)
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert {row["cement.volume_ml"] for row in rows if row["status"] == "failed"} == {"2.0"}


def test_a_second_runner_stops_at_once(study, tmp_path):
    folder = tmp_path / "out"
    store = Store(folder)
    store.prepare()
    with store.locked():
        code = (
            "import sys; from pathlib import Path; from sacrofem import cli; "
            "sys.exit(cli.main(['study', 'run', sys.argv[1], '--out', sys.argv[2], '--executor', 'serial']))"
        )
        before = sorted(folder.rglob("*"))
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "study.toml"), str(folder)], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 5
        assert f"pid {os.getpid()}" in done.stderr
        assert done.stdout == ""
        assert sorted(folder.rglob("*")) == before
        assert store.runner() is not None
    assert store.runner() is None


def _start(path, folder, log):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HELPERS), str(HELPERS.parents[1]), os.environ.get("PYTHONPATH", "")]),
        "CHEAP_LOG": str(log),
    }
    return subprocess.Popen(
        [sys.executable, str(HELPERS / "cheap_study.py"), str(path), str(folder), "processes", "2"],
        env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def _children(pid):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(stat[2]) == pid and int(entry.name) != pid:  # of its process group
                found.append(int(entry.name))
    return found


def _alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in _state(pid)]


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def kill_and_resume(tmp_path, kills, seed):
    """Kill a study at random moments until it was killed so often, then let it finish; its outcome in numbers."""
    path = study_file(tmp_path, volumes=10, factors=6)
    study = read_study(path)
    keys = set(keys_of(study).values())
    run_study(study, tmp_path / "calm", executor="serial", factory=Cheap)
    calm = (tmp_path / "calm" / "results.csv").read_bytes()
    rng = np.random.default_rng(seed)
    done_kills = finished = lost = repeated = orphans = torn = 0
    round_number = 0
    while done_kills < kills:
        round_number += 1
        folder, log = tmp_path / f"out{round_number}", tmp_path / f"log{round_number}"
        store = Store(folder)
        while True:
            known = {key for key in keys if store.read(key)} if folder.exists() else set()
            torn += sum(store.path(key).exists() and store.read(key) is None for key in keys)
            log.write_text("")
            process = _start(path, folder, log)
            try:
                output, _ = process.communicate(timeout=float(rng.uniform(0.8, 3.5)) if done_kills < kills else None)
                assert process.returncode == 0, process.returncode
                evaluated = len(log.read_text().splitlines())
                repeated += max(0, evaluated - (len(keys) - len(known)))
                assert int(output.split()[3]) == len(keys) - len(known)
                break
            except subprocess.TimeoutExpired:
                mode = ("group", "parent", "worker")[int(rng.integers(3))]
                workers = _children(process.pid)
                if mode == "group":
                    os.killpg(process.pid, signal.SIGKILL)
                elif mode == "parent":
                    os.kill(process.pid, signal.SIGKILL)
                elif workers:
                    os.kill(int(rng.choice(workers)), signal.SIGKILL)
                if mode == "worker":
                    # The parent goes on with a new worker, or says that it cannot.
                    process.communicate()
                process.wait()
                process.stdout.close()
                end = time.monotonic() + 2.0
                while _alive(workers) and time.monotonic() < end:
                    time.sleep(0.05)
                orphans += len(_alive(workers))
                done_kills += 1
                now = {key for key in keys if store.read(key)}
                lost += len(known - now)
                repeated_now = len(log.read_text().splitlines()) - len(now - known)
                # What was evaluated and not published when the blow fell: no more than one a worker.
                assert repeated_now <= 2 + 2 * (mode == "worker")
        finished += 1
        assert (folder / "results.csv").read_bytes() == calm
        assert not list(folder.rglob(f"{UNFINISHED}*"))
    return {"kills": done_kills, "finished": finished, "lost": lost, "torn": torn, "repeated": repeated,
            "orphans": orphans}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_twenty_kills(tmp_path):
    found = kill_and_resume(tmp_path, 20, seed=11)
    assert found["kills"] == 20
    assert found["finished"] >= 1
    assert (found["lost"], found["torn"], found["repeated"], found["orphans"]) == (0, 0, 0, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_broken_pool_can_end_the_workers_that_are_left():
    """Else they go on beside those that take their place, and scenarios are solved twice."""
    with _pool(1) as pool:
        with unheard_by_children():
            worker = pool.submit(os.getpid).result()
            slow = pool.submit(time.sleep, 60)
        os.kill(worker, signal.SIGTERM)
        with pytest.raises(BrokenProcessPool):
            slow.result(timeout=30)


def test_a_full_disk(tmp_path):
    """The kernel's limit on the size of files stands for a full disk: a clear error, and nothing half written."""
    study_file(tmp_path)
    folder = tmp_path / "out"
    code = (
        "import resource, signal, sys; from sacrofem import cli\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "sys.exit(cli.main(['study', 'run', sys.argv[1], '--out', sys.argv[2], '--executor', 'serial']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "study.toml"), str(folder)], capture_output=True, text=True,
        check=False, env=os.environ | {"NUMBA_DISABLE_JIT": "0"},
    )  # fmt: skip
    assert done.returncode == 5
    assert "make room" in done.stderr
    assert not list(folder.rglob(f"{UNFINISHED}*"))


def test_commands(tmp_path, capsys):
    path = study_file(tmp_path, volumes=2, factors=1)
    assert cli.main(["study", "run", str(path), "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    assert "2 scenarios in 1 groups" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert cli.main(["study", "status", str(tmp_path / "out")]) == 2
    study = read_study(path)
    run_study(study, tmp_path / "out", executor="serial", factory=Cheap)
    assert cli.main(["study", "status", str(tmp_path / "out"), "--json"]) == 0
    assert '"done": 2' in capsys.readouterr().out
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    assert cli.main(["study", "run", str(path), "--out", str(tmp_path / "mine")]) == 2
    assert cli.main(["study", "run", str(path), "--out", str(tmp_path / "out"), "--jobs", "0"]) == 2


def test_the_table_can_be_written_again(study, tmp_path, expected):
    folder = tmp_path / "out"
    run_study(study, folder, executor="serial", factory=Cheap)
    (folder / "results.csv").unlink()
    write_table(study, Store(folder))
    assert (folder / "results.csv").read_bytes() == expected


LABELS = ["=cmd|'/C calc'!A0", "@SUM(A1)", "-2+3+cmd|' /C calc'!A0", " =1+1", "\uff1d1+1", "-1+1", "+A1", "'=1", "'"]
PLAIN = ["+1.0 mm", "-5", "-1e-3", "-12 %", "a=b", "3-4", "long"]


def with_labels(path, labels):
    levels = ", ".join(f'{{ label = {json.dumps(x)}, "cement.volume_ml" = {n + 1}.0 }}' for n, x in enumerate(labels))
    path.write_text(f'schema = 1\nname = "f"\n[[factors]]\nname = "plan"\nlevels = [{levels}]\n')
    return path


def test_no_cell_of_the_table_is_a_formula(tmp_path):
    path = with_labels(tmp_path / "study.toml", LABELS + PLAIN)
    run_study(read_study(path), tmp_path / "out", executor="serial", factory=Cheap)
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        cells = [row["plan"] for row in csv.DictReader(file)]
    assert cells == [f"'{label}" for label in LABELS[:-1]] + LABELS[-1:] + PLAIN
    read = [value_of(cell) for cell in cells]
    assert read[: len(LABELS)] == LABELS
    assert read[len(LABELS) :] == ["+1.0 mm", -5, -1e-3, *PLAIN[3:]]


def test_control_characters_in_an_error_do_not_reach_the_table(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    store.table([{"error": "a\x1b[31m\r\n\t=1", "more": "\t=1+1"}], ["error", "more"])
    assert (tmp_path / "results.csv").read_text() == "error,more\na\\x1b[31m\\r\\n\\t=1,\\t=1+1\n"


@pytest.mark.parametrize("label", ['"\\t=1+1"', '"a\\u001b[31m"', "1979-05-27", "[1]", "true", '""'])
def test_a_label_is_a_short_text_or_a_number(label, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(f'schema = 1\nname = "f"\n[[factors]]\nname = "plan"\nlevels = [{{ label = {label} }}]\n')
    with pytest.raises(InputError, match=r"factors\.0\.levels = .*a label is a short text in one line"):
        read_study(path)


def test_labels_differ(tmp_path):
    with pytest.raises(InputError, match="two levels have one label"):
        read_study(with_labels(tmp_path / "study.toml", ["a", "b", "a"]))


@pytest.mark.parametrize(
    "name", ["status", "Scenario", "error", "stiffness_n_per_mm_change", "=x", " -1+1", "\t=1", "'"]
)
def test_a_factor_takes_no_column_of_the_table_and_is_no_formula(name, tmp_path):
    path = tmp_path / "study.toml"
    factor = f'name = {json.dumps(name)}\npath = "cement.volume_ml"\nvalues = [1.0]\n'
    path.write_text(f'schema = 1\nname = "f"\n[[factors]]\n{factor}')
    with pytest.raises(InputError, match=r"factors\.0\.name = .*; name it otherwise"):
        read_study(path)


class Interrupted(Cheap):
    """As `Cheap`, until the third scenario of a process."""

    def __call__(self, cases, places):
        for place, record in super().__call__(cases, places):
            if place == 2:
                raise KeyboardInterrupt
            yield place, record


def test_an_interrupted_study_says_what_is_safe_and_its_report_that_it_is_unfinished(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "_factory", lambda study: Interrupted)
    path, out = study_file(tmp_path, volumes=4, factors=1), tmp_path / "out"
    arguments = ["study", "run", str(path), "--out", str(out), "--executor", "serial"]
    assert cli.main(arguments) == 130
    said = f"interrupted: 2 of 4 scenarios are safe in {out}; the same command goes on\n"
    assert capsys.readouterr() == ("", said)
    assert cli.main(["study", "report", str(out)]) == 0
    assert capsys.readouterr().out.startswith("unfinished: 2 of 4 scenarios are not solved yet\n")
    assert "Unfinished: 2 are not solved yet" in (out / "report.html").read_text()
    with (out / "results.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done", "done", "missing", "missing"]
    monkeypatch.setattr(runner, "_factory", lambda study: Cheap)
    assert cli.main(arguments) == 0
    assert "4 of 4 scenarios done, 0 failed, 2 solved now" in capsys.readouterr().out
    assert cli.main(["study", "report", str(out)]) == 0
    assert "nfinished" not in capsys.readouterr().out + (out / "report.html").read_text()


def test_a_study_without_any_result_has_a_page_that_says_so(tmp_path, monkeypatch, capsys):
    class Nothing(Cheap):
        def __call__(self, cases, places):
            raise KeyboardInterrupt
            yield

    monkeypatch.setattr(runner, "_factory", lambda study: Nothing)
    path, out = study_file(tmp_path, volumes=2, factors=1), tmp_path / "out"
    assert cli.main(["study", "run", str(path), "--out", str(out), "--executor", "serial"]) == 130
    assert "0 of 2 scenarios are safe" in capsys.readouterr().err
    assert cli.main(["study", "report", str(out)]) == 0
    assert "unfinished: 2 of 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", ["[]", "{", "[" * 5000, '{"name": "a", "scenarios": [{"scenario": 1, "key": "../x"}]}']
)
def test_a_foreign_study_json_is_no_study(content, tmp_path, capsys):
    (tmp_path / "study.json").write_text(content)
    for command in ("status", "report"):
        refused(capsys, tmp_path, ["study", command, tmp_path], "study.json: is no study")


def test_a_file_of_ones_own_counts_by_what_is_in_it(tmp_path):
    def keys(folder, moduli):
        folder.mkdir()
        (folder / "moduli.csv").write_text(moduli)
        (folder / "base.toml").write_text('schema = 1\n[materials]\nmoduli = "moduli.csv"\n')
        (folder / "study.toml").write_text(
            'schema = 1\nname = "own"\nbase = "base.toml"\n[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0]\n'
        )
        return keys_of(read_study(folder / "study.toml"))

    first = keys(tmp_path / "a", "0,100.0\n")
    assert keys(tmp_path / "moved", "0,100.0\n") == first
    assert keys(tmp_path / "changed", "0,200.0\n") != first


def test_results_have_the_permissions_of_any_other_file(study, tmp_path):
    (tmp_path / "other").write_text("")
    run_study(study, tmp_path / "out", executor="serial", factory=Cheap)
    for path in [tmp_path / "out" / "results.csv", *(tmp_path / "out" / "scenarios").iterdir()]:
        assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_the_number_of_workers_changes_nothing_on_resuming(study, tmp_path, expected):
    run_study(study, tmp_path / "out", jobs=2, factory=Cheap)
    for path in sorted((tmp_path / "out" / "scenarios").iterdir())[:5]:
        path.unlink()
    run_study(study, tmp_path / "out", jobs=1, factory=Cheap)
    assert (tmp_path / "out" / "results.csv").read_bytes() == expected


def test_another_study_in_the_folder_gets_a_table_of_its_own(study, tmp_path, expected):
    """What both have in common is a case like any other, and is not solved again."""
    other = tmp_path / "other"
    other.mkdir()
    run_study(read_study(study_file(other, volumes=2)), tmp_path / "out", executor="serial", factory=Cheap)
    assert run_study(study, tmp_path / "out", executor="serial", factory=Cheap).solved == 6
    assert (tmp_path / "out" / "results.csv").read_bytes() == expected
