"""Where the bone of a result comes from, carried by what supplies it: moduli, density and cortex.

Reports, JSON and the command line say of these inputs what stands here, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from sacrofem.bone.ct import HU_BANDS, shares_text
from sacrofem.bone.imagefacts import ImageFacts
from sacrofem.bone.laws import CONVERSION_SOURCE, CONVERSIONS, DENSITY_WORDS, DensityLaw
from sacrofem.errors import one_line


@dataclass(frozen=True)
class ModulusProvenance:
    """Where Young's moduli come from: `from_law`, `from_table` or `given`.

    Attributes
    ----------
    kind
        ``law``, ``table`` (a file of moduli) or ``python``.
    law : DensityLaw or None
    floor_mpa : float or None
        Least modulus that was asked for; None where there is no floor.
    floor_applied : bool
        Whether any tet lies on it.
    file, sha256 : str or None
        Of a table.
    word
        What a caller said of moduli of their own.
    """

    kind: Literal["law", "table", "python"]
    law: DensityLaw | None = None
    floor_mpa: float | None = None
    floor_applied: bool = False
    file: str | None = None
    sha256: str | None = None
    word: str = ""

    @classmethod
    def from_law(cls, law: DensityLaw, floor_mpa: float, *, applied: bool) -> ModulusProvenance:
        """Moduli by a law of density, not below a floor."""
        return cls("law", law=law, floor_mpa=floor_mpa, floor_applied=applied)

    @classmethod
    def from_table(cls, file: str, sha256: str) -> ModulusProvenance:
        """Moduli as a file has them."""
        return cls("table", file=file, sha256=sha256)

    @classmethod
    def given(cls, word: str = "") -> ModulusProvenance:
        """Moduli that a caller gave as an array, and what the caller says of them."""
        return cls("python", word=one_line(word))

    @property
    def text(self) -> str:
        """All of it in one sentence."""
        if self.law is not None:
            law, means = self.law, DENSITY_WORDS[self.law.density]
            text = f"{law.name}: {law.formula}, ρ in g/cm³ of {means}; {law.cited}"
            if law.density in CONVERSIONS:
                text += f"; {CONVERSIONS[law.density]} ({CONVERSION_SOURCE})"
            there = "on which some tets lie" if self.floor_applied else "on which no tet lies"
            return f"{text}; floor {self.floor_mpa:g} MPa, {there}"
        if self.file is not None:
            return f"moduli of {PurePath(self.file).name}, sha256 {self.sha256}; no law and no floor"
        return f"given in Python{f': {self.word}' if self.word else ''}; no law and no floor of ours"

    def to_json(self) -> dict[str, Any]:
        """As plain data; every key is always there."""
        law = self.law
        return {
            "kind": self.kind,
            "text": self.text,
            "law": law and law.name,
            "formula": law and law.formula,
            "density": law and law.density,
            "conversion": law and CONVERSIONS.get(law.density),
            "source": law and law.source,
            "mark": law and law.mark,
            "range_g_cm3": law and law.range_g_cm3 and list(law.range_g_cm3),
            "floor_mpa": self.floor_mpa,
            "floor_applied": None if self.floor_mpa is None else self.floor_applied,
            "file": self.file,
            "sha256": self.sha256,
            "word": self.word if self.kind == "python" else None,
        }


@dataclass(frozen=True)
class LesionProvenance:
    """What a lesion made of the density: its kind, and its density in the middle over that of the bone there."""

    kind: str
    density_factor: float


@dataclass(frozen=True)
class DensityProvenance:
    """Where calibrated QCT density comes from, which sets pores and, through a law, moduli.

    Attributes
    ----------
    kind
        ``map`` (generic, by named bone) or ``ct``.
    bone : str or None
        Name of the bone of a generic map.
    alar_void : bool or None
        Whether that map has its void.
    file : str or None
        The CT.
    line : tuple of two floats or None
        Its calibration: density in g/cm³ is the first times HU plus the second.
    rim : str or None
        ``membrane``: voxels of the rim were left out; ``ct``: they were not.
    source
        Of map or calibration.
    image : ImageFacts or None
        What the CT is and how it lies.
    offset_hu : float or None
        What was added to its numbers on purpose.
    shares : tuple of float
        Of the bone's volume in each of `sacrofem.bone.ct.HU_BANDS`.
    factor
        By which all of it was multiplied.
    lesion : LesionProvenance or None
    """

    kind: Literal["map", "ct"]
    bone: str | None = None
    alar_void: bool | None = None
    file: str | None = None
    line: tuple[float, float] | None = None
    rim: str | None = None
    source: str = ""
    image: ImageFacts | None = None
    offset_hu: float | None = None
    shares: tuple[float, ...] = ()
    factor: float = 1.0
    lesion: LesionProvenance | None = None

    @property
    def text(self) -> str:
        """All of it in one sentence."""
        if self.file is not None:
            rim = "without its rim, for which the membrane stands" if self.rim == "membrane" else "its rim included"
            name = PurePath(self.file).name if self.image is None else self.image.text
            text = f"CT {name}, {rim} ({self.source})"
            if self.offset_hu:
                text += f"; {self.offset_hu:+g} HU added to its numbers on purpose"
            if self.shares:
                text += f"; in the bone {shares_text(self.shares)}"
        else:
            void = "with" if self.alar_void else "without"
            text = f"generic map of {self.bone} bone, {void} its alar void ({self.source})"
        if self.factor != 1.0:
            text += f"; all of it times {self.factor:g}"
        if self.lesion is not None:
            text += f"; times {self.lesion.density_factor:g} in the middle of the {self.lesion.kind} lesion"
        return text

    def to_json(self) -> dict[str, Any]:
        """As plain data; every key is always there."""
        return {
            "kind": self.kind,
            "text": self.text,
            "bone": self.bone,
            "alar_void": self.alar_void,
            "file": self.file,
            "slope_g_cm3_per_hu": self.line and self.line[0],
            "intercept_g_cm3": self.line and self.line[1],
            "rim": self.rim,
            "source": self.source,
            "image": self.image and self.image.to_json(),
            "offset_hu": self.offset_hu,
            "hu_shares": dict(zip(HU_BANDS, self.shares, strict=True)) if self.shares else None,
            "factor": self.factor,
            "lesion": self.lesion and {"kind": self.lesion.kind, "density_factor": self.lesion.density_factor},
        }


@dataclass(frozen=True)
class CortexProvenance:
    """Where the cortical membrane comes from, or why there is none.

    Attributes
    ----------
    kind
        ``membrane``, ``none`` or ``python`` (a caller gave it face by face).
    faces : tuple of (str, float, float)
        Name (``shell``, ``endplate``, ``auricular``), thickness in mm and modulus in MPa.
    poisson : float or None
    source
        Of these numbers; of no cortex the reason.
    """

    kind: Literal["membrane", "none", "python"]
    faces: tuple[tuple[str, float, float], ...] = ()
    poisson: float | None = None
    source: str = ""

    @classmethod
    def none(cls, reason: str) -> CortexProvenance:
        """No cortex."""
        return cls("none", source=reason)

    @property
    def text(self) -> str:
        """All of it in one sentence."""
        if self.kind == "none":
            return f"none: {self.source}"
        if self.kind == "python":
            return "plane-stress membrane, given in Python"
        parts = (f"{name} {mm:g} mm of {mpa:g} MPa" for name, mm, mpa in self.faces)
        return f"plane-stress membrane: {', '.join(parts)}, Poisson's ratio {self.poisson:g} ({self.source})"

    def to_json(self) -> dict[str, Any]:
        """As plain data; every key is always there."""
        return {
            "kind": self.kind,
            "text": self.text,
            "thickness_mm": {name: mm for name, mm, _ in self.faces} or None,
            "modulus_mpa": {name: mpa for name, _, mpa in self.faces} or None,
            "poisson": self.poisson,
            "source": self.source,
        }
