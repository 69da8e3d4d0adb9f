"""The one place that meets signals: what an interrupt does, and where it has to wait."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""Exit status of an interrupted command."""

_POSIX = hasattr(signal, "pthread_sigmask")
_ENDING = (signal.SIGINT, signal.SIGTERM)
# What a command is told of an interrupt by. No library at hand knows it, so none takes its handler away.
_RELAYED = signal.SIGUSR2 if _POSIX else signal.SIGINT
# An interrupt that some callback swallowed comes again once that callback has ended.
_AGAIN_AFTER_S = 0.01


class _Waiting:
    """A handler that remembers what came."""

    def __init__(self) -> None:
        self.came: list[int] = []

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.came.append(number)


@contextmanager
def interrupts_wait(message: str = "") -> Iterator[None]:
    """Let Ctrl-C take effect only at the end of a block.

    For short blocks that must not be left half done, and for foreign code: a C++ library that meets the exception of
    a Python handler ends the process, and Mmg sets handlers of its own and leaves none behind. Outside the main
    thread, which never sees an interrupt, nothing changes.

    Parameters
    ----------
    message
        What the user is told then: the text of the KeyboardInterrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting = _Waiting()
    before: dict[signal.Signals, Any] = {}
    for number in (*_ENDING, _RELAYED):
        # What is left to the system or was set by another program in C stays as it is.
        if number not in before and callable(signal.getsignal(number)):
            before[number] = signal.signal(number, waiting)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        outer = next((handler for handler in before.values() if isinstance(handler, _Waiting)), None)
        if outer is not None:
            outer.came += waiting.came
    if waiting.came and outer is None:
        raise KeyboardInterrupt(message)


class Interrupts:
    """Interrupts of a command, of which none is lost.

    Attributes
    ----------
    came : bool
        Whether one has reached the command.
    """

    def __init__(self) -> None:
        self.came = False
        self._over = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """The handler: raise it where the command is."""
        self.came = True
        if self._over:
            os._exit(INTERRUPTED)
        raise KeyboardInterrupt

    def swallowed(self, unraisable: Any) -> None:
        """Bring an interrupt again that was raised where nothing can be raised, such as a callback from C."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)
        elif not self._over:
            os.kill(os.getpid(), signal.SIGINT)

    def over(self) -> None:
        """From now on an interrupt ends the process at once: the command has ended, and all it says is said."""
        self._over = True


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt of the main thread, for the rest of a process.

    Both are blocked in every thread, and one that waits for them passes them on to the main thread as a signal that
    no library knows. So they never meet the handlers that Mmg sets while it works (which leave with status 0) or
    forgets to set back afterwards, and processes that are started meanwhile do not see them either: those end with
    their parent. Without POSIX signals the handlers are set as usual.
    """
    interrupts = Interrupts()
    sys.unraisablehook = interrupts.swallowed
    # A job in the background of a script is born with SIGINT ignored, and goes on when the script is interrupted.
    heard = {number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN}
    for number in (*heard, _RELAYED):
        signal.signal(number, interrupts)
    if not _POSIX:
        yield interrupts
        return
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)

    def relay() -> None:
        while True:
            if signal.sigwait(_ENDING) not in heard:
                continue
            time.sleep(_AGAIN_AFTER_S)
            signal.pthread_kill(main, _RELAYED)

    threading.Thread(target=relay, name="interrupts", daemon=True).start()
    yield interrupts


@contextmanager
def unheard_by_children() -> Iterator[None]:
    """Processes that are started in the block never see an interrupt: they end when their parent ends them."""
    if not _POSIX:
        yield
        return
    from multiprocessing import resource_tracker

    # It sets the mask of this thread itself when it is first needed.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
