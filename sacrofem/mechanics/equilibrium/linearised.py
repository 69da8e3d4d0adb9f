"""The linear system of an iteration with contact: a factor updated where few faces touch, or a new one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np

from sacrofem.mechanics.linear.direct import analyse
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.linear.solver import LinearSystem
from sacrofem.mechanics.linear.updated import MOST_JUMPS, UpdatedSystem
from sacrofem.mechanics.parts.contact import Contact, contact_matrices, jump_matrices
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.blocks import BlockMatrix, scatter
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.memory import limit_bytes, resident_bytes

UPDATED = "multifrontal Cholesky, updated where the gap closes"


class Linearised:
    """The matrices of one contact problem; a factor is kept as long as no point changes its state.

    Parameters
    ----------
    space : Space
    matrix : BlockMatrix
        Without contact and constraints.
    fixed : (N, 3) bool
    contact : Contact
    coarse : callable or None
        Makes the P1 matrix of the same model without contact.
    settings
        Of each correction.

    Attributes
    ----------
    name : str
        What solved last.
    solves : int
        Iterations of all solves.
    """

    def __init__(
        self,
        space: Space,
        matrix: BlockMatrix,
        fixed: BoolArray,
        contact: Contact,
        coarse: Callable[[], BlockMatrix] | None,
        settings: SolverSettings,
    ) -> None:
        self.space, self.matrix, self.fixed, self.contact, self.settings = space, matrix, fixed, contact, settings
        # Factorise once and update, where few faces touch.
        self._updates = settings.method != "multigrid" and settings.factorisation == "multifrontal"
        self._few = False
        self._coarse_base = coarse
        self._vertices: tuple[BlockMatrix, Space, IntArray] | None = None
        self._pairs = Assembler(space).pair_nodes
        self._system: LinearSystem | None = None
        self.name = ""
        self.solves = 0

    def _with(self, base: BlockMatrix, space: Space, pairs: IntArray, tensors: FloatArray) -> BlockMatrix:
        data = base.data.copy()
        scatter(base.indptr, base.indices, data, pairs, contact_matrices(space, tensors))
        return replace(base, data=data)

    def linearise(self, tensors: FloatArray) -> None:
        """A new matrix with these tensors (p, s, 3, 3) at the contact points."""
        touching = np.asarray(tensors.any(axis=(1, 2, 3)))
        self._few = self._updated is not None and self._updated.jumps(touching) <= MOST_JUMPS
        if self._few:
            assert self._updated is not None
            self._updated.set(touching, jump_matrices(self.space, tensors, touching))
            return
        tensors = tensors + self._damping
        self._system = LinearSystem(
            self.space,
            self._with(self.matrix, self.space, self._pairs, tensors),
            self.fixed,
            None if self._coarse_base is None else lambda: self._coarse(tensors),
            self.settings,
        )

    @property
    def _damping(self) -> FloatArray:
        return np.asarray(self.contact.damping[..., None, None] * np.eye(3))

    @cached_property
    def _updated(self) -> UpdatedSystem | None:
        """One factor for all iterations, where it fits into the memory."""
        if not self._updates:
            return None
        matrix, nodes = self.matrix, self.space.nodes
        symbolic = analyse(matrix.indptr, matrix.indices, nodes)
        limit = limit_bytes(self.settings.memory_gib)
        if limit is not None and resident_bytes() + symbolic.peak_bytes() + matrix.data.nbytes > limit:
            return None
        damped = self._with(matrix, self.space, self._pairs, self._damping)
        return UpdatedSystem(damped, self.fixed, nodes, self._pairs, symbolic)

    def _coarse(self, tensors: FloatArray) -> BlockMatrix:
        assert self._coarse_base is not None
        if self._vertices is None:
            vertices = Space(self.space.mesh, 1)
            self._vertices = self._coarse_base(), vertices, Assembler(vertices).pair_nodes
        return self._with(*self._vertices, tensors)

    def correction(self, right: FloatArray) -> FloatArray:
        """Displacement (N, 3) under nodal forces (N, 3), N, with the matrix of the last linearisation."""
        if self._few:
            assert self._updated is not None
            self.name, self.solves = UPDATED, self.solves + 1
            return self._updated.solve(right)
        assert self._system is not None
        solution = self._system.solve(right)
        self.name, self.solves = solution.method, self.solves + solution.iterations
        return solution.displacement
