"""Interrupts: none is lost, none ends a process half way, and foreign code never meets one."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from sacrofem.system.signals import interrupts_wait

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def ended(code, **given):
    """Run code as a command does; status, output and errors of the process."""
    head = (
        "import ctypes, os, signal, subprocess, sys, threading, time\n"
        "from sacrofem.system.signals import interruptible, interrupts_wait, unheard_by_children\n"
        "def kill(number=signal.SIGINT):\n    os.kill(os.getpid(), number)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", head + textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False, **given)


def test_interrupts_wait_for_the_outermost_block():
    seen = []
    with pytest.raises(KeyboardInterrupt, match=r"^outer$"), interrupts_wait("outer"):  # noqa: PT012
        with interrupts_wait("inner"):
            signal.raise_signal(signal.SIGINT)
            seen.append(1)
        seen.append(2)
    assert seen == [1, 2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_foreign_code_meets_no_interrupt_and_takes_no_handler_away(number):
    """As Mmg does: a handler of its own that ends the process with status 0, and the system's own one afterwards."""
    done = ended(f"""
        libc = ctypes.CDLL(None)
        leave = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: os._exit(0))
        try:
            with interruptible():
                with interrupts_wait():
                    libc.signal(signal.{number}, leave)
                    kill(signal.{number})
                    time.sleep(0.2)
                    libc.signal(signal.{number}, 0)
                    print("foreign code ended", flush=True)
                time.sleep(5)
        except KeyboardInterrupt:
            sys.exit(7)
    """)
    assert (done.returncode, done.stdout, done.stderr) == (7, "foreign code ended\n", "")


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_without_a_command_handlers_are_back_after_foreign_code(number):
    done = ended(f"""
        signal.signal(signal.{number}, signal.default_int_handler)
        with interrupts_wait():
            ctypes.CDLL(None).signal(signal.{number}, 0)
        try:
            kill(signal.{number})
            time.sleep(5)
        except KeyboardInterrupt:
            sys.exit(7)
    """)
    assert done.returncode == 7, done.stderr


def test_what_a_callback_swallows_comes_again():
    done = ended("""
        class Held:
            def __del__(self):
                kill()
                time.sleep(0.3)
        try:
            with interruptible():
                Held()
                time.sleep(5)
        except KeyboardInterrupt:
            sys.exit(7)
    """)
    assert (done.returncode, done.stderr) == (7, "")


def test_a_command_in_the_background_of_a_script_ignores_interrupts_but_not_the_end():
    done = ended("""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with interruptible():
                # Foreign code that sets the system's own handler back.
                ctypes.CDLL(None).signal(signal.SIGINT, 0)
                kill()
                time.sleep(0.3)
                print("goes on", flush=True)
                kill(signal.SIGTERM)
                time.sleep(5)
        except KeyboardInterrupt:
            sys.exit(7)
    """)
    assert (done.returncode, done.stdout, done.stderr) == (7, "goes on\n", "")


def test_after_its_end_a_command_leaves_at_once():
    done = ended("""
        with interruptible() as interrupts:
            interrupts.over()
            kill()
            time.sleep(5)
    """)
    assert (done.returncode, done.stderr) == (130, "")


def test_processes_that_are_started_hear_nothing():
    done = ended("""
        with unheard_by_children():
            child = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(0.5)"],
                                     stdout=subprocess.PIPE)
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        sys.exit(child.wait())
    """)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_interrupted_says_so_and_ends_with_130(number, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    out = tmp_path / "out"
    command = [sys.executable, "-c", _WHILE_LOADING, "compare"]
    done = subprocess.run(
        [*command, "--out", out, str(int(number))], capture_output=True, text=True, env=environment, check=False,
        timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted: nothing was written\n")
    assert list(tmp_path.iterdir()) == []


_WHILE_LOADING = """
import sys, os, time, importlib.abc
number = int(sys.argv.pop())
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *given):
        if name == "sacrofem.specimen.compare":
            os.kill(os.getpid(), number)
            time.sleep(5)
sys.meta_path.insert(0, Finder())
from sacrofem.__main__ import main
sys.exit(main())
"""
