"""Implicit solid -> conforming tets: a level set cut out of a lattice, then remeshed by Mmg to a size map."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sacrofem.errors import EnvironmentFailure, InputError, SacrofemError
from sacrofem.mesh.make.smoothing import smoothed
from sacrofem.mesh.quality import components, element_quality
from sacrofem.mesh.split import mirror_and_join
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.signals import interrupts_wait

if TYPE_CHECKING:
    from sacrofem.anatomy.solid import Solid

Distance = Callable[[FloatArray], FloatArray]

# Reference numbers of Mmg's triangles: the two are kept apart along their common edge.
MIDPLANE, SURFACE = 1, 2
# Mmg calls the negative side of a level set 3.
INSIDE = 3
MIN_QUALITY, WANTED_QUALITY, MOST_PASSES = 0.02, 0.1, 5


@dataclass(frozen=True)
class SizeRegion:
    """A region with tets of its own size.

    Parameters
    ----------
    distance
        Signed distance in mm of (n, 3) points to the region, negative inside.
    size_mm
        Edge length inside it.
    gradation
        Growth of the edge length per mm of distance outside it.
    """

    distance: Distance
    size_mm: float
    gradation: float = 0.3


def size_map(points: FloatArray, size_mm: float, regions: Sequence[SizeRegion] = ()) -> FloatArray:
    """(n,) wanted edge length in mm at (n, 3) points: the global size or that of the nearest finer region."""
    size = np.full(len(points), float(size_mm))
    for region in regions:
        outside = np.maximum(region.distance(points), 0.0)
        size = np.minimum(size, region.size_mm + region.gradation * outside)
    return size


def mesh_solid(
    solid: Solid,
    *,
    size_mm: float = 4.0,
    regions: Sequence[SizeRegion] = (),
    lattice_mm: float = 1.6,
    hausdorff_mm: float | None = None,
    replicate: int = 0,
) -> TetMesh:
    """Mesh of an implicit solid; a symmetric one is meshed for x >= 0 and mirrored exactly.

    Parameters
    ----------
    solid
        Anything with bounds and a signed distance.
    size_mm
        Edge length away from the regions.
    regions
        Places with a finer (or coarser bound of) edge length.
    lattice_mm
        Spacing of the lattice that the solid is cut from; it has to resolve the thinnest wall and gap, for it decides
        the topology. Coarsening comes afterwards and keeps the topology.
    hausdorff_mm
        Allowed distance between the coarse and the lattice surface; by default a tenth of ``size_mm``.
    replicate
        Not 0: another mesh of the same size, from a lattice shifted by less than its spacing; seed of the shift.

    Returns
    -------
    TetMesh
        With the face set ``outer``.

    Raises
    ------
    InputError
        Sizes that are no sizes, or a solid that is empty or in several pieces.
    SacrofemError
        Where the quality stays below 0.02.
    """
    half = mesh_half(
        solid, size_mm=size_mm, regions=regions, lattice_mm=lattice_mm, hausdorff_mm=hausdorff_mm, replicate=replicate
    )
    return mirror_and_join(half) if solid.symmetric else half


def mesh_half(
    solid: Solid,
    *,
    size_mm: float = 4.0,
    regions: Sequence[SizeRegion] = (),
    lattice_mm: float = 1.6,
    hausdorff_mm: float | None = None,
    replicate: int = 0,
) -> TetMesh:
    """As ``mesh_solid``, but of a symmetric solid only the half x >= 0, with the face set ``cut`` at x = 0."""
    for field, value in (("mesh.size_mm", size_mm), ("mesh.lattice_mm", lattice_mm)):
        if not 0.2 <= value <= 50.0:
            raise InputError("not a usable edge length", field=field, value=value, mend="give 0.2 to 50 mm")
    points, tets = _cut_lattice(solid, lattice_mm, replicate)
    tolerance = 0.1 * size_mm if hausdorff_mm is None else hausdorff_mm
    finest = min([size_mm, *(region.size_mm for region in regions)])
    options = {"hausd": tolerance, "hgrad": 1.7, "ar": 60.0, "hmin": 0.3 * finest}
    best = 0.0
    for turn in range(MOST_PASSES):
        points, tets = _remeshed(points, tets, size_map(points, size_mm, regions), solid.symmetric, options)
        points = smoothed(points, tets, solid.signed_distance, midplane=solid.symmetric)
        worst = float(element_quality(points, tets).min())
        if worst > best:
            best, kept = worst, (points, tets)
        # One pass leaves tets of the lattice behind; more than two only mend.
        if turn > 0 and best > WANTED_QUALITY:
            break
    if best < MIN_QUALITY:
        raise SacrofemError(
            f"the mesher left a tet of quality {best:.2g}, below {MIN_QUALITY:g}; "
            "try another mesh.size_mm or a smoother solid"
        )
    mesh = TetMesh.from_tets(*kept)
    flat = np.all(mesh.points[mesh.faces, 0] == 0.0, axis=1) & solid.symmetric
    names = {"outer": ~flat}
    if solid.symmetric:
        names["cut"] = flat
    return mesh.with_sets(face_sets=names)


# ---------------------------------------------------------------------- lattice
def lattice(
    bounds: FloatArray, spacing: float, symmetric: bool, shift: FloatArray | None = None
) -> tuple[FloatArray, IntArray]:
    """Points and tets of a box of cubes, six tets each (Kuhn), conforming.

    A symmetric lattice begins exactly at x = 0; any other has its points at multiples of the spacing, ``shift`` (3,)
    spacings further along y and z, and along x where it is not symmetric.
    """
    shift = np.zeros(3) if shift is None else np.where([symmetric, False, False], 0.0, shift)
    low, high = np.floor(bounds / spacing - shift - [[1], [-1]]).astype(int)
    if symmetric:
        low[0] = 0
    axes = [spacing * (np.arange(a, b + 1) + s) for a, b, s in zip(low, high, shift, strict=True)]
    shape = tuple(len(axis) for axis in axes)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    number = np.arange(len(points)).reshape(shape)
    corner = number[:-1, :-1, :-1].ravel()
    step = (shape[1] * shape[2], shape[2], 1)
    tets = []
    for order in itertools.permutations(range(3)):
        path = [corner]
        for axis in order:
            path.append(path[-1] + step[axis])
        odd = np.linalg.det(np.eye(3)[list(order)]) < 0
        tets.append(np.stack([path[k] for k in ((0, 2, 1, 3) if odd else (0, 1, 2, 3))], axis=1))
    return points, np.concatenate(tets)


def _cut_lattice(solid: Solid, spacing: float, replicate: int) -> tuple[FloatArray, IntArray]:
    shift = np.random.default_rng(replicate).random(3) if replicate else None
    points, tets = lattice(solid.bounds, spacing, solid.symmetric, shift)
    value = solid.signed_distance(points)
    if not np.isfinite(value).all():
        raise InputError("the signed distance is not finite everywhere", field="anatomy", mend="mend the surface")
    near = (value[tets] < spacing).any(axis=1)
    used, tets = np.unique(tets[near], return_inverse=True)
    tets, points, value = tets.reshape(-1, 4), points[used], value[used]
    if not (value < 0).any():
        raise InputError(
            "the solid holds no lattice point", field="mesh.lattice_mm", value=spacing, mend="make it finer"
        )
    mesh = _mmg(points, tets)
    # Only the cut: the real remeshing follows without the outside.
    mesh.remesh_levelset(value[:, None], noinsert=1, noswap=1, nomove=1, hausd=0.1 * spacing, verbose=-1)
    cells, refs = mesh.get_tetrahedra_with_refs()
    inside = cells[refs == INSIDE].astype(np.int64)
    body = TetMesh.from_tets(mesh.get_vertices(), inside)
    piece = components(body)
    volume = np.bincount(piece, body.volumes)
    main = int(volume.argmax())
    if volume.sum() - volume[main] > 0.01 * volume.sum():
        raise InputError(
            f"the solid falls into {len(volume)} pieces",
            field="mesh.lattice_mm",
            value=spacing,
            mend="make the lattice finer or join the pieces",
        )
    body = TetMesh.from_tets(body.points, body.tets[piece == main])
    return body.points, body.tets


# ---------------------------------------------------------------------- Mmg
def _mmg(
    points: FloatArray,
    tets: IntArray,
    refs: tuple[IntArray, IntArray] | None = None,
    ridges: IntArray | None = None,
) -> Any:
    try:
        import mmgpy
    except ImportError as error:
        raise EnvironmentFailure(
            "mmgpy is not installed here; the shipped meshes and own mesh files work without it"
        ) from error
    mesh = mmgpy.MmgMesh3D()
    faces = refs[0] if refs else np.empty((0, 3), np.int64)
    edges = np.empty((0, 2), np.int64) if ridges is None else ridges
    mesh.set_mesh_size(vertices=len(points), tetrahedra=len(tets), triangles=len(faces), edges=len(edges))
    mesh.set_vertices(np.ascontiguousarray(points))
    mesh.set_tetrahedra(np.ascontiguousarray(tets, dtype=np.int32))
    if refs:
        mesh.set_triangles(np.ascontiguousarray(faces, dtype=np.int32), np.ascontiguousarray(refs[1], dtype=np.int64))
    if len(edges):
        # Without ridges Mmg takes the midplane and the surface for one smooth face and bends both.
        mesh.set_edges(np.ascontiguousarray(edges, dtype=np.int32))
        mesh.set_ridge_edges(np.arange(len(edges), dtype=np.int32))
    return mesh


def _remeshed(
    points: FloatArray, tets: IntArray, size: FloatArray, symmetric: bool, options: dict[str, float]
) -> tuple[FloatArray, IntArray]:
    faces = boundary_faces(tets)
    flat = np.all(points[faces, 0] == 0.0, axis=1) & symmetric
    mesh = _mmg(points, tets, (faces, np.where(flat, MIDPLANE, SURFACE)), _rim(faces, flat))
    mesh.set_field("metric", np.ascontiguousarray(size[:, None]))
    with interrupts_wait():
        mesh.remesh(verbose=-1, **options)
    vertices = mesh.get_vertices()
    if symmetric:
        # Mmg keeps the plane to rounding; mirroring needs it exactly.
        corners, labels = mesh.get_triangles_with_refs()
        vertices[np.unique(corners[labels == MIDPLANE]), 0] = 0.0
    result = TetMesh.from_tets(vertices, mesh.get_tetrahedra())
    return result.points, result.tets


def _rim(faces: IntArray, flat: NDArray[np.bool_]) -> IntArray:
    """(e, 2) edges between the midplane and the surface."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
    inside, outside = ({tuple(e) for e in edges[part].reshape(-1, 2)} for part in (flat, ~flat))
    return np.array(sorted(inside & outside), dtype=np.int64).reshape(-1, 2)
