"""Bone: isotropic, linearly elastic, piecewise constant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from sacrofem.bone.provenance import ModulusProvenance
from sacrofem.errors import InputError
from sacrofem.system.arrays import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Elasticity:
    """Isotropic constants of every tet, and where they come from.

    Attributes
    ----------
    youngs, poisson : (m,)
        MPa and ratio.
    on_floor : (m,) bool
        The density law gave less than the floor.
    provenance : ModulusProvenance
        That of `stating`; without it, and of a copy with other constants, they were given in Python.
    """

    youngs: FloatArray
    poisson: FloatArray
    on_floor: BoolArray
    # No argument, so that `dataclasses.replace` cannot hand it on to other moduli.
    provenance: ModulusProvenance = field(init=False, default=ModulusProvenance.given())

    def stating(self, provenance: ModulusProvenance) -> Elasticity:
        """The same constants, which cannot be changed in place any more, and where they come from."""
        stated = replace(self)
        object.__setattr__(stated, "provenance", provenance)
        for name in ("youngs", "poisson", "on_floor"):
            constants = getattr(self, name).view()
            constants.flags.writeable = False
            object.__setattr__(stated, name, constants)
        return stated

    @classmethod
    def given(cls, youngs: FloatArray, poisson: FloatArray | float, word: str = "") -> Elasticity:
        """Moduli (m,) that no density law made, with one Poisson's ratio or (m,): nothing lies on a floor.

        ``word`` says in every result what they are.
        """
        ratios = np.broadcast_to(np.asarray(poisson, dtype=float), np.shape(youngs))
        stated = cls(youngs, ratios, np.zeros(len(youngs), dtype=bool))
        return stated.stating(ModulusProvenance.given(word)) if word else stated


def checked_elasticity(youngs: ArrayLike, poisson: ArrayLike, tets: int, word: str = "") -> Elasticity:
    """Moduli of one's own for ``tets`` tets, one number or one a tet; ``word`` says what they are.

    Raises
    ------
    InputError
        Too few or too many, or outside what any material of a sacrum has.
    """
    moduli = _per_tet("youngs", youngs, tets, 1e-6, 1e7, "give MPa: bone has 1 to 20,000")
    ratios = _per_tet("poisson", poisson, tets, 0.0, 0.49, "give 0 to 0.49: bone has 0.3")
    return Elasticity.given(moduli, ratios, word)


def _per_tet(field: str, values: ArrayLike, count: int, low: float, high: float, mend: str) -> FloatArray:
    array = np.asarray(values, dtype=float)
    if array.shape not in ((), (count,)):
        raise InputError(f"has shape {array.shape}, the mesh {count} tets", field=field, mend="give one number a tet")
    if not ((array >= low) & (array <= high)).all():
        raise InputError(f"must lie in {low:g} to {high:g}", field=field, mend=mend)
    return np.broadcast_to(array, (count,)).copy()
