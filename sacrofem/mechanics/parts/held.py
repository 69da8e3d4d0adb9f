"""Nodes that are held still."""

from __future__ import annotations

from dataclasses import dataclass

from sacrofem.mechanics.parts.part import Held, Part
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class HeldNodes(Part):
    """Displacements held at zero.

    Attributes
    ----------
    fixed : (N, 3) bool
    names : tuple of str
        What the reactions are called.
    owner : (N,) int, optional
        Which of ``names`` each node belongs to; default: all to the first.
    """

    fixed: BoolArray
    names: tuple[str, ...] = ("held",)
    owner: IntArray | None = None
    name: str = "held"

    def held(self, space: Space) -> Held:
        """See `Part`."""
        return Held(self.fixed, self.names, self.owner)
