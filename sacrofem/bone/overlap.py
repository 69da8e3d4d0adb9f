"""How much of each tet a smooth region takes: exact cuts of a fine symmetric lattice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product

import numpy as np

from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray, IntArray

# Field over points: (n, 3) mm -> (n,).
Field = Callable[[FloatArray], FloatArray]

CELL_SIZE_MM = 1.0
MAX_CELLS_PER_EDGE = 8


@dataclass(frozen=True, eq=False)
class Honeycomb:
    """A tet cut into small tets, the same whatever the order of its corners.

    Attributes
    ----------
    barycentric : (k, 4)
        Lattice points.
    cells : (s, 4) int
        Small tets, as indices into the lattice points.
    share : (s,)
        Their share of the volume; sums to 1.
    """

    barycentric: FloatArray
    cells: IntArray
    share: FloatArray


def _lattice(total: int) -> list[tuple[int, ...]]:
    return [ijkl for ijkl in product(range(total + 1), repeat=4) if sum(ijkl) == total]


@lru_cache(maxsize=MAX_CELLS_PER_EDGE)
def honeycomb(n: int) -> Honeycomb:
    """Tetrahedral-octahedral honeycomb with ``n`` cells along each edge, octahedra cut from their centre.

    A usual red refinement picks a diagonal by the order of the corners, so a mirrored mesh would get
    another answer; this one has no such choice.
    """
    unit = 2 * np.eye(4, dtype=np.int64)  # half steps, because octahedra have centres
    corner_sets: list[IntArray] = []
    shares: list[float] = []
    for base in _lattice(n - 1):
        corner_sets.append(2 * np.array(base) + unit)
        shares.append(1.0)
    for base in _lattice(n - 2) if n > 1 else []:
        corner = {pair: 2 * np.array(base) + unit[pair[0]] + unit[pair[1]] for pair in combinations(range(4), 2)}
        centre = 2 * np.array(base) + 1
        for triple in product(((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))):
            corner_sets.append(np.array([centre, *(corner[pair] for pair in triple)]))
            shares.append(0.5)
    for base in _lattice(n - 3) if n > 2 else []:
        corner_sets.append(2 * np.array(base) + 2 - unit)
        shares.append(1.0)
    lattice, cells = np.unique(np.array(corner_sets).reshape(-1, 4), axis=0, return_inverse=True)
    return Honeycomb(lattice / (2.0 * n), cells.reshape(-1, 4), np.array(shares) / n**3)


def below_zero(values: FloatArray) -> FloatArray:
    """Share of each tet where the linear function with these corner values is negative.

    Parameters
    ----------
    values : (4, s)
        Corner by corner, because numpy is quick along the last axis.

    Returns
    -------
    (s,) in [0, 1]; continuous, and never rising when a value rises.
    """
    low1, high1 = np.minimum(values[0], values[1]), np.maximum(values[0], values[1])
    low2, high2 = np.minimum(values[2], values[3]), np.maximum(values[2], values[3])
    a, d = np.minimum(low1, low2), np.maximum(high1, high2)
    m1, m2 = np.maximum(low1, low2), np.minimum(high1, high2)
    b, c = np.minimum(m1, m2), np.maximum(m1, m2)
    share = (d <= 0.0).astype(float)
    one = (a < 0.0) & (b >= 0.0)
    two = (b < 0.0) & (c >= 0.0)
    three = (c < 0.0) & (d > 0.0)

    def cut(p: FloatArray, q: FloatArray) -> FloatArray:
        """Where the edge from a negative corner p to a positive corner q is cut, from p."""
        return p / (p - q)

    if one.any():
        p, x, y, z = a[one], b[one], c[one], d[one]
        share[one] = cut(p, x) * cut(p, y) * cut(p, z)
    if two.any():
        p, q, x, y = a[two], b[two], c[two], d[two]
        px, py, qx, qy = cut(p, x), cut(p, y), cut(q, x), cut(q, y)
        share[two] = px * py + px * qy * (1.0 - py) + (1.0 - px) * qx * qy
    if three.any():
        p, q, r, x = a[three], b[three], c[three], d[three]
        share[three] = 1.0 - cut(x, p) * cut(x, q) * cut(x, r)
    return np.asarray(share)


def element_reach(mesh: TetMesh) -> FloatArray:
    """(m,) distance in mm from the centroid of each tet to its furthest corner."""
    corners = mesh.points[mesh.tets]
    centred = corners - corners.mean(axis=1, keepdims=True)
    return np.asarray(np.sqrt(np.einsum("mcx,mcx->mc", centred, centred).max(axis=1)))


@dataclass(frozen=True, eq=False)
class ElementLattice:
    """The honeycombs of some tets of a mesh.

    Attributes
    ----------
    elements : (c,) int
        The tets.
    points : (n, 3)
        Lattice points in mm.
    cells : (4, s) int
        Corners of the small tets.
    owner : (s,) int
        Place of the small tet's element in ``elements``.
    share : (s,)
        Share of the element's volume.
    """

    elements: IntArray
    points: FloatArray
    cells: IntArray
    owner: IntArray
    share: FloatArray

    @classmethod
    def of(cls, mesh: TetMesh, elements: IntArray, cell_size_mm: float = CELL_SIZE_MM) -> ElementLattice:
        """Lattices with cells no longer than ``cell_size_mm``, at most eight along an edge."""
        corners = mesh.points[mesh.tets[elements]]
        edges = corners[:, [1, 2, 0, 3, 3, 3]] - corners[:, [0, 1, 2, 0, 1, 2]]
        longest = np.sqrt(np.einsum("mex,mex->me", edges, edges).max(axis=1))
        # The small reduction keeps an edge of a whole number of cells on its side after rounding.
        per_edge = np.clip(np.ceil(longest / cell_size_mm - 1e-9), 1, MAX_CELLS_PER_EDGE).astype(int)
        points, cells, owner, share, first = [], [], [], [], 0
        for n in np.unique(per_edge):
            comb, mine = honeycomb(int(n)), np.flatnonzero(per_edge == n)
            k, s = len(comb.barycentric), len(comb.cells)
            points.append((comb.barycentric @ corners[mine]).reshape(-1, 3))
            cells.append((first + k * np.arange(len(mine))[:, None] + comb.cells.T[:, None]).reshape(4, -1))
            owner.append(np.repeat(mine, s))
            share.append(np.tile(comb.share, len(mine)))
            first += k * len(mine)
        if not points:
            return cls(elements, np.empty((0, 3)), np.empty((4, 0), int), np.empty(0, int), np.empty(0))
        return cls(
            elements,
            np.concatenate(points),
            np.concatenate(cells, axis=1),
            np.concatenate(owner),
            np.concatenate(share),
        )

    def sums(self, cell_values: FloatArray) -> FloatArray:
        """(c,) share-weighted sums of values at the cells."""
        return np.bincount(self.owner, self.share * cell_values, minlength=len(self.elements)).astype(float)

    def below(self, values: FloatArray) -> FloatArray:
        """(c,) share of each element where a field with these lattice values is negative."""
        return np.minimum(self.sums(below_zero(values[self.cells])), 1.0)


def volume_share(mesh: TetMesh, level: Field, cell_size_mm: float = CELL_SIZE_MM) -> FloatArray:
    """Share of each tet where ``level`` is negative.

    Parameters
    ----------
    mesh : TetMesh
    level : callable
        (n, 3) mm -> (n,) mm, changing by at most 1 mm per mm (a distance, or less).
    cell_size_mm
        Size of the lattice on which ``level`` is taken as linear, near its zero.

    Returns
    -------
    (m,) in [0, 1].
    """
    centre = level(mesh.centroids)
    share = (centre < 0.0).astype(float)
    crossed = np.flatnonzero(np.abs(centre) < element_reach(mesh))
    lattice = ElementLattice.of(mesh, crossed, cell_size_mm)
    share[crossed] = lattice.below(level(lattice.points))
    return share


def volume_mean(mesh: TetMesh, field: Field, elements: IntArray, cell_size_mm: float = CELL_SIZE_MM) -> FloatArray:
    """(c,) volume averages of ``field`` over the given tets: its mean over the corners of the lattice cells."""
    lattice = ElementLattice.of(mesh, elements, cell_size_mm)
    return lattice.sums(field(lattice.points)[lattice.cells].mean(axis=0)) if len(elements) else np.empty(0)
