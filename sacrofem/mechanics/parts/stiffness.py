"""The stiffness of a model: bone and all its parts in one pattern of 3x3 blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sacrofem.mechanics.parts.bone import BoneGather, Elasticity
from sacrofem.mechanics.parts.part import Part, all_elements
from sacrofem.mechanics.space.blocks import BlockMatrix, node_pattern, scatter
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import IntArray


class Assembler:
    """Stiffness matrices on one space; the sparsity pattern is found once.

    Parameters
    ----------
    space : Space
    parts
        What is in every matrix beside the bone.
    split : Space, optional
        Where twin faces of ``space`` are tied, the space on the split mesh, which parts are made on.
    """

    def __init__(self, space: Space, parts: Iterable[Part] = (), split: Space | None = None) -> None:
        self.space, self.parts, self.split = space, tuple(parts), space if split is None else split

    @cached_property
    def number(self) -> IntArray:
        """(N,) the node that each node of the split space is."""
        number = np.empty(self.split.n_nodes, np.int64)
        number[self.split.connectivity] = self.space.connectivity
        return number

    @cached_property
    def pair_nodes(self) -> IntArray:
        """(p, 2a) nodes of each pair: those of side +1, then their twins on side -1."""
        plus, minus = self.space.mesh.paired
        return np.column_stack([self.space.face_nodes[plus], self.space.face_nodes[minus]])

    @cached_property
    def pattern(self) -> tuple[IntArray, NDArray[np.int32]]:
        """Row pointers and columns of the blocks."""
        return node_pattern(self.space.n_nodes, self.space.connectivity, self.pair_nodes, *self._links())

    def _links(self) -> Iterator[IntArray]:
        """Nodes that the parts connect."""
        for elements in all_elements(self.parts, self.split):
            if elements.nodes.shape[1] > 1:
                yield self.number[elements.nodes]

    @cached_property
    def _gather(self) -> BoneGather:
        return BoneGather(self.space, *self.pattern)

    def matrix(self, bone: Elasticity, gap: Part | None = None) -> BlockMatrix:
        """Stiffness in N/mm without any displacement constrained.

        Parameters
        ----------
        bone
            Of each tet.
        gap
            Of this matrix alone, between twin faces.
        """
        indptr, indices = self.pattern
        data = self._gather.data(bone)
        for elements in all_elements(self.parts if gap is None else (*self.parts, gap), self.split):
            scatter(indptr, indices, data, self.number[elements.nodes], elements.matrices)
        return BlockMatrix(indptr, indices, data)
