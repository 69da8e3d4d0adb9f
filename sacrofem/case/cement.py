"""[cement]: which, how much, and through which needles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sacrofem.case.fields import within
from sacrofem.case.problems import refused
from sacrofem.case.section import Point, Section, not_true

LEAST_ML = 0.01
"""Least volume of cement, ml: a drop."""


class InjectionSection(Section):
    """[[cement.injections]]: one needle of one's own."""

    entry_mm: Point = Field(description="where the needle enters the bone, mm, anatomical frame")
    target_mm: Point = Field(description="its tip, mm, anatomical frame")
    gauge: Annotated[Literal[10, 11, 13], not_true] = Field(
        default=11, description="G: outer diameter 3.40, 3.05 or 2.41 mm [K]"
    )
    volume_ml: Annotated[float, within(LEAST_ML, 60, "from a drop to three times the 9 ml a side of cadavers")] = Field(
        description="cement through this needle, ml"
    )

    @model_validator(mode="after")
    def _consistent(self) -> InjectionSection:
        if sum((a - b) ** 2 for a, b in zip(self.entry_mm, self.target_mm, strict=True)) < 1e-6:
            raise refused("entry and target coincide", "move one of them", "target_mm", list(self.target_mm))
        return self


class Spot(Section):
    """[cement.spot]: a disc of the fracture that is cemented without a bolus (Whitlow 2007 [T])."""

    centre: Point | None = Field(default=None, description="mm; not given: the middle of the fracture")
    radius_mm: Annotated[float, within(0.5, 60, "from a drop to the height of the bone [K]")] = Field(
        default=5.0, description="radius of the disc, mm"
    )


_OVER_BONE = "three decades about that of cancellous bone [D]"


class FlowSection(Section):
    """[cement.flow]: how easily cement moves, over osteoporotic cancellous bone."""

    permeability: Literal["kozeny-carman", "cube", "uniform"] = Field(
        default="kozeny-carman", description="law from the pore fraction; uniform: density does not count"
    )
    gap: Annotated[float, within(0.001, 100, _OVER_BONE)] = Field(
        default=3.0, description="in the fracture gap, which cement prefers, no unit [D]"
    )
    cortex: Annotated[float, within(0.001, 1, "cortex lets less through than cancellous bone")] = Field(
        default=0.02, description="through the cortex, so that it can leak, no unit [D]"
    )
    tissue: Annotated[float, within(0.001, 10, _OVER_BONE)] = Field(
        default=0.5, description="outside the bone, no unit [D]"
    )


class Cement(Section):
    """[cement]: which, how much, and through which needles."""

    material: Literal["pmma", "calcium-phosphate", "cortoss-like"] = Field(
        default="pmma", description="preset of modulus and nu"
    )
    modulus_mpa: Annotated[float | None, within(0.1, 50000, "from a gel to beyond dental ceramics [K]")] = Field(
        default=None, description="MPa; not given: the material's; PMMA: 2000 (1000-3000 [A])"
    )
    poisson: Annotated[float | None, within(0, 0.45, "no known cement lies outside [K]")] = Field(
        default=None, description="Poisson's ratio, no unit; not given: the material's; PMMA 0.35 [K]"
    )
    mixture: Literal["hashin-shtrikman", "hill", "reuss", "voigt"] = Field(
        default="hashin-shtrikman", description="bone and cement to one modulus; the default is the lower bound"
    )
    spread: Literal["column", "ellipsoid", "flow"] = Field(
        default="flow", description="shape of a bolus; flow: along the easiest paths, leaks included"
    )
    flow: FlowSection = Field(default_factory=FlowSection)
    column_length_mm: Annotated[float | None, within(0, 80, "a long-axis needle has 80 mm in the bone [K]")] = Field(
        default=None,
        description="mm of a column's axis or a flow's line, back from the tip; not given: 15 (flow 0), long axis 40",
    )
    ellipsoid_aspect: Annotated[float, within(1, 5, "from a ball to a column [D]")] = Field(
        default=1.5, description="long over short axis, no unit; the long one lies on the needle"
    )
    approach: Literal["short-axis", "long-axis", "transiliac"] = Field(
        default="short-axis", description="planned needles (Whitlow 2007, Smith & Gilula 2006 [A]; transiliac [K])"
    )
    gauge: Annotated[Literal[10, 11, 13], not_true] = Field(
        default=11, description="G of planned needles: outer diameter 3.40, 3.05 or 2.41 mm [K]"
    )
    stop_at_encroachment: bool = Field(
        default=False, description="end an injection where its cement reaches canal or foramen; the rest is withheld"
    )
    side: Literal["left", "right", "both"] | None = Field(
        default=None, description="treated side; not given: the broken one"
    )
    needles: Annotated[int, within(1, 5, "more do not find room in an ala [D]")] = Field(
        default=1, description="count of needles a treated side"
    )
    sequence: Literal["in-turn", "together"] = Field(
        default="in-turn", description="flows of several needles: one by one around set cement, or all at once"
    )
    volume_ml: Annotated[float, within(0, 60, "three times the 9 ml a side of cadavers")] = Field(
        default=4.1, description="ml in all, split evenly; 3-9 a side in cadavers (Richards 2009 [A])"
    )
    in_gap: Literal["bonded", "contact", "none"] = Field(
        default="bonded",
        description="cement that reaches the gap: bonded to both faces, only touching, or left out",
    )
    interface_n_per_mm3: Annotated[float | None, within(1, 1e6, "1 µm thick: from 1 kPa to 1 GPa")] = Field(
        default=None,
        description="N/mm³ of a compliant layer of bonded cement on either face of the gap; not given: none; 1000 from "
        "1 µm at 1 MPa (PMC4877298 [A])",
    )
    injections: tuple[InjectionSection, ...] = Field(
        default=(), max_length=50, description="own needles instead of `approach`"
    )
    spot: Spot | None = Field(default=None, description="a cemented disc; with volume_ml = 0 there is no bolus")

    @model_validator(mode="before")
    @classmethod
    def _total(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not data.get("injections") or "volume_ml" in data:
            return data
        if not isinstance(data["injections"], list | tuple):
            return data
        volumes = [
            i.get("volume_ml") if isinstance(i, Mapping) else getattr(i, "volume_ml", None) for i in data["injections"]
        ]
        return {**data, "volume_ml": sum(volumes)} if all(isinstance(v, int | float) for v in volumes) else data

    @model_validator(mode="after")
    def _consistent(self) -> Cement:
        if self.volume_ml == 0 and self.spot is None:
            raise refused("no cement is placed", "give a volume above 0, or a [cement.spot]", "volume_ml", 0.0)
        if 0 < self.volume_ml < LEAST_ML:
            raise refused("less than a drop", f"give {LEAST_ML:g} ml or more", "volume_ml", self.volume_ml)
        if self.sequence == "together" and self.spread != "flow":
            raise refused("only flows can be injected together", 'use spread = "flow"', "sequence", "together")
        total = sum(injection.volume_ml for injection in self.injections)
        if self.injections and abs(total - self.volume_ml) > 1e-9 * total:
            mend = "leave volume_ml out or make it their sum"
            raise refused(f"the injections sum to {total:g} ml", mend, "volume_ml", self.volume_ml)
        return self
