"""Equilibrium of one model in any of its states, each solve checking itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sacrofem.errors import SolverError
from sacrofem.mechanics.equilibrium.active_set import LOAD_STEPS, solve_contact
from sacrofem.mechanics.equilibrium.balance import FractureSides
from sacrofem.mechanics.equilibrium.state import State
from sacrofem.mechanics.forms import assembler
from sacrofem.mechanics.linear.settings import DEFAULT_SETTINGS, Assembly, SolverSettings
from sacrofem.mechanics.linear.solver import LinearSolution, LinearSystem
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.contact import Contact, ContactState, contact_force
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.part import Part, check_names, total_fixed, total_force
from sacrofem.mechanics.parts.reactions import Reactions, reactions
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray

# Share of the load, of load times height and of the work that equilibrium may miss.
BALANCE_LIMIT = 1e-7


@dataclass(frozen=True, eq=False)
class Solved:
    """A state with the record of its solve.

    Attributes
    ----------
    state : State
    solution : LinearSolution
        Method, iterations, true residual, seconds.
    reactions : Reactions
        What joints and ligaments put on the sacrum.
    checks : mapping of str to float
        ``residual`` (true, relative), ``force`` and ``moment`` (unbalanced share of the load and
        of load times height), ``energy`` (relative difference of strain energy and half the work; with
        contact, half of what pressure and friction take at the gap points is part of the former),
        ``fracture`` (what the forces of the bone on its two sides differ by, share of the load; None without one).
    """

    state: State
    solution: LinearSolution
    reactions: Reactions
    checks: Mapping[str, float | None]


class _Discrete:
    """Assemblers of one space, P1 companion included, with what no state changes.

    ``split`` is the space on the split mesh where twin faces of ``space`` are tied.
    """

    def __init__(self, space: Space, parts: Sequence[Part], assembly: Assembly, split: Space) -> None:
        self.space, self._parts, self._assembly, self._split = space, parts, assembly, split
        self.assembler = assembler(space, parts, assembly, split)
        self.node = node = self.assembler.number
        self.force = self.gathered(total_force(parts, split))
        self._held_twins = np.zeros((space.n_nodes, 3), dtype=np.int64)
        np.add.at(self._held_twins, node, total_fixed(parts, split))
        self.fixed: BoolArray = self._held_twins > 0

    @cached_property
    def coarse(self) -> Assembler:
        space = Space(self.space.mesh, 1)
        split = space if self._split is self.space else Space(self._split.mesh, 1)
        return assembler(space, self._parts, self._assembly, split)

    def gathered(self, force: FloatArray) -> FloatArray:
        """(n, 3) nodal forces (N, 3) of the split mesh on the nodes of this space."""
        result = np.zeros((self.space.n_nodes, 3))
        np.add.at(result, self.node, force)
        return result

    def held_forces(self, internal: FloatArray, force: FloatArray) -> FloatArray:
        """(N, 3) forces in N of what is held on the split nodes, under nodal forces (n, 3); tied twins share theirs."""
        reaction = np.where(self.fixed, internal - force, 0.0) / np.maximum(self._held_twins, 1)
        return np.asarray(reaction[self.node])


class Statics:
    """Equilibrium on a split mesh, with the same parts but the gap in every state.

    Parameters
    ----------
    space : Space
        On the split mesh.
    parts
        All but the gap: cortex, supports, loads.
    settings
        Of the linear solver.

    Attributes
    ----------
    force : (N, 3)
        Applied nodal forces, N.
    fixed : (N, 3) bool
        Displacements held still.

    Raises
    ------
    InputError
        Two parts have one name.
    """

    def __init__(self, space: Space, parts: Iterable[Part], settings: SolverSettings = DEFAULT_SETTINGS) -> None:
        self.space, self.parts, self.settings = space, tuple(parts), settings
        check_names(self.parts)
        self._split = _Discrete(space, self.parts, settings.assembly, space)
        self.force, self.fixed = self._split.force, self._split.fixed

    @cached_property
    def cortex(self) -> Membrane:
        """The cortex among the parts."""
        found = (part for part in self.parts if isinstance(part, Membrane))
        return next(found, Membrane.none(self.space.mesh))

    @cached_property
    def _sides(self) -> FractureSides:
        return FractureSides(self.space, self.parts)

    @cached_property
    def _tied(self) -> _Discrete:
        """The same model with twin faces tied."""
        tied = Space(self.space.mesh.glued()[0], self.space.order)
        return _Discrete(tied, self.parts, self.settings.assembly, self.space)

    def solve(
        self,
        name: str,
        bone: Elasticity,
        gap: GapStiffness | None,
        *,
        fraction: FloatArray | None = None,
        coverage: FloatArray | None = None,
        contact: Contact | None = None,
        start: Solved | None = None,
    ) -> Solved:
        """One state.

        Parameters
        ----------
        name
            ``"intact"``, ``"before"`` or ``"after"``.
        bone
            Cement included.
        gap
            None ties twin faces together.
        fraction, coverage
            Where cement is in this state: kept with the result.
        contact
            What may touch in the gap, beside its stiffness; None: the law is linear.
        start
            The linear solution that contact is looked for from. Its iterations and seconds count too.

        Raises
        ------
        SolverError
            The solve failed, contact cycles, or force, moment, energy or the two sides of the fracture do not balance.
        """
        if contact is None:
            return next(self.solve_all(name, bone, gap, [self.force], fraction=fraction, coverage=coverage))
        discrete, matrix, coarse = self._matrices(bone, gap)
        solution, touching = solve_contact(
            self.space, matrix, discrete.fixed, contact, discrete.force,
            start=None if start is None else start.state.displacement, coarse=coarse,
            settings=self.settings, steps=LOAD_STEPS if contact.friction else 1,
        )  # fmt: skip
        solution = solution if start is None else _after(start.solution, solution)
        internal = matrix.dot(solution.displacement)
        return self._recorded(
            discrete, name, solution, internal, bone, gap, self.force,
            fraction=fraction, coverage=coverage, touching=touching,
        )  # fmt: skip

    def solve_all(
        self,
        name: str,
        bone: Elasticity,
        gap: GapStiffness | None,
        forces: Iterable[FloatArray],
        *,
        fraction: FloatArray | None = None,
        coverage: FloatArray | None = None,
    ) -> Iterator[Solved]:
        """One linear state under several loads: one matrix, factorised or preconditioned once.

        Parameters
        ----------
        name, bone, gap, fraction, coverage
            As for `solve`.
        forces : iterable of (N, 3)
            Nodal forces on the split mesh, in place of those of the parts.

        Yields
        ------
        Solved
            In their order.

        Raises
        ------
        SolverError
            A solve failed or does not balance.
        """
        discrete, matrix, coarse = self._matrices(bone, gap)
        system = LinearSystem(discrete.space, matrix, discrete.fixed, coarse, self.settings)
        for force in forces:
            solution = system.solve(discrete.gathered(force))
            internal = matrix.dot(solution.displacement)
            yield self._recorded(
                discrete, name, solution, internal, bone, gap, force, fraction=fraction, coverage=coverage
            )

    def _matrices(
        self, bone: Elasticity, gap: GapStiffness | None
    ) -> tuple[_Discrete, BlockMatrix, Callable[[], BlockMatrix] | None]:
        """The model of a state, its matrix, and what makes that of its P1 companion."""
        tied = gap is None and bool(self.space.mesh.pair_side.any())  # type: ignore[union-attr]
        discrete = self._tied if tied else self._split
        coarse = (lambda: discrete.coarse.matrix(bone, gap)) if self.space.order == 2 else None
        return discrete, discrete.assembler.matrix(bone, gap), coarse

    def recorded(
        self,
        name: str,
        solution: LinearSolution,
        internal: FloatArray,
        bone: Elasticity,
        gap: GapStiffness | None,
        *,
        fraction: FloatArray | None = None,
        coverage: FloatArray | None = None,
    ) -> Solved:
        """A linear solution of the split mesh that was found elsewhere, checked and kept like one of `solve`.

        ``internal`` (N, 3) are the nodal forces of all stiffness, N.
        """
        return self._recorded(
            self._split, name, solution, internal, bone, gap, self.force, fraction=fraction, coverage=coverage
        )

    def _recorded(
        self,
        discrete: _Discrete,
        name: str,
        solution: LinearSolution,
        internal: FloatArray,
        bone: Elasticity,
        gap: GapStiffness | None,
        force: FloatArray,
        *,
        fraction: FloatArray | None,
        coverage: FloatArray | None,
        touching: ContactState | None = None,
    ) -> Solved:
        taken = float(np.sum(solution.displacement * internal))
        if touching is not None:
            internal = internal - contact_force(self.space, touching.pressure, touching.friction)
            taken += touching.taken_nmm
        u = solution.displacement[discrete.node]
        held = reactions(self.space, self.parts, u, discrete.held_forces(internal, discrete.gathered(force)))
        checks = self._balance(u, taken, held, force)
        checks["residual"] = solution.residual
        checks["fracture"] = self._fracture(u, bone, force)
        for key in ("force", "moment", "energy", "fracture"):
            value = checks[key]
            if value is not None and not value <= BALANCE_LIMIT:
                raise SolverError(
                    f"{name}: {key} is out of balance by {value:.1e} (limit {BALANCE_LIMIT:g}, relative); "
                    "lower solver.tolerance, or look for a nearly unsupported fragment"
                )
        m = len(self.space.mesh.tets)
        state = State(
            name, u, bone, gap,
            np.zeros(m) if fraction is None else fraction,
            np.zeros(self.space.gap.areas.shape) if coverage is None else coverage,
            self.cortex, force, touching,
        )  # fmt: skip
        return Solved(state, solution, held, checks)

    def _balance(self, u: FloatArray, taken: float, held: Reactions, force: FloatArray) -> dict[str, float | None]:
        nodes = self.space.nodes
        total, load = force.sum(axis=0), float(np.abs(force).sum(axis=0).max())
        height = float(np.ptp(nodes, axis=0).max())
        turning = np.cross(nodes, force).sum(axis=0)
        work = float(np.sum(force * u))
        return {
            "force": float(np.linalg.norm(total + held.force)) / load,
            "moment": float(np.linalg.norm(turning + held.moment)) / (load * height),
            "energy": abs(taken - work) / abs(work) if work else 0.0,
        }

    def _fracture(self, u: FloatArray, bone: Elasticity, force: FloatArray) -> float | None:
        if not self.space.mesh.pair_side.any():  # type: ignore[union-attr]
            return None
        sides = self._sides.forces(u, bone, force)
        return float(np.linalg.norm(sides[0] + sides[1]) / np.abs(force).sum(axis=0).max())


def _after(first: LinearSolution, second: LinearSolution) -> LinearSolution:
    return replace(
        second,
        method=second.method or first.method,
        iterations=first.iterations + second.iterations,
        seconds=first.seconds + second.seconds,
    )
