"""[supports]: what holds the auricular faces, and how stiff it is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sacrofem.case.fields import within
from sacrofem.case.section import Section

_STIFFNESS = within(0, 100000, "from torn to many times any tabulated ligament [K]")
_TABLE = "N/mm a side (table 1 of 10.1186/s12891-021-04856-8 [T]); acts times `factor`"


class JointSection(Section):
    """[supports.joint]: the elastic layer on the auricular faces."""

    modulus_mpa: Annotated[float, within(0.05, 20000, "from a slack joint to one grown together [K]")] = Field(
        default=4.1,
        description="MPa; calibrated against published motion of the joint [D]; cartilage 10 "
        "(10.1186/s12891-021-04856-8 [T]), 54 [K]",
    )
    poisson: Annotated[float, within(0, 0.45, "above, a thin layer locks: give the drained value")] = Field(
        default=0.4, description="Poisson's ratio, no unit (10.1186/s12891-021-04856-8 [T])"
    )
    thickness_mm: Annotated[float, within(0.1, 10, "a joint space is about 4.5 mm (musculoskeletalkey [T])")] = Field(
        default=2.0, description="mm; sacral cartilage 1.1-3.0 (musculoskeletalkey, chapter 3 [T])"
    )


class LigamentsSection(Section):
    """[supports.ligament_stiffness]: each ligament, the same on both sides."""

    factor: Annotated[float, within(0, 10, "from slack to many times as taut as tabulated [D]")] = Field(
        default=0.036,
        description="on all of them, no unit: they are tabulated taut and act slack at small motion (calibrated [D])",
    )
    anterior_sacroiliac: Annotated[float, _STIFFNESS] = Field(default=700.0, description=_TABLE)
    interosseous: Annotated[float, _STIFFNESS] = Field(default=2800.0, description=_TABLE)
    short_posterior_sacroiliac: Annotated[float, _STIFFNESS] = Field(default=400.0, description=_TABLE)
    long_posterior_sacroiliac: Annotated[float, _STIFFNESS] = Field(default=1000.0, description=_TABLE)
    sacrospinous: Annotated[float, _STIFFNESS] = Field(default=1400.0, description=_TABLE)
    sacrotuberous: Annotated[float, _STIFFNESS] = Field(default=1500.0, description=_TABLE)
    iliolumbar: Annotated[float, _STIFFNESS] = Field(default=1000.0, description=_TABLE)

    @property
    def n_per_mm(self) -> dict[str, float]:
        """Stiffness of each ligament, N/mm, without the factor."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "factor"}


class SupportsSection(Section):
    """[supports]: what holds the auricular faces."""

    kind: Literal["elastic", "fixed"] = Field(
        default="elastic", description="elastic joint, or held rigidly (Whitlow 2007 [T])"
    )
    ligaments: bool = Field(default=True, description="ligament springs beside the elastic layer")
    joint: JointSection = Field(default_factory=JointSection)
    ligament_stiffness: LigamentsSection = Field(default_factory=LigamentsSection)
