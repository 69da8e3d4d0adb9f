"""A part of a mesh as a mesh of its own: the hemisacrum."""

from __future__ import annotations

import numpy as np

from sacrofem.anatomy.solid import Side
from sacrofem.errors import InputError
from sacrofem.mesh.split import face_codes
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces
from sacrofem.system.arrays import BoolArray


def restricted(mesh: TetMesh, keep: BoolArray, cut: str = "cut") -> TetMesh:
    """The tets in ``keep`` (m,), with their names; faces that become outer are named ``cut``.

    A pair survives where both of its sides do.
    """
    owners = mesh.face_owners
    kept = np.flatnonzero(keep[owners])
    outside = boundary_faces(mesh.tets[keep])
    n = len(mesh.points)
    new = outside[~np.isin(face_codes(outside, n), face_codes(mesh.faces[kept], n))]
    assert mesh.pair is not None
    assert mesh.pair_side is not None
    both = np.bincount(mesh.pair[kept], minlength=int(mesh.pair.max(initial=0)) + 1) == 2
    paired = both[mesh.pair[kept]] & (mesh.pair[kept] > 0)
    pair = np.zeros(len(kept), np.int32)
    pair[paired] = np.unique(mesh.pair[kept][paired], return_inverse=True)[1] + 1
    old = mesh.faces[kept].copy()
    # A face on side +1 that has lost its twin must look outward like every single face.
    widowed = ~paired & (mesh.pair_side[kept] == 1)
    old[widowed] = old[widowed][:, [0, 2, 1]]
    points, vertex = np.unique(mesh.tets[keep], return_inverse=True)
    number = np.full(n, -1)
    number[points] = np.arange(len(points))
    extra = np.zeros(len(new), dtype=bool)
    sets = {name: np.concatenate([members[kept], extra]) for name, members in mesh.face_sets.items()}
    sets[cut] = np.concatenate([sets.get(cut, np.zeros(len(kept) + len(new), bool))[: len(kept)], ~extra])
    return TetMesh(
        mesh.points[points],
        vertex.reshape(-1, 4),
        number[np.concatenate([old, new])],
        {name: members[keep] for name, members in mesh.tet_sets.items()},
        sets,
        np.concatenate([pair, np.zeros(len(new), np.int32)]),
        np.concatenate([np.where(paired, mesh.pair_side[kept], 0), np.zeros(len(new), np.int8)]),
    )


def hemisacrum(mesh: TetMesh, side: Side) -> TetMesh:
    """One half of a mesh that conforms to the midplane x = 0; its new faces are the set ``cut``.

    Raises
    ------
    InputError
        If tets cross the midplane.
    """
    sign = 1.0 if side == "left" else -1.0
    x = sign * mesh.points[mesh.tets][..., 0]
    reach = 1e-6 * float(np.ptp(mesh.points[:, 0]))
    if ((x.min(axis=1) < -reach) & (x.max(axis=1) > reach)).any():
        raise InputError(
            "tets cross the plane x = 0",
            field="anatomy.half",
            value=side,
            mend="use a mesh that conforms to the midplane, such as the built-in ones",
        )
    return restricted(mesh, x.max(axis=1) > reach)
