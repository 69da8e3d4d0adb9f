"""The application that commands register with, and the options that every case takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Group, Parameter

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
    size: Annotated[float | None, Parameter(group=_of_case)] = None
    """Edge length of the mesh, mm; without it presets use the shipped medium mesh."""
    order: Annotated[int | None, Parameter(group=_of_case)] = None
    """2: quadratic displacement; 1: a preview, far too stiff."""
    threads: Annotated[int | None, Parameter(group=_of_case)] = None
    """Threads of the solver; without it the cores available."""
    memory_gib: Annotated[float | None, Parameter(group=_of_case)] = None
    """Memory that may be used, GiB; without it 80 % of what is available."""

    def case(self, file: Path | None) -> Case:
        """The case of a file (or of the preset alone) with these options laid over it."""
        from sacrofem.case.case import Case
        from sacrofem.case.presets import DEFAULT_PRESET

        if file is not None:
            case = Case.from_toml(file, preset=self.preset)
        else:
            case = Case.preset(self.preset or DEFAULT_PRESET)
        case = self._with_anatomy(case)
        if self.side is not None:
            bilateral = case.fracture.zone in ("zone1", "zone2") and case.fracture.side == "both"
            treated = bilateral or self.side == "both"
            case = case.with_(cement__side=self.side) if treated else case.on_side(self.side)  # type: ignore[arg-type]
        given = {
            "cement.volume_ml": self.volume_ml,
            "cement.approach": self.approach,
            "cement.spread": self.spread,
            "cement.needles": self.needles,
            "cement.stop_at_encroachment": self.stop_at_encroachment or None,
            "mesh.size_mm": self.size,
            "mesh.order": self.order,
            "solver.threads": self.threads,
            "solver.memory_gib": self.memory_gib,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        return case.with_(**changes) if changes else case

    @property
    def of_anatomy(self) -> dict[str, Any]:
        """What they say of an own sacrum, for `sacrofem.case.anatomyfile.anatomy_keys`."""
        return {
            "ct": self.ct, "ct_series": self.ct_series, "ct_offset_hu": self.ct_offset_hu, "units": self.units,
            "labels": self.label,
        }  # fmt: skip

    def _with_anatomy(self, case: Case) -> Case:
        """The case with another sacrum."""
        from sacrofem.case.anatomyfile import anatomy_keys, said_of

        if self.anatomy is not None:
            return case.with_anatomy(anatomy_keys(self.anatomy, **self.of_anatomy))
        changes = {f"anatomy.{name}": value for name, value in said_of(**self.of_anatomy).items()}
        return case.with_(**changes) if changes else case
