"""The common model of the comparison: a wedge with holes, broken by a soft layer, bone under a cortex.

Everything is tetrahedra with moduli of their own, so that every finite-element program can run it:
110 mm (top) or 60 mm (bottom) by 60 by 100 mm, four through holes of 10 mm, a gap layer of 1 mm at
x = 26..27 mm that goes all the way through. The slanted sides are clamped, the top carries a constant traction.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from peers.calculix import write_deck

from sacrofem.mechanics.parts.loads import Resultant, face_centroid, load_vector
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.files.files import write_mesh
from sacrofem.mesh.make.body import lattice
from sacrofem.mesh.make.conform import Complex, edges_of, following, improved, interface, sides
from sacrofem.mesh.quality import element_quality
from sacrofem.mesh.split import inner_faces, split
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

DEPTH, HEIGHT = 60.0, 100.0
GAP = (26.0, 27.0)
# x, z of the axes, which run along y.
HOLES = ((-15.0, 25.0), (-15.0, 65.0), (10.0, 45.0), (40.0, 75.0))
HOLE_RADIUS = 5.0
BONE_MPA, CORTEX_MPA, FILLER_MPA, CEMENT_MPA, POISSON = (50.0, 300.0), 12000.0, 1.0, 2500.0, 0.3
# Bone in this many moduli, as mappers of scans bin them: each is a *MATERIAL of CalculiX.
BONE_MODULI = 40
TRACTION = np.array([0.0, 0.1, -0.5])
DOF_TOLERANCE = 0.1
# Below this number of displacements no mesh resolves the holes, and there are none.
HOLED_DOFS = 20_000
# Where the search for the edge length begins: a pair that was found.
FIRST_MM, FIRST_DOFS = 15.0, 55_000
# Spacing that resolves the holes before the mesher coarsens, and edge length at gap and holes over that elsewhere.
LATTICE_MM, FINER = 4.0, 0.45
# Share of the tets that the candidate zone of the scenarios holds, and shares that a plan fills.
ZONE_SHARE, CEMENT_SHARES = 0.12, (0.01, 0.05)

BONE, LAYER, BEYOND = 1, 2, 3
CLAMPED, TOP, FREE, INNER = 1, 2, 3, 4


@dataclass(frozen=True, eq=False)
class CommonModel:
    """A mesh with its moduli, support and load.

    Attributes
    ----------
    mesh : TetMesh
        With the face sets ``clamped`` and ``top``; with paired faces where the gap is an interface.
    youngs, poisson : (m,)
        MPa and ratio of each tet, without cement.
    zone : (m,) bool
        Tets that a cement plan can touch.
    """

    mesh: TetMesh
    youngs: FloatArray
    poisson: FloatArray
    zone: BoolArray

    @property
    def dofs(self) -> int:
        """Displacements of the ten-node tets, clamped ones included."""
        return 3 * (len(self.mesh.points) + len(edges_of(self.mesh.tets)))

    def scenario(self, seed: int, shares: tuple[float, float] = CEMENT_SHARES) -> FloatArray:
        """(m,) moduli with cement in one to four spheres across the gap, 1 to 5 % (or ``shares``) of the tets."""
        rng = np.random.default_rng(1000 + seed)
        inside = np.flatnonzero(self.zone)
        places = self.mesh.centroids[inside]
        count = rng.integers(1, 5)
        centres = places[rng.choice(len(places), count, replace=False)]
        centres[0, 0] = sum(GAP) / 2
        away = np.linalg.norm(places[:, None] - centres, axis=2) / rng.uniform(0.5, 1.0, count)
        filled = round(rng.uniform(*shares) * len(self.youngs))
        youngs = self.youngs.copy()
        youngs[inside[np.argsort(away.min(axis=1), kind="stable")[:filled]]] = CEMENT_MPA
        return youngs


def half_width(z: FloatArray) -> FloatArray:
    """Of the wedge at height z, mm."""
    return 30.0 + 25.0 * z / HEIGHT


def build(dofs: int, *, paired: bool = False) -> CommonModel:
    """The model within a tenth of a number of displacements; the gap as a layer of tets, or as ``paired`` faces.

    Raises
    ------
    RuntimeError
        The size search does not come near enough.
    """
    # Gap and holes keep their share of a coarse mesh, so the number grows more slowly than with the cube.
    size = min(FIRST_MM * (FIRST_DOFS / dofs) ** 0.44, 30.0)
    for _ in range(8):
        mesh = _mesh(size, paired, HOLES if dofs >= HOLED_DOFS else ())
        found = 3 * (len(mesh.points) + len(edges_of(mesh.tets)))
        if abs(found / dofs - 1) <= DOF_TOLERANCE:
            break
        size *= (found / dofs) ** 0.42
    if abs(found / dofs - 1) > DOF_TOLERANCE:
        raise RuntimeError(f"no mesh near {dofs} displacements: {found} at {size:.3g} mm")
    return _with_moduli(mesh)


# ---------------------------------------------------------------------- mesh
def _mesh(size: float, paired: bool, holes: Sequence[tuple[float, float]]) -> TetMesh:
    work = _wedge(min(size, LATTICE_MM) if holes else size, paired)
    for x, z in holes:
        work = _drilled(work, x, z)
    # Gap and holes are finer than the rest, as fractures and foramina are.
    near = np.abs(work.points[:, 0] - sum(GAP) / 2)
    for x, z in holes:
        near = np.minimum(near, np.abs(np.hypot(work.points[:, 0] - x, work.points[:, 2] - z) - HOLE_RADIUS))
    wanted = np.minimum(size, FINER * size + 0.3 * near)
    frozen = np.zeros(len(work.points), bool)
    better = improved(_bordered(work), wanted, frozen, 0.06 * size, np.empty((0, 2), np.int64))
    return _named(better, paired)


def _wedge(size: float, paired: bool) -> Complex:
    """A lattice stretched into the wedge, with layers of points in the planes of the gap."""
    gap = [sum(GAP) / 2] if paired else list(GAP)
    ticks = [
        np.concatenate([_ticks(-30.0, gap[0], size), _ticks(gap[-1], 30.0, size)]),
        _ticks(0.0, DEPTH, size),
        _ticks(0.0, HEIGHT, size),
    ]
    if paired:
        ticks[0] = np.unique(ticks[0])
    counts = np.array([len(t) - 1 for t in ticks], float)
    points, tets = lattice(np.array([[1.0, 1.0, 1.0], counts - 1]), 1.0, False)
    x, y, z = (tick[np.round(points[:, axis]).astype(int)] for axis, tick in enumerate(ticks))
    beyond = x > gap[-1]
    before = x < gap[0]
    stretch = half_width(z)
    x = np.where(beyond, gap[-1] + (x - gap[-1]) * (stretch - gap[-1]) / (30.0 - gap[-1]), x)
    x = np.where(before, gap[0] + (x - gap[0]) * (stretch + gap[0]) / (30.0 + gap[0]), x)
    points = np.column_stack([x, y, z])
    middle = points[tets].mean(axis=1)[:, 0]
    refs = np.where(middle < gap[0], BONE, np.where(middle > gap[-1], BEYOND, LAYER))
    faces = boundary_faces(tets)
    return Complex(points, tets, refs, faces, _side(points, faces), np.zeros((len(points), 1)))


def _ticks(low: float, high: float, size: float) -> FloatArray:
    return np.linspace(low, high, max(round((high - low) / size), 1) + 1)


def _side(points: FloatArray, faces: IntArray) -> IntArray:
    x, _, z = np.moveaxis(points[faces], 2, 0)
    slanted = (np.abs(np.abs(x) - half_width(z)) < 1e-6).all(axis=1)
    return np.where(slanted, CLAMPED, np.where((np.abs(z - HEIGHT) < 1e-6).all(axis=1), TOP, FREE))


def _drilled(work: Complex, x: float, z: float) -> Complex:
    def level(points: FloatArray) -> FloatArray:
        return np.asarray(np.hypot(points[:, 0] - x, points[:, 2] - z) - HOLE_RADIUS)

    work = following(replace(work, fields=level(work.points)[:, None]), 0, level, snap=0.15)
    outside = sides(work, 0, level)
    used, tets = np.unique(work.tets[outside], return_inverse=True)
    tets, points = tets.reshape(-1, 4), work.points[used]
    faces = boundary_faces(tets)
    return Complex(points, tets, work.tet_refs[outside], faces, _side(points, faces), np.zeros((len(points), 1)))


def _bordered(work: Complex) -> Complex:
    """With the planes of the gap among the faces; Mmg would lend them the reference of a neighbour."""
    borders, between = inner_faces(TetMesh(work.points, work.tets, work.faces))
    borders = borders[work.tet_refs[between[:, 0]] != work.tet_refs[between[:, 1]]]
    return replace(
        work,
        faces=np.concatenate([work.faces, borders]),
        face_refs=np.concatenate([work.face_refs, np.full(len(borders), INNER)]),
    )


def _named(work: Complex, paired: bool) -> TetMesh:
    points, tets = work.points.copy(), work.tets
    on = {ref: np.unique(work.faces[work.face_refs == ref]) for ref in (CLAMPED, TOP)}
    # The mesher keeps planes to rounding; peers find faces by their place.
    points[on[TOP], 2] = HEIGHT
    x, z = points[on[CLAMPED], 0], points[on[CLAMPED], 2]
    points[on[CLAMPED], 0] = np.sign(x) * half_width(z)
    order = np.argsort(work.tet_refs, kind="stable")
    mesh = TetMesh.from_tets(points, tets[order])
    refs = work.tet_refs[order]
    side = _side(mesh.points, mesh.faces)
    mesh = mesh.with_sets({"layer": refs == LAYER}, {"clamped": side == CLAMPED, "top": side == TOP})
    if paired:
        whole = Complex(mesh.points, mesh.tets, refs, mesh.faces, side, np.zeros((len(mesh.points), 1)))
        mesh = split(mesh, {"gap": interface(whole, refs == BEYOND)})
    return mesh


# ---------------------------------------------------------------------- moduli
def _with_moduli(mesh: TetMesh) -> CommonModel:
    x, _, z = mesh.centroids.T
    rng = np.random.default_rng(0)
    low, high = BONE_MPA
    share = (0.5 + 0.5 * np.sin(x / 9.0) * np.cos(z / 11.0)) * (0.7 + 0.3 * rng.random(len(x)))
    moduli = np.geomspace(low, high, BONE_MODULI)
    youngs = moduli[np.searchsorted(moduli, low + (high - low) * share).clip(0, BONE_MODULI - 1)]
    cortex = np.zeros(len(x), bool)
    cortex[mesh.face_owners[mesh.pair_side == 0]] = True
    youngs[cortex] = CORTEX_MPA
    layer = mesh.tet_sets["layer"]
    youngs[layer] = FILLER_MPA
    away = np.linalg.norm(mesh.centroids - [sum(GAP) / 2, DEPTH / 2, 0.55 * HEIGHT], axis=1)
    away[cortex & ~layer] = np.inf
    zone = np.zeros(len(x), bool)
    zone[np.argsort(away, kind="stable")[: round(ZONE_SHARE * len(x))]] = True
    return CommonModel(mesh, youngs, np.full(len(x), POISSON), zone)


def support_and_load(space: Space) -> tuple[BoolArray, FloatArray]:
    """Clamped displacements (N, 3) and the consistent nodal forces (N, 3) of the traction on the top, N."""
    mesh = space.mesh
    fixed = np.zeros((space.n_nodes, 3), bool)
    fixed[space.face_nodes[mesh.face_sets["clamped"]]] = True
    top = np.flatnonzero(mesh.face_sets["top"])
    whole = Resultant(TRACTION * mesh.face_areas[top].sum(), face_centroid(space, top), np.zeros(3))
    return fixed, load_vector(space, top, whole)


# ---------------------------------------------------------------------- files
def write(model: CommonModel, folder: Path) -> None:
    """What the peers read: ``mesh.vtu`` with its names, and ``model.npz`` with ten-node tets and nodal loads."""
    folder.mkdir(parents=True, exist_ok=True)
    space = Space(model.mesh, 2)
    fixed, force = support_and_load(space)
    write_mesh(folder / "mesh.vtu", model.mesh)
    np.savez(
        folder / "model.npz",
        nodes=space.nodes,
        tets=space.connectivity,
        vertices=len(model.mesh.points),
        top=space.face_nodes[model.mesh.face_sets["top"]],
        fixed=np.flatnonzero(fixed.all(axis=1)),
        force=force,
        traction=TRACTION,
        youngs=model.youngs,
        poisson=model.poisson,
        zone=model.zone,
    )


def describe(model: CommonModel) -> dict[str, float | int]:
    """Counts, quality and contrast for the record."""
    quality = element_quality(model.mesh.points, model.mesh.tets)
    return {
        "dofs": model.dofs,
        "tets": len(model.mesh.tets),
        "pairs": int(np.count_nonzero(model.mesh.pair_side == 1)),
        "volume_ml": float(model.mesh.volumes.sum() / 1e3),
        "quality_min": float(quality.min()),
        "quality_p01": float(np.percentile(quality, 1)),
        "modulus_min_mpa": float(model.youngs.min()),
        "modulus_max_mpa": float(model.youngs.max()),
        "cortex_share": float(np.mean(model.youngs == CORTEX_MPA)),
        "zone_share": float(model.zone.mean()),
    }


def main() -> None:
    """Called by compare.py in a process of its own, so that its memory counts for none of the peers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dofs", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--paired", action="store_true")
    parser.add_argument("--calculix-solver", default="SPOOLES")
    given = parser.parse_args()
    model = build(given.dofs, paired=given.paired)
    write(model, given.folder)
    if not given.paired:
        write_deck(given.folder, given.calculix_solver)
    (given.folder / "model.json").write_text(json.dumps(describe(model)))


if __name__ == "__main__":
    main()
