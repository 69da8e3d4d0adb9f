"""A part of the model that a user writes in the forms of scikit-fem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from skfem import BilinearForm, CellBasis, FacetBasis, LinearForm

from sacrofem.errors import InputError
from sacrofem.mechanics.parts.part import Elements, Part
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray

# Share of its largest entry by which a matrix may miss its transpose: rounding.
_SYMMETRIC = 1e-10


@dataclass(frozen=True, eq=False)
class FormPart(Part):
    """Stiffness, and loads, that forms of scikit-fem add to a model in every state.

    Attributes
    ----------
    name : str
        What the part's forces are called among the reactions.
    bilinear : BilinearForm or None
        Symmetric on every tet or face, in N/mm over displacements in mm: ``(u, v, w)``, with ``w.x`` the place in mm
        and, on faces, ``w.n`` the normal out of the bone.
    linear : LinearForm or None
        Loads in N: ``(v, w)``.
    faces : str or None
        Set of boundary faces of the mesh that both are integrated over; None: all tets.
    fields : mapping of str to (m,)
        One value a tet by name, read in the forms as ``w.name``; a face has that of the tet behind it.
    intorder : int
        Degree of the rule; 4 is exact for products of quadratic displacements.
    """

    name: str
    bilinear: BilinearForm | None = None
    linear: LinearForm | None = None
    faces: str | None = None
    fields: Mapping[str, FloatArray] = field(default_factory=dict)
    intorder: int = 4

    def elements(self, space: Space) -> Iterator[Elements]:
        """Stiffness of every tet, or of the tet behind every face.

        Raises
        ------
        InputError
            The mesh has no such faces, a field does not fit it, or the form is not symmetric or not finite.
        """
        if self.bilinear is None:
            return
        for basis, fields in self._bases(space):
            matrices = self.bilinear.elemental(basis, **fields).tolocal()
            self._finite(matrices)
            if np.abs(matrices - np.swapaxes(matrices, 1, 2)).max() > _SYMMETRIC * np.abs(matrices).max():
                raise InputError(
                    "the bilinear form is not symmetric",
                    field=f"forms.{self.name}",
                    mend="swap u and v: it must not change",
                )
            yield Elements(basis.element_dofs[::3].T // 3, matrices, (self.name,))

    def force(self, space: Space) -> FloatArray | None:
        """(N, 3) nodal forces in N of the linear form.

        Raises
        ------
        InputError
            See `elements`.
        """
        if self.linear is None:
            return None
        total = sum(self.linear.assemble(basis, **fields) for basis, fields in self._bases(space))
        self._finite(total)
        return np.asarray(total).reshape(-1, 3)

    def check(self, space: Space) -> None:
        """Whether it fits the mesh.

        Raises
        ------
        InputError
            The mesh has no such faces, or a field does not fit it.
        """
        sets, m = space.mesh.face_sets, len(space.mesh.tets)
        if self.faces is not None and not sets.get(self.faces, np.zeros(1, bool)).any():
            raise InputError(
                "the mesh has no such faces",
                field=f"forms.{self.name}.faces",
                value=self.faces,
                mend="give one of " + (", ".join(sorted(sets)) or "the sets of a mesh that has some"),
            )
        for name, values in self.fields.items():
            if np.shape(values) != (m,):
                raise InputError(
                    f"has the shape {np.shape(values)}",
                    field=f"forms.{self.name}.fields.{name}",
                    mend=f"give one value for each of the {m} tets",
                )

    def _bases(self, space: Space) -> Iterator[tuple[CellBasis | FacetBasis, dict[str, FloatArray]]]:
        """Bases on the tets or faces of the part, with the fields there."""
        self.check(space)
        if self.faces is None:
            bases: Iterable[CellBasis | FacetBasis] = space.cell_bases(self.intorder)
        else:
            bases = [space.facet_basis(np.flatnonzero(space.mesh.face_sets[self.faces]), triangle_rule(self.intorder))]
        for basis in bases:
            tets = np.arange(len(space.mesh.tets)) if basis.tind is None else basis.tind
            yield basis, {name: np.asarray(values, dtype=float)[tets, None] for name, values in self.fields.items()}

    def _finite(self, values: FloatArray) -> None:
        if not np.isfinite(values).all():
            raise InputError(
                "the form is not finite", field=f"forms.{self.name}", mend="look for 0/0 and for fields with nan"
            )
