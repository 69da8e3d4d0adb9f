"""scikit-fem's quadrature rules in barycentric coordinates, and the points of the fracture gap."""

from __future__ import annotations

import numpy as np
from skfem.quadrature import get_quadrature
from skfem.refdom import RefTet, RefTri

from sacrofem.mesh.gap import GapPoints
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

# Products of two quadratic shape functions are integrated exactly, by six points (Dunavant 1985).
FACE_DEGREE = 4
# A face that cement covers in part needs many points, because filled gap is thousands of times stiffer
# than granulation tissue and a mixture taken per face would weld whole faces.
GAP_SUBDIVISIONS = 2


def tet_rule(degree: int) -> tuple[FloatArray, FloatArray]:
    """scikit-fem's rule on the tet: (q, 4) barycentric points and weights that sum to 1."""
    X, W = get_quadrature(RefTet, degree)
    return np.column_stack([1.0 - X.sum(axis=0), X.T]), W * 6.0


def triangle_rule(degree: int = FACE_DEGREE, *, subdivisions: int = 1) -> tuple[FloatArray, FloatArray]:
    """scikit-fem's rule on the triangle, repeated on ``subdivisions``² equal sub-triangles.

    Returns
    -------
    barycentric : (q, 3)
    weights : (q,)
        Summing to 1.
    """
    X, W = get_quadrature(RefTri, degree)
    barycentric, weights = np.column_stack([1.0 - X.sum(axis=0), X.T]), W * 2.0
    s = subdivisions
    if s == 1:
        return barycentric, weights
    corners = []
    for i in range(s):
        for j in range(s - i):
            corners.append([[i, j], [i + 1, j], [i, j + 1]])
            if i + j < s - 1:
                corners.append([[i + 1, j], [i + 1, j + 1], [i, j + 1]])
    ij = np.asarray(corners, dtype=float) / s
    triangles = np.concatenate([1.0 - ij.sum(axis=2, keepdims=True), ij], axis=2)
    points = np.einsum("qc,tcb->tqb", barycentric, triangles).reshape(-1, 3)
    return points, np.tile(weights, s * s) / (s * s)


def gap_points(mesh: TetMesh, subdivisions: int = GAP_SUBDIVISIONS) -> GapPoints:
    """Integration points of all paired faces: 6·``subdivisions``² a face, 24 by default."""
    barycentric, weights = triangle_rule(subdivisions=subdivisions)
    faces = mesh.paired[0]
    return GapPoints(
        np.einsum("qc,pcx->pqx", barycentric, mesh.points[mesh.faces[faces]]),
        mesh.face_areas[faces][:, None] * weights,
        mesh.face_normals[faces],
        barycentric,
    )
