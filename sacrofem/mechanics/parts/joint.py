"""The sacroiliac joint: auricular faces on an elastic layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sacrofem.mechanics.parts.part import Part, Springs, triad
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space, layer_stiffness
from sacrofem.system.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ElasticLayer(Part):
    """Faces on an elastic layer to fixed ground.

    Attributes
    ----------
    faces : (f,) int
        Boundary faces.
    normal, tangential : (f,)
        Stiffness of the layer along and across the face normal, N/mm³.
    names : tuple of str
        What the reactions are called.
    owner : (f,) int, optional
        Which of ``names`` each face belongs to; default: all to the first.
    """

    faces: IntArray
    normal: FloatArray
    tangential: FloatArray
    names: tuple[str, ...] = ("layer",)
    owner: IntArray | None = None
    name: str = "layer"

    def elements(self, space: Space) -> Iterator[Springs]:
        """Springs along the normal and two tangents."""
        mesh, faces = space.mesh, self.faces
        if not len(faces):
            return
        barycentric, weights = triangle_rule()
        areas = mesh.face_areas[faces][:, None] * weights
        k = np.stack([self.normal, self.tangential, self.tangential], axis=1)
        yield Springs(
            space.face_nodes[faces],
            space.face_shape(barycentric)[..., None],
            triad(mesh.face_normals[faces])[:, :, None],
            areas[..., None] * k[:, None],
            np.einsum("qc,fcx->fqx", barycentric, mesh.points[mesh.faces[faces]]),
            self.names,
            self.owner,
        )


@dataclass(frozen=True)
class Joint:
    """Constants of the elastic sacroiliac joint.

    Attributes
    ----------
    modulus_mpa, poisson, thickness_mm : float
        The layer on the auricular faces: normal stiffness E'/t with the constrained modulus E',
        tangential stiffness G/t. Thickness: sacral cartilage 1.1-3.0 mm (musculoskeletalkey,
        chapter 3 [T]); ν = 0.4 (10.1186/s12891-021-04856-8 [T]).
    ligament_factor : float
        Share of the published ligament stiffnesses that acts at small motion.

    Notes
    -----
    Thickness and ν are published values; modulus and ligament factor were calibrated once on the
    intact female sacrum (``studies/14_supports``) against nutation and translation at 600 N
    (Bruna-Rosso 2016 [A]) and the anterior displacement of S1 at 981 N (four cadaver pelves [A]), before any
    fracture was computed. Both come out far below the tabulated 10 MPa and 1, with which the sacrum
    turns and glides several times less than measured: ligaments are tabulated taut but act slack at
    small motion, joints slide, and the ilia, here fixed ground, give.
    """

    modulus_mpa: float = 4.1
    poisson: float = 0.4
    thickness_mm: float = 2.0
    ligament_factor: float = 0.036

    @property
    def normal_stiffness(self) -> float:
        """E'/t of the layer, N/mm³."""
        return layer_stiffness(self.modulus_mpa, self.poisson, self.thickness_mm)[0]

    @property
    def tangential_stiffness(self) -> float:
        """G/t of the layer, N/mm³."""
        return layer_stiffness(self.modulus_mpa, self.poisson, self.thickness_mm)[1]


CALIBRATED_JOINT = Joint()
