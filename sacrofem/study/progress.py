"""Progress of a study: done, failed, rate and time left, on a terminal only."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class Counter:
    """Call with total, done and failed scenarios; one line on standard error that is written over."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._shown = False

    def __enter__(self) -> Counter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write("\n")

    def __call__(self, total: int, done: int, failed: int) -> None:
        """Say how far the study is."""
        if not sys.stderr.isatty():
            return
        now, finished = time.monotonic(), done + failed
        if self._first is None:
            self._first = now, finished
        began, before = self._first
        text = f"{finished} of {total} scenarios, {failed} failed"
        if finished > before:
            rate = (finished - before) / max(now - began, 1e-9)
            left = (total - finished) / rate
            text += f"; {60 * rate:.1f} a minute, {_words(left)} left"
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()
        self._shown = True


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
