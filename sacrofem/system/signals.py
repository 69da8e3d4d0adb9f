"""The one place that meets signals: an interrupt waits while a result is being put in its place."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_wait(message: str) -> Iterator[None]:
    """Let Ctrl-C take effect only at the end of a short block that must not be left half done.

    Outside the main thread, which never sees an interrupt, nothing changes.

    Parameters
    ----------
    message
        What the user is told then: the text of the KeyboardInterrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt(message)
