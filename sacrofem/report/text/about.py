"""What can be chosen, with its source, and what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sacrofem.bone.laws import CONVERSION_SOURCE, CONVERSIONS, LAWS
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
    laws = {name: {"law": law.formula, "density": law.density, "source": law.cited} for name, law in LAWS.items()}
    return {
        "versions": versions(),
        "threads": available_cores(),
        "presets": {name: {"title": preset.title, "source": preset.source} for name, preset in PRESETS.items()},
        "loads": loads,
        "density_laws": laws,
        "density_conversions": {"formulas": dict(CONVERSIONS), "source": CONVERSION_SOURCE},
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
    text.append("\ndensity laws (ρ in g/cm³)")
    for name, entry in content["density_laws"].items():
        text += [f"  {name}: {entry['law']}, {entry['density']} density", f"    {entry['source']}"]
    conversions = content["density_conversions"]
    text += [f"  from calibrated QCT density: {formula}" for formula in conversions["formulas"].values()]
    text += [
        f"    {conversions['source']}",
        "  a law of your own: [materials.law] in the case file; moduli of your own: materials.moduli",
    ]
    return text


def _load(name: str, entry: Mapping[str, Any]) -> str:
    angle = entry["angle_deg"]
    direction = "vertical at the slope of the case" if angle is None else f"{angle:g}° to the endplate normal"
    point = "the endplate centre" if entry["point_mm"] is None else f"{entry['point_mm']} mm"
    moment = f"{entry['moment_nmm']} N mm" if any(entry["moment_nmm"]) else "none"
    force = "force as given" if name == "free" else f"{entry['force_n']:g} N"
    return f"{force}, {direction}, point: {point}, moment: {moment}"
