"""The fields of one solved state by name: the whole of it as arrays, or their values at points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from sacrofem.errors import InputError
from sacrofem.mechanics.measures.fields import (
    BoneFields,
    GapFields,
    bone_fields,
    gap_fields,
    integration_point_fields,
    tet_fields,
)
from sacrofem.mechanics.parts.contact import ContactState
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.space.space import Space, tet_gradients, tet_shape
from sacrofem.mesh.locate import Locator
from sacrofem.system.arrays import FloatArray, IntArray

TOLERANCE_MM = 1e-3
"""A point so far outside still has the values of the nearest tet: surfaces from files are rounded to single precision,
which is 8e-6 mm at 100 mm."""

Place = Literal["node", "tet", "face", "gap"]


@dataclass(frozen=True)
class Field:
    """What a field is.

    Attributes
    ----------
    name : str
        In Python and in result files.
    unit : str
    place : str
        ``"node"``, ``"tet"``, ``"face"`` (of the boundary) or ``"gap"`` (points between paired faces).
    components : int
        1, 3 for a vector, 6 for a tensor.
    meaning : str
    """

    name: str
    unit: str
    place: Place
    components: int
    meaning: str


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        field.name: field
        for field in (
            Field("displacement", "mm", "node", 3, "displacement as solved: quadratic, on corners and mid-sides"),
            Field("strain", "1", "tet", 6, "strain; in Python with engineering shears"),
            Field("stress", "MPa", "tet", 6, "stress"),
            Field("von_mises", "MPa", "tet", 1, "von Mises stress"),
            Field("max_principal", "MPa", "tet", 1, "largest principal stress, positive in tension"),
            Field("min_principal", "MPa", "tet", 1, "smallest principal stress, negative in compression"),
            Field("max_principal_strain", "1", "tet", 1, "largest principal strain"),
            Field("min_principal_strain", "1", "tet", 1, "smallest principal strain"),
            Field("density", "g/cm³", "tet", 1, "density that the bone's modulus was found from, without cement"),
            Field("modulus", "MPa", "tet", 1, "Young's modulus, cement included"),
            Field("poisson", "1", "tet", 1, "Poisson's ratio, cement included"),
            Field("cement_fraction", "1", "tet", 1, "share of the pores that cement fills"),
            Field("cortex_thickness", "mm", "face", 1, "thickness of the cortical shell, 0 where there is none"),
            Field("jump", "mm", "gap", 3, "displacement of side +1 less that of side −1"),
            Field("micromotion", "mm", "gap", 1, "length of the jump"),
            Field("opening", "mm", "gap", 1, "part of the jump along the normal where the faces part, else 0"),
            Field("closing", "mm", "gap", 1, "the same where they approach, positive"),
            Field("slip", "mm", "gap", 1, "length of the tangential part of the jump"),
            Field(
                "traction", "MPa", "gap", 3,
                "what the gap, contact included, puts on side −1; on side +1 its opposite. Positive along the normal "
                "(from side −1 to side +1) in tension",
            ),
            Field("coverage", "1", "gap", 1, "share of the gap that cement fills"),
        )
    }
)  # fmt: skip
"""Every field by name."""

_OF_BONE = (
    *(field.name for field in fields(BoneFields)),
    *(name for name, kind in vars(BoneFields).items() if isinstance(kind, property)),
)


@dataclass(frozen=True, eq=False)
class StateFields:
    """All fields of one solved state by name; each is computed when it is first asked for.

    Attributes
    ----------
    space : Space
        On the split mesh.
    displacement : (N, 3)
        mm.
    modulus, poisson : (m,)
        Of each tet, MPa and ratio, cement included.
    density, cement_fraction : (m,) or None
        See `FIELDS`.
    gap_stiffness : GapStiffness or None
        None where twin faces are tied.
    contact : ContactState or None
    coverage : (p, q) or None
        0 where None.
    cortex_thickness : (k,) or None
        mm, on the faces of the mesh.
    """

    space: Space
    displacement: FloatArray
    modulus: FloatArray
    poisson: FloatArray
    density: FloatArray | None = None
    cement_fraction: FloatArray | None = None
    gap_stiffness: GapStiffness | None = None
    contact: ContactState | None = None
    coverage: FloatArray | None = None
    cortex_thickness: FloatArray | None = None

    def __getstate__(self) -> dict[str, Any]:
        # What is computed from the rest does not travel.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def bone(self) -> BoneFields:
        """Means of every tet, leading shape (m,)."""
        return tet_fields(self.space, self.displacement, self.modulus, self.poisson)

    @property
    def at_integration_points(self) -> BoneFields:
        """At the integration points, leading shape (m, q); computed anew each time, as it is large."""
        return integration_point_fields(self.space, self.displacement, self.modulus, self.poisson)

    @cached_property
    def gap(self) -> GapFields:
        """At the gap points; of shape (0, q) without a fracture."""
        return gap_fields(
            self.space,
            self.displacement,
            stiffness=self.gap_stiffness,
            contact=self.contact,
            coverage=self.coverage,
        )

    @cached_property
    def _locate(self) -> Locator:
        return Locator(self.space.mesh, TOLERANCE_MM)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that this state has, in the order of `FIELDS`."""
        return tuple(name for name in FIELDS if self._missing(name) is None)

    def _missing(self, name: str) -> str | None:
        """Why the state does not have a field; None where it has."""
        if FIELDS[name].place == "gap":
            if not len(self.space.gap.areas):
                return "there is no fracture"
            return "the faces of the fracture are tied" if name == "traction" and self.gap_stiffness is None else None
        return "it was not given" if name not in _OF_BONE and getattr(self, name) is None else None

    def __getitem__(self, name: str) -> FloatArray:
        """A field by name: on nodes (N, 3), tets (m, ...), faces (k,) or gap points (p, q, ...).

        Raises
        ------
        InputError
            There is no such field, or the state does not have it.
        """
        self._check(name)
        place = FIELDS[name].place
        values: FloatArray = getattr(self.gap if place == "gap" else self.bone if name in _OF_BONE else self, name)
        return values

    def _check(self, name: str, places: tuple[str, ...] = ("node", "tet", "face", "gap")) -> None:
        if name not in FIELDS:
            problem = "no such field"
        elif (reason := self._missing(name)) is not None:
            problem = f"is missing: {reason}"
        elif FIELDS[name].place not in places:
            problem = "is not defined inside the bone"
        else:
            return
        known = ", ".join(other for other in self.names if FIELDS[other].place in places)
        raise InputError(problem, field="name", value=name, mend=f"use one of {known}")

    def at(self, points: FloatArray, name: str) -> FloatArray:
        """A field at points: displacement by its shape functions, strain and stress from its gradient there.

        Parameters
        ----------
        points : (..., 3)
            mm.
        name
            A field of nodes or tets.

        Returns
        -------
        (...), (..., 3) or (..., 6)
            NaN outside the mesh. A point up to `TOLERANCE_MM` beyond the surface has the values of the nearest tet.
            Between two tets, and on a fracture between its sides, either of them may answer.

        Raises
        ------
        InputError
            Points that are no points, no such field, or one that is not defined throughout the bone.
        """
        self._check(name, ("node", "tet"))
        points = np.asarray(points, dtype=float)
        if points.ndim == 0 or points.shape[-1] != 3:
            raise InputError("are no points", field="points", value=f"shape {points.shape}", mend="give (..., 3) in mm")
        flat = points.reshape(-1, 3)
        tet = np.full(len(flat), -1)
        finite = np.isfinite(flat).all(axis=1)
        tet[finite] = self._locate(flat[finite])
        inside_of = tet >= 0
        found = self._values(tet[inside_of], flat[inside_of], name)
        values = np.full((len(flat), *found.shape[1:]), np.nan)
        values[inside_of] = found
        return values.reshape((*points.shape[:-1], *found.shape[1:]))

    def _values(self, tet: IntArray, points: FloatArray, name: str) -> FloatArray:
        space = self.space
        if name != "displacement" and name not in _OF_BONE:
            return np.asarray(self[name][tet], dtype=float)
        gradients = space.barycentric_gradients[tet]
        barycentric = np.einsum("ncx,nx->nc", gradients, points - space.mesh.points[space.mesh.tets[tet, 0]])
        barycentric[:, 0] += 1.0
        nodal = self.displacement[space.connectivity[tet]]
        if name == "displacement":
            return np.asarray(np.einsum("na,nax->nx", tet_shape(barycentric, space.order), nodal))
        slope = np.einsum("nak,nai,nkj->nij", tet_gradients(barycentric, space.order), nodal, gradients, optimize=True)
        shears = slope[:, [1, 0, 0], [2, 2, 1]] + slope[:, [2, 2, 1], [1, 0, 0]]
        strain = np.column_stack([np.einsum("nii->ni", slope), shears])
        values: FloatArray = getattr(bone_fields(strain, self.modulus[tet], self.poisson[tet]), name)
        return values
