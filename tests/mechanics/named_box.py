"""A symmetric box that stands in for a sacrum: loaded on top, held at its sides."""

import numpy as np
from blocks_of_tets import box

from sacrofem.anatomy.solid import AuricularFace, Corridor, Landmarks
from sacrofem.mesh.split import mirror_and_join
from sacrofem.mesh.tetmesh import TetMesh

HALF, DEPTH, HEIGHT = 30.0, 20.0, 30.0


def named(mesh: TetMesh) -> TetMesh:
    centre, normal = mesh.points[mesh.faces].mean(axis=1), mesh.face_normals
    outer = mesh.pair_side == 0
    return mesh.with_sets(
        face_sets={
            "outer": outer,
            "endplate": outer & (normal[:, 2] > 0.9),
            "auricular_left": outer & (normal[:, 0] > 0.9) & (centre[:, 0] > 1.0),
            "auricular_right": outer & (normal[:, 0] < -0.9) & (centre[:, 0] < -1.0),
            "cut": outer & (np.abs(centre[:, 0]) < 1e-9),
        }
    )


def half_box(counts=(3, 2, 3)) -> TetMesh:
    """0 <= x <= 30, -10 <= y <= 10, -30 <= z <= 0."""
    mesh = box(counts, (HALF, DEPTH, HEIGHT))
    return TetMesh(mesh.points - [0.0, DEPTH / 2, HEIGHT], mesh.tets, mesh.faces)


def whole_box(counts=(3, 2, 3)) -> TetMesh:
    return named(mirror_and_join(half_box(counts)))


def landmarks(slope_deg=0.0) -> Landmarks:
    slope = np.radians(slope_deg)
    faces = {
        side: AuricularFace(np.array([sign * HALF, 0.0, -15.0]), np.array([sign, 0.0, 0.0]), 30.0, 20.0)
        for side, sign in (("left", 1.0), ("right", -1.0))
    }
    return Landmarks(
        endplate_centre=np.zeros(3),
        endplate_normal=np.array([0.0, -np.sin(slope), np.cos(slope)]),
        promontory=np.array([0.0, -10.0, 0.0]),
        apex=np.array([0.0, 0.0, -30.0]),
        levels=np.array([[0.0, 0.0, z] for z in (-3.0, -9.0, -15.0, -21.0, -27.0)]),
        auricular=faces,
        canal=Corridor(np.array([[0.0, 5.0, 0.0], [0.0, 5.0, -30.0]]), np.array([3.0, 3.0])),
        foramina={
            f"S{n + 1}_{side}": Corridor(np.array([[s * 12.0, -10.0, z], [s * 12.0, 5.0, z]]), np.array([2.0, 2.0]))
            for n, z in enumerate((-6.0, -12.0, -18.0, -24.0))
            for side, s in (("left", 1.0), ("right", -1.0))
        },
    )
