"""In which tet of a mesh a point lies."""

from __future__ import annotations

import numpy as np
from numba import prange

from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.compiled import kernel

# Edge of the boxes that tets are sorted into, mm: a few tets of a usual mesh.
_BOX_MM = 3.0
# Barycentric coordinates may be so far below zero: a point on a face lies in both of its tets.
_ON_FACE = 1e-9


@kernel()
def _sort_into_boxes(low, high, shape, pointer, members):  # type: ignore[no-untyped-def]
    """With no ``members`` count into pointer[1:], else fill from pointer on, which moves along."""
    for e in range(len(low)):
        for i in range(low[e, 0], high[e, 0] + 1):
            for j in range(low[e, 1], high[e, 1] + 1):
                for k in range(low[e, 2], high[e, 2] + 1):
                    box = (i * shape[1] + j) * shape[2] + k
                    if len(members):
                        members[pointer[box]] = e
                    pointer[box + (0 if len(members) else 1)] += 1


@kernel()
def _beyond_faces(inverse, d0, d1, d2):  # type: ignore[no-untyped-def]
    """How far a point lies outside the planes of a tet's faces at most; d from its first corner."""
    away, total = 0.0, 0.0
    g0, g1, g2 = 0.0, 0.0, 0.0
    for x in range(3):
        a0, a1, a2 = inverse[x, 0], inverse[x, 1], inverse[x, 2]
        b = a0 * d0 + a1 * d1 + a2 * d2
        # A barycentric coordinate over the length of its gradient is a distance.
        away = max(away, -b / np.sqrt(a0 * a0 + a1 * a1 + a2 * a2))
        g0, g1, g2, total = g0 + a0, g1 + a1, g2 + a2, total + b
    return max(away, (total - 1.0) / np.sqrt(g0 * g0 + g1 * g1 + g2 * g2))


@kernel(parallel=True)
def _find(points, origin, size, shape, pointer, members, corner, inverse, reach, owner):  # type: ignore[no-untyped-def]
    for n in prange(len(points)):
        owner[n] = -1
        box = 0
        outside = False
        for x in range(3):
            place = int(np.floor((points[n, x] - origin[x]) / size))
            outside |= place < 0 or place >= shape[x]
            box = box * shape[x] + place
        if outside:
            continue
        nearest = reach
        for m in range(pointer[box], pointer[box + 1]):
            e = members[m]
            d0, d1, d2 = points[n, 0] - corner[e, 0], points[n, 1] - corner[e, 1], points[n, 2] - corner[e, 2]
            least, total = 0.0, 0.0
            for x in range(3):
                b = inverse[e, x, 0] * d0 + inverse[e, x, 1] * d1 + inverse[e, x, 2] * d2
                least, total = min(least, b), total + b
            if min(least, 1.0 - total) >= -_ON_FACE:
                owner[n] = e
                break
            if reach > 0.0:
                away = _beyond_faces(inverse[e], d0, d1, d2)
                if away <= nearest:
                    owner[n], nearest = e, away


class Locator:
    """Finds the tets of a mesh that hold points.

    Parameters
    ----------
    mesh : TetMesh
    reach_mm : float
        A point in no tet belongs to the one whose faces it lies beyond least, by no more than this.
    """

    def __init__(self, mesh: TetMesh, reach_mm: float = 0.0) -> None:
        corners = mesh.points[mesh.tets]
        self._corner = np.ascontiguousarray(corners[:, 0])
        self._inverse = np.linalg.inv(np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2))
        self._reach = float(reach_mm)
        self._origin = mesh.points.min(axis=0) - 1e-6 - self._reach
        low, high = (
            np.floor((bound - self._origin) / _BOX_MM).astype(np.int64)
            for bound in (corners.min(axis=1) - self._reach, corners.max(axis=1) + self._reach)
        )
        self._shape = high.max(axis=0) + 1
        pointer = np.zeros(int(np.prod(self._shape)) + 1, dtype=np.int64)
        _sort_into_boxes(low, high, self._shape, pointer, np.empty(0, dtype=np.int64))
        self._pointer = np.cumsum(pointer)
        self._members = np.empty(self._pointer[-1], dtype=np.int64)
        _sort_into_boxes(low, high, self._shape, self._pointer[:-1].copy(), self._members)

    def __call__(self, points: FloatArray) -> IntArray:
        """(n,) number of the tet that holds each of the points (n, 3); -1 outside the mesh.

        A point on faces between tets belongs to any of them, one on a fracture to either side.
        """
        owner = np.empty(len(points), dtype=np.int64)
        _find(
            np.ascontiguousarray(points, dtype=float), self._origin, _BOX_MM, self._shape, self._pointer,
            self._members, self._corner, self._inverse, self._reach, owner,
        )  # fmt: skip
        return owner
