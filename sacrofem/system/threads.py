"""The one place that sets how many threads run.

Limits are set inside what solves: whatever builds or solves a case enters `threads` with the number of that case and
leaves the limits of its caller behind it, so nobody who calls the library has to. A block around several of them
(``with threads(2):``) holds for those whose case names no number. Between two items of a sweep, and after an error, the
caller's limits are back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

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
    """
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


def limited(number: Callable[[object], int | None]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A method that runs within `threads`; ``number`` tells from its object how many."""

    def decorate(method: Callable[P, T]) -> Callable[P, T]:
        @wraps(method)
        def inside(*given: P.args, **named: P.kwargs) -> T:
            with threads(number(given[0])):
                return method(*given, **named)

        return inside

    return decorate
