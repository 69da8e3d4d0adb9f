"""What a terminal shows of a run: stages with their times, scenarios done; nothing where output is piped."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class Stages:
    """Call with the name of the stage that begins; a context manager.

    On a terminal every stage is a line with its time, the running one with a spinner. If standard
    error is not a terminal nothing is shown and rich is not even imported.

    Parameters
    ----------
    console
        Where to show it; standard error by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Stages:
        if self._console is None and not sys.stderr.isatty():
            return self
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=self._console or Console(stderr=True, emoji=False),
        )
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is None:
            return
        if kind is None:
            self._end_stage()
        elif self._task is not None:
            self._progress.stop_task(self._task)
        self._progress.stop()

    def __call__(self, stage: str) -> None:
        """Say that a stage begins (and the one before it has ended)."""
        if self._progress is not None:
            self._end_stage()
            self._task = self._progress.add_task(stage, total=1)

    def _end_stage(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=1)
            self._task = None


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
