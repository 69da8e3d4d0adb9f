"""What the parts of a model put on the bone from outside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sacrofem.mechanics.parts.part import Part, belongs
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Reactions:
    """What each support puts on the sacrum.

    Attributes
    ----------
    forces, moments : mapping of str to (3,)
        N, and N·mm about the origin, by what is there: ``"joint_left"`` and ``"joint_right"`` (layer or fixed nodes),
        each ligament by its name, and other parts by theirs.
    parts : mapping of str to str
        The part of the model that each belongs to.
    """

    forces: Mapping[str, FloatArray]
    moments: Mapping[str, FloatArray]
    parts: Mapping[str, str]

    @property
    def force(self) -> FloatArray:
        """(3,) sum of all, N."""
        return np.asarray(np.sum(list(self.forces.values()), axis=0))

    @property
    def moment(self) -> FloatArray:
        """(3,) sum of all about the origin, N·mm."""
        return np.asarray(np.sum(list(self.moments.values()), axis=0))

    def shares(self, applied: FloatArray) -> dict[str, float]:
        """Parts of an applied force (3,) N, along it: ``left``, ``right`` joint and ``ligaments``.

        They sum to 1 where nothing else holds the sacrum.
        """
        along = -np.asarray(applied, dtype=float) / float(np.dot(applied, applied))
        share = {name: float(force @ along) for name, force in self.forces.items()}
        return {
            "left": share.get("joint_left", 0.0),
            "right": share.get("joint_right", 0.0),
            "ligaments": float(sum(share[name] for name, part in self.parts.items() if part == "ligaments")),
        }


def reactions(
    space: Space, parts: Sequence[Part], displacement: FloatArray, nodal_reactions: FloatArray | None = None
) -> Reactions:
    """Forces of all parts that reach beyond the bone, and of held nodes, on the bone.

    Those of springs come from their own law, and not from an assembled matrix.

    Parameters
    ----------
    space, parts
    displacement : (N, 3)
        mm.
    nodal_reactions : (N, 3), optional
        Stiffness without constraints times displacement, less the applied forces: needed where
        nodes are held, read only there.

    Raises
    ------
    ValueError
        Nodes are held and their reactions are not given.
    """
    forces: dict[str, FloatArray] = {}
    moments: dict[str, FloatArray] = {}
    of_part: dict[str, str] = {}

    def add(part: Part, name: str, points: FloatArray, force: FloatArray) -> None:
        of_part[name] = part.name
        forces[name] = forces.get(name, np.zeros(3)) + force.sum(axis=0)
        moments[name] = moments.get(name, np.zeros(3)) + np.cross(points, force).sum(axis=0)

    for part in parts:
        for elements in part.elements(space):
            pull = elements.forces(displacement) if elements.names else None
            for number, name in enumerate(elements.names):
                assert pull is not None
                mine = belongs(elements.owner, number, len(elements.nodes))
                add(part, name, space.nodes[elements.nodes[mine]].reshape(-1, 3), pull[mine].reshape(-1, 3))
    counted = np.zeros((space.n_nodes, 3), dtype=bool)
    for part in parts:
        if (held := part.held(space)) is None:
            continue
        if nodal_reactions is None:
            raise ValueError("held nodes: give nodal_reactions = stiffness times displacement less applied forces")
        mine = held.fixed & ~counted
        counted |= mine
        for number, name in enumerate(held.names):
            nodes = np.flatnonzero(mine.any(axis=1) & belongs(held.owner, number, space.n_nodes))
            add(part, name, space.nodes[nodes], np.where(mine, nodal_reactions, 0.0)[nodes])
    return Reactions(MappingProxyType(forces), MappingProxyType(moments), MappingProxyType(of_part))
