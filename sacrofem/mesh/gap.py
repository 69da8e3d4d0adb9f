"""Integration points on paired fracture faces, shared by cement coverage and gap mechanics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sacrofem.system.arrays import FloatArray


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
