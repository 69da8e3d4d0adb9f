"""Where a result comes from: its bone, and what was given in Python beside its case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sacrofem.bone.provenance import CortexProvenance, DensityProvenance, ModulusProvenance
from sacrofem.case.case import Case
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane

REPLACED: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "moduli": {"materials": ("density_law", "law", "moduli", "floor_mpa", "poisson")},
        "cortex": {"materials": ("cortex_thickness_mm", "cortex_modulus_mpa")},
        "mesh": {"mesh": ("reference", "size_mm", "fracture_size_mm", "replicate")},
    }
)
"""Keys of a case, by section, that count for nothing where that was given in Python."""


@dataclass(frozen=True)
class BoneProvenance:
    """Where everything about the bone of a result comes from.

    Attributes
    ----------
    modulus : ModulusProvenance
    poisson : (float, float)
        Least and largest ratio.
    density : DensityProvenance
    cortex : CortexProvenance
    """

    modulus: ModulusProvenance
    poisson: tuple[float, float]
    density: DensityProvenance
    cortex: CortexProvenance

    @classmethod
    def of(cls, bone: Elasticity, density: DensityProvenance, membrane: Membrane) -> BoneProvenance:
        """Of what was solved with."""
        ratios = float(bone.poisson.min()), float(bone.poisson.max())
        return cls(bone.provenance, ratios, density, membrane.provenance)

    def texts(self) -> dict[str, str]:
        """A sentence each on moduli, density and cortex."""
        return {"modulus": self.modulus.text, "density": self.density.text, "cortex": self.cortex.text}

    def to_json(self) -> dict[str, Any]:
        """The object ``bone`` of ``comparison.json``."""
        return {
            "modulus": self.modulus.to_json(),
            "poisson": list(self.poisson),
            "density": self.density.to_json(),
            "cortex": self.cortex.to_json(),
        }


@dataclass(frozen=True)
class Given:
    """What was given in Python beside a case, so that the case alone does not give the same numbers again.

    Attributes
    ----------
    what : tuple of str
        ``moduli``, ``cortex``, ``mesh``, and names of forms of one's own.
    word
        What was said of the moduli.
    """

    what: tuple[str, ...]
    word: str = ""

    @classmethod
    def of(cls, bone: BoneProvenance, *, mesh: bool, forms: tuple[str, ...]) -> Given:
        """Of a specimen."""
        kinds = {"moduli": bone.modulus.kind, "cortex": bone.cortex.kind}
        parts = [name for name, kind in kinds.items() if kind == "python"]
        return cls((*parts, *(("mesh",) if mesh else ()), *(f"form {name}" for name in forms)), bone.modulus.word)

    def notes(self) -> tuple[str, ...]:
        """What a reader of the result has to know."""
        if not self.what:
            return ()
        word = f" ({self.word})" if self.word else ""
        return (f"given in Python{word}: {', '.join(self.what)}; the case alone does not give these numbers again",)

    def case_as_solved(self, case: Case) -> dict[str, Any]:
        """A case as plain data without what it says of parts that were not used."""
        content = case.to_dict()
        gone = set(self._gone())
        return {
            section: {key: value for key, value in values.items() if (section, key) not in gone}
            if isinstance(values, dict)
            else values
            for section, values in content.items()
        }

    def _gone(self) -> Iterator[tuple[str, str]]:
        for part in self.what:
            for section, keys in REPLACED.get(part, {}).items():
                yield from ((section, key) for key in keys)
