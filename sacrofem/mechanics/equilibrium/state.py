"""One solved state of a model: intact, before or after."""

from __future__ import annotations

from dataclasses import dataclass

from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.contact import ContactState
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.system.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class State:
    """Displacement and everything that a measure needs to know of a state.

    Attributes
    ----------
    name : str
        ``"intact"``, ``"before"`` or ``"after"``.
    displacement : (N, 3)
        mm, on the nodes of the split mesh in every state (twins of the intact state move together).
    bone : Elasticity
        Of each tet, cement included.
    gap : GapStiffness or None
        What lies in the gap; None where twin faces are tied.
    fraction : (m,)
        Share of each tet's pore space that cement fills in this state.
    coverage : (p, q)
        Share of the gap that cement fills at each gap point.
    cortex : Membrane
    force : (N, 3)
        Applied nodal forces, N.
    contact : ContactState or None
        Of the gap; None where the law is linear.
    """

    name: str
    displacement: FloatArray
    bone: Elasticity
    gap: GapStiffness | None
    fraction: FloatArray
    coverage: FloatArray
    cortex: Membrane
    force: FloatArray
    contact: ContactState | None = None
