"""What is wrong with a mesh, found before anything is assembled on it, and how good its tets are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from sacrofem.anatomy.scan.surface import UNIT_MM, look_like
from sacrofem.errors import InputError
from sacrofem.mesh.split import inner_faces
from sacrofem.mesh.tetmesh import TET_EDGES, TET_FACES, TetMesh, boundary_faces
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

SLIVER = 1e-6
"""Quality below which a tet makes the stiffness matrix useless."""

FAR = 1e6
"""Edge lengths off the origin beyond which single precision has lost the shape of a tet."""

FARTHEST = 1e12
"""A coordinate beyond that, in whatever unit, is damage: scanners stay within 10 m, or 1e7 micrometres, and sixth
powers of lengths must stay numbers."""

SACRUM_EXTENT_MM = (60.0, 200.0)
"""Largest extent of anything that can be a sacrum in mm: lengths of 93 to 114 mm and breadths of 99 to 108 mm
(Bangladesh J Anat 15(2), Mymensingh Med J 2018 [A]; PMC5799488 [T]) with room for half sacra, outliers and other
bone."""


def element_quality(points: FloatArray, tets: IntArray) -> FloatArray:
    """(m,) quality 72√3 V / (Σ l²)^(3/2): 1 for the regular tet, 0 for a flat one, negative when inverted.

    Parameters
    ----------
    points : (n, 3) float
    tets : (m, 4) int
    """
    p = points[tets]
    volume = np.linalg.det(p[:, 1:] - p[:, :1]) / 6.0
    edges = p[:, TET_EDGES[:, 1]] - p[:, TET_EDGES[:, 0]]
    length2 = np.einsum("mej,mej->m", edges, edges)
    quality: FloatArray = 72.0 * np.sqrt(3.0) * volume / np.maximum(length2, np.finfo(float).tiny ** 0.5) ** 1.5
    return quality


def components(mesh: TetMesh) -> IntArray:
    """(m,) number of the piece that each tet belongs to, from 0; pieces share no node.

    Pieces are numbered by their first tet.
    """
    n = len(mesh.points)
    start, end = mesh.tets[:, :3].ravel(), mesh.tets[:, 1:].ravel()
    _, label = connected_components(coo_array((np.ones(len(start)), (start, end)), shape=(n, n)), directed=False)
    return _by_first(label[mesh.tets[:, 0]])


def _by_first(label: IntArray) -> IntArray:
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank: IntArray = np.argsort(np.argsort(first))[inverse]
    return rank


def genus(mesh: TetMesh) -> int:
    """Handles of the surface of the unbroken solid (twin faces tied first).

    Euler's formula V − E + F = 2 (pieces of surface − genus); the parametric sacrum has 17.

    Raises
    ------
    InputError
        An edge of the surface does not belong to exactly two triangles.
    """
    faces = mesh.glued()[0].faces if mesh.paired[0].size else mesh.faces
    ends = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, count = np.unique(ends, axis=0, return_counts=True)
    if (count != 2).any():
        raise InputError(
            f"{np.count_nonzero(count != 2)} edges of the surface do not join two triangles",
            field="mesh",
            mend="its genus is undefined; remesh it",
        )
    used, number = np.unique(edges, return_inverse=True)
    number = number.reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (number[:, 0], number[:, 1])), shape=(len(used),) * 2)
    surfaces = connected_components(graph, directed=False)[0]
    return int(surfaces - (len(used) - len(edges) + len(faces)) // 2)


def check_mesh(mesh: TetMesh, file: object = None, *, sacrum_units: bool = False) -> None:
    """Refuse a mesh on which a solve would fail or, worse, silently lie.

    Parameters
    ----------
    mesh
        The mesh; fractured ones are examined with twin faces tied.
    file
        Where it came from, for the message.
    sacrum_units
        Also refuse an extent that no sacrum in mm has.

    Raises
    ------
    InputError
        Not finite, indices out of range, a corner repeated, duplicated or orphan points, duplicated,
        inverted, folded or sliver tets, a boundary that does not match, paired faces without a twin or turned the
        wrong way, or a solid in several pieces or in pieces that share no face.
    """

    def refuse(problem: str, mend: str, value: object = None) -> None:
        raise InputError(problem, file=file, field="mesh", value=value, mend=mend)

    def where(bad: BoolArray) -> str:
        index = int(np.flatnonzero(bad)[0])
        x, y, z = mesh.points[mesh.tets[index]].mean(axis=0)
        return f"the first, number {index}, at ({x:.5g}, {y:.5g}, {z:.5g}) mm"

    if not len(mesh.tets):
        refuse("it has no tetrahedra", "give a volume mesh, not a surface")
    if not np.isfinite(mesh.points).all():
        lost = np.flatnonzero(~np.isfinite(mesh.points).all(axis=1))
        refuse(f"{len(lost)} points are not finite (the first, number {lost[0]})", "export the mesh again")
    if (lost := np.flatnonzero((np.abs(mesh.points) > FARTHEST).any(axis=1))).size:
        most = float(np.abs(mesh.points).max())
        refuse(
            f"{len(lost)} points lie up to {most:.3g} mm away (the first, number {lost[0]})", "export the mesh again"
        )
    for kind, indices in (("tets", mesh.tets), ("faces", mesh.faces)):
        if indices.size and (indices.min() < 0 or indices.max() >= len(mesh.points)):
            refuse(f"{kind} name points that do not exist", "export the mesh again", int(indices.max()))
    ordered = np.sort(mesh.tets, axis=1)
    if (bad := (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)).any():
        refuse(f"{np.count_nonzero(bad)} tets repeat a corner ({where(bad)})", "remove collapsed tets")
    if orphans := len(mesh.points) - len(np.unique(mesh.tets)):
        refuse(f"{orphans} points belong to no tet", "drop them")
    _, first, again = np.unique(ordered, axis=0, return_index=True, return_counts=True)
    if (again > 1).any():
        bad = np.zeros(len(mesh.tets), bool)
        bad[first[again > 1]] = True
        refuse(f"{np.count_nonzero(bad)} tets are duplicated ({where(bad)})", "merge them")

    quality = element_quality(mesh.points, mesh.tets)
    if (bad := quality <= -SLIVER).any():
        share = np.count_nonzero(bad)
        mend = "swap two corners of every tet" if bad.all() else "export it again with right-handed tets, or remesh it"
        refuse(f"{share} of {len(bad)} tets are inverted ({where(bad)})", mend, float(f"{quality.min():.3g}"))
    if (bad := quality < SLIVER).any():
        refuse(
            f"{np.count_nonzero(bad)} tets are slivers of quality below {SLIVER:g} ({where(bad)})",
            "remesh or smooth it",
            float(f"{quality.min():.3g}"),
        )
    extent = np.ptp(mesh.points, axis=0)
    away = float(np.abs(mesh.points).max())
    if away > FAR * (edge := float(np.cbrt(np.median(mesh.volumes)))):
        mend = "move it to the origin; coordinates in single precision must be exported again"
        refuse(f"it lies {away:.3g} mm off the origin, more than {FAR:g} edges of {edge:.3g} mm", mend)
    _check_twins(mesh, refuse)
    whole = mesh.glued()[0] if mesh.paired[0].size else mesh
    if close := len(cKDTree(whole.points).query_pairs(1e-7 * float(extent.max()))):
        refuse(f"{close} pairs of points coincide without a pair of faces", "merge the points, or give `pair`")
    _check_faces(mesh, refuse)
    _check_pair_normals(mesh, refuse)
    if (pieces := int(components(whole).max()) + 1) > 1:
        sizes = np.bincount(components(whole), weights=whole.volumes)
        rest = ", ".join(f"{v:.3g}" for v in np.sort(sizes)[::-1][1:4])
        refuse(f"it falls into {pieces} pieces (the smaller ones of {rest} mm³)", "keep one piece", pieces)
    _check_hinges(whole, refuse)
    low, high = SACRUM_EXTENT_MM
    if sacrum_units and not low <= extent.max() <= high:
        fits = [unit for unit, factor in UNIT_MM.items() if low <= extent.max() * factor <= high]
        refuse(
            f"its extent is outside {low:g} to {high:g} mm",
            look_like(fits) if fits else "give it in mm",
            float(f"{extent.max():.3g}"),
        )


def _check_faces(mesh: TetMesh, refuse: Callable[[str, str], None]) -> None:
    n = len(mesh.points)
    every = mesh.tets[:, TET_FACES].reshape(-1, 3)
    key = np.sort(every, axis=1)
    code = (key[:, 0] * n + key[:, 1]) * n + key[:, 2]
    # Whether the corners, seen from outside the tet, come in an even order of the sorted ones.
    even = np.linalg.det((every[:, :, None] == key[:, None, :]).astype(float)) > 0
    _, group, count = np.unique(code, return_inverse=True, return_counts=True)
    if (count > 2).any():
        refuse(f"{np.count_nonzero(count > 2)} faces belong to more than two tets", "remesh it")
    turns = np.bincount(group, weights=np.where(even, 1.0, -1.0))
    if folded := np.count_nonzero((count == 2) & (turns != 0)):
        refuse(f"it is folded: at {folded} faces both tets lie on the same side", "remesh it")
    boundary, faces = np.sort(boundary_faces(mesh.tets), axis=1), np.sort(mesh.faces, axis=1)
    if len(boundary) != len(faces) or len(np.unique(np.concatenate([boundary, faces]), axis=0)) != len(boundary):
        refuse(f"its {len(faces)} triangles are not its boundary of {len(boundary)}", "leave the triangles out")
    # Tets that are all positive and yet overlap fill more than their boundary encloses.
    p = mesh.points[mesh.faces]
    signed = np.einsum("ij,ij->i", p[:, 0], np.cross(p[:, 1], p[:, 2])) / 6.0
    enclosed = float(np.where(mesh.pair_side == 1, -signed, signed).sum())
    volume = float(mesh.volumes.sum())
    if abs(volume - enclosed) > 1e-6 * volume:
        refuse(f"its tets fill {volume:.6g} mm³ but its boundary encloses {enclosed:.6g} mm³", "turn triangles outward")


def _check_hinges(mesh: TetMesh, refuse: Callable[[str, str], None]) -> None:
    """Pieces that hang together by a point or an edge only can turn there freely."""
    _, between = inner_faces(mesh)
    m = len(mesh.tets)
    _, label = connected_components(coo_array((np.ones(len(between)), between.T), shape=(m, m)), directed=False)
    if not label.any():
        return
    label = _by_first(label)
    least = int(np.argmin(np.bincount(label, mesh.volumes)))
    mine = np.unique(mesh.tets[label == least])
    hinge = mesh.points[np.intersect1d(mine, mesh.tets[label != least])[0]]
    place = ", ".join(f"{x:.1f}" for x in hinge)
    refuse(
        f"{label.max() + 1} pieces of it hang together by single points or edges only (one at ({place}) mm)",
        "join them by faces, or keep one piece",
    )


def _check_twins(mesh: TetMesh, refuse: Callable[[str, str], None]) -> None:
    plus, minus = mesh.paired
    assert mesh.pair is not None
    numbers = mesh.pair[plus]
    same = len(plus) == len(minus) and (numbers == mesh.pair[minus]).all() and (np.diff(numbers) > 0).all()
    if not same or ((mesh.pair != 0) != (mesh.pair_side != 0)).any():
        refuse("some paired faces have no twin", "give each pair one face of side +1 and one of side -1")
    apart = np.abs(mesh.points[mesh.faces[plus]] - mesh.points[mesh.faces[minus]]).max(axis=(1, 2))
    if wrong := np.count_nonzero(apart > 1e-6 * float(np.ptp(mesh.points))):
        refuse(f"{wrong} paired faces do not lie on their twins", "list twin corners in the same order")


def _check_pair_normals(mesh: TetMesh, refuse: Callable[[str, str], None]) -> None:
    # A normal that points the other way would call closing opening, and hide faces that touch.
    into = mesh.centroids[mesh.face_owners] - mesh.points[mesh.faces].mean(axis=1)
    inward = np.einsum("kx,kx->k", into, mesh.face_normals) > 0
    if wrong := np.count_nonzero((mesh.pair_side != 0) & (inward != (mesh.pair_side == 1))):
        refuse(f"the normals of {wrong} paired faces do not point from side -1 into side +1", "turn their corners")
