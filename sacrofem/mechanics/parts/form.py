"""A part of the model that a user writes in the forms of scikit-fem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from skfem import BilinearForm, CellBasis, FacetBasis, LinearForm

from sacrofem.errors import InputError
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray, IntArray

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
        for basis, fields in self._bases(space):
            total = total + sp.csr_array(self.bilinear.assemble(basis, **fields))
        self._check(total.data)
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
            for basis, fields in self._bases(space):
                total += self.linear.assemble(basis, **fields)
        self._check(total)
        return total.reshape(-1, 3)

    def _bases(self, space: Space) -> Iterator[tuple[CellBasis | FacetBasis, dict[str, FloatArray]]]:
        if self.faces is None:
            for tets, basis in space.cell_bases(self.intorder):
                yield basis, self._fields(space, tets)
            return
        sets = {name: np.flatnonzero(members) for name, members in space.mesh.face_sets.items()}
        faces = sets.get(self.faces, np.empty(0, np.int64))
        if len(faces) == 0:
            raise InputError(
                "the mesh has no such faces",
                field=f"forms.{self.name}.faces",
                value=self.faces,
                mend="give one of " + (", ".join(sorted(sets)) or "the sets of a mesh that has some"),
            )
        basis = space.facet_basis(faces, triangle_rule(self.intorder))
        yield basis, self._fields(space, space.mesh.face_owners[faces])

    def _fields(self, space: Space, tets: IntArray) -> dict[str, FloatArray]:
        m = len(space.mesh.tets)
        for name, values in self.fields.items():
            if np.shape(values) != (m,):
                raise InputError(
                    f"has the shape {np.shape(values)}",
                    field=f"forms.{self.name}.fields.{name}",
                    mend=f"give one value for each of the {m} tets",
                )
        return {name: np.asarray(values, dtype=float)[tets, None] for name, values in self.fields.items()}

    def _check(self, values: FloatArray) -> None:
        if not np.isfinite(values).all():
            raise InputError(
                "the form is not finite", field=f"forms.{self.name}", mend="look for 0/0 and for fields with nan"
            )
