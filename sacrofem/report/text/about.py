"""What can be chosen, with its source, and what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sacrofem.bone.laws import LAWS, DensityLaw
from sacrofem.case.presets import PRESETS
from sacrofem.mechanics.parts.loads import LOADS
from sacrofem.system.folders import versions
from sacrofem.system.threads import available_cores


def about() -> dict[str, Any]:
    """Versions, threads, presets, loads and density laws as plain data."""
    loads = {
        name: {
            "force_n": load.force_n,
            "angle_deg": load.angle_deg,
            "point_mm": load.point_mm,
            "moment_nmm": load.moment_nmm,
            "source": load.source,
        }
        for name, load in LOADS.items()
    }
    laws = {
        name: {"law": _formula(law), "density": law.density, "source": f"{law.source} {law.mark}"}
        for name, law in LAWS.items()
    }
    return {
        "versions": versions(),
        "threads": available_cores(),
        "presets": {name: {"title": preset.title, "source": preset.source} for name, preset in PRESETS.items()},
        "loads": loads,
        "density_laws": laws,
    }


def lines(content: Mapping[str, Any]) -> list[str]:
    """The same as text."""
    text = [
        ", ".join(f"{name} {version}" for name, version in content["versions"].items() if name != "sacrofem"),
        f"threads: {content['threads']}",
        "\npresets",
    ]
    for name, entry in content["presets"].items():
        text += [f"  {name}: {entry['title']}", f"    {entry['source']}"]
    text.append("\nloads")
    for name, entry in content["loads"].items():
        text += [f"  {name}: {_load(name, entry)}", f"    {entry['source']}"]
    text.append("\ndensity laws (rho in g/cm³)")
    for name, entry in content["density_laws"].items():
        text += [f"  {name}: {entry['law']}, {entry['density']} density", f"    {entry['source']}"]
    return text


def _formula(law: DensityLaw) -> str:
    offset = f"{law.offset_mpa:g} + " if law.offset_mpa else ""
    return f"E = {offset}{law.coefficient:g} rho^{law.exponent:g} MPa"


def _load(name: str, entry: Mapping[str, Any]) -> str:
    angle = entry["angle_deg"]
    direction = "vertical at the slope of the case" if angle is None else f"{angle:g}° to the endplate normal"
    point = "the endplate centre" if entry["point_mm"] is None else f"{entry['point_mm']} mm"
    moment = f"{entry['moment_nmm']} N mm" if any(entry["moment_nmm"]) else "none"
    force = "force as given" if name == "free" else f"{entry['force_n']:g} N"
    return f"{force}, {direction}, point: {point}, moment: {moment}"
