"""Whether a model fits into the memory of the machine, found before anything large is built."""

from __future__ import annotations

import os

from sacrofem.errors import EnvironmentFailure

BYTES_PER_UNKNOWN = 3000
"""Of a comparison with P2: 745 MiB at 181,000 unknowns (coarse mesh, with 200 MiB for the program itself)."""


def machine_memory() -> int | None:
    """Bytes of memory in this machine; None where the platform does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def check_memory(unknowns: int) -> None:
    """Refuse a model that the machine cannot hold.

    Parameters
    ----------
    unknowns
        Displacements to solve for.

    Raises
    ------
    EnvironmentFailure
        With what is needed and what is there.
    """
    need, have = BYTES_PER_UNKNOWN * unknowns, machine_memory()
    if have is not None and need > have:
        raise EnvironmentFailure(
            f"{unknowns} unknowns need about {need / 2**30:.1f} GiB of memory and the machine has "
            f"{have / 2**30:.1f} GiB; use a larger mesh.size_mm, or mesh.order = 1"
        )
