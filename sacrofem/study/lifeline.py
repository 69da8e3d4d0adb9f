"""A worker's tie to its parent. Imports next to nothing: a worker must be tied before anything large is loaded."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def end_with_parent() -> None:
    """Start of a worker process: no life after its parent's."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    # A worker is born deaf to what its parent waits for; by this signal a broken pool ends those that are left.
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=watch, daemon=True).start()
