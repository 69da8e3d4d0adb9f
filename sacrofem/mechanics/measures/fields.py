"""Fields of a solved state: displacement, strain and stress in the bone, jump and traction in the gap.

Everything is computed from the displacement as solved and the constants of every tet. Strain and stress
are linear within a quadratic tet and jump from one to the next. Three ways to look at them are offered: at the
integration points, as one value a tet (the mean over its volume), and at any point (from the shape functions
there, no mean). An invariant such as von Mises stress is formed at points first and averaged then, so that
its mean over a tet is never below that of the mean stress.

Six components come in the order xx, yy, zz, yz, xz, xy. Those of strain are engineering shears, twice
the components of the tensor; `tensor` makes matrices of either.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from sacrofem.mechanics.parts.contact import ContactState, split_jump
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.space.principal import principal_stresses, principal_values, von_mises
from sacrofem.mechanics.space.space import Space, lame
from sacrofem.mesh.gap import GapPoints
from sacrofem.system.arrays import FloatArray

_TWICE_NORMAL = np.repeat([2.0, 1.0], 3)
_HALF_SHEAR = np.repeat([1.0, 0.5], 3)


# ---------------------------------------------------------------------- bone
@dataclass(frozen=True, eq=False)
class BoneFields:
    """Strain and stress at any set of places, one for each index of the leading shape.

    Attributes
    ----------
    strain : (..., 6)
        Engineering shears.
    stress : (..., 6)
        MPa.
    principal_strain, principal_stress : (..., 3)
        Ascending.
    von_mises : (...)
        MPa.
    """

    strain: FloatArray
    stress: FloatArray
    principal_strain: FloatArray
    principal_stress: FloatArray
    von_mises: FloatArray

    @property
    def max_principal(self) -> FloatArray:
        """(...) largest principal stress, MPa."""
        return self.principal_stress[..., 2]

    @property
    def min_principal(self) -> FloatArray:
        """(...) smallest principal stress, MPa."""
        return self.principal_stress[..., 0]

    @property
    def max_principal_strain(self) -> FloatArray:
        """(...) largest principal strain."""
        return self.principal_strain[..., 2]

    @property
    def min_principal_strain(self) -> FloatArray:
        """(...) smallest principal strain."""
        return self.principal_strain[..., 0]


def bone_fields(strain: FloatArray, youngs: FloatArray, poisson: FloatArray) -> BoneFields:
    """Strain, stress and their invariants of strains (..., 6) with engineering shears.

    Parameters
    ----------
    strain
    youngs, poisson : (...)
        MPa and ratio, of every place or such that they spread over it.
    """
    shape = strain.shape[:-1]
    youngs, poisson = np.broadcast_to(youngs, shape), np.broadcast_to(poisson, shape)
    lam, mu = lame(youngs, poisson)
    stress = mu[..., None] * strain * _TWICE_NORMAL
    stress[..., :3] += (lam * strain[..., :3].sum(axis=-1))[..., None]
    principal = principal_values(strain * _HALF_SHEAR)
    principal_stress = principal_stresses(principal, youngs, poisson)
    return BoneFields(strain, stress, principal, principal_stress, von_mises(principal_stress))


def integration_point_fields(
    space: Space, displacement: FloatArray, youngs: FloatArray, poisson: FloatArray
) -> BoneFields:
    """Strain and stress at the q integration points of m tets, leading shape (m, q).

    Points and volumes are those of `Space.integration`.

    Parameters
    ----------
    space
    displacement : (N, 3)
        mm.
    youngs, poisson : (m,)
    """
    return bone_fields(space.strains(displacement), youngs[:, None], poisson[:, None])


def tet_fields(space: Space, displacement: FloatArray, youngs: FloatArray, poisson: FloatArray) -> BoneFields:
    """Mean strain and stress of every tet over its volume, leading shape (m,); invariants are means of those at points.

    Parameters as for `integration_point_fields`.
    """
    at = integration_point_fields(space, displacement, youngs, poisson)
    # Straight-sided: every tet has the weights of the rule.
    weights = space.rule[1] / space.rule[1].sum()
    return BoneFields(*(np.tensordot(getattr(at, field.name), weights, (1, 0)) for field in fields(BoneFields)))


def tensor(components: FloatArray, *, engineering_shears: bool) -> FloatArray:
    """(..., 3, 3) symmetric matrices of (..., 6) components xx, yy, zz, yz, xz, xy; strain has engineering shears."""
    values = components * _HALF_SHEAR if engineering_shears else components
    return np.asarray(values[..., [[0, 5, 4], [5, 1, 3], [4, 3, 2]]])


# ---------------------------------------------------------------------- gap
@dataclass(frozen=True, eq=False)
class GapFields:
    """What happens in the fracture gap, at its q integration points on each of p pairs of faces.

    Attributes
    ----------
    points : GapPoints
        Where: points, areas, and the normal from side -1 to side +1.
    jump : (p, q, 3)
        mm, side +1 less side -1.
    traction : (p, q, 3) or None
        MPa on side -1, positive along the normal in tension; on side +1 its opposite. None where the faces are tied,
        as they have no law then.
    coverage : (p, q)
        Share of the gap that cement fills.
    """

    points: GapPoints
    jump: FloatArray
    traction: FloatArray | None
    coverage: FloatArray

    @property
    def opening(self) -> FloatArray:
        """(p, q) normal part of the jump where the faces part, 0 elsewhere, mm."""
        return np.maximum(self.points.normal_part(self.jump), 0.0)

    @property
    def closing(self) -> FloatArray:
        """(p, q) the same where they approach, positive, mm."""
        return np.maximum(-self.points.normal_part(self.jump), 0.0)

    @property
    def slip(self) -> FloatArray:
        """(p, q) length of the tangential part of the jump, mm."""
        return np.asarray(np.linalg.norm(split_jump(self.jump, self.points.normals)[1], axis=2))

    @property
    def micromotion(self) -> FloatArray:
        """(p, q) length of the jump, mm."""
        return np.asarray(np.linalg.norm(self.jump, axis=2))

    def mean(self, name: str) -> FloatArray:
        """(p,) or (p, 3) mean of a field over the area of each pair; order of pairs as in `TetMesh.paired`."""
        values, areas = getattr(self, name), self.points.areas
        return np.asarray(np.einsum("pq...,pq->p...", values, areas / areas.sum(axis=1, keepdims=True)))


def gap_fields(
    space: Space,
    displacement: FloatArray,
    *,
    stiffness: GapStiffness | None = None,
    contact: ContactState | None = None,
    coverage: FloatArray | None = None,
) -> GapFields:
    """The fields of the gap.

    Parameters
    ----------
    space
        On the split mesh.
    displacement : (N, 3)
        mm.
    stiffness
        Of what lies in the gap; None where twin faces are tied.
    contact
        What pressure and friction add.
    coverage : (p, q), optional
        0 by default.
    """
    points = space.gap
    jump = space.jump(displacement)
    traction = None
    if stiffness is not None:
        opening, tangential = split_jump(jump, points.normals)
        traction = (stiffness.normal * opening)[..., None] * points.normals[:, None]
        traction += stiffness.tangential[..., None] * tangential
        if contact is not None:
            # Layers of contact stand at the same points, one after the other.
            layered = (len(jump), -1, jump.shape[1])
            traction -= contact.pressure.reshape(layered).sum(axis=1)[..., None] * points.normals[:, None]
            traction -= contact.friction.reshape(*layered, 3).sum(axis=1)
    return GapFields(points, jump, traction, np.zeros(points.areas.shape) if coverage is None else coverage)
