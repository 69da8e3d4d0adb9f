"""The law of the fracture gap: filler and cement between twin faces.

t = k_n [u]_n n + k_t [u]_t with k_n = E'/w and k_t = G/w, E' the constrained modulus of what fills
the aperture w. Cement and filler share the gap by area at each integration point:
k = (1 - c) k_filler + c k_cement.

A face that cement covers in part has few displacements and many integration points, so stiff cement
on a quarter of it would weld all of it. The force lines of the bone crowd into the covered part; the
compliance of that constriction, (1 - c) h / E for a face of size h and share c, is put in series with
the cement of such faces. It vanishes with the mesh size. The factor 1 of it is fitted: on a rigid
bridge between two blocks (tests/verification/test_cement_bridge.py) the error falls from 7-13 % to
1.3 % at h = a/5 to a/3; with half or twice the factor it stays below 3 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sacrofem.errors import InputError
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.part import Part, Springs, triad
from sacrofem.mechanics.space.space import Space, layer_stiffness
from sacrofem.system.arrays import FloatArray

# Beyond this the constrained modulus of a thin layer is set by ν alone and means nothing.
LARGEST_POISSON = 0.45


@dataclass(frozen=True)
class Filler:
    """What fills the gap.

    Attributes
    ----------
    modulus_mpa : float
        Young's modulus; 0 for an open gap.
    poisson : float
        Default 0.17, drained granulation tissue (Geris model, table in PMC5082538 [T]).
    """

    modulus_mpa: float
    poisson: float = 0.17

    def __post_init__(self) -> None:
        if not 0 <= self.poisson <= LARGEST_POISSON:
            raise InputError(
                "the constrained modulus of a thin layer is meaningless there",
                field="fracture.filler_poisson",
                value=self.poisson,
                mend=f"use 0 to {LARGEST_POISSON}",
            )

    def stiffness(self, aperture_mm: float) -> tuple[float, float]:
        """Normal and tangential stiffness k_n, k_t in N/mm³ of a layer of this thickness."""
        return layer_stiffness(self.modulus_mpa, self.poisson, aperture_mm)


@dataclass(frozen=True, eq=False)
class GapStiffness(Part):
    """Stiffness of the gap between twin faces, at its integration points.

    Attributes
    ----------
    normal, tangential : (p, q)
        k_n and k_t, N/mm³.
    """

    normal: FloatArray
    tangential: FloatArray
    name: str = "gap"

    def elements(self, space: Space) -> Iterator[Springs]:
        """Springs in the jump along the normal and two tangents."""
        gap = space.gap
        if not gap.areas.size:
            return
        plus, minus = space.mesh.paired
        shape = space.face_shape(gap.barycentric)
        yield Springs(
            np.concatenate([space.face_nodes[plus], space.face_nodes[minus]], axis=1),
            np.concatenate([shape, -shape], axis=1)[..., None],
            triad(gap.normals)[:, :, None],
            gap.areas[..., None] * np.stack([self.normal, self.tangential, self.tangential], axis=-1),
            gap.points,
        )


def constriction_compliance(space: Space, bone: Elasticity, coverage: FloatArray) -> FloatArray:
    """(p,) compliance in mm³/N of the bone around the covered part of each face; 0 where all is covered.

    Parameters
    ----------
    space : Space
    bone
        Cement included.
    coverage : (p, q)
        Share of the gap that cement fills at the gap points.
    """
    mesh, areas = space.mesh, space.gap.areas
    if areas.size == 0:
        return np.zeros(len(areas))
    plus, minus = mesh.paired
    owners = mesh.face_owners
    softness = 0.5 / bone.youngs[owners[plus]] + 0.5 / bone.youngs[owners[minus]]
    area = areas.sum(axis=1)
    uncovered = np.maximum(1.0 - (coverage * areas).sum(axis=1) / area, 0.0)
    return np.asarray(uncovered * np.sqrt(2.0 * area) * softness)


def gap_stiffness(
    coverage: FloatArray,
    aperture_mm: float,
    filler: Filler,
    cement: Filler,
    constriction: FloatArray | None = None,
    *,
    interface: float | None = None,
) -> GapStiffness:
    """The law where cement covers the share ``coverage`` (p, q) of the gap.

    ``constriction`` (p,), from `constriction_compliance`, is in series with what cement adds; None: rigid bone.
    ``interface`` is the stiffness in N/mm³, along and across, of a compliant layer between cement and bone on either
    face; None: cement adheres without one.
    """
    filler_n, filler_t = filler.stiffness(aperture_mm)
    cement_n, cement_t = cement.stiffness(aperture_mm)
    if interface is not None:
        cement_n, cement_t = (1.0 / (1.0 / k + 2.0 / interface) if k else 0.0 for k in (cement_n, cement_t))
    compliance = 0.0 if constriction is None else constriction[:, None]

    def shared(filler_k: float, cement_k: float) -> FloatArray:
        # Written so that no cement, or cement like the filler, gives the filler's stiffness exactly.
        added = cement_k - filler_k
        return np.asarray(filler_k + coverage * (added / (1.0 + max(added, 0.0) * compliance)))

    return GapStiffness(shared(filler_n, cement_n), shared(filler_t, cement_t))


def closed_area_fraction(space: Space, displacement: FloatArray, aperture_mm: FloatArray | float) -> float:
    """Share of the fracture area whose faces approach by more than the aperture (one or (p,)): 0 to 1.

    Where it is 0 no face touches, and the bonded answer is also the contact answer.
    """
    gap = space.gap
    if gap.areas.size == 0:
        return 0.0
    closing = -gap.normal_part(space.jump(displacement))
    aperture = np.broadcast_to(np.asarray(aperture_mm, dtype=float), (len(closing),))
    return float(gap.areas[closing > aperture[:, None] + 1e-12].sum() / gap.areas.sum())
