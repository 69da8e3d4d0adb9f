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
    """Let BLAS and numba use ``number`` threads (default: the cores available) inside the block.

    Yields
    ------
    int
        The number in force.
    """
    # Idle OpenMP threads that spin would slow every BLAS call between our kernels.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import numba
    from threadpoolctl import threadpool_limits

    wanted = min(number or available_cores(), numba.config.NUMBA_NUM_THREADS)
    before = numba.get_num_threads()
    numba.set_num_threads(wanted)
    try:
        with threadpool_limits(limits=wanted):
            yield wanted
    finally:
        numba.set_num_threads(before)
