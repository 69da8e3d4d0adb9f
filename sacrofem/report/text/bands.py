"""Mesh band and input range in words: what stands beside a number, and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Band = Mapping[str, Any] | None
UNCONVERGED = "not converged"


def unconverged(mesh_band: Band, key: str, part: str) -> bool:
    """Whether a measure does not settle under refinement; part is ``before``, ``after`` or ``change``."""
    return part in ((mesh_band or {}).get(key) or {}).get("unconverged", ())


def no_headline(mesh_band: Band, key: str) -> bool:
    """Whether the change of a measure does not converge, or is the difference of values that do not."""
    entry = (mesh_band or {}).get(key) or {}
    absolute = entry.get("change") is None
    return unconverged(mesh_band, key, "change") or (absolute and bool(entry.get("unconverged")))


def half_width(mesh_band: Band, key: str, part: str) -> float | None:
    """Half the width of a mesh band; None where there is none."""
    interval = ((mesh_band or {}).get(key) or {}).get(part)
    return None if interval is None else (interval[1] - interval[0]) / 2


def plus_minus(half: float | None, factor: float = 1.0) -> str:
    """A half width with its sign, rounded up to two digits; nothing where there is none."""
    if half is None:
        return ""
    half *= factor
    if half == 0.0:
        return "±0"
    digits = 1 - math.floor(math.log10(half))
    step = 10.0**-digits
    # Up, but not because of a last bit: 0.1 + 0.2 is not 0.31.
    return f"±{math.ceil(half / step - 1e-9) * step:.{max(digits, 0)}f}"


def points(half: float | None) -> str:
    """A half width of a relative change in percentage points: one decimal below ten, rounded up."""
    if half is None:
        return ""
    per_cent = 100 * half
    tenths = math.ceil(10 * per_cent - 1e-9) / 10
    return f"±{tenths:.1f}" if tenths < 10 else f"±{math.ceil(per_cent - 1e-9)}"


def span(interval: Sequence[float] | None) -> str:
    """A range of relative changes in per cent; nothing where there is none."""
    return "" if interval is None else f"{100 * interval[0]:+.0f} to {100 * interval[1]:+.0f} %"


def sentences(bands: Mapping[str, Any], *, hints: bool = False) -> list[str]:
    """Where mesh band and input range come from, or that they were not computed.

    Parameters
    ----------
    bands
        As in ``comparison.json``.
    hints
        Name the option that computes what is missing.
    """
    return [_mesh_sentence(bands.get("mesh_band"), hints), _input_sentence(bands.get("input_range"), hints)]


def _mesh_sentence(about: Mapping[str, Any] | None, hints: bool) -> str:
    if about is None:
        return "Mesh band: not computed" + (" (--band computes it)." if hints else ".")
    meshes = ", ".join(f"{mesh['name']} ({mesh['size_mm']:.1f} mm)" for mesh in about["meshes"])
    return f"Mesh band (±): from the meshes {meshes}, {_source(about)}."


def _input_sentence(about: Mapping[str, Any] | None, hints: bool) -> str:
    if about is None:
        return "Input range: not computed" + (" (--input-range computes it)." if hints else ".")
    return f"Input range: {'; '.join(about['varied'])}; one at a time, mesh {about['mesh']}, {_source(about)}."


def _source(about: Mapping[str, Any]) -> str:
    return "shipped with sacrofem" if about["source"] == "shipped" else "computed in this run"
