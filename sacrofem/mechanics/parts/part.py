"""What every part of a model beside the bone is: stiffness between nodes, displacements held, forces applied.

Most parts are `Springs`: energy ½ Σ k (b·u)² over points and directions, from which their matrix, what they restrain,
their reactions and their lines of a deck all follow. Others are `Elements` and have no lines of a deck.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from sacrofem.errors import InputError
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

# Elements whose matrices are made at once: what they take on the way stays in the cache.
_AT_ONCE = 4096


class Part(Protocol):
    """A part of a model: a class that derives from this one and overrides what it has.

    A model is solved on two spaces, quadratic displacements and linear ones on the same mesh, so a part is told which
    one it is wanted on; nodes of the mesh come first on both. Where twin faces are tied, a part is made on the split
    mesh all the same, and its nodes are renumbered.

    Attributes
    ----------
    name : str
        What decks and errors call it; no two parts of a model have one name.
    """

    name: str

    def elements(self, space: Space) -> Iterable[Elements | Springs]:
        """Its stiffness."""
        return ()

    def held(self, space: Space) -> Held | None:
        """What it holds still; asked for on the space of the solution alone."""
        return None

    def force(self, space: Space) -> FloatArray | None:
        """(N, 3) nodal forces that it applies, N; asked for on the space of the solution alone."""
        return None


@dataclass(frozen=True, eq=False)
class Held:
    """Displacements held at zero.

    Attributes
    ----------
    fixed : (N, 3) bool
    names : tuple of str
        What their reactions are called.
    owner : (N,) int or None
        Which of ``names`` each node belongs to; None: all to the first.
    """

    fixed: BoolArray
    names: tuple[str, ...]
    owner: IntArray | None = None


@dataclass(frozen=True, eq=False)
class Elements:
    """Stiffness between nodes, as matrices.

    Attributes
    ----------
    nodes : (e, a) int
    matrices : (e, 3a, 3a)
        N/mm.
    names : tuple of str
        What is at the other end beyond the bone, in whose names the reactions are; empty where there is bone as well.
    owner : (e,) int or None
        Which of ``names`` each element belongs to; None: all to the first.
    """

    nodes: IntArray
    matrices: FloatArray
    names: tuple[str, ...] = ()
    owner: IntArray | None = None

    def forces(self, displacement: FloatArray) -> FloatArray:
        """(e, a, 3) nodal forces in N that the elements put on the bone at a displacement (N, 3)."""
        local = displacement[self.nodes].reshape(len(self.nodes), -1, 1)
        return -np.asarray(self.matrices @ local).reshape(*self.nodes.shape, 3)


@dataclass(frozen=True, eq=False)
class Springs:
    """Stiffness between nodes, as energy ½ Σ k (b·u)² over d directions at q points of each element.

    On straight-sided elements b is a product: b[a, x] = Σ_c shape[q, a, c] axes[e, d, c, x], of shape functions, or
    their slopes, and of directions in space.

    Attributes
    ----------
    nodes : (e, a) int
    shape : (q, a, c)
    axes : (e, d, c, 3)
    stiffness : (e, q, d)
        k: N/mm where b·u is in mm, N·mm where it is a strain.
    points : (e, q, 3)
        mm.
    names, owner
        As of `Elements`.
    """

    nodes: IntArray
    shape: FloatArray
    axes: FloatArray
    stiffness: FloatArray
    points: FloatArray
    names: tuple[str, ...] = ()
    owner: IntArray | None = None

    @property
    def matrices(self) -> FloatArray:
        """(e, 3a, 3a) in N/mm."""
        e, a = self.nodes.shape
        d, c = self.axes.shape[1:3]
        squares = np.einsum("qak,qbl->qklab", self.shape, self.shape).reshape(len(self.shape), c * c * a * a)
        result = np.empty((e, a, 3, a, 3))
        for first in range(0, e, _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            # Over points first, which are many, then over directions.
            weights = np.swapaxes(self.stiffness[some], 1, 2) @ squares
            axes = self.axes[some]
            outer = np.einsum("edkx,edly->edklxy", axes, axes)
            n = len(axes)
            blocks = np.swapaxes(weights.reshape(n, d * c * c, a * a), 1, 2) @ outer.reshape(n, d * c * c, 9)
            result[some] = blocks.reshape(n, a, a, 3, 3).transpose(0, 1, 3, 2, 4)
        return result.reshape(e, 3 * a, 3 * a)

    def elongations(self, displacement: FloatArray) -> FloatArray:
        """(e, q, d) b·u at a displacement (N, 3)."""
        local = np.einsum("qac,eax->eqcx", self.shape, displacement[self.nodes])
        return np.asarray(np.einsum("eqcx,edcx->eqd", local, self.axes))

    def forces(self, displacement: FloatArray) -> FloatArray:
        """(e, a, 3) nodal forces in N that the springs put on the bone at a displacement (N, 3)."""
        pull = self.stiffness * self.elongations(displacement)
        return -np.asarray(np.einsum("eqd,qac,edcx->eax", pull, self.shape, self.axes, optimize=True))

    def rows(self, n_nodes: int) -> csr_array:
        """(e q d, 3 n_nodes) sparse: b of every point and direction."""
        e, a = self.nodes.shape
        values = np.einsum("qac,edcx->eqdax", self.shape, self.axes).reshape(-1, 3 * a)
        columns = (3 * self.nodes[:, :, None] + np.arange(3)).reshape(e, 3 * a)
        columns = np.repeat(columns, len(values) // max(e, 1), axis=0)
        pointer = np.arange(0, values.size + 1, 3 * a)
        rows = csr_array((values.ravel(), columns.ravel(), pointer), shape=(len(values), 3 * n_nodes))
        rows.sum_duplicates()
        return rows


def triad(normals: FloatArray) -> FloatArray:
    """(f, 3, 3) of unit normals (f, 3): the normal and two tangents, row by row."""
    smallest = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, smallest)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([normals, first, np.cross(normals, first)], axis=1)


def belongs(owner: IntArray | None, number: int, count: int) -> BoolArray:
    """(count,) whether each of these belongs to the name of this number; see `Elements`."""
    return np.full(count, number == 0) if owner is None else np.asarray(owner == number)


# ------------------------------------------------------------------ all parts of a model
def all_elements(parts: Iterable[Part], space: Space) -> Iterator[Elements | Springs]:
    """The stiffness of all parts."""
    for part in parts:
        yield from part.elements(space)


def all_held(parts: Iterable[Part], space: Space) -> list[Held]:
    """What all parts hold still."""
    return [held for part in parts if (held := part.held(space)) is not None]


def total_fixed(parts: Iterable[Part], space: Space) -> BoolArray:
    """(N, 3) displacements that any part holds still."""
    fixed = np.zeros((space.n_nodes, 3), dtype=bool)
    for held in all_held(parts, space):
        fixed |= held.fixed
    return fixed


def total_force(parts: Iterable[Part], space: Space) -> FloatArray:
    """(N, 3) nodal forces of all parts, N."""
    force = np.zeros((space.n_nodes, 3))
    for part in parts:
        applied = part.force(space)
        if applied is not None:
            force += applied
    return force


def check_names(parts: Sequence[Part]) -> None:
    """Refuse two parts of one name."""
    names = [part.name for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two parts are called {name}", field="parts", value=name, mend="give each its own name")
