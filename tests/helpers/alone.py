"""A call in a process of its own, which may die of it: its status, what it printed, what it cost."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import NamedTuple

SECONDS, BYTES, LINE = 10, 2**30, 400


class Found(NamedTuple):
    """What became of a call: exit status (negative: a signal), standard error, processor seconds, bytes it grew by."""

    status: int
    said: str
    seconds: float
    grown: int

    @property
    def fault(self) -> str:
        """What is wrong with it; empty where nothing is.

        Right is a call that succeeds, or is refused with one line and status 2 (input), 3 (safety) or 5 (environment).
        """
        lines = self.said.splitlines()
        if self.status < 0:
            return f"signal {signal.Signals(-self.status).name}"
        if self.status not in (0, 2, 3, 5):
            return f"status {self.status}"
        if self.status in (2, 5) and (len(lines) != 1 or not lines[0].startswith("error: ")):
            return f"{len(lines)} lines"
        if any(len(line) > LINE for line in lines):
            return f"a line of {max(map(len, lines))} characters"
        if not all(c.isprintable() or c == "\n" for c in self.said):
            return "control characters"
        if self.seconds > SECONDS:
            return f"{self.seconds:.1f} s"
        return f"{self.grown / 2**20:.0f} MiB" if self.grown > BYTES else ""


def alone(call: Callable[[], int]) -> Found:
    """Call in a fork of this process; what it prints to standard output is lost."""
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with tempfile.TemporaryFile("w+", errors="replace") as said, open(os.devnull, "w") as nowhere:
        child = os.fork()
        if not child:
            status = 70
            try:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(said.fileno(), 2)
                # Of the clock, which runs on where others have the processor.
                signal.alarm(12 * SECONDS)
                status = call()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, status, used = os.wait4(child, 0)
        said.seek(0)
        text = said.read()
    seconds = used.ru_utime + used.ru_stime
    return Found(os.waitstatus_to_exitcode(status), text, seconds, max(0, used.ru_maxrss * 1024 - begun))
