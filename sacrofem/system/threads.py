"""The one place that sets how many threads run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


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
