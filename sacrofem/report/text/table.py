"""Measures as people read them: a label, a unit, before, after and change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sacrofem.mechanics.measures.catalogue import MEASURES
from sacrofem.report.text.bands import UNCONVERGED, Band, half_width, no_headline, plus_minus, points, span, unconverged

if TYPE_CHECKING:
    from rich.table import Table

#: What the terminal and the top of the report show, in this order; all others are in comparison.json.
HEADLINES: Mapping[str, str] = {
    "micromotion_mean_um": "Micromotion of the gap, mean",
    "micromotion_p95_um": "Micromotion of the gap, p95",
    "opening_mean_um": "Gap opening, mean",
    "closing_mean_um": "Gap closing, mean",
    "slip_mean_um": "Gap slip, mean",
    "gap_strain_p95": "Gap strain, p95",
    "fragment_motion_um": "Motion between fragments",
    "fracture_von_mises_mean_mpa": "Von Mises at the fracture, mean",
    "fracture_von_mises_p95_mpa": "Von Mises at the fracture, p95",
    "fracture_max_principal_p95_mpa": "Max principal at the fracture, p95",
    "fracture_cortex_von_mises_p95_mpa": "Cortex von Mises at the fracture, p95",
    "front_max_principal_p95_mpa": "Max principal at the front, p95",
    "pericement_both_min_principal_strain_mean": "Compressive strain around the cement, mean",
    "pericement_both_max_principal_strain_mean": "Tensile strain around the cement, mean",
    "lesion_von_mises_p95_mpa": "Von Mises at the lesion, p95",
    "lesion_min_principal_strain_p95": "Compressive strain at the lesion, p95",
    "contralateral_max_principal_p95_mpa": "Max principal, untreated ala, p95",
    "stiffness_n_per_mm": "Stiffness",
    "strain_energy_nmm": "Strain energy",
    "yield_load_n": "Yield load",
    "reaction_share_left": "Load through the left joint",
    "reaction_share_right": "Load through the right joint",
    "reaction_share_ligaments": "Load through ligaments",
}

# Suffix of a key -> unit on the page, and the factor from the stored value.
_UNITS: Mapping[str, tuple[str, float]] = {
    "_um": ("µm", 1.0),
    "_mpa": ("MPa", 1.0),
    "_n_per_mm": ("N/mm", 1.0),
    "_nmm": ("N mm", 1.0),
    "_n": ("N", 1.0),
    "_ml": ("ml", 1.0),
}


@dataclass(frozen=True)
class Row:
    """One measure in the units of the page; ``change`` is text, a percentage or an absolute difference.

    ``before_band``, ``after_band`` and ``change_band`` are half widths of the mesh band or say that the
    number does not converge; ``inputs`` is the input range of the change.
    """

    key: str
    label: str
    unit: str
    intact: str
    before: str
    after: str
    change: str
    before_band: str = ""
    after_band: str = ""
    change_band: str = ""
    inputs: str = ""

    @property
    def banded_change(self) -> str:
        """The change with its mesh band."""
        return f"{self.change} ({self.change_band})" if self.change_band else self.change


def label(key: str) -> str:
    """What a measure is called on the page."""
    if key in HEADLINES:
        return HEADLINES[key]
    text = MEASURES[key].label if key in MEASURES else key.replace("_", " ")
    return text[:1].upper() + text[1:]


def unit(key: str) -> tuple[str, float]:
    """Unit of a measure on the page, and the factor from the stored value to it."""
    if "principal_strain" in key:
        return "µε", 1e6
    if key.startswith("reaction_share") or key.startswith("gap_strain"):
        return "%", 100.0
    for suffix, (name, factor) in _UNITS.items():
        if key.endswith(suffix):
            return name, factor
    return "", 1.0


def number(value: float | None, factor: float = 1.0) -> str:
    """Four significant digits; a dash where there is no value."""
    if value is None:
        return "–"
    value *= factor
    if value == 0:
        return "0"
    if 0.01 <= abs(value) < 1e6:
        digits = 4 if abs(value) < 1 else max(0, 4 - len(str(int(abs(value)))))
        return f"{value:,.{digits}f}".replace(",", " ")
    return f"{value:.3g}"


def change_text(key: str, before: float | None, after: float | None, change: float | None) -> str:
    """The relative change in per cent, else the absolute one, else a dash."""
    if before is None or after is None:
        return "–"
    if change is not None:
        return f"{100 * change:+.1f} %"
    name, factor = unit(key)
    difference = (after - before) * factor
    return ("+" if difference > 0 else "") + f"{number(difference)} {name}".rstrip()


def rows(
    before: Mapping[str, float | None],
    after: Mapping[str, float | None],
    change: Mapping[str, float | None],
    intact: Mapping[str, float | None] | None = None,
    *,
    headlines_only: bool = True,
    mesh_band: Band = None,
    input_range: Band = None,
) -> list[Row]:
    """The measures that exist in either state, as text.

    Parameters
    ----------
    before, after, change, intact
        Measures by key; ``change`` is (after - before) / before or None.
    headlines_only
        Those of `HEADLINES`, in their order; else all, headlines first. A headline whose change does not
        converge is left out, and a value that does not is not printed.
    mesh_band, input_range
        As in ``comparison.json``.
    """
    keys = [key for key in HEADLINES if key in before or key in after]
    if not headlines_only:
        keys += [key for key in before if key not in HEADLINES]
    result = []
    for key in keys:
        old, new = before.get(key), after.get(key)
        if (old is None and new is None) or (headlines_only and no_headline(mesh_band, key)):
            continue
        name, factor = unit(key)
        bands = {part: _band_text(mesh_band, key, part, factor) for part in ("before", "after", "change")}
        hidden = {part for part, text in bands.items() if text == UNCONVERGED and headlines_only}
        result.append(
            Row(
                key,
                label(key),
                name,
                number((intact or {}).get(key), factor),
                UNCONVERGED if "before" in hidden else number(old, factor),
                UNCONVERGED if "after" in hidden else number(new, factor),
                change_text(key, old, new, change.get(key)),
                bands["before"],
                bands["after"],
                bands["change"],
                span(((input_range or {}).get(key) or {}).get("change")),
            )
        )
    return result


def _band_text(mesh_band: Band, key: str, part: str, factor: float) -> str:
    if unconverged(mesh_band, key, part):
        return UNCONVERGED
    half = half_width(mesh_band, key, part)
    return points(half) if part == "change" else plus_minus(half, factor)


def left_out(before: Mapping[str, float | None], mesh_band: Band) -> list[str]:
    """Labels of the headlines that `rows` leaves out because their change does not converge."""
    return [label(key) for key in HEADLINES if key in before and no_headline(mesh_band, key)]


def terminal_table(content: list[Row], *, intact: bool) -> Table:
    """A rich table: measure, unit, (intact,) before, after, change with its mesh band (and input range)."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    # The only column that may give way on a narrow terminal: a cut number would be a wrong number.
    table.add_column("measure")
    table.add_column("unit", no_wrap=True)
    ranged = any(row.inputs for row in content)
    change = "change (mesh band)" if any(row.change_band for row in content) else "change"
    for name in (*(("intact",) if intact else ()), "before", "after", change, *(("input range",) if ranged else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for row in content:
        values = (*((row.intact,) if intact else ()), row.before, row.after, row.banded_change)
        table.add_row(row.label, row.unit, *values, *((row.inputs,) if ranged else ()))
    return table
