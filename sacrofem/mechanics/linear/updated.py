"""A stiffness matrix that changes between few pairs of twin nodes, solved from one factor.

With J the jump between those pairs and S what is added there, (K + Jᵀ S J) x = r has the solution

    x = K⁻¹ (r - Jᵀ (1 + S C)⁻¹ S J K⁻¹ r),    C = J K⁻¹ Jᵀ

(Sherman, Morrison & Woodbury). Columns of C are kept, so that points of contact may come and go.
"""

from __future__ import annotations

import numpy as np

from sacrofem.mechanics.linear.direct import MultifrontalCholesky, Symbolic
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

# Right-hand sides that are solved together, and the most unknowns of jumps for which this pays.
_TOGETHER = 96
MOST_JUMPS = 1500


class UpdatedSystem:
    """Solver of a fixed matrix with changing stiffness between twin faces.

    Parameters
    ----------
    matrix : BlockMatrix
        What does not change, without constraints.
    fixed : (N, 3) bool
        Displacements that are held at 0.
    coordinates : (N, 3)
    pair_nodes : (p, 2a)
        Nodes of each pair of faces: those of one side, then their twins.
    symbolic : Symbolic
        Of the matrix.

    Raises
    ------
    SolverError
        The matrix is not positive definite.
    """

    def __init__(
        self, matrix: BlockMatrix, fixed: BoolArray, coordinates: FloatArray, pair_nodes: IntArray, symbolic: Symbolic
    ) -> None:
        self._free = ~fixed
        self._factor = MultifrontalCholesky(matrix.constrained(fixed), coordinates, symbolic=symbolic)
        a = pair_nodes.shape[1] // 2
        twins = np.stack([pair_nodes[:, :a], pair_nodes[:, a:]], axis=2)
        self._twins, place = np.unique(twins.reshape(-1, 2), axis=0, return_inverse=True)
        self._of_face: IntArray = place.reshape(-1, a)
        # Tied nodes of a front never part.
        self._parts = self._twins[:, 0] != self._twins[:, 1]
        self._known: IntArray = np.full(len(self._twins), -1)
        self._compliance = np.zeros((3 * len(self._twins), 0))
        self._chosen: IntArray = np.zeros(0, dtype=int)
        self._stiffness = np.zeros((0, 0))
        self._small = np.zeros((0, 0))

    def jumps(self, pairs: BoolArray) -> int:
        """Unknowns of the jumps between these pairs of faces (p,)."""
        return 3 * int(self._parts[np.unique(self._of_face[pairs])].sum())

    def set(self, pairs: BoolArray, blocks: FloatArray) -> None:
        """Add stiffness (n, 3a, 3a) in the jumps of the n chosen pairs of faces (p,), in place of what was added."""
        of_face = self._of_face[pairs]
        self._chosen = np.unique(of_face)
        self._chosen = self._chosen[self._parts[self._chosen]]
        place = np.full(len(self._twins), -1)
        place[self._chosen] = np.arange(len(self._chosen))
        rows = place[of_face]
        count = len(self._chosen)
        stiffness = np.zeros((count, 3, count, 3))
        a, axes = rows.shape[1], np.arange(3)
        of_nodes = blocks.reshape(-1, a, 3, a, 3)
        for i in range(a):
            for j in range(a):
                both = (rows[:, i] >= 0) & (rows[:, j] >= 0)
                # Axes: the pair, its three directions, the other pair, its three directions.
                mine, other = (rows[both, k][:, None, None] for k in (i, j))
                np.add.at(stiffness, (mine, axes[:, None], other, axes), of_nodes[both, i, :, j])
        self._stiffness = stiffness.reshape(3 * count, 3 * count)
        self._small = np.eye(3 * count) + self._stiffness @ self._compliance_of(self._chosen)

    def _compliance_of(self, chosen: IntArray) -> FloatArray:
        new = chosen[self._known[chosen] < 0]
        columns = [self._compliance]
        for first in range(0, len(new), _TOGETHER // 3):
            nodes = new[first : first + _TOGETHER // 3]
            force = np.zeros((len(self._free), 3, len(nodes), 3))
            for axis in range(3):
                force[self._twins[nodes, 0], axis, np.arange(len(nodes)), axis] = 1.0
                force[self._twins[nodes, 1], axis, np.arange(len(nodes)), axis] = -1.0
            force *= self._free[..., None, None]
            moved = self._factor.solve(force.reshape(len(self._free), 3, -1))
            columns.append(self._jump(moved).reshape(3 * len(self._twins), -1))
        self._known[new] = self._compliance.shape[1] // 3 + np.arange(len(new))
        self._compliance = np.concatenate(columns, axis=1)
        rows, kept = (3 * of[:, None] + np.arange(3) for of in (chosen, self._known[chosen]))
        return np.asarray(self._compliance[rows.ravel()[:, None], kept.ravel()])

    def _jump(self, moved: FloatArray) -> FloatArray:
        return np.asarray(moved[self._twins[:, 0]] - moved[self._twins[:, 1]])

    def solve(self, right: FloatArray) -> FloatArray:
        """(N, 3) solution with the stiffness that is set."""
        right = right * self._free
        first = self._factor.solve(right)
        if not len(self._chosen):
            return first
        jump = self._jump(first)[self._chosen].ravel()
        pull = np.linalg.solve(self._small, self._stiffness @ jump).reshape(-1, 3)
        both = self._twins[self._chosen]
        np.subtract.at(right, both[:, 0], pull)
        np.add.at(right, both[:, 1], pull)
        return np.asarray(self._factor.solve(right * self._free) * self._free)
