"""Cement plans on the common model, one after another: seconds of each, of the set-up, and the error.

python benchmarks/scenarios.py MODEL OUT COUNT [LOW HIGH]

LOW and HIGH are the shares of the tets that a plan fills, 0.01 to 0.05 without them.
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
from model import CEMENT_SHARES, CommonModel, support_and_load

from sacrofem import read_mesh
from sacrofem.mechanics.batch.solver import BatchSolver, MaterialState
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.linear.solver import LinearSystem
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray
from sacrofem.system.threads import threads

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
        Mean seconds of a further plan: moduli in, displacement and stresses out.
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
        return self.fine.matrix(Elasticity.given(youngs, self.model.poisson))

    def solve(self, youngs: FloatArray, tolerance: float = 1e-8) -> FloatArray:
        """(N, 3) displacement, mm."""
        system = LinearSystem(
            self.space, self.matrix(youngs), self.fixed,
            lambda: self.below.matrix(Elasticity.given(youngs, self.model.poisson)),
            SolverSettings("multigrid", tolerance),
        )  # fmt: skip
        return system.solve(self.force).displacement

    def stresses(self, displacement: FloatArray, youngs: FloatArray) -> FloatArray:
        """(m, q, 6) MPa."""
        return self.space.stresses(displacement, youngs, self.model.poisson)


def timed(model: CommonModel, fields: Sequence[FloatArray]) -> Timing:
    """Every modulus field (m,) through the scenario engine, and the first few afresh for comparison."""
    fresh = FreshSolves(model)
    began = time.perf_counter()
    engine = engine_of(model)
    setup = time.perf_counter() - began
    # Compiled and its memory touched before anything is timed.
    next(engine.solve([MaterialState(Elasticity.given(fields[0], model.poisson), None)]))
    began = time.perf_counter()
    kept = []
    scenarios = (MaterialState(Elasticity.given(youngs, model.poisson), None) for youngs in fields)
    for number, found in enumerate(engine.solve(scenarios)):
        fresh.stresses(found.solution.displacement, fields[number])
        if number < AUDITED:
            kept.append(found.solution.displacement)
    seconds = (time.perf_counter() - began) / len(fields)
    afresh, errors = [], []
    for youngs, displacement in zip(fields, kept, strict=False):
        began = time.perf_counter()
        reference = fresh.solve(youngs)
        fresh.stresses(reference, youngs)
        afresh.append(time.perf_counter() - began)
        errors.append(_energy_error(fresh, youngs, displacement))
    return Timing(engine.method, setup, seconds, statistics.median(afresh), max(errors), len(fields))


def engine_of(model: CommonModel, tolerance: float = 1e-8) -> BatchSolver:
    """The scenario engine on the common model, its zone being all that a plan can touch."""
    mesh = model.mesh
    space = Space(mesh, 2)
    fixed, force = support_and_load(space)
    return BatchSolver(
        space, [HeldNodes(fixed), NodalForces(force)],
        MaterialState(Elasticity.given(model.youngs, model.poisson), None),
        model.zone, np.zeros(0, bool), tolerance=tolerance,
    )  # fmt: skip


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
    limits = (float(sys.argv[4]), float(sys.argv[5])) if len(sys.argv) > 4 else CEMENT_SHARES
    fields = [model.scenario(seed, limits) for seed in range(count)]
    shares = [float(np.mean(youngs != model.youngs)) for youngs in fields]
    record.stage("read")
    with threads(THREADS):
        timing = timed(model, fields)
    record.facts.update(asdict(timing), cement_shares=[min(shares), max(shares)])
    record.write(out)


if __name__ == "__main__":
    main()
