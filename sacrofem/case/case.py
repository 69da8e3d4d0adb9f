"""All that one run needs, as plain frozen data: read from TOML, checked, and written back complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from sacrofem.case.anatomy import Anatomy
from sacrofem.case.cement import Cement
from sacrofem.case.differences import Differences, differences
from sacrofem.case.fracture import GAP_STATES, Fracture
from sacrofem.case.frozen import deeper_than
from sacrofem.case.presets import DEFAULT_PRESET, PRESETS
from sacrofem.case.problems import CaseError, nearest, refused
from sacrofem.case.schema import SCHEMA, translated
from sacrofem.case.section import Section, Side, not_true, written
from sacrofem.case.sections import (
    LesionSection,
    LoadCase,
    Materials,
    Mesh,
    NamedLoad,
    SafetySection,
    SolverSection,
)
from sacrofem.case.supports import SupportsSection
from sacrofem.case.tomlfile import MOST_LEVELS, Whole, emit_toml, merged, nested, read_toml
from sacrofem.errors import InputError

MAIN_LOAD = "load"
"""What the load case of ``[load]`` is called beside those of ``[[loads]]``."""
OWN_FILES = (("anatomy", "path"), ("anatomy", "ct"), ("anatomy", "landmarks_file"), ("materials", "moduli"))
"""Keys that name a file: taken from the folder of the case file."""


class Case(Section):
    """All that one run needs; immutable, hashable, and safe to share.

    Every section and key has a documented default: together they are the typical patient (bilateral zone-1
    insufficiency fractures of an osteoporotic woman, 4.1 ml PMMA by two needles, standing). ``Case(...)`` starts
    from it, `preset` from any named case, `from_toml` from a file, and `with_` from the case at hand; each takes

    - sections, ``mesh=sf.Mesh(reference="coarse")``: of a section that you write, the keys that you give are laid
      over what was there, and all others stay; a section taken from another case has every key given, so it
      replaces what was there as a whole;
    - tables, ``mesh={"reference": "coarse"}``, which are laid over in the same way;
    - single keys, with two underscores for the dot: ``cement__volume_ml=4``. They count over sections and tables.

    Lists, such as ``cement.injections``, are replaced whole; None takes back what a key was given. A section that is
    written by itself is checked by itself first: what is sound only beside other keys of the case is given as a table
    or by single keys.

    Raises
    ------
    CaseError
        With all problems found, each with its dotted field, value and mend.
    """

    # Defaults are checked too, so that all sections of a case are complete.
    model_config = ConfigDict(populate_by_name=True, validate_default=True)

    schema_version: Annotated[Literal[2], not_true] = Field(
        default=SCHEMA, alias="schema", description="version of these names, no unit"
    )
    name: str = Field(default=DEFAULT_PRESET, min_length=1, max_length=200, description="what results are called")
    anatomy: Anatomy = Field(default_factory=Anatomy)
    mesh: Mesh = Field(default_factory=Mesh)
    fracture: Fracture = Field(default_factory=Fracture)
    lesion: LesionSection = Field(default_factory=LesionSection)
    materials: Materials = Field(default_factory=Materials)
    cement: Cement = Field(default_factory=Cement)
    supports: SupportsSection = Field(default_factory=SupportsSection)
    load: LoadCase = Field(default_factory=LoadCase)
    loads: tuple[NamedLoad, ...] = Field(
        default=(), max_length=20, description="further load cases, solved beside [load] in the same run"
    )
    solver: SolverSection = Field(default_factory=SolverSection)
    safety: SafetySection = Field(default_factory=SafetySection)
    _translations: tuple[str, ...] = PrivateAttr(default=())

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str = ...,
            anatomy: Anatomy | Mapping[str, Any] = ...,
            mesh: Mesh | Mapping[str, Any] = ...,
            fracture: Fracture | Mapping[str, Any] = ...,
            lesion: LesionSection | Mapping[str, Any] = ...,
            materials: Materials | Mapping[str, Any] = ...,
            cement: Cement | Mapping[str, Any] = ...,
            supports: SupportsSection | Mapping[str, Any] = ...,
            load: LoadCase | Mapping[str, Any] = ...,
            loads: Sequence[NamedLoad | Mapping[str, Any]] = ...,
            solver: SolverSection | Mapping[str, Any] = ...,
            safety: SafetySection | Mapping[str, Any] = ...,
            **keys: Any,
        ) -> None: ...

    @classmethod
    def _arguments(cls, given: dict[str, Any]) -> dict[str, Any]:
        return _changes(given)

    @field_validator("*", mode="after")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        return value.complete() if isinstance(value, Section) else value

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
        names = [load.name for load in self.loads]
        if MAIN_LOAD in names or len(set(names)) < len(names):
            raise refused(
                "two load cases bear one name", f"name each differently, and none {MAIN_LOAD}", "loads", names
            )
        for number, load in enumerate(self.loads):
            if half == "none" and (load.kind == "one-legged") != (self.load.kind == "one-legged"):
                problem = "in one-legged stance a joint bears nothing: the matrix is another"
                raise refused(problem, "run it as a case of its own", f"loads.{number}.kind", load.kind)
        if self.fracture.friction is not None and not self.touches:
            raise refused("a bonded gap has no friction", "leave it out", "fracture.friction", self.fracture.friction)
        return self

    # ------------------------------------------------------------------ reading
    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, file: object = None) -> Case:
        """A checked case from nested mappings; ``preset`` names what everything not given comes from.

        Parameters
        ----------
        data
            Under the names of a case file.
        file
            Named in refusals.

        Raises
        ------
        CaseError
            With all problems found, each with its dotted field, value and mend.
        """
        if not isinstance(data, Mapping):
            mend = 'give tables such as {"cement": {"volume_ml": 4.0}}'
            raise InputError("a case is a table of sections", file=file, value=data, mend=mend)
        data = dict(data)
        version = data.get("schema", SCHEMA)
        if isinstance(version, int) and version > SCHEMA:
            raise CaseError.single("schema", version, "of a newer sacrofem", f"upgrade, or use {SCHEMA}", file)
        data, translations = translated(data)
        name = data.pop("preset", DEFAULT_PRESET)
        if not isinstance(name, str) or name not in PRESETS:
            guess = nearest(name if isinstance(name, str) else "", PRESETS)
            raise CaseError.single("preset", name, "no such preset", f"nearest is {guess!r}", file)
        return cls._laid({"name": name, **PRESETS[name].data}, data, file).noting(translations)

    @classmethod
    def _laid(cls, base: Mapping[str, Any], changes: Mapping[str, Any], file: object = None) -> Case:
        """A checked case from plain data with changes laid over it."""
        for key, value in changes.items():
            if deeper_than(value, MOST_LEVELS):
                mend = "a case has tables in tables in tables, and no more"
                raise CaseError.single(str(key), None, f"nested deeper than {MOST_LEVELS} levels", mend, file)
        try:
            return cls.model_validate(merged(base, written(changes)))
        except ValidationError as error:
            raise CaseError.of(error, cls, file=file) from None

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
        data = read_toml(path)
        if preset is not None:
            data["preset"] = preset
        case = cls.from_dict(data, file=path)
        for section, key in OWN_FILES:
            given = getattr(getattr(case, section), key)
            if given is not None and not Path(given).is_absolute():
                # Absolute, so that the complete case that a result leaves in its own folder finds it too.
                case = case.with_(
                    **{f"{section}__{key}": str(_resolved(path.parent / given, f"{section}.{key}", path))}
                )
        return case

    @classmethod
    def preset(cls, preset: str = DEFAULT_PRESET, /, **changes: Any) -> Case:
        """One of the named cases, with some of it changed.

        Parameters
        ----------
        preset
            Name of a case of `sacrofem.case.presets.PRESETS`; ``sacrofem info`` lists them.
        **changes
            Sections, tables and single keys, as for the class itself.

        Raises
        ------
        CaseError
            No such preset, or a change is refused.

        Examples
        --------
        >>> Case.preset("sif-bilateral", mesh=Mesh(reference="coarse"), cement__volume_ml=4)
        Case.preset('sif-bilateral', mesh__reference='coarse', cement__volume_ml=4.0)
        """
        return cls.from_dict({**_changes(changes), "preset": preset})

    # ------------------------------------------------------------------ copies
    def with_(self, /, **changes: Any) -> Case:
        """A checked copy with some values changed.

        Parameters
        ----------
        **changes
            Sections, tables and single keys, as for the class itself: ``cement__volume_ml=6``, or with a dot through
            ``**{"cement.volume_ml": 6}``.

        Raises
        ------
        CaseError
            With all problems found, each with its dotted field, value and mend.
        """
        update = _changes(changes)
        fracture = update.get("fracture")
        if isinstance(fracture, dict) and not isinstance(fracture, Whole) and isinstance(fracture.get("state"), str):
            # A complete case names what its old state says of the gap: that of the new one takes its place.
            update["fracture"] = {**GAP_STATES.get(fracture["state"], {}), **fracture}
        return self._laid(self.to_dict(), update).noting(self._translations)

    def with_anatomy(self, anatomy: Anatomy | Mapping[str, Any]) -> Case:
        """A checked copy with another sacrum: a whole ``[anatomy]`` in place of its own."""
        return self._laid(self.to_dict(), {"anatomy": Whole(written(anatomy))}).noting(self._translations)

    def noting(self, translations: Iterable[str]) -> Case:
        """This case, which keeps in mind which keys were read from an older schema."""
        # A private attribute of a frozen model; it is no part of what the case is.
        assert self.__pydantic_private__ is not None
        self.__pydantic_private__["_translations"] = tuple(translations)
        return self

    def __eq__(self, other: object) -> bool:
        """Equal in all keys, whichever schema they were read from."""
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def on_side(self, side: Side) -> Case:
        """A copy of a unilateral case, fractured and treated on the other or the same side."""
        if side not in ("left", "right"):
            raise InputError("no such side", field="side", value=side, mend="use left or right")
        coordinates = {
            "loads": bool(self.loads),
            "fracture.surfaces": bool(self.fracture.surfaces),
            "cement.injections": bool(self.cement.injections),
            "load.point_mm": self.load.point_mm is not None and self.load.point_mm[0] != 0.0,
            "load.force_vector_n": self.load.force_vector_n is not None and self.load.force_vector_n[0] != 0.0,
            "load.kind": self.load.kind in ("lateral-bending", "torsion"),
            # A reflection in x turns these two components of a moment round.
            "load.moment_n_m": any(self.load.moment_n_m[1:]),
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
    def check_one_load(self, what: str, *, file: object = None) -> None:
        """Refuse ``[[loads]]`` where only one load case counts; ``what`` is what has one.

        Raises
        ------
        InputError
        """
        if self.loads:
            names = [load.name for load in self.loads]
            mend = "leave [[loads]] out, or use `sacrofem compare`"
            raise InputError(f"{what} has one load", file=file, field="loads", value=names, mend=mend)

    @property
    def translations(self) -> tuple[str, ...]:
        """A note on each key that was read from an older schema."""
        return self._translations

    @property
    def touches(self) -> bool:
        """Whether anything in the gap is in contact instead of bonded."""
        return self.fracture.closure == "contact" or self.cement.in_gap == "contact"

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

    # ------------------------------------------------------------------ shown
    @property
    def differences(self) -> Differences:
        """What differs from the preset whose name it bears, else from the nearest one.

        A case holds values and no history: equal cases show the same, whichever way they were made.
        """
        presets = {name: type(self).preset(name).to_dict() for name in PRESETS}
        return differences(self.to_dict(), presets)

    def __repr__(self) -> str:
        return self.differences.call

    def __str__(self) -> str:
        return "\n".join(self.differences.lines)

    def _repr_html_(self) -> str:
        return self.differences.html

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


def _changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Nested plain data from sections, tables and single keys."""
    return nested({name.replace("__", "."): written(value) for name, value in given.items()})


def _resolved(path: Path, field: str, file: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"is no path ({error})", file=file, field=field, value=str(path), mend="name a file") from None
