"""The linear solve: conjugate gradients with p-multigrid, or the direct factorisation.

Every solution is judged by its recomputed residual; a solve that stagnates raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np

from sacrofem.errors import SolverError
from sacrofem.mechanics.blocks import BlockMatrix
from sacrofem.mechanics.direct import MultifrontalCholesky
from sacrofem.mechanics.multigrid import PMultigrid
from sacrofem.mechanics.space import Space
from sacrofem.mesh.tetmesh import BoolArray, FloatArray

Method = Literal["auto", "direct", "multigrid"]
# True relative residual above which no number may leave the solver (DESIGN 5).
LARGEST_RESIDUAL = 1e-8
MAX_ITERATIONS = 300
# Below this number of nodes a factorisation is quicker than multigrid, and more accurate.
DIRECT_NODES = 6000


@dataclass(frozen=True, eq=False)
class Solution:
    """Displacement (N, 3) in mm, and how it was found."""

    displacement: FloatArray
    method: str
    iterations: int
    residual: float
    seconds: float


def _dot(a: FloatArray, b: FloatArray) -> float:
    return float(np.dot(a.ravel(), b.ravel()))


def conjugate_gradients(
    matrix: BlockMatrix,
    force: FloatArray,
    preconditioner: Callable[[FloatArray], FloatArray],
    tolerance: float,
    max_iterations: int = MAX_ITERATIONS,
) -> tuple[FloatArray, int]:
    """Flexible preconditioned conjugate gradients (Notay 2000, SIAM J Sci Comput 22:1444).

    The flexible β tolerates a preconditioner in single precision.

    Returns
    -------
    displacement : (N, 3)
    iterations : int

    Raises
    ------
    SolverError
        If the matrix turns out indefinite.
    """
    x = np.zeros_like(force)
    r = force.copy()
    target = tolerance * np.sqrt(_dot(force, force))
    if target == 0.0:
        return x, 0
    z = preconditioner(r)
    p = z.copy()
    rz = _dot(r, z)
    best, since = np.inf, 0
    for iteration in range(1, max_iterations + 1):
        q = matrix.dot(p)
        curvature = _dot(p, q)
        if not curvature > 0 or not np.isfinite(rz):
            raise SolverError(
                "the stiffness matrix is not positive definite; "
                "a part of the model is not supported, or a tet is inverted: run `sacrofem check`"
            )
        alpha = rz / curvature
        x += alpha * p
        r -= alpha * q
        norm = np.sqrt(_dot(r, r))
        if norm <= target:
            return x, iteration
        best, since = (norm, 0) if norm < 0.9 * best else (best, since + 1)
        if since > 60:
            return x, iteration
        z = preconditioner(r)
        following = _dot(r, z)
        # (r_new - r_old)·z, with r_old = r_new + alpha q
        beta = -alpha * _dot(q, z) / rz
        rz = following
        p *= beta
        p += z
    return x, max_iterations


class LinearSystem:
    """One constrained stiffness matrix, factorised or preconditioned once for any number of loads.

    Parameters
    ----------
    space : Space
    matrix : BlockMatrix
        Without constraints.
    fixed : (N, 3) bool
        Displacements that are prescribed.
    coarse : callable, optional
        Gives the P1 matrix of the same model; needed for multigrid on P2.
    method : "auto", "direct" or "multigrid"
    tolerance : float
        True relative residual to reach.
    """

    def __init__(
        self,
        space: Space,
        matrix: BlockMatrix,
        fixed: BoolArray,
        coarse: Callable[[], BlockMatrix] | None = None,
        *,
        method: Method = "auto",
        tolerance: float = 1e-10,
    ) -> None:
        start = perf_counter()
        self.space, self.matrix, self.fixed, self.tolerance = space, matrix, fixed, tolerance
        self._constrained = matrix.constrained(fixed)
        if method == "auto":
            method = "direct" if space.order == 1 or coarse is None or space.n_nodes < DIRECT_NODES else "multigrid"
        self._preconditioner: Callable[[FloatArray], FloatArray]
        if method == "direct":
            self._preconditioner = MultifrontalCholesky(self._constrained, space.nodes).solve
            self.method = "multifrontal Cholesky"
        else:
            if coarse is None or space.order == 1:
                raise ValueError("multigrid needs a P2 space and its P1 matrix")
            vertices = fixed[: len(space.mesh.points)]
            self._preconditioner = PMultigrid(self._constrained, coarse().constrained(vertices), space, fixed)
            self.method = "conjugate gradients, p-multigrid"
        self.setup_seconds = perf_counter() - start

    def solve(self, force: FloatArray, prescribed: FloatArray | None = None) -> Solution:
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
        scale = np.linalg.norm(right)
        x, iterations = conjugate_gradients(self._constrained, right, self._preconditioner, self.tolerance)
        for _ in range(3):
            defect = right - self._constrained.dot(x)
            relative = float(np.linalg.norm(defect) / scale) if scale else 0.0
            if not relative > self.tolerance:
                break
            # The recurrence of CG drifts from the true residual: restart from the defect.
            correction, more = conjugate_gradients(
                self._constrained, defect, self._preconditioner, max(self.tolerance / relative, 1e-3)
            )
            x, iterations = x + correction, iterations + more
        else:
            relative = float(np.linalg.norm(right - self._constrained.dot(x)) / scale)
        if not relative <= LARGEST_RESIDUAL:
            raise SolverError(
                f"the solve stopped at a relative residual of {relative:.1e} after {iterations} iterations "
                f"({self.method}); a nearly unsupported fragment or very bad tets: run `sacrofem check`"
            )
        return Solution(base + x, self.method, iterations, relative, self.setup_seconds + perf_counter() - start)
