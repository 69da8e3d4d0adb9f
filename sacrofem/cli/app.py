"""The application that commands register with, and the options that every case takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from sacrofem.errors import InputError
from sacrofem.system.version import VERSION

if TYPE_CHECKING:
    from sacrofem.case.case import Case

CLAIM = "Research use, not a medical device."

app = App(
    name="sacrofem",
    version=VERSION,
    help=f"What does cement do to a fractured sacrum? Finite-element comparison before and after. {CLAIM}",
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
app.register_install_completion_command()
_of_case = Group("Case", sort_key=1)
# Laid over the case before all others.
_OF_ANATOMY = ("anatomy.ct", "anatomy.ct_series", "anatomy.ct_offset_hu", "anatomy.units", "anatomy.labels")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CaseOptions:
    """Options that override the case file, which overrides the preset."""

    preset: Annotated[str | None, Parameter(group=_of_case)] = None
    """Named case; `sacrofem info` lists them."""
    anatomy: Annotated[Path | None, Parameter(group=_of_case)] = None
    """Your own sacrum: surface (STL, PLY, OBJ, OFF, VTP), label map, mesh, or a folder that `sacrofem import` left."""
    ct: Annotated[Path | None, Parameter(group=_of_case)] = None
    """CT of that sacrum, in the same frame: its density takes the place of the generic map."""
    ct_series: Annotated[str | None, Parameter(group=_of_case)] = None
    """Number or UID of the series, where the folder of the CT holds several."""
    ct_offset_hu: Annotated[float | None, Parameter(group=_of_case)] = None
    """HU added to its numbers on purpose: -1024 where its intercept was lost, 0 where they are HU however dense."""
    units: Annotated[Literal["mm", "cm", "m", "in", "um"] | None, Parameter(group=_of_case)] = None
    """Length unit of that surface or mesh."""
    label: Annotated[tuple[str, ...], Parameter(group=_of_case)] = ()
    """Number or name of a label that belongs to the sacrum; may be given several times."""
    side: Annotated[Literal["left", "right", "both"] | None, Parameter(group=_of_case)] = None
    """Fractured and treated side of a unilateral case; of a bilateral one the side that is treated."""
    volume_ml: Annotated[float | None, Parameter(group=_of_case)] = None
    """Cement in all, ml, split evenly over the needles."""
    approach: Annotated[Literal["short-axis", "long-axis", "transiliac"] | None, Parameter(group=_of_case)] = None
    """How the needles go in."""
    spread: Annotated[Literal["column", "ellipsoid", "flow"] | None, Parameter(group=_of_case)] = None
    """How the cement spreads."""
    needles: Annotated[int | None, Parameter(group=_of_case)] = None
    """Needles a treated side."""
    stop_at_encroachment: Annotated[bool, Parameter(group=_of_case)] = False
    """End an injection where its cement reaches canal or foramen, and say how much that was."""
    reference: Annotated[Literal["tiny", "coarse", "medium"] | None, Parameter(group=_of_case)] = None
    """Shipped mesh; it takes the place of a size in the case file."""
    size: Annotated[float | None, Parameter(group=_of_case)] = None
    """Edge length of the mesh, mm; without it presets use the shipped medium mesh."""
    order: Annotated[int | None, Parameter(group=_of_case)] = None
    """2: quadratic displacement; 1: a preview, far too stiff."""
    threads: Annotated[int | None, Parameter(group=_of_case)] = None
    """Threads of the solver; without it the cores available."""
    memory_gib: Annotated[float | None, Parameter(group=_of_case)] = None
    """Memory that may be used, GiB; without it 80 % of what is available."""
    set: Annotated[tuple[str, ...], Parameter(group=_of_case, consume_multiple=False)] = ()
    """KEY=VALUE: any key of a case file, such as `fracture.filler=callus`; may be given several times."""

    def case(self, file: Path | None, *, idle: Mapping[str, str] | None = None, field: str = "--anatomy") -> Case:
        """The case of a file (or of the preset alone) with these options laid over it.

        Parameters
        ----------
        file
        idle
            Keys or sections that the command has no use for, and why.
        field
            What refusals call the anatomy.

        Raises
        ------
        InputError
            Something is refused, or would change nothing.
        """
        from sacrofem.case.case import Case
        from sacrofem.case.presets import DEFAULT_PRESET
        from sacrofem.case.tomlfile import overlap

        if file is not None:
            case = Case.from_toml(file, preset=self.preset)
        else:
            case = Case.preset(self.preset or DEFAULT_PRESET)
        settings = assigned(self.set)
        case = self._with_anatomy(case, field)
        given = self._keys()
        for name, (key, value) in given.items():
            if any(overlap(key, other) for other in settings):
                raise InputError(f"{key} is given by --set too", field=name, value=value, mend="leave one out")
        turned = case
        if self.side is not None:
            bilateral = case.fracture.zone in ("zone1", "zone2") and case.fracture.side == "both"
            treated = bilateral or self.side == "both"
            turned = case.with_(cement__side=self.side) if treated else case.on_side(self.side)  # type: ignore[arg-type]
            if turned.fracture == case.fracture and turned.lesion == case.lesion:
                given["--side"] = "cement.side", self.side
        changes = {key: value for key, value in given.values() if key not in ("cement.side", *_OF_ANATOMY)} | settings
        if self.reference is not None:
            changes = {"mesh.size_mm": None, "mesh.fracture_size_mm": None, "mesh.replicate": 0} | changes
        result = turned.with_(**changes) if changes else turned
        given |= {f"--set {key}": (key, value) for key, value in settings.items()}
        _check_that_they_act(result, given, idle or {})
        return result

    def _keys(self) -> dict[str, tuple[str, Any]]:
        """Key and value of every option that was given, by its name."""
        every = {
            "--ct": ("anatomy.ct", self.ct and str(self.ct)),
            "--ct-series": ("anatomy.ct_series", self.ct_series),
            "--ct-offset-hu": ("anatomy.ct_offset_hu", self.ct_offset_hu),
            "--units": ("anatomy.units", self.units),
            "--label": ("anatomy.labels", self.label or None),
            "--volume-ml": ("cement.volume_ml", self.volume_ml),
            "--approach": ("cement.approach", self.approach),
            "--spread": ("cement.spread", self.spread),
            "--needles": ("cement.needles", self.needles),
            "--stop-at-encroachment": ("cement.stop_at_encroachment", self.stop_at_encroachment or None),
            "--reference": ("mesh.reference", self.reference),
            "--size": ("mesh.size_mm", self.size),
            "--order": ("mesh.order", self.order),
            "--threads": ("solver.threads", self.threads),
            "--memory-gib": ("solver.memory_gib", self.memory_gib),
        }
        return {name: (key, value) for name, (key, value) in every.items() if value is not None}

    @property
    def _of_anatomy(self) -> dict[str, Any]:
        """What they say of an own sacrum, for `sacrofem.case.anatomyfile.anatomy_keys`."""
        return {
            "ct": self.ct, "ct_series": self.ct_series, "ct_offset_hu": self.ct_offset_hu, "units": self.units,
            "labels": self.label,
        }  # fmt: skip

    def _with_anatomy(self, case: Case, field: str) -> Case:
        """The case with another sacrum."""
        from sacrofem.case.anatomyfile import anatomy_keys, said_of

        if self.anatomy is not None:
            return case.with_anatomy(anatomy_keys(self.anatomy, field=field, **self._of_anatomy))
        changes = {f"anatomy.{name}": value for name, value in said_of(**self._of_anatomy).items()}
        return case.with_(**changes) if changes else case


def assigned(texts: Sequence[str]) -> dict[str, Any]:
    """Dotted keys and their values from KEY=VALUE, the value as in a case file; text needs no quotes.

    Raises
    ------
    InputError
        No such pair, or a key twice.
    """
    from sacrofem.case.case import OWN_FILES

    found: dict[str, Any] = {}
    for text in texts:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not key or not sign or not value:
            mend = "write one such as cement.volume_ml=4"
            raise InputError("is no KEY=VALUE", field="--set", value=text, mend=mend)
        if key in found:
            raise InputError(f"{key} is given twice", field="--set", value=text, mend="leave one out")
        if key in ("preset", "schema"):
            raise InputError("is no key that can be set", field="--set", value=text, mend="use --preset NAME")
        found[key] = _value(value)
        if tuple(key.split(".")) in OWN_FILES and isinstance(found[key], str):
            found[key] = str(Path(found[key]).absolute())
    return found


def _value(text: str) -> Any:
    import tomllib

    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if len(read) == 1 else text


def _check_that_they_act(case: Case, given: Mapping[str, tuple[str, Any]], idle: Mapping[str, str]) -> None:
    """Refuse what was asked for and would change nothing."""
    from sacrofem.case.unused import idle_keys

    reasons = {**idle_keys(case), **idle}
    for name, (key, value) in given.items():
        parts = key.split(".")
        places = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
        if reason := next((reasons[place] for place in places if place in reasons), None):
            raise InputError(f"does not count: {reason}", field=name, value=value, mend="leave it out")
