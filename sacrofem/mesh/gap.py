"""Integration points on paired fracture faces, shared by cement coverage and gap mechanics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

# Six-point rule of degree 4 on the triangle (Dunavant 1985, Int J Numer Methods Eng 21:1129);
# weights sum to 1. It integrates the product of two quadratic shape functions exactly.
_A, _B = 0.445948490915965, 0.091576213509771
_WA, _WB = 0.223381589678011, 0.109951743655322
_POINTS = np.array([[1 - 2 * a, a, a] for a in (_A, _B)])[:, [[0, 1, 2], [1, 0, 2], [1, 2, 0]]].reshape(6, 3)
_WEIGHTS = np.repeat([_WA, _WB], 3)


def triangle_rule(subdivisions: int = 1) -> tuple[FloatArray, FloatArray]:
    """Degree-4 rule, repeated on ``subdivisions``² equal sub-triangles.

    Returns
    -------
    barycentric : (q, 3)
    weights : (q,)
        Summing to 1.
    """
    s = subdivisions
    corners = []
    for i in range(s):
        for j in range(s - i):
            corners.append([[i, j], [i + 1, j], [i, j + 1]])
            if i + j < s - 1:
                corners.append([[i + 1, j], [i + 1, j + 1], [i, j + 1]])
    ij = np.asarray(corners, dtype=float) / s
    triangles = np.concatenate([1.0 - ij.sum(axis=2, keepdims=True), ij], axis=2)
    points = np.einsum("qc,tcb->tqb", _POINTS, triangles).reshape(-1, 3)
    return points, np.tile(_WEIGHTS, s * s) / (s * s)


@dataclass(frozen=True, eq=False)
class GapPoints:
    """Where the fracture gap is looked at: q points on each of p pairs.

    Attributes
    ----------
    points : (p, q, 3)
        Coordinates in mm, pair by pair in the order of ``TetMesh.paired``.
    areas : (p, q)
        Area that each point stands for, mm²; they sum to the area of one side of the fracture.
    normals : (p, 3)
        Unit normal from side -1 to side +1.
    barycentric : (q, 3)
        The points in the corners of the face.
    """

    points: FloatArray
    areas: FloatArray
    normals: FloatArray
    barycentric: FloatArray

    def normal_part(self, jump: FloatArray) -> FloatArray:
        """(p, q) opening of a jump (p, q, 3): its part along the normal, positive where the faces part."""
        return np.asarray(np.einsum("pqx,px->pq", jump, self.normals))


def gap_points(mesh: TetMesh, subdivisions: int = 2) -> GapPoints:
    """Integration points of all paired faces: 6·``subdivisions``² a face, 24 by default.

    A face that cement covers in part needs many points, because filled gap is thousands of times
    stiffer than granulation tissue and a mixture taken per face would weld whole faces.
    """
    barycentric, weights = triangle_rule(subdivisions)
    faces = mesh.paired[0]
    corners = mesh.points[mesh.faces[faces]]
    return GapPoints(
        np.einsum("qc,pcx->pqx", barycentric, corners),
        mesh.face_areas[faces][:, None] * weights,
        mesh.face_normals[faces],
        barycentric,
    )
