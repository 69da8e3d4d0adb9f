"""How linear systems are assembled and solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sacrofem.mechanics.linear.factors import Factorisation

Method = Literal["auto", "direct", "multigrid"]
Assembly = Literal["gather", "scikit-fem"]


@dataclass(frozen=True)
class SolverSettings:
    """How linear systems are assembled and solved.

    Attributes
    ----------
    method : "auto", "direct" or "multigrid"
    tolerance : float
        True relative residual to reach.
    factorisation
        Who factorises the whole system or the P1 level, one of ``factors.NAMES``.
    memory_gib : float or None
        Resident memory that the process may reach; None: 80 % of what is available on top of what it has.
    assembly : "gather" or "scikit-fem"
        Who makes the matrix: the compiled gather, or the forms that define it (`sacrofem.mechanics.forms`).
    """

    method: Method = "auto"
    tolerance: float = 1e-10
    factorisation: Factorisation = "multifrontal"
    memory_gib: float | None = None
    assembly: Assembly = "gather"


DEFAULT_SETTINGS = SolverSettings()
