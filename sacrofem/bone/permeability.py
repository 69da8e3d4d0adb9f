"""How easily cement moves through bone, relative to osteoporotic cancellous bone: named laws of the pore space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

#: Pore fraction whose permeability counts as 1: osteoporotic sacral cancellous bone of the generic map [D].
REFERENCE_PORES = 0.9


@dataclass(frozen=True)
class PermeabilityLaw:
    """Permeability over that at `REFERENCE_PORES`, from the pore fraction; ``source`` with its mark."""

    name: str
    relative: Callable[[FloatArray], FloatArray]
    source: str

    def __call__(self, pore_fraction: FloatArray) -> FloatArray:
        """(n,) relative permeability at pore fractions (n,) in [0, 1)."""
        pores = np.clip(np.asarray(pore_fraction, dtype=float), 0.0, 0.995)
        return np.asarray(self.relative(pores) / self.relative(np.asarray(REFERENCE_PORES)))


def _kozeny_carman(pores: FloatArray) -> FloatArray:
    return np.asarray(pores**3 / (1.0 - pores) ** 2)


def _cube(pores: FloatArray) -> FloatArray:
    return np.asarray(pores**3)


def _uniform(pores: FloatArray) -> FloatArray:
    return np.ones_like(pores)


LAWS: Mapping[str, PermeabilityLaw] = MappingProxyType(
    {
        law.name: law
        for law in (
            PermeabilityLaw(
                "kozeny-carman", _kozeny_carman,
                "φ³/(1 − φ)²: Kozeny 1927, Carman 1937, at one size of trabeculae [K]",
            ),
            PermeabilityLaw("cube", _cube, "φ³: pores that thin evenly [D]"),
            PermeabilityLaw(
                "uniform", _uniform, "density does not count: BMD predicts permeability only weakly (Baroud 2004 [A])"
            ),
        )
    }
)  # fmt: skip
#: The default [D].
DEFAULT_LAW = "kozeny-carman"


def permeability_law(name: str) -> PermeabilityLaw:
    """The law of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in LAWS:
        raise InputError(
            "no such permeability law",
            field="cement.flow.permeability",
            value=name,
            mend=f"use one of {', '.join(LAWS)}",
        )
    return LAWS[name]
