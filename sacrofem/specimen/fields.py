"""The fields of whatever was solved, under one name each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from sacrofem.mechanics.measures.fields import GapFields
from sacrofem.mechanics.measures.grids import to_meshio, to_pyvista
from sacrofem.mechanics.measures.statefields import StateFields
from sacrofem.system.arrays import FloatArray


class HasFields(ABC):
    """Fields as arrays, at points, and as grids of other programs.

    Fields of tets are means over their volume; `at` evaluates at the point itself. Six components come in the order
    xx, yy, zz, yz, xz, xy.
    """

    @property
    @abstractmethod
    def fields(self) -> StateFields:
        """All fields by name."""

    def __getitem__(self, name: str) -> FloatArray:
        return self.fields[name]

    @property
    def displacement(self) -> FloatArray:
        """(N, 3) displacement of the nodes as solved, mm."""
        return self.fields.displacement

    @property
    def strain(self) -> FloatArray:
        """(m, 6) strain of each tet, with engineering shears."""
        return self.fields["strain"]

    @property
    def stress(self) -> FloatArray:
        """(m, 6) stress of each tet, MPa."""
        return self.fields["stress"]

    @property
    def von_mises(self) -> FloatArray:
        """(m,) von Mises stress of each tet, MPa."""
        return self.fields["von_mises"]

    @property
    def max_principal(self) -> FloatArray:
        """(m,) largest principal stress of each tet, MPa; positive in tension."""
        return self.fields["max_principal"]

    @property
    def min_principal(self) -> FloatArray:
        """(m,) smallest principal stress of each tet, MPa; negative in compression."""
        return self.fields["min_principal"]

    @property
    def modulus(self) -> FloatArray:
        """(m,) Young's modulus of each tet, cement included, MPa."""
        return self.fields["modulus"]

    @property
    def gap(self) -> GapFields:
        """Jump, opening, slip, traction and coverage of the fracture gap."""
        return self.fields.gap

    def at(self, points: FloatArray, name: str) -> FloatArray:
        """A field at points (..., 3) in mm: see `StateFields.at`; NaN outside the bone."""
        return self.fields.at(points, name)

    def to_meshio(self) -> Any:
        """A ``meshio.Mesh`` of quadratic tets and faces with every field."""
        return to_meshio(self.fields)

    def to_pyvista(self) -> Any:
        """The same as a ``pyvista.UnstructuredGrid``.

        Raises
        ------
        EnvironmentFailure
            PyVista is not installed.
        """
        return to_pyvista(self.fields)
