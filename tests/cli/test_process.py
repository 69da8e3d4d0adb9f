"""The command line as a process: its streams closed, full or narrow, and a fork after use."""

import os
import subprocess
import sys

import pytest

from sacrofem.errors import EnvironmentFailure
from sacrofem.system.threads import threads

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells and processes")


def shell(command, **environment):
    words = f'"{sys.executable}" -m sacrofem {command}'
    given = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment
    return subprocess.run(["/bin/sh", "-c", words], capture_output=True, text=True, env=given, check=False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_no_error(closed):
    done = shell(f"info --json {closed}")
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.split())


def test_what_is_written_does_not_land_in_the_place_of_a_closed_stream(tmp_path):
    done = shell(f"init {tmp_path / 'case.toml'} >&- 2>&-")
    assert done.returncode == 0
    assert (tmp_path / "case.toml").read_text().startswith("# Bilateral")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux")
def test_a_full_output_is_one_line_and_the_environment():
    done = shell("info > /dev/full")
    assert (done.returncode, done.stderr) == (5, "error: [Errno 28] No space left on device\n")
    assert shell("check --size 0 2> /dev/full").returncode == 2


def test_an_output_that_knows_ascii_alone_gets_all():
    done = shell("info", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xb0" in done.stdout or "\\u" in done.stdout


def test_a_reader_that_leaves_is_no_error():
    done = shell("info --json | head -c 10")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_after_use_is_refused_with_a_word_and_one_before_is_not():
    code = """
import os, sys
from sacrofem.errors import EnvironmentFailure
from sacrofem.system.threads import threads

def in_child():
    child = os.fork()
    if child == 0:
        try:
            with threads(1):
                os._exit(0)
        except EnvironmentFailure as error:
            os._exit(5 if "'spawn'" in str(error) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

before = in_child()
with threads(1):
    pass
print(before, in_child())
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "0 5\n", done.stderr
    # Not here.
    with threads(1):
        assert issubclass(EnvironmentFailure, Exception)
