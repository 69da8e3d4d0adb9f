"""The law of a fracture gap as one object: filler, aperture, closing, and what cement in it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.contact import Contact, cement_contact, face_closure, joined
from sacrofem.mechanics.parts.interface import Filler, GapStiffness, constriction_compliance, gap_stiffness
from sacrofem.mechanics.space.space import Space
from sacrofem.system.arrays import FloatArray

Bond = Literal["bonded", "contact", "none"]


@dataclass(frozen=True)
class GapCement:
    """Cement between fracture faces.

    Attributes
    ----------
    material : Filler
    bond : "bonded", "contact" or "none"
        Whether it adheres to both faces, only touches them, or is kept out of the gap.
    interface_n_per_mm3 : float or None
        Stiffness of a compliant layer between cement and bone on either face; None: none.
    """

    material: Filler
    bond: Bond = "bonded"
    interface_n_per_mm3: float | None = None


@dataclass(frozen=True)
class GapLaw:
    """What resists between the faces of a fracture.

    Attributes
    ----------
    aperture_mm : float
    filler : Filler
        Where no cement is.
    closes : bool
        Whether faces that approach by the aperture touch; else the filler is bonded for ever.
    friction : float
        Coefficient where faces touch.
    """

    aperture_mm: float
    filler: Filler
    closes: bool = False
    friction: float = 0.0

    @property
    def open(self) -> bool:
        """Whether nothing fills the gap."""
        return self.filler.modulus_mpa == 0.0

    def touches(self, cement: GapCement) -> bool:
        """Whether anything in the gap is in contact instead of bonded."""
        return self.closes or cement.bond == "contact"

    def stiffness(
        self, space: Space, bone: Elasticity, coverage: FloatArray, cement: GapCement, *, bonded: bool = True
    ) -> GapStiffness | None:
        """Stiffness of the gap where cement covers ``coverage`` (p, q) of it; None without a fracture.

        ``bone`` is what stands on either side. Without ``bonded`` only what cement leaves of the filler counts.
        """
        if not coverage.size:
            return None
        if not bonded:
            normal, tangential = self.filler.stiffness(self.aperture_mm)
            return GapStiffness((1.0 - coverage) * normal, (1.0 - coverage) * tangential)
        constriction = constriction_compliance(space, bone, coverage)
        return gap_stiffness(
            coverage, self.aperture_mm, self.filler, cement.material, constriction,
            interface=cement.interface_n_per_mm3,
        )  # fmt: skip

    def contact(self, space: Space, bone: Elasticity, coverage: FloatArray, cement: GapCement) -> Contact | None:
        """What may touch: bone, where it closes, and cement that does not adhere; None if all is bonded."""
        loose = cement.bond == "contact"
        layers = []
        if coverage.size and self.closes:
            gap = self.stiffness(space, bone, coverage, cement, bonded=not loose)
            assert gap is not None
            layers.append(face_closure(space, bone, coverage, self.aperture_mm, gap, self.friction))
        if loose and coverage.any():
            layers.append(cement_contact(space, bone, coverage, self.aperture_mm, cement.material, self.friction))
        return joined(layers) if layers else None
