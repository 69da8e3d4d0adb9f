"""The force through a fracture from the nodal forces of the bone on either side of it.

Integrated facet stress would be tens of per cent off; the nodal forces of the elements are exact. They come from
stress, tet by tet, and not from the assembled matrix, so that a slip in either shows.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sacrofem.mechanics.parts.bone import Elasticity, bone_forces
from sacrofem.mechanics.parts.part import Part, all_elements, total_fixed
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import BoolArray, FloatArray


class FractureSides:
    """Which nodes lie on either side of the fracture, and all that pulls at them: geometry, known once.

    Places where the fracture is held still are left out on both sides; where fractures cross, a node counts once.

    Parameters
    ----------
    space : Space
        On the split mesh, in the intact state too.
    parts
        All but the gap.
    """

    def __init__(self, space: Space, parts: Iterable[Part]) -> None:
        self.space, self._parts = space, tuple(parts)
        plus, minus = (space.face_nodes[side] for side in space.mesh.paired)
        side = np.zeros(space.n_nodes, dtype=np.int8)
        side[minus], side[plus] = -1, 1
        fixed = total_fixed(self._parts, space)
        held: BoolArray = fixed[:, 0] | fixed[:, 1] | fixed[:, 2]
        twins = coo_array((np.ones(plus.size), (plus.ravel(), minus.ravel())), shape=(space.n_nodes, space.n_nodes))
        _, place = connected_components(twins, directed=False)
        side[np.isin(place, place[held])] = 0
        self._side = side
        self._tets = np.flatnonzero((side != 0)[space.connectivity].any(axis=1))

    def forces(self, displacement: FloatArray, bone: Elasticity, force: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Forces (3,) in N with which bone and parts of side +1 and of side -1 pull at the fracture.

        What the gap hands over is equal and opposite, so their sum is zero in equilibrium.

        Parameters
        ----------
        displacement : (N, 3)
        bone
        force : (N, 3)
            Applied nodal forces.
        """
        pull = force - bone_forces(self.space, displacement, bone, self._tets)
        for elements in all_elements(self._parts, self.space):
            np.add.at(pull, elements.nodes, elements.forces(displacement))
        return pull[self._side == 1].sum(axis=0), pull[self._side == -1].sum(axis=0)
