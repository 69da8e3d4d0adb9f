import numpy as np
import pytest

from sacrofem.system import memory


@pytest.fixture
def machine(tmp_path):
    """A /proc with 8000 KiB available and this process at 300 KiB, and an empty tree of control groups."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    groups.mkdir()
    (proc / "meminfo").write_text("MemTotal: 16000 kB\nMemAvailable:    8000 kB\n")
    (proc / "self/status").write_text("Name:\tpython\nVmRSS:\t     300 kB\n")
    return proc, groups


def _group(folder, limit, used, idle=0, version=2):
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {idle}\n")


def test_free_memory_of_the_machine(machine):
    assert memory.available_bytes(*machine) == 8000 * 1024
    assert memory.resident_bytes(machine[0]) == 300 * 1024


@pytest.mark.parametrize(("limit", "expected"), [("max", 8000 * 1024), (5000, 5000 - 2000 + 700), (1000, 0)])
def test_a_container_of_version_two(machine, limit, expected):
    proc, groups = machine
    _group(groups, limit, 2000, 700 if limit != 1000 else 0)
    assert memory.available_bytes(proc, groups) == expected


def test_the_tightest_group_around_the_process_counts(machine):
    proc, groups = machine
    (proc / "self/cgroup").write_text("0::/slice/job\n")
    _group(groups / "slice/job", "max", 10)
    _group(groups / "slice", 6000, 1000)
    _group(groups / "other", 10, 0)
    assert memory.available_bytes(proc, groups) == 5000


@pytest.mark.parametrize(("limit", "expected"), [(2**63 - 4096, 8000 * 1024), (4000, 3000)])
def test_a_container_of_version_one(machine, limit, expected):
    proc, groups = machine
    _group(groups / "memory", limit, 1000, version=1)
    assert memory.available_bytes(proc, groups) == expected


def test_nothing_is_known_where_nothing_can_be_read(tmp_path):
    assert memory.available_bytes(tmp_path, tmp_path) is None


def test_the_limit_is_as_told_or_most_of_what_is_available(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    monkeypatch.setattr(memory, "resident_bytes", lambda: 50)
    assert memory.limit_bytes(None) == 850
    assert memory.limit_bytes(2.0) == 2 * 2**30
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    assert memory.limit_bytes(None) is None


def test_the_peak_is_at_least_what_is_held():
    held = np.ones(2**22)
    peak = memory.peak_bytes()
    assert peak is None or peak > held.nbytes
