"""The programs that are compared: how each is called, how far it is taken, and how exact its answer is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import Run
from peers.calculix import read_displacement

HERE = Path(__file__).resolve().parent
SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class Program:
    """One way to solve the common model.

    Attributes
    ----------
    name : str
    module : str
        Importing it tells whether the program is there; empty for CalculiX, which is looked for on the path.
    script : str
        In ``peers/``.
    most_dofs : int
        Larger models are left out unless asked for: a direct solver would take hours or all memory there.
    exact : float
        Largest difference from sacrofem's displacement, relative to the largest displacement.
    compiles : bool
        Whether it compiles at first use, so that a cold run is reported beside.
    model : str
        Folder of the model it solves: that of tets only, or ``paired``.
    system : bool
        Lives in the Python of the system.
    """

    name: str
    module: str
    script: str
    most_dofs: int
    exact: float = 1e-6
    compiles: bool = False
    model: str = "common"
    system: bool = False

    def version(self, python: str) -> str | None:
        """Version, or None where it is not installed."""
        if not self.module:
            if not shutil.which("ccx"):
                return None
            told = subprocess.run(["ccx", "-v"], capture_output=True, text=True, check=False).stdout
            return told.split()[-1] if told.split() else "unknown"
        code = f"import {self.module} as m; print(getattr(m, '__version__', 'unknown'))"
        command = [self.python(python), "-W", "ignore", "-c", code]
        try:
            found = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return None
        return found.stdout.split()[-1] if found.returncode == 0 else None

    def python(self, python: str) -> str:
        """The interpreter it lives in."""
        if self.system:
            return SYSTEM_PYTHON
        return sys.executable if self.module == "sacrofem" else python

    def command(self, python: str, models: Path, out: Path) -> list[str]:
        """The process to measure. CalculiX reads and writes beside its deck, in ``out``."""
        if not self.module:
            out.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(models / self.model / "deck.inp", out / "deck.inp")
            return ["ccx", "-i", "deck"]
        return [self.python(python), str(HERE / "peers" / self.script), str(models / self.model), str(out)]

    def displacement(self, models: Path, out: Path) -> np.ndarray:
        """(N, 3) what it found."""
        if self.module:
            return np.load(out / "displacement.npy")
        with np.load(models / self.model / "model.npz") as content:
            return read_displacement(out / "deck.frd", len(content["nodes"]))


PROGRAMS = (
    Program("sacrofem", "sacrofem", "run_sacrofem.py", 10**9, compiles=True),
    Program("sacrofem-paired", "sacrofem", "run_sacrofem.py", 10**9, model="paired"),
    Program("calculix", "", "", 400_000, exact=1e-5),
    Program("skfem", "skfem", "run_skfem.py", 100_000),
    Program("dolfinx", "dolfinx", "run_dolfinx.py", 400_000, compiles=True, system=True),
    Program("felupe", "felupe", "run_felupe.py", 400_000),
    Program("ngsolve", "ngsolve", "run_ngsolve.py", 400_000),
    Program("sfepy", "sfepy", "run_sfepy.py", 400_000),
)


def chosen(names: Sequence[str] | None) -> list[Program]:
    """Those named and sacrofem in both models, in the order above; all without names."""
    known = {program.name for program in PROGRAMS}
    if names and (strange := sorted(set(names) - known)):
        raise SystemExit(f"no such program: {', '.join(strange)}; known: {', '.join(sorted(known))}")
    return [p for p in PROGRAMS if not names or p.name in names or p.module == "sacrofem"]


def differences(programs: Sequence[Program], models: Path, outs: Path) -> dict[str, float]:
    """Largest difference of each program's displacement from sacrofem's, relative to the largest displacement."""
    ours = np.load(outs / "sacrofem" / "displacement.npy")
    scale = np.abs(ours).max()
    found = {}
    for program in programs:
        if program.model == "common" and program.name != "sacrofem":
            theirs = program.displacement(models, outs / program.name)
            found[program.name] = float(np.abs(theirs - ours).max() / scale)
    return found


def failed(run: Run) -> bool:
    """Whether the process ended with an error or was stopped."""
    return run.status != 0
