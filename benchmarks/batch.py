"""A batch of cement plans: seconds of compilation in a fresh environment, of a plan in the batch, and of a fresh solve.

python benchmarks/batch.py [--references tiny,coarse] [--rounds 3] [--threads 1]

Each mesh has a process and an empty cache of its own; batches and fresh solves take turns in it. Seconds are those of
the processor, which a busy machine changes little, and for the first plan those of the clock too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

PLANS = 32
ROWS = {
    "first_wall_s": "first plan, fresh environment: clock",
    "first_s": "first plan, fresh environment",
    "compile_s": "of that, compiling",
    "compile_batch_s": "of that, kernels of the batch",
    "batch_s": "a plan in a batch of 32",
    "fresh_s": "a fresh solve",
    "speedup": "fresh solve over plan in a batch (median of rounds)",
    "peak_gib": "peak memory, GiB",
}


def measured(reference: str, rounds: int, number: int) -> dict[str, float]:
    """All rows of one mesh; nothing may be compiled before."""
    compiling = _Compiling()
    wall, cpu = time.perf_counter(), time.process_time()
    import numpy as np

    from sacrofem import Case, Specimen
    from sacrofem.mechanics.batch.solver import MaterialState
    from sacrofem.specimen.recipe import after_recipe
    from sacrofem.specimen.sweep import Sweep
    from sacrofem.system.memory import GIB, peak_bytes
    from sacrofem.system.threads import threads

    with threads(number):
        specimen = Specimen(Case.preset("sif-bilateral").with_(mesh__reference=reference))
        plans = [specimen.plan(volume_ml=float(volume)) for volume in np.linspace(0.5, 6.0, PLANS)]
        sweep = Sweep(specimen, plans, specimen.solve())
        next(iter(sweep.solve()))
        row = {
            "first_wall_s": time.perf_counter() - wall,
            "first_s": time.process_time() - cpu,
            "compile_s": sum(compiling.seconds.values()),
            "compile_batch_s": compiling.seconds["batch"],
        }
        recipes = [after_recipe(specimen.space, specimen.bone.elasticity, specimen.gap_law, plan) for plan in plans]
        scenarios = [MaterialState(recipe.bone, recipe.gap) for recipe in recipes]
        fresh = Sweep(specimen, plans[:1], sweep.before).engine
        fresh.tets, fresh.pairs = sweep.engine.tets, sweep.engine.pairs
        in_batch, afresh = [], []
        for turn in range(rounds):
            in_batch.append(_cpu(lambda: list(sweep.engine.solve(scenarios))) / PLANS)
            one = scenarios[(7 * turn) % PLANS]
            afresh.append(_cpu(lambda one=one: list(fresh.solve([one]))))
    ratios = [f / b for f, b in zip(afresh, in_batch, strict=True)]
    return row | {
        "batch_s": statistics.median(in_batch),
        "fresh_s": statistics.median(afresh),
        "speedup": statistics.median(ratios),
        "peak_gib": (peak_bytes() or 0) / GIB,
    }


def _cpu(work) -> float:  # type: ignore[no-untyped-def]
    began = time.process_time()
    work()
    return time.process_time() - began


class _Compiling:
    """Seconds that numba compiles, of the kernels of the batch and of others; what these need counts with them."""

    def __init__(self) -> None:
        from numba.core import event

        self.seconds = {"batch": 0.0, "others": 0.0}
        listener = type("Listener", (event.Listener,), {"on_start": self._start, "on_end": self._end})
        self._stack: list[tuple[str, float]] = []
        event.register("numba:compile", listener())

    def _start(self, of) -> None:  # type: ignore[no-untyped-def]
        batch = of.data["dispatcher"].py_func.__module__.startswith("sacrofem.mechanics.batch")
        self._stack.append(("batch" if batch else "others", time.process_time()))

    def _end(self, of) -> None:  # type: ignore[no-untyped-def]
        room, began = self._stack.pop()
        if not self._stack:
            self.seconds[room] += time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", default="tiny,coarse")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        for key, value in measured(options.one, options.rounds, options.threads).items():
            print(key, value)
        return
    references = options.references.split(",")
    columns = []
    for reference in references:
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, __file__, "--one", reference, "--rounds", str(options.rounds)]
            run = subprocess.run(
                [*command, "--threads", str(options.threads)], env={**os.environ, "NUMBA_CACHE_DIR": cache},
                stdout=subprocess.PIPE, text=True, check=True,
            )  # fmt: skip
        columns.append({key: float(value) for key, value in (line.split() for line in run.stdout.splitlines())})
    print("| seconds | " + " | ".join(references) + " |\n|---|" + "---:|" * len(references))
    for key, label in ROWS.items():
        print(f"| {label} | " + " | ".join(f"{column[key]:.3g}" for column in columns) + " |")


if __name__ == "__main__":
    main()
