"""The measures by name: unit, definition, scale; and what counts as a change. Plain data, no arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Value = float | None

SMALLEST_SHARE_OF_SCALE = 0.01
"""A before value below this share of its scale has no meaningful relative change."""


@dataclass(frozen=True)
class Measure:
    """One key of the results.

    Attributes
    ----------
    key, unit, label, definition : str
        ``label`` names it in tables; the unit of a pure number is empty.
    scale : str or float
        What a value is small against: a number, or the measure whose before value it is.
    per_fracture : bool
        Given for every fracture too.
    """

    key: str
    unit: str
    label: str
    definition: str
    scale: str | float
    per_fracture: bool = False


def _measures() -> Iterator[Measure]:
    yield from _motion()
    yield from _stress()
    yield from _cement_and_lesion()
    yield from _whole()


def _motion() -> Iterator[Measure]:
    mean = "micromotion_mean_um"
    for stat, words in (("mean", "mean"), ("p95", "95th percentile"), ("max", "maximum")):
        text = f"{words} of the length of the jump over the fracture faces, area-weighted"
        yield Measure(f"micromotion_{stat}_um", "µm", f"micromotion, {words}", text, f"micromotion_{stat}_um", True)
    for name, words in (
        ("opening", "positive normal part of the jump"),
        ("closing", "negative normal part of the jump, as a positive length"),
        ("slip", "length of the tangential part of the jump"),
    ):
        yield Measure(f"{name}_mean_um", "µm", f"{name}, mean", f"area-weighted mean of the {words}", mean, True)
    yield Measure(
        "gap_strain_p95",
        "",
        "gap strain, 95th percentile",
        "jump over aperture (Perren), area-weighted",
        "gap_strain_p95",
        True,
    )
    yield Measure(
        "fragment_motion_um",
        "µm",
        "fragment motion",
        "relative motion of the bone 5-10 mm on either side of the fracture: each layer's best rigid motion, their "
        "difference at the fracture, mean length over its area; a rigid motion of the whole cancels",
        "fragment_motion_um",
        True,
    )


def _stress() -> Iterator[Measure]:
    for stat, words in (("mean", "mean"), ("p95", "95th percentile")):
        von_mises = f"fracture_von_mises_{stat}_mpa"
        where = "over bone within 5 mm of the fracture, volume-weighted"
        text = f"{words} {where}"
        yield Measure(von_mises, "MPa", f"von Mises at fracture, {words}", text, von_mises, True)
        yield Measure(
            f"fracture_max_principal_{stat}_mpa", "MPa", f"max principal at fracture, {words}", text, von_mises, True
        )
    near_line = "95th percentile of the membrane stress within 5 mm of the fracture line, area-weighted"
    cortex = "fracture_cortex_von_mises_p95_mpa"
    yield Measure(cortex, "MPa", "von Mises in cortex at fracture, 95th percentile", near_line, cortex, True)
    yield Measure(
        "fracture_cortex_max_principal_p95_mpa",
        "MPa",
        "max principal in cortex at fracture, 95th percentile",
        near_line,
        cortex,
        True,
    )
    yield Measure(
        "front_max_principal_p95_mpa",
        "MPa",
        "max principal at front, 95th percentile",
        "over bone within 5 mm of the fracture front, where there is one",
        "fracture_von_mises_p95_mpa",
        True,
    )


def _cement_and_lesion() -> Iterator[Measure]:
    zones = {
        "inside": "where cement fills at least half of the pores (reference plan)",
        "shell": "within r = (3V/4π)^(1/3) of the cement, cement left out",
        "both": "in the cement and within r of it",
    }
    for zone, where in zones.items():
        for sign, words in (("max", "maximum"), ("min", "minimum")):
            for stat in ("mean", "p95"):
                percentile = "5th percentile (95th in compression)" if sign == "min" else "95th percentile"
                statistic = "mean" if stat == "mean" else percentile
                yield Measure(
                    f"pericement_{zone}_{sign}_principal_strain_{stat}",
                    "",
                    f"{sign} principal strain, {zone} cement zone, {statistic}",
                    f"{statistic} of the {words} principal strain {where}",
                    f"pericement_{zone}_min_principal_strain_{stat}",
                )
    near = "95th percentile over bone within 5 mm of the lesion's border"
    von_mises = "lesion_von_mises_p95_mpa"
    yield Measure(von_mises, "MPa", "von Mises at lesion, 95th percentile", near, von_mises)
    yield Measure("lesion_max_principal_p95_mpa", "MPa", "max principal at lesion, 95th percentile", near, von_mises)
    strain = "lesion_min_principal_strain_p95"
    text = "5th percentile (95th in compression) over bone within 5 mm of the lesion's border"
    yield Measure(strain, "", "min principal strain at lesion, 95th percentile", text, strain)


def _whole() -> Iterator[Measure]:
    yield Measure(
        "stiffness_n_per_mm",
        "N/mm",
        "stiffness",
        "applied force over the mean displacement of the endplate along it",
        "stiffness_n_per_mm",
    )
    text = (
        "energy stored in bone, cortex, cement, supports and gap; half of force times displacement where nothing is in "
        "contact"
    )
    yield Measure("strain_energy_nmm", "N·mm", "strain energy", text, "strain_energy_nmm")
    key = "contralateral_max_principal_p95_mpa"
    text = "95th percentile over Denis zone 1, S1-S3, of the side without cement"
    yield Measure(key, "MPa", "max principal on the other side, 95th percentile", text, key)
    yield Measure(
        "yield_load_n",
        "N",
        "yield load",
        "load at which 2 % of the cancellous volume (without cement and 5 mm around supports and load) passes 0.8 % "
        "compressive or 0.7 % tensile principal strain, by linear scaling",
        "yield_load_n",
    )
    for part, words in (("left", "left joint"), ("right", "right joint"), ("ligaments", "ligaments")):
        text = f"share of the applied force that the {words} carries along it"
        yield Measure(f"reaction_share_{part}", "", f"reaction share, {words}", text, 1.0)


MEASURES: Mapping[str, Measure] = MappingProxyType({measure.key: measure for measure in _measures()})
"""Every measure by its key, in the order of docs/theory/measures.md."""

FRACTURE_MEASURES: tuple[str, ...] = tuple(key for key, measure in MEASURES.items() if measure.per_fracture)
"""Keys that are given per fracture too."""

NEEDS_NO_PLAN: tuple[str, ...] = tuple(
    key
    for key in MEASURES
    if key.startswith(("micromotion_", "opening_", "closing_", "slip_", "gap_strain_", "reaction_share_"))
    or key in ("stiffness_n_per_mm", "strain_energy_nmm")
)
"""Keys that are the same whatever cement is left out of the measuring zones; all others are measured in zones."""

HEADLINES: tuple[str, ...] = (
    "micromotion_mean_um",
    "fragment_motion_um",
    "fracture_von_mises_mean_mpa",
    "fracture_von_mises_p95_mpa",
    "stiffness_n_per_mm",
    "yield_load_n",
)
"""What a short answer shows."""


_LESS_IS_WORSE = ("stiffness_n_per_mm", "yield_load_n")


def worst_of(values: Mapping[str, Mapping[str, Value]]) -> dict[str, tuple[str, float]]:
    """By measure, the load case under which it is worst, and its value there.

    Parameters
    ----------
    values : mapping of str to mapping
        Measures by load case. Of stiffness and yield load the least is the worst, of all else the largest in size;
        shares of the reaction have none.
    """
    found: dict[str, tuple[str, float]] = {}
    for key in MEASURES:
        if key.startswith("reaction_share_"):
            continue
        known = {load: value for load, measures in values.items() if (value := measures.get(key)) is not None}
        if known:
            pick = min if key in _LESS_IS_WORSE else max
            load = pick(known, key=lambda name: abs(known[name]))
            found[key] = (load, known[load])
    return found


@dataclass(frozen=True)
class Changes:
    """Relative and absolute changes by key, and why a relative one is null."""

    relative: Mapping[str, Value]
    absolute: Mapping[str, Value]
    reasons: Mapping[str, str]


def changes(before: Mapping[str, Value], after: Mapping[str, Value]) -> Changes:
    """(after - before) / before of every key in ``before``.

    Null where a value is missing, where |before| is below 1 % of the measure's scale, or where the
    sign changes; the absolute change then stands.
    """
    relative: dict[str, Value] = {}
    absolute: dict[str, Value] = {}
    reasons: dict[str, str] = {}
    for key, old in before.items():
        new = after.get(key)
        relative[key] = absolute[key] = None
        if old is None or new is None:
            reasons[key] = "there is no value before" if old is None else "there is no value after"
            continue
        absolute[key] = new - old
        scale = MEASURES[key].scale
        size = before.get(scale) if isinstance(scale, str) else scale
        if old == 0.0 or abs(old) < SMALLEST_SHARE_OF_SCALE * abs(size or 0.0):
            reasons[key] = "the value before is below 1 % of its scale"
        elif old * new < 0.0:
            reasons[key] = "the sign changes"
        else:
            relative[key] = (new - old) / old
    return Changes(MappingProxyType(relative), MappingProxyType(absolute), MappingProxyType(reasons))
