"""Make a mesh follow surfaces exactly: edges bisected where they cross, then the tets improved by Mmg."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sacrofem.errors import EnvironmentFailure, SacrofemError
from sacrofem.mesh.make.surfaces import Level
from sacrofem.mesh.split import face_codes
from sacrofem.mesh.tetmesh import TET_EDGES, TET_FACES
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.signals import interrupts_wait

TRIANGLE_EDGES = np.array([[0, 1], [1, 2], [2, 0]])

SNAP = 0.02
"""A crossing nearer to a corner than this share of its edge is taken to pass through the corner: the
surface is off by at most that, and no tet is cut thinner."""


@dataclass(frozen=True, eq=False)
class Complex:
    """Tets and some of their faces, each with a reference number, and fields on the points.

    ``fields`` (n, f) are interpolated linearly along bisected edges.
    """

    points: FloatArray
    tets: IntArray
    tet_refs: IntArray
    faces: IntArray
    face_refs: IntArray
    fields: FloatArray


def edges_of(cells: IntArray) -> IntArray:
    """(e, 2) the edges of tets (m, 4) or triangles (k, 3), each once, smaller corner first."""
    local = TET_EDGES if cells.shape[1] == 4 else TRIANGLE_EDGES
    ends = np.sort(cells[:, local].reshape(-1, 2), axis=1)
    n = int(ends.max(initial=0)) + 1
    return np.column_stack(np.divmod(np.unique(ends[:, 0] * n + ends[:, 1]), n))


def bisected(mesh: Complex, edges: IntArray, where: FloatArray) -> Complex:
    """Every given edge bisected, with all that touches it.

    A bisection leaves the mesh conforming and every other edge whole, so edges can be taken in any
    order: longest first, and in one sweep all that share no tet.

    Parameters
    ----------
    mesh
        What is cut.
    edges : (e, 2) int
        Existing edges, each once.
    where : (e,) float
        Place of the new point between the two ends, in (0, 1).
    """
    if not len(edges):
        return mesh
    n, total = len(mesh.points), len(mesh.points) + len(edges)
    start, end = mesh.points[edges[:, 0]], mesh.points[edges[:, 1]]
    t = where[:, None]
    points = np.concatenate([mesh.points, start + t * (end - start)])
    fields = np.concatenate([mesh.fields, (1 - t) * mesh.fields[edges[:, 0]] + t * mesh.fields[edges[:, 1]]])
    # Lengths decide, numbers break ties: the result does not depend on the order of the input.
    rank = np.empty(len(edges), np.int64)
    rank[np.lexsort((edges[:, 1], edges[:, 0], -np.linalg.norm(end - start, axis=1).round(9)))] = np.arange(len(edges))
    low, high = np.sort(edges, axis=1).T
    code = low * total + high
    by_code = np.argsort(code)

    def marked(cells: IntArray, local: IntArray) -> IntArray:
        """For every edge of every cell the number of the given edge, or -1."""
        ends = np.sort(cells[:, local], axis=2)
        wanted = ends[..., 0] * total + ends[..., 1]
        place = by_code[np.minimum(np.searchsorted(code, wanted, sorter=by_code), len(code) - 1)]
        return np.where(code[place] == wanted, place, -1)

    def halved(cells: IntArray, refs: IntArray, local: IntArray, found: IntArray) -> tuple[IntArray, IntArray]:
        """Cells with the edge of local number ``found`` (-1: none) halved."""
        hit = np.flatnonzero(found >= 0)
        edge = marked(cells[hit], local)[np.arange(len(hit)), found[hit]]
        first, second = cells[hit].copy(), cells[hit].copy()
        rows = np.arange(len(hit))
        first[rows, local[found[hit], 1]] = n + edge
        second[rows, local[found[hit], 0]] = n + edge
        rest = found < 0
        return np.concatenate([cells[rest], first, second]), np.concatenate([refs[rest], refs[hit], refs[hit]])

    tets, faces = mesh.tets, mesh.faces
    tet_refs, face_refs = mesh.tet_refs, mesh.face_refs
    done_tets, done_refs = [], []
    while True:
        found = marked(tets, TET_EDGES)
        busy = (found >= 0).any(axis=1)
        done_tets.append(tets[~busy])
        done_refs.append(tet_refs[~busy])
        tets, tet_refs, found = tets[busy], tet_refs[busy], found[busy]
        if not len(tets):
            break
        order = np.where(found >= 0, rank[found], len(edges))
        best = order.argmin(axis=1)
        favourite = found[np.arange(len(found)), best]
        holders = np.bincount(found[found >= 0], minlength=len(edges))
        chosen = np.bincount(favourite, minlength=len(edges)) == holders
        chosen &= holders > 0
        on_face = marked(faces, TRIANGLE_EDGES)
        on_face = np.where((on_face >= 0) & chosen[on_face], np.arange(3), -1).max(axis=1)
        faces, face_refs = halved(faces, face_refs, TRIANGLE_EDGES, on_face)
        tets, tet_refs = halved(tets, tet_refs, TET_EDGES, np.where(chosen[favourite], best, -1))
    return Complex(points, np.concatenate(done_tets), np.concatenate(done_refs), faces, face_refs, fields)


def roots(level: Level, start: FloatArray, end: FloatArray, f0: FloatArray, f1: FloatArray) -> FloatArray:
    """(e,) place in (0, 1) where ``level`` vanishes between two ends at which its signs differ."""
    a, fa = np.zeros(len(f0)), f0.copy()
    b, fb = np.ones(len(f0)), f1.copy()
    # Illinois' regula falsi: at once exact for planes, superlinear for smooth surfaces.
    for _ in range(6):
        t = b - fb * (b - a) / (fb - fa)
        f = level(start + t[:, None] * (end - start))
        beyond = f * fb < 0
        a, fa = np.where(beyond, b, a), np.where(beyond, fb, 0.5 * fa)
        b, fb = t, f
    return b


def following(mesh: Complex, column: int, level: Level, edges: IntArray | None = None, snap: float = SNAP) -> Complex:
    """The mesh cut so that no edge (of those given) crosses ``level``; its values are kept in ``fields``.

    Corners on the surface have exactly 0 in that column.
    """
    edges = edges_of(mesh.tets) if edges is None else edges
    fields = mesh.fields.copy()
    value = fields[:, column]
    start, end = edges.T
    scale = np.linalg.norm(mesh.points[end] - mesh.points[start], axis=1)
    near = np.zeros(len(mesh.points))
    np.maximum.at(near, edges.ravel(), np.repeat(scale, 2))
    value[np.abs(value) <= 1e-9 * near] = 0.0
    crossing = value[start] * value[end] < 0
    start, end = start[crossing], end[crossing]
    where = roots(level, mesh.points[start], mesh.points[end], value[start], value[end])
    value[start[where < snap]] = 0.0
    value[end[where > 1 - snap]] = 0.0
    still = value[start] * value[end] < 0
    new = len(mesh.points)
    cut = bisected(replace(mesh, fields=fields), np.column_stack([start[still], end[still]]), where[still])
    cut.fields[new:, column] = 0.0
    return cut


def sides(mesh: Complex, column: int, level: Level) -> BoolArray:
    """(m,) whether each tet of a mesh that follows ``level`` lies on its positive side."""
    value = mesh.fields[mesh.tets, column]
    largest = np.take_along_axis(value, np.abs(value).argmax(axis=1)[:, None], axis=1)[:, 0]
    flat = largest == 0.0
    largest[flat] = level(mesh.points[mesh.tets[flat]].mean(axis=1))
    return np.asarray(largest > 0.0)


def interface(mesh: Complex, positive: BoolArray) -> IntArray:
    """(p, 3) faces between negative and positive tets, their normals into the positive ones."""
    below, above = (mesh.tets[side][:, TET_FACES].reshape(-1, 3) for side in (~positive, positive))
    n = len(mesh.points)
    return below[np.isin(face_codes(below, n), face_codes(above, n))]


def improved(
    mesh: Complex, size_mm: FloatArray, frozen: BoolArray, hausdorff_mm: float, kept_edges: IntArray
) -> Complex:
    """The tets made good again by Mmg; faces with references, and borders between references, are kept.

    Parameters
    ----------
    mesh
        Positive references on tets and faces; ``faces`` holds the boundary and whatever else is kept.
    size_mm : (n,) float
        Wanted edge length.
    frozen : (n,) bool
        Points that stay, with all tets and faces among them, to the last bit.
    hausdorff_mm
        How far the boundary may stray.
    kept_edges : (e, 2) int
        Edges that stay as they are.

    Returns
    -------
    Complex
        Without fields.

    Raises
    ------
    SacrofemError
        Mmg gave up.
    EnvironmentFailure
        mmgpy is not installed.
    """
    try:
        import mmgpy
    except ImportError as error:
        raise EnvironmentFailure("meshing needs mmgpy, which is not installed here; use the shipped meshes") from error

    def int32(values: IntArray) -> NDArray[np.int32]:
        return np.ascontiguousarray(values, dtype=np.int32)

    mmg = mmgpy.MmgMesh3D()
    mmg.set_mesh_size(
        vertices=len(mesh.points), tetrahedra=len(mesh.tets), triangles=len(mesh.faces), edges=len(kept_edges)
    )
    mmg.set_vertices(np.ascontiguousarray(mesh.points))
    mmg.set_tetrahedra(int32(mesh.tets), int32(mesh.tet_refs))
    mmg.set_triangles(int32(mesh.faces), int32(mesh.face_refs))
    if len(kept_edges):
        mmg.set_edges(int32(kept_edges))
        mmg.set_required_edges(int32(np.arange(len(kept_edges))))
    mmg.set_field("metric", np.ascontiguousarray(size_mm[:, None]))
    mmg.set_required_tetrahedra(int32(np.flatnonzero(frozen[mesh.tets].all(axis=1))))
    mmg.set_required_triangles(int32(np.flatnonzero(frozen[mesh.faces].all(axis=1))))
    mmg.set_required_vertices(int32(np.flatnonzero(frozen)))
    try:
        with interrupts_wait():
            mmg.remesh(hausd=hausdorff_mm, hgrad=1.5, verbose=-1)
    except RuntimeError as error:
        raise SacrofemError(f"Mmg could not improve the cut mesh ({error}); shift the fracture a little") from error
    tets, tet_refs = mmg.get_tetrahedra_with_refs()
    faces, face_refs = mmg.get_triangles_with_refs()
    points = np.array(mmg.get_vertices(), dtype=float)
    # Mmg works in a unit box: put the frozen points back to the bit.
    if frozen.any():
        kept = np.flatnonzero(frozen)
        distance, place = cKDTree(points).query(mesh.points[kept])
        if distance.max() > 1e-9 * float(np.ptp(mesh.points)):
            raise SacrofemError("Mmg moved points that were to stay; shift the fracture a little")
        points[place] = mesh.points[kept]
    tets, tet_refs, faces, face_refs = (np.asarray(a, dtype=np.int64) for a in (tets, tet_refs, faces, face_refs))
    return Complex(points, tets, tet_refs, faces, face_refs, np.empty((len(points), 0)))
