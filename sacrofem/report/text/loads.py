"""Several load cases side by side, and under which each headline is worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sacrofem.report.text.table import change_text, label, number, unit

SHOWN = (
    "micromotion_mean_um",
    "fragment_motion_um",
    "fracture_von_mises_p95_mpa",
    "stiffness_n_per_mm",
    "yield_load_n",
)
"""What is compared between load cases; all other measures stand in ``comparison.json``."""


@dataclass(frozen=True)
class LoadRow:
    """One measure under one load case, as text; ``paths`` are where the numbers stand in the result."""

    measure: str
    unit: str
    load: str
    before: str
    after: str
    change: str
    worst: str
    paths: tuple[str, str]


def load_rows(content: Mapping[str, Any]) -> list[LoadRow]:
    """The headlines under every load case that lies inside the model; none where there is one load case alone.

    Parameters
    ----------
    content
        As in ``comparison.json``.
    """
    loads: Mapping[str, Any] = content.get("loads") or {}
    result = []
    for key in SHOWN:
        name, factor = unit(key)
        for load, entry in loads.items():
            old, new = entry["before"].get(key), entry["after"].get(key)
            if entry["validity"]["state"] == "outside" or (old is None and new is None):
                continue
            states = (
                state for state in ("before", "after") if content["worst"][state].get(key, {}).get("load") == load
            )
            result.append(
                LoadRow(
                    label(key), name, f"{load} ({entry['kind']})" if load != entry["kind"] else load,
                    number(old, factor), number(new, factor), change_text(key, old, new, entry["change"].get(key)),
                    " and ".join(states),
                    (f"comparison/loads/{load}/before/{key}", f"comparison/loads/{load}/after/{key}"),
                )
            )  # fmt: skip
    return result


def load_table(content: Mapping[str, Any]) -> Any:
    """A rich table of the load cases; an empty text where there is one alone."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    found = load_rows(content)
    if not found:
        return ""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("measure")
    table.add_column("load", no_wrap=True)
    for name in ("unit", "before", "after", "change", "worst"):
        table.add_column(name, no_wrap=True, justify="left" if name in ("unit", "worst") else "right")
    for row in found:
        table.add_row(row.measure, row.load, row.unit, row.before, row.after, row.change, row.worst)
    return table
