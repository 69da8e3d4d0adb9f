"""Hundreds of cement states on one mesh, under one load, with the same supports.

States differ from a baseline only inside a candidate zone. A batch of them is solved side by
side by conjugate gradients with p-multigrid, so that the stiffness of everything else is read from
memory once for all; nothing is approximated, and every solution is judged by its own true residual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter
from typing import Literal

import numpy as np

from sacrofem.errors import InputError, SolverError
from sacrofem.mechanics.batch.candidates import Gap, LaneZone
from sacrofem.mechanics.batch.lanegrid import LaneLevels, LaneMultigrid
from sacrofem.mechanics.batch.lanes import (
    LANES,
    PIECES,
    LaneArray,
    lane_advance,
    lane_dots,
    lane_product,
    lane_sums,
    lane_turn,
)
from sacrofem.mechanics.forms import assembler
from sacrofem.mechanics.linear.settings import Assembly, SolverSettings
from sacrofem.mechanics.linear.solver import (
    DIRECT_NODES,
    LARGEST_RESIDUAL,
    MAX_ITERATIONS,
    LinearSolution,
    LinearSystem,
)
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.part import Part, total_fixed, total_force
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

METHOD = "conjugate gradients, p-multigrid, states in lanes"
# Largest error of an audited state, in energy norm, relative to the solution's.
AUDIT_LIMIT = 1e-8


@dataclass(frozen=True, eq=False)
class MaterialState:
    """Bone and gap of one state; no gap where the mesh has no fracture."""

    bone: Elasticity
    gap: GapStiffness | None


@dataclass(frozen=True, eq=False)
class BatchSolution:
    """One solved state.

    Attributes
    ----------
    solution : LinearSolution
    internal : (N, 3)
        Nodal forces of all stiffness, N: applied force on free displacements, and reactions.
    audit : float or None
        Error against a fresh solve in energy norm, where this state was audited.
    """

    solution: LinearSolution
    internal: FloatArray
    audit: float | None = None


def touched(baseline: MaterialState, states: Iterable[MaterialState]) -> tuple[BoolArray, BoolArray]:
    """Tets (m,) and pairs (p,) that any of the states changes."""
    tets = np.zeros(len(baseline.bone.youngs), dtype=bool)
    pairs = np.zeros(0 if baseline.gap is None else len(baseline.gap.normal), dtype=bool)
    for state in states:
        changed = _differences(baseline, state)
        tets |= changed[0]
        pairs |= changed[1]
    return tets, pairs


def _differences(baseline: MaterialState, state: MaterialState) -> tuple[BoolArray, BoolArray]:
    mine, base = state.bone, baseline.bone
    tets = (mine.youngs != base.youngs) | (mine.poisson != base.poisson)
    if baseline.gap is None or state.gap is None:
        if (baseline.gap is None) is not (state.gap is None):
            raise ValueError("a gap law is missing in the baseline or in a state")
        return tets, np.zeros(0, dtype=bool)
    pairs = (state.gap.normal != baseline.gap.normal) | (state.gap.tangential != baseline.gap.tangential)
    return tets, np.asarray(pairs.any(axis=1))


class BatchSolver:
    """Solver of many states, set up once.

    Parameters
    ----------
    space, parts
        As for `Statics`.
    baseline : MaterialState
        Materials outside the candidate zone.
    tets : (m,) bool
    pairs : (p,) bool
        The candidate zone: whatever any state may change; see `touched`.
    tolerance : float
        True relative residual to reach.
    start : (N, 3), optional
        Displacement to begin from, such as the baseline's; default: the first state's, once it is known.

    method : "auto", "lanes" or "fresh"
        Lanes, or one fresh solve for each; auto takes lanes but for models that a factorisation
        solves faster.
    assembly
        As of `SolverSettings`; scikit-fem means a fresh solve each.

    Attributes
    ----------
    method : str
        What solves the states. P1 and an empty zone always mean a fresh solve each.
    setup_seconds : float
    """

    def __init__(
        self,
        space: Space,
        parts: Iterable[Part],
        baseline: MaterialState,
        tets: BoolArray,
        pairs: BoolArray,
        *,
        tolerance: float = 1e-10,
        start: FloatArray | None = None,
        method: Literal["auto", "lanes", "fresh"] = "auto",
        assembly: Assembly = "gather",
    ) -> None:
        began = perf_counter()
        parts = tuple(parts)
        self.space, self.force, self.fixed = space, total_force(parts, space), total_fixed(parts, space)
        self.baseline, self.tets, self.pairs, self.tolerance = baseline, tets, pairs, tolerance
        self._fine = assembler(space, parts, assembly)
        self._coarse = assembler(Space(space.mesh, 1), parts, assembly) if space.order == 2 else None
        self._levels: LaneLevels | None = None
        self.method = "a fresh solve each"
        wanted = method == "lanes" or (method == "auto" and space.n_nodes >= DIRECT_NODES)
        # What differs from state to state is made by kernels of the lanes.
        wanted = wanted and assembly == "gather"
        if self._coarse is not None and wanted and tets.any():
            bone = replace(baseline.bone, youngs=np.where(tets, 0.0, baseline.bone.youngs))
            kept, gap = ~pairs[:, None], baseline.gap
            if gap is not None:
                gap = GapStiffness(gap.normal * kept, gap.tangential * kept)
            rest, coarse = (assembler.matrix(bone, gap) for assembler in (self._fine, self._coarse))
            self._levels = LaneLevels(rest, coarse, space, tets, pairs, self.fixed)
            self.method = METHOD
        self._start = start
        self.setup_seconds = perf_counter() - began

    def solve(self, states: Iterable[MaterialState], *, audit: float = 0.0, seed: int = 0) -> Iterator[BatchSolution]:
        """Solve states in their order, holding no more than a batch of them at a time.

        Parameters
        ----------
        states
            May be a generator.
        audit
            Share of the states, drawn at random, that are solved afresh and compared.
        seed
            Of that draw.

        Raises
        ------
        InputError
            A state changes something outside the candidate zone.
        SolverError
            A solve failed, or an audited state is off by more than 1e-8 in energy norm.
        """
        if not 0.0 <= audit <= 1.0:
            raise InputError("is no share", field="audit", value=audit, mend="give 0 to 1")
        drawn = np.random.default_rng(seed)
        source = iter(states)
        while batch := list(islice(source, LANES if self._levels is not None else 1)):
            for state in batch:
                self._check(state)
            solved = self._fresh(batch[0]) if self._levels is None else self._march(self._levels, batch)
            for state, found in zip(batch, solved, strict=True):
                yield self._audited(state, found) if drawn.random() < audit else found

    def _check(self, state: MaterialState) -> None:
        tets, pairs = _differences(self.baseline, state)
        for name, outside in (("tets", tets & ~self.tets), ("pairs of faces", pairs & ~self.pairs)):
            if outside.any():
                raise InputError(
                    f"a state changes {int(outside.sum())} {name} outside the candidate zone",
                    field="states",
                    mend="give the solver all that any state touches",
                )

    # ------------------------------------------------------------------ fresh solves
    def _system(self, state: MaterialState) -> LinearSystem:
        coarse = self._coarse
        return LinearSystem(
            self.space,
            self._fine.matrix(state.bone, state.gap),
            self.fixed,
            None if coarse is None else (lambda: coarse.matrix(state.bone, state.gap)),
            SolverSettings(tolerance=self.tolerance),
        )

    def _fresh(self, state: MaterialState) -> list[BatchSolution]:
        system = self._system(state)
        solution = system.solve(self.force)
        return [BatchSolution(solution, system.matrix.dot(solution.displacement))]

    def _audited(self, state: MaterialState, found: BatchSolution) -> BatchSolution:
        system = self._system(state)
        exact = system.solve(self.force).displacement
        difference = found.solution.displacement - exact
        error = float(
            np.sqrt(np.sum(difference * system.matrix.dot(difference)) / np.sum(exact * system.matrix.dot(exact)))
        )
        if not error <= AUDIT_LIMIT:
            raise SolverError(
                f"an audited state is off by {error:.1e} in energy norm (limit {AUDIT_LIMIT:g}); lower solver.tolerance"
            )
        return BatchSolution(found.solution, found.internal, error)

    # ------------------------------------------------------------------ lanes
    def _march(self, levels: LaneLevels, batch: list[MaterialState]) -> list[BatchSolution]:
        began = perf_counter()
        gaps = [self._gap(state) for state in batch]
        youngs, poisson = [s.bone.youngs for s in batch], [s.bone.poisson for s in batch]
        filled = LaneZone(levels.zone, levels.crew, youngs, poisson, gaps)
        # From the same start every time: a state's bits must not depend on those solved before it.
        cycle = LaneMultigrid(levels, filled)
        force = np.repeat(self.force[levels.order, :, None], LANES, axis=2)
        force *= levels.free[..., None]
        start = np.zeros_like(self.force) if self._start is None else self._start
        x = np.repeat(start[levels.order, :, None], LANES, axis=2)
        x *= levels.free[..., None]
        iterations = np.zeros(LANES, dtype=int)
        r = np.empty_like(force)
        scale = float(np.linalg.norm(force[..., 0]))
        for _ in range(3):
            _multiply(levels, filled, x, levels.free, r)
            np.subtract(force, r, out=r)
            if not (_norms(r) > self.tolerance * scale).any():
                break
            iterations += _conjugate_gradients(levels, filled, cycle, x, r, self.tolerance * scale)
        internal = np.empty_like(force)
        _multiply(levels, filled, x, np.ones_like(levels.free), internal)
        np.multiply(internal, levels.free[..., None], out=r)
        np.subtract(force, r, out=r)
        relative = _norms(r) / scale if scale else np.zeros(LANES)
        worst = float(relative[: len(batch)].max())
        if not worst <= LARGEST_RESIDUAL:
            raise SolverError(
                f"a state stopped at a relative residual of {worst:.1e} after {iterations.max()} iterations "
                f"({METHOD}); a nearly unsupported fragment or very bad tets: run `sacrofem check`"
            )
        seconds = (perf_counter() - began) / len(batch)
        return [
            BatchSolution(
                LinearSolution(
                    x[levels.position, :, lane], METHOD, int(iterations[lane]), float(relative[lane]), seconds
                ),
                internal[levels.position, :, lane],
            )
            for lane in range(len(batch))
        ]

    def _gap(self, state: MaterialState) -> Gap:
        if state.gap is None:
            shape = self.space.gap.areas.shape
            return np.zeros(shape), np.zeros(shape)
        return state.gap.normal, state.gap.tangential


def _norms(a: LaneArray) -> FloatArray:
    return np.sqrt(lane_sums(a, a))


def _multiply(levels: LaneLevels, filled: LaneZone, p: LaneArray, free: LaneArray, q: LaneArray) -> FloatArray:
    """q = free (A p), and (LANES,) p·q."""
    partial = np.empty((PIECES, LANES))
    levels.crew.share(lane_product, PIECES, *levels.double, p, *levels.zone.sums, filled.forces(p), free, q, partial)
    return np.asarray(partial.sum(axis=0))


def _conjugate_gradients(
    levels: LaneLevels, filled: LaneZone, cycle: LaneMultigrid, x: LaneArray, r: LaneArray, target: float
) -> IntArray:
    """Flexible conjugate gradients as in `solver`, each lane with its own steps; x and r in place.

    Returns the iterations (LANES,) after which each lane was done.
    """
    crew, partial = levels.crew, np.empty((PIECES, LANES))
    q, p = np.empty_like(r), np.zeros_like(r)
    norm = _norms(r)
    done = norm <= target
    # The cycle works in single precision on a residual of length near 1.
    scale = _inverse(norm)
    single = (r * scale).astype(np.float32)
    z = cycle(single)
    rz = lane_dots(crew, r, r, z)[0] * _inverse(scale)
    crew.share(lane_turn, len(p), np.zeros(LANES), _inverse(scale), z, p)
    needed = np.zeros(LANES, dtype=np.int64)
    best, since = np.full(LANES, np.inf), np.zeros(LANES, dtype=int)
    for iteration in range(1, MAX_ITERATIONS + 1):
        curvature = _multiply(levels, filled, p, levels.free, q)
        if not (done | ((curvature > 0) & np.isfinite(rz))).all():
            raise SolverError(
                "the stiffness matrix of a state is not positive definite; "
                "a part of the model is not supported, or a tet is inverted: run `sacrofem check`"
            )
        alpha = np.where(done, 0.0, rz * _inverse(curvature))
        crew.share(lane_advance, PIECES, alpha, p, q, x, r, scale, single, partial)
        norm = np.sqrt(partial.sum(axis=0))
        needed[~done] = iteration
        better = norm < 0.9 * best
        best, since = np.where(better, norm, best), np.where(better, 0, since + 1)
        done |= (norm <= target) | (since > 60)
        if done.all():
            break
        z = cycle(single)
        following, turned = (product * _inverse(scale) for product in lane_dots(crew, r, q, z))
        beta = -alpha * turned * _inverse(rz)
        rz = following
        crew.share(lane_turn, len(p), beta, _inverse(scale), z, p)
        scale = np.where(done, scale, _inverse(norm))
    return needed


def _inverse(values: FloatArray) -> FloatArray:
    """1/x, and 1 where x is 0: a lane that is done divides by nothing."""
    return 1.0 / np.where(values == 0.0, 1.0, values)
