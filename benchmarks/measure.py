"""Programs as whole processes: wall time and peak memory, and the machine that they ran on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TOUCH = """
import numpy as np, sys
for _ in range(int(float(sys.argv[1]))):
    (keep := globals().setdefault("keep", [])).append(np.ones(2**27))
"""


@dataclass(frozen=True)
class Run:
    """One process: seconds of wall time and of processors, peak resident memory, and the load as it began."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    load_1min: float
    status: int

    def asdict(self) -> dict[str, float]:
        return asdict(self)


def run(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str], folder: Path, timeout_s: float = 3600.0
) -> Run:
    """Run to the end and measure; what it prints goes to the log.

    Linux counts the memory of the caller as the child's until it starts its program, so the caller
    has to stay small.
    """
    load = os.getloadavg()[0]
    with log.open("wb") as sink:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **environment}, cwd=folder
        )
        deadline = began + timeout_s
        while True:
            done, code, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            if time.perf_counter() > deadline:
                process.kill()
                deadline = float("inf")
            time.sleep(0.002)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(code)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, load, process.returncode)


def threads_environment(threads: int) -> dict[str, str]:
    """The same number of threads for every library that a peer may use."""
    names = (
        "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
        "CCX_NPROC_STIFFNESS", "CCX_NPROC_EQUATION_SOLVER", "CCX_NPROC_RESULTS",
    )  # fmt: skip
    return {name: str(threads) for name in names}


def touch_memory(gib: float) -> None:
    """Write to memory once and give it back: pages that a virtual machine never used come slowly at first."""
    if gib >= 1:
        subprocess.run([sys.executable, "-c", TOUCH, str(gib)], check=True)


def available_gib() -> float:
    """Memory that can be had now."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 2**20
    return 0.0


def machine(threads: int) -> dict[str, object]:
    """What the figures depend on."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "memory_available_gib": round(available_gib(), 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average_before": list(os.getloadavg()),
    }
