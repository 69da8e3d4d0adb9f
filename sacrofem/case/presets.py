"""Named cases: only what differs from the defaults of `sacrofem.case.case.Case`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sacrofem.case.frozen import FrozenMapping

DEFAULT_PRESET = "sif-bilateral"


@dataclass(frozen=True)
class Preset:
    """A named case: one sentence on it, its source, and the values that differ from the defaults."""

    title: str
    source: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", FrozenMapping(self.data))


PRESETS: Mapping[str, Preset] = {
    "sif-bilateral": Preset(
        "bilateral zone-1 insufficiency fractures, 4.1 ml PMMA by two needles, standing",
        "84 of 98 patients bilateral (Diagnostics 2025 [T]); 13 of 15 cadaver fractures in zone 1 (Waites 2007 [A])",
    ),
    "sif-unilateral": Preset(
        "the same on one side: 2 ml PMMA by one needle",
        "77 of 130 patients unilateral (Bakker 2018 [A]); half of the bilateral volume",
        {"fracture": {"side": "left"}, "cement": {"volume_ml": 2.05}},
    ),
    "lytic-focal": Preset(
        "a focal lytic lesion of one ala, no fracture, 4.1 ml PMMA by one needle",
        "ellipsoid of the size of one ala; metastases 10.3 ml on average at 55 % fill (10.1007/s00256-019-3156-0 [A])",
        {"fracture": {"zone": "none"}, "lesion": {"kind": "focal"}, "cement": {"spread": "ellipsoid"}},
    ),
    "lytic-infiltrative": Preset(
        "a graded, infiltrative lytic zone of one ala, no fracture, 3.6 ml PMMA by one needle",
        "graded density loss around the ala; volume as set for this project",
        {
            "fracture": {"zone": "none"},
            "lesion": {"kind": "infiltrative", "radii_mm": [16.0, 14.0, 20.0], "density_factor": 0.3},
            "cement": {"spread": "ellipsoid", "volume_ml": 3.6},
        },
    ),
    "hemisacrum-one-legged": Preset(
        "half a sacrum on a fixed joint, a partial zone-1 fracture with a front, one fused spot, 343 N",
        "Whitlow 2007 [T]: 35 kg on S1, joint face anchored, fusion at one point",
        {
            "anatomy": {"half": "left"},
            "fracture": {"side": "left", "extent": 0.6},
            "cement": {"volume_ml": 0.0, "spot": {"radius_mm": 5.0}},
            "supports": {"kind": "fixed", "ligaments": False},
            "load": {"kind": "one-legged", "force_n": 343.0},
        },
    ),
}
PRESETS = FrozenMapping(PRESETS)
