"""The one place that sets how many threads run.

Limits are set inside what solves: whatever builds or solves a case enters `threads` with the number of that case and
leaves the limits of its caller behind it, so nobody who calls the library has to. A block around several of them
(``with threads(2):``) holds for those whose case names no number. Between two items of a sweep, and after an error, the
caller's limits are back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from threading import Event
from typing import Any, TypeVar

from sacrofem.errors import EnvironmentFailure

T = TypeVar("T")

# Whether this process has had threads, and whether it is a fork of one that had: they do not come along.
_HAD, _LOST = Event(), Event()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _LOST.set() if _HAD.is_set() else None)

# The number that the block around asked for: a solve without a wish of its own keeps to it.
_WANTED: ContextVar[int | None] = ContextVar("wanted", default=None)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(number: int | None) -> Iterator[int]:
    """Let ``number`` threads work inside the block; None: as many as the block around, else the cores available.

    They are numba's. BLAS gets one: its own threads go on spinning after each call and take the
    cores from the kernels, which made factorising ten times slower on a busy machine.

    Yields
    ------
    int
        The number in force.

    Raises
    ------
    EnvironmentFailure
        The process is a fork of one that had threads at work: they are not in it, and it would wait for them for ever.
    """
    if _LOST.is_set():
        raise EnvironmentFailure(
            "this process was forked from one that had solved already, and the threads stayed there; start processes "
            "by multiprocessing.get_context('spawn'), or fork before anything is solved"
        )
    _HAD.set()
    # Idle OpenMP threads must not spin either; read when the first kernel runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import numba
    from threadpoolctl import threadpool_limits

    wanted = number or _WANTED.get()
    allowed = min(wanted or available_cores(), numba.config.NUMBA_NUM_THREADS)
    before = numba.get_num_threads()
    token = _WANTED.set(wanted)
    numba.set_num_threads(allowed)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield allowed
    finally:
        numba.set_num_threads(before)
        _WANTED.reset(token)


def step_by_step(items: Iterator[T], number: int | None) -> Iterator[T]:
    """The same items, each made within `threads`: what is done between them keeps its own limits."""
    while True:
        with threads(number):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


class Crew:
    """Threads in force that share out loops, for work that lets go of the interpreter's lock.

    A kernel compiled with ``nogil`` for a part of its loop is compiled once; numba compiles a parallel loop of its own
    twice, by itself and again inside the function around it, which takes about three times as long.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def share(self, work: Callable[..., Any], count: int, *arguments: Any) -> None:
        """Call ``work(first, stop, *arguments)`` for consecutive parts of ``range(count)``, one a thread.

        Raises
        ------
        Exception
            What a part raised, after all of them have ended.
        """
        import numba

        number = min(numba.get_num_threads(), count)
        if number < 2:
            work(0, count, *arguments)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS)
        bounds = [count * part // number for part in range(number + 1)]
        parts = [self._pool.submit(work, *part, *arguments) for part in pairwise(bounds)]
        wait(parts)
        for part in parts:
            part.result()
