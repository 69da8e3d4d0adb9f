"""Any tet mesh as a test piece: own moduli, faces held, moved or pressed, and the force that it takes.

No sacral name is needed: what a sacrum has beside bone (joints, ligaments, cement) belongs to a specimen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from sacrofem.errors import InputError, SolverError
from sacrofem.mechanics.linear.settings import DEFAULT_SETTINGS, SolverSettings
from sacrofem.mechanics.linear.solver import LinearSolution, LinearSystem
from sacrofem.mechanics.measures.statefields import StateFields
from sacrofem.mechanics.parts.bone import Elasticity, checked_elasticity
from sacrofem.mechanics.parts.loads import Resultant, face_centroid, load_vector
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.space import Order, Space
from sacrofem.mesh.quality import check_mesh
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.fields import HasFields
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.memory import check_unknowns
from sacrofem.system.threads import threads

Vector = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Body:
    """A tet mesh with moduli of its own; nothing is solved.

    Parameters
    ----------
    mesh : TetMesh
        With names for the faces that are held, moved or pressed (`TetMesh.with_sets`).
    youngs : float or (m,)
        MPa.
    poisson : float or (m,)
    held : iterable of str
        Sets of faces that do not move at all.
    moved : mapping of str to three numbers
        Displacement in mm of sets of faces; None leaves a component free.
    pressed : mapping of str to three numbers
        Force in N that is spread evenly over a set of faces.
    order
        2: quadratic displacements; 1: a preview.
    settings
        Of the linear solver.

    Raises
    ------
    InputError
        A mesh with faults, moduli that are none, a name that the mesh does not have, faces moved in two ways, or
        nothing that holds the body.
    """

    mesh: TetMesh
    space: Space
    material: Elasticity
    fixed: BoolArray
    prescribed: FloatArray
    force: FloatArray
    settings: SolverSettings

    def __init__(
        self,
        mesh: TetMesh,
        youngs: ArrayLike,
        poisson: ArrayLike = 0.3,
        *,
        held: Iterable[str] = (),
        moved: Mapping[str, Vector] | None = None,
        pressed: Mapping[str, tuple[float, float, float]] | None = None,
        order: Order = 2,
        settings: SolverSettings = DEFAULT_SETTINGS,
    ) -> None:
        check_mesh(mesh)
        space = Space(mesh, order)
        check_unknowns(3 * space.n_nodes, settings.memory_gib)
        m = len(mesh.tets)
        material = checked_elasticity(youngs, poisson, m)
        fixed, prescribed = np.zeros((space.n_nodes, 3), bool), np.zeros((space.n_nodes, 3))
        for name, vector in [*((name, (0.0, 0.0, 0.0)) for name in held), *(moved or {}).items()]:
            nodes = _nodes(space, name)
            for axis, value in enumerate(_vector(name, vector)):
                if np.isnan(value):
                    continue
                other = fixed[nodes, axis] & (prescribed[nodes, axis] != value)
                if other.any():
                    raise InputError(
                        f"{int(other.sum())} of its nodes are moved otherwise already", field=f"moved.{name}",
                        value=value, mend="leave the component free (None) in one of the sets",
                    )  # fmt: skip
                fixed[nodes, axis], prescribed[nodes, axis] = True, value
        if not fixed.any(axis=0).all():
            free = ", ".join("xyz"[axis] for axis in np.flatnonzero(~fixed.any(axis=0)))
            raise InputError(f"nothing holds the body along {free}", field="held", mend="hold or move a set of faces")
        force = np.zeros((space.n_nodes, 3))
        for name, vector in (pressed or {}).items():
            faces = np.flatnonzero(_members(mesh, name))
            middle = face_centroid(space, faces)
            force += load_vector(space, faces, Resultant(_vector(name, vector), middle, np.zeros(3)))
        parts = {
            "mesh": mesh, "space": space, "fixed": fixed, "prescribed": prescribed, "force": force,
            "material": material, "settings": settings,
        }  # fmt: skip
        for name, part in parts.items():
            object.__setattr__(self, name, part)

    def __repr__(self) -> str:
        return f"Body({len(self.mesh.tets)} tets, {3 * self.space.n_nodes} unknowns)"

    def solve(self) -> BodySolution:
        """Solve it.

        Raises
        ------
        SolverError
            The solve failed, or the forces do not balance.
        """
        with threads(None):
            matrix = Assembler(self.space).matrix(self.material)
            coarse = None
            if self.space.order == 2:
                below = Space(self.mesh, 1)
                coarse = lambda: Assembler(below).matrix(self.material)  # noqa: E731
            system = LinearSystem(self.space, matrix, self.fixed, coarse, self.settings)
            linear = system.solve(self.force, self.prescribed)
            internal = matrix.dot(linear.displacement)
        reaction = np.where(self.fixed, internal - self.force, 0.0)
        size = max(float(np.abs(self.force).sum()), float(np.abs(reaction).sum()), 1e-300)
        if not float(np.abs((reaction + self.force).sum(axis=0)).max()) <= 1e-7 * size:
            raise SolverError("the forces on the body do not balance; is every part of it held?")
        return BodySolution(self, linear, reaction)


@dataclass(frozen=True, eq=False, repr=False)
class BodySolution(HasFields):
    """A solved body.

    Attributes
    ----------
    body : Body
    linear : LinearSolution
    reactions : (N, 3)
        Forces in N that hold or move the nodes.
    """

    body: Body
    linear: LinearSolution
    reactions: FloatArray

    def __repr__(self) -> str:
        return f"BodySolution({self.body!r}: {self.linear.method})"

    @cached_property
    def fields(self) -> StateFields:
        """All fields by name."""
        material = self.body.material
        return StateFields(self.body.space, self.linear.displacement, material.youngs, material.poisson)

    def reaction(self, name: str) -> FloatArray:
        """(3,) force in N that a set of held or moved faces puts on the body.

        Raises
        ------
        InputError
            The mesh has no faces of that name.
        """
        return np.asarray(self.reactions[_nodes(self.body.space, name)].sum(axis=0))


def _members(mesh: TetMesh, name: str) -> BoolArray:
    members = mesh.face_sets.get(name)
    if members is None or not members.any():
        known = ", ".join(sorted(mesh.face_sets)) or "no set at all"
        raise InputError("the mesh has no faces of that name", field="faces", value=name, mend=f"it has {known}")
    return members


def _nodes(space: Space, name: str) -> IntArray:
    return np.unique(space.face_nodes[_members(space.mesh, name)])


def _vector(name: str, vector: Vector) -> FloatArray:
    values = np.array([np.nan if value is None else value for value in vector], dtype=float)
    if values.shape != (3,) or np.isinf(values).any():
        raise InputError("needs three numbers", field=f"moved.{name}", value=vector, mend="give x, y, z")
    return values
