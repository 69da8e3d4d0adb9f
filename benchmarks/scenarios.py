"""Cement plans on the common model, one after another: seconds of each, of the set-up, and the error.

python benchmarks/scenarios.py MODEL OUT COUNT
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))

from common import THREADS, Record
from model import CommonModel, support_and_load

from sacrofem import read_mesh
from sacrofem.mechanics.solver import LinearSystem
from sacrofem.mechanics.space import Space
from sacrofem.mechanics.stiffness import Assembler
from sacrofem.mesh.tetmesh import FloatArray
from sacrofem.threads import threads

# How many plans are solved afresh as well, for the error and for the ratio.
AUDITED = 3


@dataclass(frozen=True)
class Timing:
    """Of one series of plans.

    Attributes
    ----------
    method : str
    setup_s : float
        What is done once for mesh, support and load.
    scenario_s : float
        Median seconds of a further plan: moduli in, displacement and stresses out.
    fresh_s : float
        Median seconds of the same by a fresh solve.
    energy_error : float
        Largest energy norm of the difference from a fresh solve, relative to that solve's.
    """

    method: str
    setup_s: float
    scenario_s: float
    fresh_s: float
    energy_error: float
    count: int


class FreshSolves:
    """Each plan solved from nothing but the pattern of the matrix."""

    name = "fresh solves"

    def __init__(self, model: CommonModel) -> None:
        self.model = model
        self.space, self.coarse = Space(model.mesh, 2), Space(model.mesh, 1)
        self.fine, self.below = Assembler(self.space), Assembler(self.coarse)
        self.fixed, self.force = support_and_load(self.space)
        _ = self.fine.pattern, self.below.pattern

    def matrix(self, youngs: FloatArray):
        return self.fine.matrix(youngs, self.model.poisson)

    def solve(self, youngs: FloatArray, tolerance: float = 1e-8) -> FloatArray:
        """(N, 3) displacement, mm."""
        system = LinearSystem(
            self.space, self.matrix(youngs), self.fixed,
            lambda: self.below.matrix(youngs, self.model.poisson), method="multigrid", tolerance=tolerance,
        )  # fmt: skip
        return system.solve(self.force).displacement

    def stresses(self, displacement: FloatArray, youngs: FloatArray) -> FloatArray:
        """(m, q, 6) MPa."""
        return self.space.stresses(displacement, youngs, self.model.poisson)


def timed(model: CommonModel, fields: Sequence[FloatArray]) -> Timing:
    """Every modulus field (m,) through the engine, and the first few afresh for comparison.

    The engine is whatever has ``name``, a constructor that takes the model, and ``solve(youngs)``.
    """
    fresh = FreshSolves(model)
    began = time.perf_counter()
    engine = FreshSolves(model)
    setup = time.perf_counter() - began
    seconds, afresh, errors = [], [], []
    for number, youngs in enumerate(fields):
        began = time.perf_counter()
        displacement = engine.solve(youngs)
        engine.stresses(displacement, youngs)
        seconds.append(time.perf_counter() - began)
        if number < AUDITED:
            began = time.perf_counter()
            reference = fresh.solve(youngs)
            fresh.stresses(reference, youngs)
            afresh.append(time.perf_counter() - began)
            errors.append(_energy_error(fresh, youngs, displacement))
    return Timing(engine.name, setup, statistics.median(seconds), statistics.median(afresh), max(errors), len(fields))


def _energy_error(fresh: FreshSolves, youngs: FloatArray, displacement: FloatArray) -> float:
    reference = fresh.solve(youngs, tolerance=1e-12)
    matrix = fresh.matrix(youngs)
    difference = displacement - reference
    return float(np.sqrt(np.sum(difference * matrix.dot(difference)) / np.sum(reference * matrix.dot(reference))))


def main() -> None:
    folder, out, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    record = Record()
    with np.load(folder / "model.npz") as content:
        model = CommonModel(read_mesh(folder / "mesh.vtu"), content["youngs"], content["poisson"], content["zone"])
    fields = [model.scenario(seed) for seed in range(count)]
    shares = [float(np.mean(youngs != model.youngs)) for youngs in fields]
    record.stage("read")
    with threads(THREADS):
        timing = timed(model, fields)
    record.facts.update(asdict(timing), cement_shares=[min(shares), max(shares)])
    record.write(out)


if __name__ == "__main__":
    main()
