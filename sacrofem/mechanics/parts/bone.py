"""Bone: isotropic, linearly elastic, piecewise constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sacrofem.system.arrays import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Elasticity:
    """Isotropic constants of every tet.

    Attributes
    ----------
    youngs, poisson : (m,)
        MPa and ratio.
    on_floor : (m,) bool
        The density law gave less than the floor.
    """

    youngs: FloatArray
    poisson: FloatArray
    on_floor: BoolArray

    @classmethod
    def given(cls, youngs: FloatArray, poisson: FloatArray | float) -> Elasticity:
        """Moduli (m,) that no density law made, with one Poisson's ratio or (m,): nothing lies on a floor."""
        return cls(youngs, np.broadcast_to(np.asarray(poisson, float), np.shape(youngs)), np.zeros(len(youngs), bool))
