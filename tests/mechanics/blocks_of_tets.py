"""Structured meshes for the tests of mechanics."""

import numpy as np

from sacrofem.mesh.tetmesh import TetMesh, boundary_faces

# Six tets around the main diagonal of a cube; conforming with equal neighbours.
_CORNERS = np.array([[0, 1, 3, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 6, 4, 7], [0, 4, 5, 7], [0, 5, 1, 7]])


def box(counts=(2, 2, 2), size=(1.0, 1.0, 1.0), distort=0.0, seed=0) -> TetMesh:
    """A box of tets with its lower corner at the origin; inner points moved by ``distort`` cells."""
    nx, ny, nz = counts
    axes = [np.linspace(0, 1, n + 1) for n in counts]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    inner = ((points > 1e-9) & (points < 1 - 1e-9)).all(axis=1)
    points[inner] += np.random.default_rng(seed).uniform(-distort, distort, (inner.sum(), 3)) / counts
    i, j, k = (a.ravel() for a in np.meshgrid(np.arange(nx), np.arange(ny), np.arange(nz), indexing="ij"))

    def number(i, j, k):
        return (i * (ny + 1) + j) * (nz + 1) + k

    cube = np.column_stack([number(i + a, j + b, k + c) for c in (0, 1) for b in (0, 1) for a in (0, 1)])
    tets = cube[:, _CORNERS].reshape(-1, 4)
    points = points * size
    flip = np.linalg.det(points[tets[:, 1:]] - points[tets[:, :1]]) < 0
    tets[flip] = tets[flip][:, [0, 2, 1, 3]]
    return TetMesh(points, tets, boundary_faces(tets))


def split_box(counts, size, plane, distort=0.0):
    """The same, cut through at z = ``plane`` (a layer of nodes), twin faces paired; side +1 lies above."""
    mesh = box(counts, size, distort)
    upper = mesh.centroids[:, 2] > plane
    on = np.isclose(mesh.points[:, 2], plane)
    copy = np.arange(len(mesh.points))
    copy[on] = len(mesh.points) + np.arange(on.sum())
    points = np.concatenate([mesh.points, mesh.points[on]])
    tets = mesh.tets.copy()
    tets[upper] = copy[tets[upper]]
    below = boundary_faces(mesh.tets[~upper])
    minus = below[on[below].all(axis=1)]
    outer = mesh.faces.copy()
    is_upper = upper[mesh.face_owners]
    outer[is_upper] = copy[outer[is_upper]]
    faces = np.concatenate([outer, minus, copy[minus]])
    number = np.arange(1, len(minus) + 1)
    zeros = np.zeros(len(outer))
    return TetMesh(
        points,
        tets,
        faces,
        face_sets={"outer": np.arange(len(faces)) < len(outer)},
        pair=np.concatenate([zeros, number, number]),
        pair_side=np.concatenate([zeros, -np.ones(len(minus)), np.ones(len(minus))]),
    )
