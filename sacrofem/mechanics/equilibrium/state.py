"""One solved state of a model: intact, before or after."""

from __future__ import annotations

from dataclasses import dataclass

from sacrofem.mechanics.parts.contact import ContactState
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
    youngs, poisson : (m,)
        Modulus (MPa) and Poisson's ratio of each tet.
    fraction : (m,)
        Share of each tet's pore space that cement fills in this state.
    coverage : (p, q)
        Share of the gap that cement fills at each gap point.
    membrane_youngs, membrane_thickness : (k,)
        Cortex on each boundary face: MPa and mm, 0 where there is none.
    force : (N, 3)
        Applied nodal forces, N.
    contact : ContactState or None
        Of the gap; None where the law is linear.
    """

    name: str
    displacement: FloatArray
    youngs: FloatArray
    poisson: FloatArray
    fraction: FloatArray
    coverage: FloatArray
    membrane_youngs: FloatArray
    membrane_thickness: FloatArray
    force: FloatArray
    contact: ContactState | None = None
