"""Equilibrium of one model in any of its states, each solve checking itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from sacrofem.mechanics.parts.form import FormPart
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.parts.supports import Reactions, Supports, reactions
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray, IntArray

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
    """Assemblers of one space, P1 companion included, with the parts that no state changes."""

    def __init__(
        self,
        space: Space,
        membrane: Membrane,
        supports: Supports,
        force: FloatArray,
        assembly: Assembly,
        extra: Sequence[FormPart],
    ) -> None:
        self.space, self.membrane, self.supports, self.force = space, membrane, supports, force
        self._assembly, self.extra = assembly, extra
        self.assembler = assembler(space, assembly, extra)

    @cached_property
    def coarse(self) -> Assembler:
        return assembler(Space(self.space.mesh, 1), self._assembly, self.extra)

    def extra_forces(self, u: FloatArray) -> list[FloatArray]:
        """(N, 3) nodal forces that deform each part in forms of the user's own."""
        return [(matrix @ u.ravel()).reshape(-1, 3) for matrix in self.assembler.added]

    def matrix(self, assembler: Assembler, bone: Elasticity, gap: GapStiffness | None) -> BlockMatrix:
        return assembler.matrix(bone, membrane=self.membrane, gap=gap, supports=self.supports)


class Statics:
    """Equilibrium on a split mesh, with the same loads and supports in every state.

    Parameters
    ----------
    space : Space
        On the split mesh.
    membrane : Membrane
    supports : Supports
        Its springs act on mesh points.
    force : (N, 3)
        Applied nodal forces, N.
    settings
        Of the linear solver.
    extra
        Parts in forms of the user's own; their loads are added to ``force``.
    """

    def __init__(
        self,
        space: Space,
        membrane: Membrane,
        supports: Supports,
        force: FloatArray,
        settings: SolverSettings = DEFAULT_SETTINGS,
        extra: Sequence[FormPart] = (),
    ) -> None:
        for part in extra:
            part.check(space)
            force = force + part.force(space)
        self.space, self.membrane, self.supports, self.force = space, membrane, supports, force
        self.settings = settings
        self._split = _Discrete(space, membrane, supports, force, settings.assembly, extra)

    @cached_property
    def _sides(self) -> FractureSides:
        return FractureSides(self.space, self.membrane, self.supports)

    @cached_property
    def _tied(self) -> tuple[_Discrete, IntArray]:
        """The same model with twin faces tied, and the number of each node in it."""
        space = self.space
        mesh, vertex = space.mesh.glued()
        tied = Space(mesh, space.order)
        node = np.empty(space.n_nodes, np.int64)
        node[space.connectivity] = tied.connectivity
        kept = space.mesh.pair == 0
        number = np.cumsum(kept) - 1
        force = np.zeros((tied.n_nodes, 3))
        np.add.at(force, node, self.force)
        fixed = np.zeros((tied.n_nodes, 3), dtype=bool)
        np.logical_or.at(fixed, node, self.supports.fixed)
        supports = replace(
            self.supports,
            fixed=fixed,
            foundation_faces=number[self.supports.foundation_faces],
            spring_nodes=vertex[self.supports.spring_nodes],
        )
        membrane = replace(self.membrane, youngs=self.membrane.youngs[kept], thickness=self.membrane.thickness[kept])
        extra = [part for part in self._split.extra if part.there(tied)]
        return _Discrete(tied, membrane, supports, force, self.settings.assembly, extra), node

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
        tied = gap is None and bool(self.space.mesh.pair_side.any())  # type: ignore[union-attr]
        discrete, node = self._tied if tied else (self._split, np.arange(self.space.n_nodes))
        matrix = discrete.matrix(discrete.assembler, bone, gap)
        coarse = (lambda: discrete.matrix(discrete.coarse, bone, gap)) if self.space.order == 2 else None
        touching = None
        if contact is None:
            system = LinearSystem(discrete.space, matrix, discrete.supports.fixed, coarse, self.settings)
            solution = system.solve(discrete.force)
        else:
            solution, touching = solve_contact(
                self.space, matrix, discrete.supports.fixed, contact, discrete.force,
                start=None if start is None else start.state.displacement, coarse=coarse,
                settings=self.settings, steps=LOAD_STEPS if contact.friction else 1,
            )  # fmt: skip
            solution = solution if start is None else _after(start.solution, solution)
        internal = matrix.dot(solution.displacement)
        return self._recorded(
            discrete, node, name, solution, internal, bone, gap,
            fraction=fraction, coverage=coverage, touching=touching,
        )  # fmt: skip

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
        everything = np.arange(self.space.n_nodes)
        return self._recorded(
            self._split, everything, name, solution, internal, bone, gap, fraction=fraction, coverage=coverage
        )

    def _recorded(
        self,
        discrete: _Discrete,
        node: IntArray,
        name: str,
        solution: LinearSolution,
        internal: FloatArray,
        bone: Elasticity,
        gap: GapStiffness | None,
        *,
        fraction: FloatArray | None,
        coverage: FloatArray | None,
        touching: ContactState | None = None,
    ) -> Solved:
        u = solution.displacement
        taken = float(np.sum(u * internal))
        if touching is not None:
            internal = internal - contact_force(self.space, touching.pressure, touching.friction)
            taken += touching.taken_nmm
        extra = discrete.extra_forces(u)
        held = reactions(discrete.space, discrete.supports, u, internal - discrete.force)
        for part, forces in zip(discrete.extra, extra, strict=True):
            held = held.with_form(part.name, discrete.space.nodes, -forces)
        checks = self._balance(discrete, u, taken, held)
        checks["residual"] = solution.residual
        checks["fracture"] = self._fracture(u[node], bone)
        for key in ("force", "moment", "energy", "fracture"):
            value = checks[key]
            if value is not None and not value <= BALANCE_LIMIT:
                raise SolverError(
                    f"{name}: {key} is out of balance by {value:.1e} (limit {BALANCE_LIMIT:g}, relative); "
                    "lower solver.tolerance, or look for a nearly unsupported fragment"
                )
        m = len(self.space.mesh.tets)
        state = State(
            name, u[node], bone, gap,
            np.zeros(m) if fraction is None else fraction,
            np.zeros(self.space.gap.areas.shape) if coverage is None else coverage,
            self.membrane, self.force, touching,
        )  # fmt: skip
        return Solved(state, solution, held, checks)

    def _balance(self, discrete: _Discrete, u: FloatArray, taken: float, held: Reactions) -> dict[str, float | None]:
        force, nodes = discrete.force, discrete.space.nodes
        total, load = force.sum(axis=0), float(np.abs(force).sum(axis=0).max())
        height = float(np.ptp(nodes, axis=0).max())
        turning = np.cross(nodes, force).sum(axis=0)
        work = float(np.sum(force * u))
        return {
            "force": float(np.linalg.norm(total + held.force)) / load,
            "moment": float(np.linalg.norm(turning + held.moment)) / (load * height),
            "energy": abs(taken - work) / abs(work) if work else 0.0,
        }

    def _fracture(self, u: FloatArray, bone: Elasticity) -> float | None:
        if not self.space.mesh.pair_side.any():  # type: ignore[union-attr]
            return None
        # What is not of the bone counts as applied to it.
        sides = self._sides.forces(u, bone, self.force - sum(self._split.extra_forces(u)))
        return float(np.linalg.norm(sides[0] + sides[1]) / np.abs(self.force).sum(axis=0).max())


def _after(first: LinearSolution, second: LinearSolution) -> LinearSolution:
    return replace(
        second,
        method=second.method or first.method,
        iterations=first.iterations + second.iterations,
        seconds=first.seconds + second.seconds,
    )
