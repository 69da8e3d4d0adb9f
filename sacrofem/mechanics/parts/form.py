"""A part of the model that a user writes in the forms of scikit-fem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from skfem import BilinearForm, CellBasis, FacetBasis, LinearForm

from sacrofem.errors import InputError
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray

# Share of its largest entry by which a matrix may miss its transpose: rounding.
_SYMMETRIC = 1e-10


@dataclass(frozen=True, eq=False)
class FormPart:
    """Stiffness, and loads, that forms of scikit-fem add to a model in every state.

    Attributes
    ----------
    name : str
        What the part's forces are called among the reactions.
    bilinear : BilinearForm or None
        Symmetric, in N/mm over displacements in mm: ``(u, v, w)``, with ``w.x`` the place in mm and, on faces, ``w.n``
        the normal out of the bone.
    linear : LinearForm or None
        Loads in N: ``(v, w)``.
    faces : str or None
        Set of boundary faces of the mesh that both are integrated over; None: all tets.
    fields : mapping of str to (m,)
        One value a tet by name, read in the forms as ``w.name``; a face has that of the tet behind it.
    intorder : int
        Degree of the rule; 4 is exact for products of quadratic displacements.

    Notes
    -----
    A model is solved on more than one space (intact bone has its twin faces tied, quadratic displacements have linear
    ones beside them), so a part says what it is, and its matrix is made on each.
    """

    name: str
    bilinear: BilinearForm | None = None
    linear: LinearForm | None = None
    faces: str | None = None
    fields: Mapping[str, FloatArray] = field(default_factory=dict)
    intorder: int = 4

    def matrix(self, space: Space) -> sp.csr_array:
        """(3 N, 3 N) stiffness in N/mm over ``space.dofs``.

        Raises
        ------
        InputError
            The mesh has no such faces, a field does not fit it, or the form is not symmetric or not finite.
        """
        total = sp.csr_array((space.dofs.N, space.dofs.N))
        if self.bilinear is None:
            return total
        total = sp.csr_array(self._assembled(self.bilinear, space, total))
        largest = np.abs(total.data).max(initial=0.0)
        if abs(total - total.T).max() > _SYMMETRIC * largest:
            raise InputError(
                "the bilinear form is not symmetric",
                field=f"forms.{self.name}",
                mend="swap u and v: it must not change",
            )
        return total

    def force(self, space: Space) -> FloatArray:
        """(N, 3) nodal forces in N of the linear form.

        Raises
        ------
        InputError
            See `matrix`.
        """
        total = np.zeros(space.dofs.N)
        if self.linear is not None:
            total = self._assembled(self.linear, space, total)
        return np.asarray(total).reshape(-1, 3)

    def there(self, space: Space) -> bool:
        """Whether anything of it is on a space: where twin faces are tied, faces of the fracture are not."""
        return self.faces is None or bool(space.mesh.face_sets.get(self.faces, np.zeros(1, bool)).any())

    def check(self, space: Space) -> None:
        """Whether it fits the mesh.

        Raises
        ------
        InputError
            The mesh has no such faces, or a field does not fit it.
        """
        sets, m = space.mesh.face_sets, len(space.mesh.tets)
        if not self.there(space):
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

    def _assembled(self, form: Any, space: Space, total: Any) -> Any:
        """A form added up over the tets or faces of the part."""
        self.check(space)
        for basis in self._bases(space):
            tets = np.arange(len(space.mesh.tets)) if basis.tind is None else basis.tind
            fields = {name: np.asarray(values, dtype=float)[tets, None] for name, values in self.fields.items()}
            total = total + form.assemble(basis, **fields)
        if not np.isfinite(np.asarray(total.data)).all():
            raise InputError(
                "the form is not finite", field=f"forms.{self.name}", mend="look for 0/0 and for fields with nan"
            )
        return total

    def _bases(self, space: Space) -> Iterator[CellBasis | FacetBasis]:
        if self.faces is None:
            yield from space.cell_bases(self.intorder)
        else:
            faces = np.flatnonzero(space.mesh.face_sets[self.faces])
            yield space.facet_basis(faces, triangle_rule(self.intorder))
