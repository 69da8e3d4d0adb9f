"""How kernels are compiled: cached where that is possible, working where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with its cache on disk, or without one where no folder can be written."""

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:
            # numba finds no place for a cache: a read-only installation without a home folder.
            return njit(**options)(function)

    return compiled
