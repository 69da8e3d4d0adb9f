"""What is said of a run while it lasts: records of the logger ``sacrofem``, and what a terminal shows of them.

The library only says: `stage` and `scenarios` are records at INFO, with their content as an attribute of the record,
and who wants to read them configures `logging`. `Stages` and `Counter` are the handlers of the command line.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LOGGER = logging.getLogger("sacrofem")
LOGGER.addHandler(logging.NullHandler())
# What the stages of this thread or task are part of, and how loud they are told.
_WITHIN: ContextVar[tuple[str, int]] = ContextVar("_WITHIN", default=("", logging.INFO))


class Scenarios(NamedTuple):
    """How far a study is: scenarios in all, done and failed."""

    total: int
    done: int
    failed: int


def stage(text: str) -> None:
    """Say that a stage of a run begins (and the one before it has ended): a record whose ``stage`` is the text."""
    prefix, level = _WITHIN.get()
    LOGGER.log(level, "%s%s", prefix, text, extra={"stage": prefix + text})


def scenarios(total: int, done: int, failed: int) -> None:
    """Say how far a study is: a record whose ``scenarios`` are these numbers."""
    extra = {"scenarios": Scenarios(total, done, failed)}
    LOGGER.info("%d of %d scenarios, %d failed", done + failed, total, failed, extra=extra)


@contextmanager
def stages_of(name: str, level: int = logging.INFO) -> Iterator[None]:
    """Every stage inside the block is one of ``name``, which stands before its text.

    Parameters
    ----------
    name
        Of a mesh, a run, or whatever has stages of its own.
    level
        How they are told: ``logging.DEBUG`` where the whole of them is a stage already.
    """
    prefix, above = _WITHIN.get()
    token = _WITHIN.set((f"{prefix}{name}: ", min(level, above)))
    try:
        yield
    finally:
        _WITHIN.reset(token)


class _OnTerminal(logging.Handler):
    """A handler that listens to the library as long as its block lasts, and only where somebody sees it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._level: int | None = None

    def __enter__(self) -> Self:
        if self._seen():
            self._begin()
            self._level = LOGGER.level
            if not LOGGER.isEnabledFor(logging.INFO):
                LOGGER.setLevel(logging.INFO)
            LOGGER.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._level is not None:
            LOGGER.removeHandler(self)
            LOGGER.setLevel(self._level)
            self._level = None
            self._end(failed=kind is not None)

    def _seen(self) -> bool:
        return sys.stderr.isatty()

    def _begin(self) -> None:
        pass

    def _end(self, *, failed: bool) -> None:
        raise NotImplementedError


class Stages(_OnTerminal):
    """Shows stages while its block lasts.

    On a terminal every stage is a line with its time, the running one with a spinner. If standard
    error is not a terminal nothing is shown and rich is not even imported.

    Parameters
    ----------
    console
        Where to show it; standard error by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Draw the stage of a record; other records are none of ours."""
        text = getattr(record, "stage", None)
        if text is not None and self._progress is not None:
            self._end_stage()
            self._task = self._progress.add_task(text, total=1)

    def _seen(self) -> bool:
        return self._console is not None or super()._seen()

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=self._console or Console(stderr=True, emoji=False),
        )
        self._progress.start()

    def _end(self, *, failed: bool) -> None:
        assert self._progress is not None
        if not failed:
            self._end_stage()
        elif self._task is not None:
            self._progress.stop_task(self._task)
        self._progress.stop()
        self._progress = self._task = None

    def _end_stage(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=1)
            self._task = None


class Counter(_OnTerminal):
    """Shows scenarios done and failed while its block lasts; one line on standard error that is written over."""

    def __init__(self) -> None:
        super().__init__()
        self._first: tuple[float, int] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line over where a record counts scenarios."""
        count: Scenarios | None = getattr(record, "scenarios", None)
        if count is None:
            return
        now, finished = time.monotonic(), count.done + count.failed
        if self._first is None:
            self._first = now, finished
        began, before = self._first
        text = record.getMessage()
        if finished > before:
            rate = (finished - before) / max(now - began, 1e-9)
            left = (count.total - finished) / rate
            text += f"; {60 * rate:.1f} a minute, {_words(left)} left"
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()

    def _end(self, *, failed: bool) -> None:
        if self._first is not None:
            sys.stderr.write("\n")
            self._first = None


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
