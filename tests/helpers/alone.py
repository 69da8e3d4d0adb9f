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
    """What became of a call: exit status (negative: a signal), standard error, processor seconds, bytes of memory."""

    status: int
    said: str
    seconds: float
    bytes: int

    def faults(self, statuses: tuple[int, ...] = (0, 2, 5)) -> list[str]:
        """What of the promises was broken: status, one short line that can be printed, seconds, bytes."""
        lines = self.said.splitlines()
        refused = self.status in (2, 5)
        return [
            words
            for words, broken in (
                (f"signal {-self.status}" if self.status < 0 else f"status {self.status}", self.status not in statuses),
                (f"{len(lines)} lines", len(lines) > 1 or (refused and not lines)),
                ("no line of an error", refused and bool(lines) and not lines[0].startswith("error: ")),
                (f"a line of {max(map(len, lines), default=0)} characters", any(len(line) >= LINE for line in lines)),
                ("internal error", "internal error" in self.said or "Traceback" in self.said),
                ("control characters", not all(c.isprintable() or c == "\n" for c in self.said)),
                (f"{self.seconds:.1f} s of the processor", self.seconds > SECONDS),
                (f"{self.bytes / 2**20:.0f} MiB", self.bytes > BYTES),
            )
            if broken
        ]


def alone(call: Callable[[], int]) -> Found:
    """Call in a fork of this process; of its memory what it adds counts, and its standard output is lost."""
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
