"""What one state of a specimen is made of: the only place that turns bone, gap and plan into something to solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.contact import Contact
from sacrofem.mechanics.parts.gaplaw import GapCement, GapLaw
from sacrofem.mechanics.parts.interface import Filler, GapStiffness
from sacrofem.mechanics.parts.materials import cemented_elasticity
from sacrofem.mechanics.space.space import Space
from sacrofem.specimen.plan import Plan
from sacrofem.system.arrays import FloatArray

StateName = Literal["intact", "before", "after"]


@dataclass(frozen=True, eq=False)
class Recipe:
    """One state, ready to be solved.

    Attributes
    ----------
    name : "intact", "before" or "after"
    bone : Elasticity
        With cement in it.
    gap : GapStiffness or None
        Beside what is in contact; None ties twin faces together.
    bonded : GapStiffness or None
        With everything bonded: what contact is compared with. None where an open gap has no bonded law.
    contact : Contact or None
        What may touch.
    fraction : (m,)
    coverage : (p, q)
        Where cement is.
    """

    name: StateName
    bone: Elasticity
    gap: GapStiffness | None
    bonded: GapStiffness | None
    contact: Contact | None
    fraction: FloatArray
    coverage: FloatArray


def intact_recipe(space: Space, bone: Elasticity) -> Recipe:
    """The unbroken bone: the same mesh, twin faces tied."""
    none = np.zeros(space.gap.areas.shape)
    return Recipe("intact", bone, None, None, None, np.zeros(len(bone.youngs)), none)


def before_recipe(space: Space, bone: Elasticity, law: GapLaw) -> Recipe:
    """Broken and untreated."""
    none, fraction = np.zeros(space.gap.areas.shape), np.zeros(len(bone.youngs))
    return _broken("before", space, bone, law, GapCement(Filler(0.0)), fraction, none)


def after_recipe(space: Space, bone: Elasticity, law: GapLaw, plan: Plan) -> Recipe:
    """Broken and treated."""
    fraction = plan.region.fraction
    treated = cemented_elasticity(bone, fraction, plan.material, law=plan.case.cement.mixture)
    return _broken("after", space, treated, law, plan.in_gap, fraction, plan.coverage)


def _broken(
    name: StateName,
    space: Space,
    bone: Elasticity,
    law: GapLaw,
    cement: GapCement,
    fraction: FloatArray,
    coverage: FloatArray,
) -> Recipe:
    contact = law.contact(space, bone, coverage, cement)
    bonded = law.stiffness(space, bone, coverage, cement)
    if contact is None:
        return Recipe(name, bone, bonded, bonded, None, fraction, coverage)
    gap = law.stiffness(space, bone, coverage, cement, bonded=cement.bond != "contact")
    return Recipe(name, bone, gap, None if law.open else bonded, contact, fraction, coverage)
