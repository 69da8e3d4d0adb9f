"""The mesh that every room passes on: tetrahedra, their whole boundary, and names on both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.frozen import frozen

# Corners of the face opposite to each corner of a positively oriented tet, seen from outside.
TET_FACES = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]])
# Mid-side nodes 4..9 in the order of VTK, Abaqus C3D10 and scikit-fem.
TET_EDGES = np.array([[0, 1], [1, 2], [0, 2], [0, 3], [1, 3], [2, 3]])


def _frozen(names: Mapping[str, BoolArray], length: int) -> Mapping[str, BoolArray]:
    sets = {}
    for name, members in names.items():
        array = np.asarray(members, dtype=bool)
        if array.shape != (length,):
            raise ValueError(f"set {name!r} has shape {array.shape}, expected ({length},)")
        array.flags.writeable = False
        sets[name] = array
    return frozen(sets)


@dataclass(frozen=True, eq=False)
class TetMesh:
    """Straight-sided tetrahedra with named sets and paired fracture faces; immutable.

    Parameters
    ----------
    points : (n, 3) float
        Coordinates in mm, anatomical frame (x left, y posterior, z superior).
    tets : (m, 4) int
        Corners, positively oriented.
    faces : (k, 3) int
        The whole boundary, each triangle once; both sides of every fracture belong to it.
        Unpaired faces are seen from outside. The two triangles of a pair list twin corners in the
        same order, and their right-hand normal points from side -1 into side +1.
    tet_sets, face_sets : mapping of str to bool array
        Named sets over ``tets`` (length m) and ``faces`` (length k).
    pair : (k,) int32
        The same positive number on both faces of a pair, 0 elsewhere.
    pair_side : (k,) int8
        +1 or -1 on paired faces, 0 elsewhere.
    """

    points: FloatArray
    tets: IntArray
    faces: IntArray
    tet_sets: Mapping[str, BoolArray] = field(default_factory=dict)
    face_sets: Mapping[str, BoolArray] = field(default_factory=dict)
    pair: NDArray[np.int32] | None = None
    pair_side: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        def array(values: object, dtype: type, shape: tuple[int, ...]) -> NDArray[np.generic]:
            result: NDArray[np.generic] = np.array(values, dtype=dtype, order="C").reshape(shape)
            result.flags.writeable = False
            return result

        set_ = object.__setattr__
        set_(self, "points", array(self.points, np.float64, (-1, 3)))
        set_(self, "tets", array(self.tets, np.int64, (-1, 4)))
        set_(self, "faces", array(self.faces, np.int64, (-1, 3)))
        k = len(self.faces)
        set_(self, "pair", array(np.zeros(k) if self.pair is None else self.pair, np.int32, (k,)))
        set_(self, "pair_side", array(np.zeros(k) if self.pair_side is None else self.pair_side, np.int8, (k,)))
        set_(self, "tet_sets", _frozen(self.tet_sets, len(self.tets)))
        set_(self, "face_sets", _frozen(self.face_sets, k))

    def __reduce__(self) -> tuple[Any, ...]:
        # What can be found again is not copied, and arrays come back read-only.
        return type(self), tuple(getattr(self, part.name) for part in fields(self))

    @classmethod
    def from_tets(cls, points: FloatArray, tets: IntArray) -> TetMesh:
        """A mesh without names: orphan points dropped, boundary found, orientation as given."""
        used, tets = np.unique(np.asarray(tets, dtype=np.int64), return_inverse=True)
        tets = tets.reshape(-1, 4)
        return cls(np.asarray(points, dtype=float)[used], tets, boundary_faces(tets))

    # ------------------------------------------------------------------ geometry
    @cached_property
    def volumes(self) -> FloatArray:
        """(m,) signed volumes of the tets in mm³."""
        p = self.points[self.tets]
        volumes = np.asarray(np.linalg.det(p[:, 1:] - p[:, :1]) / 6.0)
        volumes.flags.writeable = False
        return volumes

    @property
    def centroids(self) -> FloatArray:
        """(m, 3) centroids of the tets in mm."""
        return np.asarray(self.points[self.tets].mean(axis=1))

    @property
    def face_normals(self) -> FloatArray:
        """(k, 3) unit right-hand normals of ``faces``."""
        normal = self._face_vectors()
        return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))

    @property
    def face_areas(self) -> FloatArray:
        """(k,) areas of ``faces`` in mm²."""
        return np.asarray(0.5 * np.linalg.norm(self._face_vectors(), axis=1))

    def _face_vectors(self) -> FloatArray:
        p = self.points[self.faces]
        return np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])

    @cached_property
    def face_owners(self) -> IntArray:
        """(k,) the tet behind each boundary face."""
        key = np.sort(self.tets[:, TET_FACES].reshape(-1, 3), axis=1)
        n = len(self.points)
        code = (key[:, 0] * n + key[:, 1]) * n + key[:, 2]
        order = np.argsort(code, kind="stable")
        mine = np.sort(self.faces, axis=1)
        wanted = (mine[:, 0] * n + mine[:, 1]) * n + mine[:, 2]
        owners = order[np.searchsorted(code, wanted, sorter=order)] // 4
        owners.flags.writeable = False
        return owners

    # ------------------------------------------------------------------ fracture pairs
    @property
    def paired(self) -> tuple[IntArray, IntArray]:
        """Indices into ``faces`` of side +1 and of side -1, pair by pair, in the order of ``pair``."""
        plus = np.flatnonzero(self.pair_side == 1)
        minus = np.flatnonzero(self.pair_side == -1)
        assert self.pair is not None
        return plus[np.argsort(self.pair[plus])], minus[np.argsort(self.pair[minus])]

    def glued(self, faces: BoolArray | None = None) -> tuple[TetMesh, IntArray]:
        """Twin faces tied again: all of them, or those selected.

        Parameters
        ----------
        faces : (k,) bool, optional
            Faces whose pairs are tied (either side suffices).

        Returns
        -------
        mesh : TetMesh
            Without the tied faces and their doubled points.
        vertex : (n,) int
            For each point of this mesh its number in the result.
        """
        plus, minus = self.paired
        tie = np.ones(len(plus), bool) if faces is None else (faces[plus] | faces[minus])
        a, b = self.faces[plus[tie]].ravel(), self.faces[minus[tie]].ravel()
        n = len(self.points)
        _, label = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
        first, vertex = np.unique(label, return_inverse=True)
        representative = np.full(len(first), n)
        np.minimum.at(representative, vertex, np.arange(n))
        # Keep the order of the first copies, so that gluing undoes splitting.
        order = np.argsort(representative)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        vertex = rank[vertex]
        keep = np.ones(len(self.faces), bool)
        keep[plus[tie]] = keep[minus[tie]] = False
        assert self.pair is not None
        assert self.pair_side is not None
        numbers, pair = np.unique(self.pair[keep], return_inverse=True)
        if len(numbers) and numbers[0] > 0:
            pair = pair + 1
        glued = TetMesh(
            self.points[representative[order]],
            vertex[self.tets],
            vertex[self.faces[keep]],
            self.tet_sets,
            {name: members[keep] for name, members in self.face_sets.items()},
            pair.astype(np.int32),
            self.pair_side[keep],
        )
        return glued, vertex

    # ------------------------------------------------------------------ copies
    def with_sets(
        self, tet_sets: Mapping[str, BoolArray] | None = None, face_sets: Mapping[str, BoolArray] | None = None
    ) -> TetMesh:
        """A copy with more (or replaced) named sets."""
        return replace(
            self,
            tet_sets={**self.tet_sets, **(tet_sets or {})},
            face_sets={**self.face_sets, **(face_sets or {})},
        )

    def mirrored(self) -> TetMesh:
        """The mirror image in x; ``left`` and ``right`` change places in the names of sets."""
        swap = {"left": "right", "right": "left"}

        def name(text: str) -> str:
            return "_".join(swap.get(word, word) for word in text.split("_"))

        assert self.pair is not None
        assert self.pair_side is not None
        # A reflection turns right-hand normals round and reversing the corner order turns them back:
        # outward stays outward, and the normal of a pair still points from side -1 into side +1.
        return TetMesh(
            self.points * [-1.0, 1.0, 1.0],
            self.tets[:, [0, 2, 1, 3]],
            self.faces[:, [0, 2, 1]],
            {name(key): members for key, members in self.tet_sets.items()},
            {name(key): members for key, members in self.face_sets.items()},
            self.pair,
            self.pair_side,
        )


def boundary_faces(tets: IntArray) -> IntArray:
    """(k, 3) faces that belong to one tet only, seen from outside, in a stable order."""
    faces = tets[:, TET_FACES].reshape(-1, 3)
    key = np.sort(faces, axis=1)
    n = int(tets.max()) + 1 if len(tets) else 0
    code = (key[:, 0] * n + key[:, 1]) * n + key[:, 2]
    _, first, count = np.unique(code, return_index=True, return_counts=True)
    return np.asarray(faces[np.sort(first[count == 1])])
