"""The linear solve: conjugate gradients with p-multigrid, or the direct factorisation.

Every solution is judged by its recomputed residual; a solve that stagnates raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from sacrofem.errors import EnvironmentFailure, SolverError
from sacrofem.mechanics.linear.diagnosis import likely_cause
from sacrofem.mechanics.linear.direct import NOT_DEFINITE, MultifrontalCholesky, analyse
from sacrofem.mechanics.linear.factors import NAMES, FactoredMatrix, Factorisation, factorise
from sacrofem.mechanics.linear.multigrid import PMultigrid
from sacrofem.mechanics.linear.settings import DEFAULT_SETTINGS, SolverSettings
from sacrofem.mechanics.space.blocks import BlockMatrix, advance, products, turn
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray
from sacrofem.system.memory import GIB, limit_bytes, resident_bytes

# True relative residual above which no number may leave the solver.
LARGEST_RESIDUAL = 1e-8
MAX_ITERATIONS = 300
# Below this number of nodes a factorisation is quicker than multigrid, and more accurate.
DIRECT_NODES = 6000


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """Displacement (N, 3) in mm, and how it was found.

    ``history`` has the relative residual after each iteration, as the recurrence gives it.
    """

    displacement: FloatArray
    method: str
    iterations: int
    residual: float
    seconds: float
    history: tuple[float, ...] = ()

    def iterations_to(self, tolerance: float) -> int | None:
        """Iterations until the relative residual was below ``tolerance``; None if it never was."""
        return next((i for i, norm in enumerate(self.history, 1) if norm <= tolerance), None)


def conjugate_gradients(
    matrix: BlockMatrix,
    force: FloatArray,
    preconditioner: Callable[[FloatArray], FloatArray],
    tolerance: float,
    max_iterations: int = MAX_ITERATIONS,
    *,
    free: BoolArray | None = None,
) -> tuple[FloatArray, list[float]]:
    """Flexible preconditioned conjugate gradients (Notay 2000).

    The flexible β tolerates a preconditioner in single precision.

    Parameters
    ----------
    matrix : BlockMatrix
        Without constraints, or with them.
    force : (N, 3)
        0 where a displacement is held.
    preconditioner : callable
    tolerance : float
        Relative residual at which to stop.
    max_iterations : int
    free : (N, 3) bool, optional
        Displacements that are not held; the matrix is only seen between these.

    Returns
    -------
    displacement : (N, 3)
    history : list of float
        Relative residual after each iteration, by recurrence.

    Raises
    ------
    SolverError
        If the matrix turns out indefinite.
    """
    x = np.zeros_like(force)
    r = force.copy()
    free = np.ones(force.shape, bool) if free is None else free
    first = float(np.linalg.norm(force))
    history: list[float] = []
    if tolerance * first == 0.0:
        return x, history
    z = preconditioner(r)
    p = z * free
    rz = float(products(r, r, z)[0])
    best, since = np.inf, 0
    for _ in range(max_iterations):
        q, curvature = matrix.dot_free(p, free)
        if not curvature > 0 or not np.isfinite(rz):
            raise SolverError(NOT_DEFINITE)
        alpha = rz / curvature
        norm = float(np.sqrt(advance(x, r, p, q, alpha))) / first
        history.append(norm)
        if norm <= tolerance:
            break
        best, since = (norm, 0) if norm < 0.9 * best else (best, since + 1)
        if since > 60:
            break
        z = preconditioner(r)
        following, change = products(r, q, z)
        # (r_new - r_old)·z, with r_old = r_new + alpha q
        beta = -alpha * change / rz
        rz = following
        turn(p, z * free, beta)
    return x, history


class LinearSystem:
    """One constrained stiffness matrix, factorised or preconditioned once for any number of loads.

    Parameters
    ----------
    space : Space
    matrix : BlockMatrix
        Without constraints. Kept, and never copied in double precision except to factorise it whole.
    fixed : (N, 3) bool
        Displacements that are prescribed.
    coarse : callable, optional
        Makes the P1 matrix of the same model, which is constrained in place; needed for multigrid on P2.
    settings
        The matrix is made already: `SolverSettings.assembly` does not count here.

    Raises
    ------
    SolverError
        The matrix is not positive definite.
    EnvironmentFailure
        Not even multigrid fits into the memory.
    """

    def __init__(
        self,
        space: Space,
        matrix: BlockMatrix,
        fixed: BoolArray,
        coarse: Callable[[], BlockMatrix] | None = None,
        settings: SolverSettings = DEFAULT_SETTINGS,
    ) -> None:
        start = perf_counter()
        method, factorisation = settings.method, settings.factorisation
        self.space, self.matrix, self.fixed, self.tolerance = space, matrix, fixed, settings.tolerance
        self._free = ~fixed
        self._room = _Room(limit_bytes(settings.memory_gib), resident_bytes())
        if method == "auto":
            method = "direct" if space.order == 1 or coarse is None or space.n_nodes < DIRECT_NODES else "multigrid"
        if method == "multigrid" and (coarse is None or space.order == 1):
            raise ValueError("multigrid needs a P2 space and its P1 matrix")
        self._preconditioner: Callable[[FloatArray], FloatArray]
        try:
            if method == "direct" and self._factorised(factorisation, leaner=coarse is not None and space.order == 2):
                pass
            else:
                assert coarse is not None
                self._multigrid(coarse, factorisation)
                if method == "direct":
                    self.method += ", for lack of memory to factorise"
        except SolverError as error:
            raise self._explained(str(error)) from error
        self.setup_seconds = perf_counter() - start

    def _factorised(self, factorisation: Factorisation, *, leaner: bool) -> bool:
        """Factorise the whole system; False where a leaner method has to."""
        matrix, space = self.matrix, self.space
        symbolic = analyse(matrix.indptr, matrix.indices, space.nodes)
        # Others than our own make a scalar copy with an index to every number.
        extra = matrix.data.nbytes if factorisation == "multifrontal" else 4 * matrix.data.nbytes
        needed = symbolic.peak_bytes() + extra
        if leaner and not self._room.holds(needed):
            return False
        self._room.demand(needed, "factorising")
        constrained = matrix.constrained(self.fixed)
        if factorisation == "multifrontal":
            self._preconditioner = MultifrontalCholesky(constrained, space.nodes, symbolic=symbolic).solve
        else:
            self._preconditioner = factorise(constrained, space.nodes, factorisation).solve
        self.method = NAMES[factorisation]
        return True

    def _multigrid(self, coarse: Callable[[], BlockMatrix], factorisation: Factorisation) -> None:
        space, matrix = self.space, self.matrix
        # The matrix in single precision, the P1 matrix and its copy (an eighth of the blocks or less), a dozen vectors.
        needed = matrix.data.nbytes // 2 + matrix.data.nbytes // 4 + 12 * 24 * space.n_nodes
        self._room.demand(needed, "multigrid")
        # First, and all of it but the factor let go, so that the matrix in single precision does not lie beside it.
        factor = self._coarse_factor(coarse, needed, factorisation)
        self._preconditioner = PMultigrid(matrix, factor, space, self.fixed)
        self.method = "conjugate gradients, p-multigrid"
        if factorisation != "multifrontal":
            self.method += f", P1 by {NAMES[factorisation]}"

    def _coarse_factor(
        self, coarse: Callable[[], BlockMatrix], needed: int, factorisation: Factorisation
    ) -> FactoredMatrix:
        points = self.space.mesh.points
        below = coarse()
        below.constrain(self.fixed[: len(points)])
        if factorisation != "multifrontal":
            return factorise(below, points, factorisation)
        symbolic = analyse(below.indptr, below.indices, points)
        self._room.demand(needed + symbolic.peak_bytes(single=True), "multigrid")
        return MultifrontalCholesky(below, points, single=True, symbolic=symbolic)

    def _explained(self, problem: str) -> SolverError:
        cause = likely_cause(self.space, self.matrix, self.fixed)
        return SolverError(f"{problem}; {cause}: run `sacrofem check`")

    def _residual(self, x: FloatArray, right: FloatArray) -> FloatArray:
        return np.asarray(right - self.matrix.dot_free(x, self._free)[0])

    def solve(self, force: FloatArray, prescribed: FloatArray | None = None) -> LinearSolution:
        """Displacement under nodal forces (N, 3), with prescribed values (N, 3) where fixed.

        Raises
        ------
        SolverError
            If the true relative residual stays above 1e-8, or the load is not finite.
        """
        start = perf_counter()
        base = np.zeros_like(force)
        if prescribed is not None:
            base[self.fixed] = prescribed[self.fixed]
        right = force - self.matrix.dot(base) if base.any() else force.copy()
        right[self.fixed] = 0.0
        if not np.isfinite(right).all():
            raise SolverError("a load or a prescribed displacement is not finite: run `sacrofem check`")
        try:
            x, history, relative = self._refined(right)
        except SolverError as error:
            raise self._explained(str(error)) from error
        if not relative <= LARGEST_RESIDUAL:
            raise self._explained(
                f"the solve stopped at a relative residual of {relative:.1e} after {len(history)} iterations "
                f"({self.method})"
            )
        seconds = self.setup_seconds + perf_counter() - start
        return LinearSolution(base + x, self.method, len(history), relative, seconds, tuple(history))

    def _refined(self, right: FloatArray) -> tuple[FloatArray, list[float], float]:
        """Solution, history and true relative residual; the recurrence of CG drifts from it, so it is restarted."""
        scale = float(np.linalg.norm(right))
        x, history = conjugate_gradients(self.matrix, right, self._preconditioner, self.tolerance, free=self._free)
        for attempt in range(4):
            defect = self._residual(x, right)
            relative = float(np.linalg.norm(defect)) / scale if scale else 0.0
            if not relative > self.tolerance or attempt == 3:
                break
            correction, more = conjugate_gradients(
                self.matrix, defect, self._preconditioner, max(self.tolerance / relative, 1e-3), free=self._free
            )
            x = x + correction
            history += [norm * relative for norm in more]
        return x, history, relative


@dataclass(frozen=True)
class _Room:
    """Bytes that the process may reach, and those that it has when the solver starts."""

    limit: int | None
    resident: int

    def holds(self, needed: int) -> bool:
        return self.limit is None or self.resident + needed <= self.limit

    def demand(self, needed: int, what: str) -> None:
        if not self.holds(needed):
            assert self.limit is not None
            raise EnvironmentFailure(
                f"{what} needs {(self.resident + needed) / GIB:.2f} GiB of memory, {self.limit / GIB:.2f} GiB "
                "are allowed; use a larger --size, or raise --memory-gib"
            )
