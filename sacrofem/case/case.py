"""All that one run needs, as plain frozen data: read from TOML, checked, and written back complete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from sacrofem.case.presets import DEFAULT_PRESET, PRESETS
from sacrofem.case.problems import CaseError, case_problems, nearest
from sacrofem.case.sections import (
    GAP_STATES,
    Anatomy,
    Cement,
    Fracture,
    Lesion,
    Load,
    Materials,
    Mesh,
    Safety,
    Section,
    Side,
    Solver,
    Supports,
    refused,
)
from sacrofem.case.tomlfile import emit_toml, merged, nested, parse_toml
from sacrofem.errors import InputError
from sacrofem.system.htmltable import table

SCHEMA: Literal[1] = 1
OWN_FILES = (("anatomy", "path"), ("anatomy", "ct"), ("anatomy", "landmarks_file"), ("materials", "moduli"))
"""Keys that name a file: taken from the folder of the case file."""


class Case(Section):
    """All that one run needs; immutable.

    Build one with `preset`, `from_toml` or `with_`. Every section and key has a
    documented default: together they are the typical patient (bilateral zone-1 insufficiency
    fractures of an osteoporotic woman, 4.1 ml PMMA by two needles, standing).
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_version: Literal[1] = Field(default=SCHEMA, alias="schema", description="version of these names")
    name: str = Field(default=DEFAULT_PRESET, min_length=1, max_length=200, description="what results are called")
    anatomy: Anatomy = Field(default_factory=Anatomy)
    mesh: Mesh = Field(default_factory=Mesh)
    fracture: Fracture = Field(default_factory=Fracture)
    lesion: Lesion = Field(default_factory=Lesion)
    materials: Materials = Field(default_factory=Materials)
    cement: Cement = Field(default_factory=Cement)
    supports: Supports = Field(default_factory=Supports)
    load: Load = Field(default_factory=Load)
    solver: Solver = Field(default_factory=Solver)
    safety: Safety = Field(default_factory=Safety)

    @model_validator(mode="after")
    def _consistent(self) -> Case:
        if not self.name.isprintable():
            raise refused("has characters that cannot be printed", "write a name in one line", "name", self.name)
        half, side, zone = self.anatomy.half, self.fracture.side, self.fracture.zone
        if half != "none":
            if zone in ("zone1", "zone2") and side != half:
                raise refused(f"only the {half} half is there", f'use "{half}"', "fracture.side", side)
            if zone in ("zone3", "H", "U"):
                raise refused("a hemisacrum has one side only", 'use "zone1" or "zone2"', "fracture.zone", zone)
            if self.cement.side not in (None, half):
                raise refused(f"only the {half} half is there", f'use "{half}"', "cement.side", self.cement.side)
        if self.cement.spot is not None and zone == "none" and not self.fracture.surfaces:
            raise refused("a spot needs a fracture", "leave [cement.spot] out or set fracture.zone", "cement.spot")
        if self.cement.spot is not None and self.cement.in_gap == "none":
            raise refused("a spot is cement in the gap", 'use in_gap = "bonded" with a spot', "cement.in_gap", "none")
        touches = self.fracture.closure == "contact" or self.cement.in_gap == "contact"
        if self.fracture.friction is not None and not touches:
            raise refused("a bonded gap has no friction", "leave it out", "fracture.friction", self.fracture.friction)
        return self

    # ------------------------------------------------------------------ reading
    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, file: object = None) -> Case:
        """A checked case from nested mappings; ``preset`` names what everything not given comes from.

        Raises
        ------
        CaseError
            With all problems found, each with its dotted field, value and mend.
        """
        data = dict(data)
        version = data.get("schema", SCHEMA)
        if isinstance(version, int) and version > SCHEMA:
            raise CaseError.single("schema", version, "of a newer sacrofem", f"upgrade, or use {SCHEMA}", file)
        name = data.pop("preset", DEFAULT_PRESET)
        if name not in PRESETS:
            guess = nearest(str(name), PRESETS)
            raise CaseError.single("preset", name, "no such preset", f"nearest is {guess!r}", file)
        try:
            return cls.model_validate(merged({"name": name, **PRESETS[name].data}, data))
        except ValidationError as error:
            raise CaseError(case_problems(error, cls), file=file) from None

    @classmethod
    def from_toml(cls, path: str | Path, *, preset: str | None = None) -> Case:
        """A checked case from a TOML file.

        Parameters
        ----------
        path
            The file; relative paths in it are taken from its folder.
        preset
            Takes the place of the file's own ``preset``.

        Raises
        ------
        InputError
            The file cannot be read, is not TOML, or (as `CaseError`) holds something refused.
        """
        path = Path(path)
        data = parse_toml(path)
        if preset is not None:
            data["preset"] = preset
        case = cls.from_dict(data, file=path)
        for section, key in OWN_FILES:
            given = getattr(getattr(case, section), key)
            if given is not None and not Path(given).is_absolute():
                # Absolute, so that the complete case that a result leaves in its own folder finds it too.
                case = case.with_(**{f"{section}__{key}": str((path.parent / given).resolve())})
        return case

    @classmethod
    def preset(cls, name: str = DEFAULT_PRESET) -> Case:
        """One of the named cases of `sacrofem.case.presets.PRESETS`."""
        return cls.from_dict({"preset": name})

    # ------------------------------------------------------------------ copies
    def with_(self, **changes: Any) -> Case:
        """A checked copy with some values changed.

        Parameters
        ----------
        **changes
            Dotted names, the dot written as two underscores (``cement__volume_ml=6``) or as itself
            through ``**{"cement.volume_ml": 6}``.
        """
        update = nested({name.replace("__", "."): value for name, value in changes.items()})
        fracture = update.get("fracture")
        if isinstance(fracture, Mapping) and isinstance(fracture.get("state"), str):
            # A complete case names what its old state says of the gap: that of the new one takes its place.
            update["fracture"] = {**GAP_STATES.get(fracture["state"], {}), **fracture}
        try:
            return type(self).model_validate(merged(self.to_dict(), update))
        except ValidationError as error:
            raise CaseError(case_problems(error, type(self))) from None

    def with_anatomy(self, anatomy: Mapping[str, Any]) -> Case:
        """A checked copy with another sacrum: a whole ``[anatomy]`` in place of its own."""
        return self.with_sections(anatomy=anatomy)

    def with_sections(self, **sections: Section | Mapping[str, Any]) -> Case:
        """A checked copy with whole sections in place of its own: what they do not say is at its default."""
        data = self.to_dict()
        for name, section in sections.items():
            given = section.model_dump(by_alias=True, exclude_none=True) if isinstance(section, Section) else section
            data[name] = dict(given)
        try:
            return type(self).model_validate(data)
        except ValidationError as error:
            raise CaseError(case_problems(error, type(self))) from None

    def on_side(self, side: Side) -> Case:
        """A copy of a unilateral case, fractured and treated on the other or the same side."""
        if side not in ("left", "right"):
            raise InputError("no such side", field="side", value=side, mend="use left or right")
        coordinates = {
            "fracture.surfaces": bool(self.fracture.surfaces),
            "cement.injections": bool(self.cement.injections),
            "load.point": self.load.point is not None and self.load.point[0] != 0.0,
            # A reflection in x turns these two components of a moment round.
            "load.moment": any(self.load.moment[1:]),
        }
        if own := next((name for name, given in coordinates.items() if given), None):
            raise InputError(f"{own} has coordinates of its own", field="side", value=side, mend="mirror those instead")
        changes: dict[str, Any] = {}
        if self.lesion.kind != "none":
            sign = 1.0 if side == "left" else -1.0
            changes["lesion.centre_mm"] = (sign * abs(self.lesion.centre_mm[0]), *self.lesion.centre_mm[1:])
        if self.fracture.zone in ("zone1", "zone2"):
            if self.fracture.side == "both":
                mend = "use --preset sif-unilateral or leave it out"
                raise InputError("the case is bilateral", field="side", value=side, mend=mend)
            changes["fracture.side"] = side
        if not changes:
            raise InputError("the case has no side", field="side", value=side, mend="leave it out")
        if self.anatomy.half != "none":
            changes["anatomy.half"] = side
        if self.cement.side is not None:
            changes["cement.side"] = side
        if self.cement.spot is not None and self.cement.spot.centre is not None:
            sign = 1.0 if side == "left" else -1.0
            x, y, z = self.cement.spot.centre
            changes["cement.spot.centre"] = (sign * abs(x), y, z)
        return self.with_(**changes)

    # ------------------------------------------------------------------ derived
    @property
    def treated_sides(self) -> tuple[Side, ...]:
        """The sides that preset needles treat: as given, else the broken ones, else the lesion's."""
        side: str | None = self.cement.side
        if side is None and self.anatomy.half != "none":
            side = self.anatomy.half
        if side is None and self.fracture.zone in ("zone1", "zone2", "H", "U"):
            side = self.fracture.side
        if side is None and self.fracture.zone == "none" and self.lesion.kind != "none":
            side = "left" if self.lesion.centre_mm[0] >= 0 else "right"
        return ("left",) if side == "left" else ("right",) if side == "right" else ("left", "right")

    def _repr_html_(self) -> str:
        return case_html(self)

    # ------------------------------------------------------------------ writing
    def to_dict(self) -> dict[str, Any]:
        """Nested plain data under the names of the case file; what is not given is left out."""
        return self.model_dump(by_alias=True, exclude_none=True)

    def to_toml(self, *, comments: bool = False) -> str:
        """The complete case as TOML that reads back to an equal one.

        Parameters
        ----------
        comments
            Explain every key beside it, and list those that have no value as comments.
        """
        return emit_toml(self.to_dict(), type(self) if comments else None)


def case_html(case: Case) -> str:
    """What a case sets, section by section, where it differs from the default."""
    default = type(case)().to_dict()
    rows = [
        (f"{section}.{key}", value)
        for section, content in case.to_dict().items()
        if isinstance(content, dict)
        for key, value in content.items()
        if default.get(section, {}).get(key) != value
    ]
    caption = f"Case {case.name}: what differs from the typical patient"
    return table(("key", "value"), rows or [("–", "nothing: the typical patient")], caption)
