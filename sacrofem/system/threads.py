"""The one place that sets how many threads run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import pairwise
from typing import Any


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(number: int | None) -> Iterator[int]:
    """Let ``number`` threads (default: the cores available) work inside the block.

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

    wanted = min(number or available_cores(), numba.config.NUMBA_NUM_THREADS)
    before = numba.get_num_threads()
    numba.set_num_threads(wanted)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield wanted
    finally:
        numba.set_num_threads(before)


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
