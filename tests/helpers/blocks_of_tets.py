"""Structured meshes for the tests of mechanics."""

from dataclasses import replace

import numpy as np

from sacrofem.mesh.split import inner_faces, split
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces

# Six tets around the main diagonal of a cube; conforming with equal neighbours.
_CORNERS = np.array([[0, 1, 3, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 6, 4, 7], [0, 4, 5, 7], [0, 5, 1, 7]])


def lattice(x, y, z) -> TetMesh:
    """Boxes between the ticks of three axes, six tets each (Kuhn's triangulation)."""
    points = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    ny, nz = len(y) - 1, len(z) - 1
    i, j, k = (a.ravel() for a in np.indices((len(x) - 1, ny, nz)))

    def number(i, j, k):
        return (i * (ny + 1) + j) * (nz + 1) + k

    cube = np.column_stack([number(i + a, j + b, k + c) for c in (0, 1) for b in (0, 1) for a in (0, 1)])
    return oriented(points, cube[:, _CORNERS].reshape(-1, 4))


def oriented(points, tets) -> TetMesh:
    """Every tet turned so that its volume is positive."""
    tets = np.array(tets)
    flip = np.linalg.det(points[tets[:, 1:]] - points[tets[:, :1]]) < 0
    tets[flip] = tets[flip][:, [0, 2, 1, 3]]
    return TetMesh(points, tets, boundary_faces(tets))


def box(counts=(2, 2, 2), size=(1.0, 1.0, 1.0), distort=0.0, seed=0) -> TetMesh:
    """A box of tets with its lower corner at the origin; inner points moved by ``distort`` cells."""
    mesh = lattice(*(np.linspace(0, 1, n + 1) for n in counts))
    points = mesh.points.copy()
    inner = ((points > 1e-9) & (points < 1 - 1e-9)).all(axis=1)
    points[inner] += np.random.default_rng(seed).uniform(-distort, distort, (inner.sum(), 3)) / counts
    return oriented(points * size, mesh.tets)


def split_box(counts, size, plane, distort=0.0):
    """The same, cut through at z = ``plane`` (a layer of nodes), twin faces paired; side +1 lies above.

    Distorted only inside the two halves: the plane stays plane.
    """
    mesh = box(counts, size)
    if distort:
        points = mesh.points.copy()
        inner = ((points > 1e-9) & (points < np.array(size) - 1e-9)).all(axis=1) & ~np.isclose(points[:, 2], plane)
        points[inner] += np.random.default_rng(0).uniform(-distort, distort, (inner.sum(), 3)) * size / counts
        mesh = oriented(points, mesh.tets)
    return opened(mesh, plane)


def opened(mesh, plane, where=None) -> TetMesh:
    """Cut along the inner faces in z = ``plane`` whose centres (f, 3) satisfy ``where``."""
    faces, _ = inner_faces(mesh)
    corners = mesh.points[faces]
    chosen = np.isclose(corners[:, :, 2], plane).all(axis=1)
    if where is not None:
        chosen &= where(corners.mean(axis=1))
    faces, corners = faces[chosen], corners[chosen]
    down = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] < 0
    faces[down] = faces[down][:, [0, 2, 1]]
    outer = mesh.with_sets(face_sets={"outer": np.ones(len(mesh.faces), bool)})
    return split(outer, {"plane": faces})


def tilted(mesh) -> TetMesh:
    """Turned, so that no face lies in a coordinate plane."""
    q, _ = np.linalg.qr(np.random.default_rng(9).normal(size=(3, 3)))
    return replace(mesh, points=mesh.points @ (q * np.sign(np.linalg.det(q))))


def renumbered(mesh, seed=5) -> TetMesh:
    """The same mesh with its points in another order, so that twin corners no longer ascend together."""
    new = np.random.default_rng(seed).permutation(len(mesh.points))
    points = np.empty_like(mesh.points)
    points[new] = mesh.points
    return replace(mesh, points=points, tets=new[mesh.tets], faces=new[mesh.faces])


def ball_octant(radii) -> TetMesh:
    """The part x, y, z >= 0 of a ball, with shells of nodes at the given radii (the first is 0).

    A cube lattice pushed radially, so that its concentric cubes become spheres; faces of Kuhn's
    triangulation lie in the cube's diagonal planes, so no tet is flattened where its edges vanish.
    """
    mesh = lattice(radii, radii, radii)
    p = mesh.points
    length = np.linalg.norm(p, axis=1)
    return oriented(p * (p.max(axis=1) / np.where(length > 0, length, 1.0))[:, None], mesh.tets)


def graded(fine, until, end, growth):
    """Ticks from 0: steps of ``fine`` up to ``until``, then each ``growth`` times its neighbour, ending at ``end``."""
    first = np.linspace(0.0, until, round(until / fine) + 1)
    steps = fine * growth ** np.arange(1, 60)
    count = int(np.searchsorted(np.cumsum(steps), end - until)) + 1
    steps = steps[:count] * ((end - until) / steps[:count].sum())
    return np.concatenate([first, until + np.cumsum(steps)])


def quarter_cylinder(radii, z) -> TetMesh:
    """Squares of a lattice in x, y >= 0 pushed radially to circles of the given radii (the first is 0)."""
    mesh = lattice(radii, radii, z)
    p = mesh.points.copy()
    length = np.hypot(p[:, 0], p[:, 1])
    p[:, :2] *= (p[:, :2].max(axis=1) / np.where(length > 0, length, 1.0))[:, None]
    return oriented(p, mesh.tets)
