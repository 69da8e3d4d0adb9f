"""Topology only: a mesh opened along inner faces, and two halves joined at the midplane."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import TET_FACES, TetMesh
from sacrofem.system.arrays import BoolArray, IntArray


def face_codes(faces: IntArray, n_points: int) -> IntArray:
    """One integer for each triangle (k, 3), whatever the order of its corners."""
    key = np.sort(faces, axis=-1)
    return (key[..., 0] * n_points + key[..., 1]) * n_points + key[..., 2]


def inner_faces(mesh: TetMesh) -> tuple[IntArray, IntArray]:
    """The faces between two tets.

    Returns
    -------
    faces : (i, 3) int
        Corners, seen from the first tet's outside (the normal points into the second tet).
    tets : (i, 2) int
        The two tets, the smaller number first.
    """
    every = mesh.tets[:, TET_FACES].reshape(-1, 3)
    code = face_codes(every, len(mesh.points))
    order = np.argsort(code, kind="stable")
    twice = np.flatnonzero(code[order][1:] == code[order][:-1])
    first, second = order[twice], order[twice + 1]
    return every[first], np.column_stack([first // 4, second // 4])


def _corner_of(tets: IntArray, points: IntArray) -> IntArray:
    """Local corner (0..3) at which each tet (i, 4) holds each of its points (i, j)."""
    corner: IntArray = np.argmax(tets[:, None, :] == points[:, :, None], axis=2)
    return corner


def split(mesh: TetMesh, faces_by_name: Mapping[str, ArrayLike]) -> TetMesh:
    """Open a mesh along inner faces.

    Around each node on the faces, the tets that no longer touch through an unbroken face get their
    own copy of the node; fronts, crossings and branches need no special case. Existing names and
    pairs are kept, and ``glued`` undoes the split.

    Parameters
    ----------
    mesh
        Any mesh; it may be fractured already.
    faces_by_name : mapping of str to (p, 3) int
        Inner faces; their right-hand normals point into side +1. A set ``fracture_<name>`` is
        made of both sides. A lone face none of whose corners comes apart is left whole.

    Raises
    ------
    InputError
        A triangle is not an inner face of the mesh, or is given twice.
    """
    n = len(mesh.points)
    names = list(faces_by_name)
    given = [np.asarray(faces_by_name[name], dtype=np.int64).reshape(-1, 3) for name in names]
    wanted = np.concatenate([*given, np.empty((0, 3), np.int64)])
    owner_name = np.repeat(np.arange(len(names)), [len(faces) for faces in given])
    inner, neighbours = inner_faces(mesh)
    code = face_codes(inner, n)
    order = np.argsort(code)
    wanted_code = face_codes(wanted, n)
    place = order[np.minimum(np.searchsorted(code, wanted_code, sorter=order), len(code) - 1)]
    for index, name in enumerate(names):
        strange = np.count_nonzero(code[place][owner_name == index] != wanted_code[owner_name == index])
        if strange:
            raise InputError(
                f"{strange} of {len(given[index])} triangles are not inner faces of the mesh",
                field=f"fracture.{name}",
                mend="give triangles shared by two tets",
            )
    if len(np.unique(place)) < len(place):
        raise InputError("a face is given twice", field="fracture", mend="give each face to one fracture only")

    # Corners of tets on the fracture stay together where an unbroken face holds them together.
    touched = np.zeros(n, bool)
    touched[wanted] = True
    corner = np.full(mesh.tets.shape, -1)
    on = touched[mesh.tets]
    corner[on] = np.arange(np.count_nonzero(on))
    whole = np.ones(len(inner), bool)
    whole[place] = False
    whole &= touched[inner].any(axis=1)
    ends = [
        corner[tets[:, None], _corner_of(mesh.tets[tets], inner[whole])][touched[inner[whole]]]
        for tets in neighbours[whole].T
    ]
    count = int(np.count_nonzero(on))
    _, label = connected_components(
        coo_array((np.ones(len(ends[0])), tuple(ends)), shape=(count, count)), directed=False
    )

    # The first copy of each node keeps its number: gluing then restores the old numbering.
    copies, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    original = mesh.tets[on][first]
    by_first = np.argsort(first)
    _, keeper = np.unique(original[by_first], return_index=True)
    number = np.full(len(copies), -1)
    number[by_first[keeper]] = original[by_first[keeper]]
    fresh = by_first[number[by_first] < 0]
    number[fresh] = n + np.arange(len(fresh))
    tets = mesh.tets.copy()
    tets[on] = number[inverse]
    points = np.concatenate([mesh.points, mesh.points[original[fresh]]])

    owners = mesh.face_owners
    old_faces = tets[owners[:, None], _corner_of(mesh.tets[owners], mesh.faces)]
    # The normal of ``inner`` points into the second tet; +1 is where the given normal points.
    forward = _even(inner[place], wanted)
    pair_tets = np.where(forward[:, None], neighbours[place], neighbours[place][:, ::-1])
    minus, plus = (tets[side[:, None], _corner_of(mesh.tets[side], wanted)] for side in pair_tets.T)
    apart = (minus != plus).any(axis=1)
    minus, plus, owner_name = minus[apart], plus[apart], owner_name[apart]

    assert mesh.pair is not None
    assert mesh.pair_side is not None
    p, k = len(plus), len(old_faces)
    numbers = int(mesh.pair.max(initial=0)) + 1 + np.arange(p)
    nowhere = np.zeros(p, bool)
    face_sets = {name: np.concatenate([members, nowhere, nowhere]) for name, members in mesh.face_sets.items()}
    for index, name in enumerate(names):
        members = np.concatenate([np.zeros(k, bool), owner_name == index, owner_name == index])
        key = f"fracture_{name}"
        face_sets[key] = members | face_sets[key] if key in face_sets else members
    return TetMesh(
        points,
        tets,
        np.concatenate([old_faces, plus, minus]),
        mesh.tet_sets,
        face_sets,
        np.concatenate([mesh.pair, numbers, numbers]),
        np.concatenate([mesh.pair_side, np.ones(p), -np.ones(p)]),
    )


def _even(a: IntArray, b: IntArray) -> BoolArray:
    """Whether the triangles b (p, 3) list the corners of a in the same sense of rotation."""
    start = np.argmax(b == a[:, :1], axis=1)
    rows = np.arange(len(b))
    return np.asarray(b[rows, (start + 1) % 3] == a[:, 1])


def mirror_and_join(half: TetMesh) -> TetMesh:
    """The half x >= 0 and its mirror image as one mesh, symmetric to the last bit.

    Points with x == 0 are welded to their own image, so a fracture that reaches the midplane stays
    open across it. ``left`` and ``right`` change places in the names of the mirrored half; faces in
    the midplane, and sets that held nothing else (``cut``), vanish. Mirrored points, tets, faces and
    pairs follow those of the half, in the same order.

    Raises
    ------
    InputError
        The mesh reaches beyond x = 0 or does not touch it.
    """
    x = half.points[:, 0]
    middle = x == 0.0
    if x.min() < 0.0:
        raise InputError(
            f"the half reaches to x = {x.min():.3g} mm",
            field="mesh",
            mend="give a mesh of x >= 0, midplane exactly at 0",
        )
    inside = middle[half.faces].all(axis=1) & (half.pair_side == 0)
    if not inside.any():
        raise InputError("no face of the half lies in x = 0", field="mesh", mend="snap the midplane exactly to x = 0")
    image = half.mirrored()
    n = len(half.points)
    number = np.empty(n, np.int64)
    number[middle] = np.flatnonzero(middle)
    number[~middle] = n + np.arange(np.count_nonzero(~middle))
    keep = ~inside
    k = int(np.count_nonzero(keep))

    face_sets, tet_sets = {}, {}
    for name in dict.fromkeys([*half.face_sets, *image.face_sets]):
        left, right = half.face_sets.get(name), image.face_sets.get(name)
        members = np.zeros((2, k), bool)
        for row, part in zip(members, (left, right), strict=True):
            if part is not None:
                row[:] = part[keep]
        only_inside = any(part is not None and part.any() for part in (left, right)) and not members.any()
        if not only_inside:
            face_sets[name] = members.ravel()
    for name in dict.fromkeys([*half.tet_sets, *image.tet_sets]):
        none = np.zeros(len(half.tets), bool)
        tet_sets[name] = np.concatenate([half.tet_sets.get(name, none), image.tet_sets.get(name, none)])

    assert half.pair is not None
    assert half.pair_side is not None
    assert image.pair_side is not None
    pair = half.pair[keep]
    return TetMesh(
        np.concatenate([half.points, image.points[~middle]]),
        np.concatenate([half.tets, number[image.tets]]),
        np.concatenate([half.faces[keep], number[image.faces[keep]]]),
        tet_sets,
        face_sets,
        np.concatenate([pair, np.where(pair > 0, pair + pair.max(initial=0), 0)]),
        np.concatenate([half.pair_side[keep], image.pair_side[keep]]),
    )
