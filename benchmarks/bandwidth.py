"""How near the solve is to the speed of the memory: bytes that its products with matrices move, against a triad.

python benchmarks/bandwidth.py MODEL OUT
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, prange

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))

from common import THREADS, Record

# Kernels that read a whole block matrix: (indptr, indices, data, vectors...).
KERNELS = ("multiply", "residual")
HOMES = ("space.blocks", "linear.multigrid", "linear.solver")


@njit(parallel=True)
def _triad(a, b, c, s):
    for i in prange(len(a)):
        a[i] = b[i] + s * c[i]


def triad_gb_per_s(doubles: int = 2**24, repeats: int = 10) -> float:
    """The best of some triads a = b + s c over arrays far larger than any cache (McCalpin's STREAM)."""
    a, b, c = (np.ones(doubles) for _ in range(3))
    _triad(a, b, c, 3.0)
    best = np.inf
    for _ in range(repeats):
        began = time.perf_counter()
        _triad(a, b, c, 3.0)
        best = min(best, time.perf_counter() - began)
    return 3 * 8 * doubles / best / 1e9


class Counter:
    """Stands for the kernels in the modules of the solver and adds up the bytes of their arguments."""

    def __init__(self) -> None:
        self.bytes = self.calls = 0
        # All of them before the first change: a later import would take over a kernel that counts already.
        for module in [importlib.import_module(f"sacrofem.mechanics.{home}") for home in HOMES]:
            for name in KERNELS:
                if name in vars(module):
                    setattr(module, name, self._counting(getattr(module, name)))

    def _counting(self, kernel: Callable[..., None]) -> Callable[..., None]:
        def counted(*arrays: Any) -> None:
            self.calls += 1
            self.bytes += sum(a.nbytes for a in arrays)
            kernel(*arrays)

        return counted


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    record = Record()
    counter = Counter()
    from model import support_and_load

    from sacrofem import read_mesh
    from sacrofem.mechanics.linear.settings import SolverSettings
    from sacrofem.mechanics.linear.solver import LinearSystem
    from sacrofem.mechanics.parts.bone import Elasticity
    from sacrofem.mechanics.parts.stiffness import Assembler
    from sacrofem.mechanics.space.space import Space
    from sacrofem.system.threads import threads

    with threads(THREADS):
        mesh = read_mesh(folder / "mesh.vtu")
        with np.load(folder / "model.npz") as fields:
            youngs, poisson = fields["youngs"], fields["poisson"]
        space, coarse = Space(mesh, 2), Space(mesh, 1)
        fixed, force = support_and_load(space)
        fine, below = (Assembler(on).matrix(Elasticity.given(youngs, poisson)) for on in (space, coarse))
        system = LinearSystem(space, fine, fixed, lambda: below, SolverSettings("multigrid", 1e-8))
        seconds = []
        for _ in range(3):
            counter.bytes = counter.calls = 0
            began = time.perf_counter()
            solution = system.solve(force)
            seconds.append(time.perf_counter() - began)
        triad = triad_gb_per_s()
    best = min(seconds)
    record.facts.update(
        triad_gb_per_s=triad,
        solve_s=best,
        iterations=solution.iterations,
        matrix_products=counter.calls,
        matrix_bytes=counter.bytes,
        # None where the solver no longer calls these kernels: then this file wants an update.
        share=counter.bytes / (triad * 1e9 * best) if counter.calls else None,
    )
    record.write(out)


if __name__ == "__main__":
    main()
