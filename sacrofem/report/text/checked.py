"""What `check` found, as tables: the model in numbers, and how near needles and cement come to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sacrofem.report.text.studywords import factor_label, shown
from sacrofem.report.text.table import number

if TYPE_CHECKING:
    from rich.table import Table

CLEARANCE = "clearance_mm"


def tables(summary: Mapping[str, Any]) -> list[Table]:
    """Rich tables of what `sacrofem.specimen.check.summary` gave: numbers, then distances if there are any."""
    numbers = _table("what", "value")
    for section, content in summary.items():
        if section != "warnings" and isinstance(content, Mapping):
            for name, value in _numbers(content, section):
                numbers.add_row(name, value)
    distances = _distances(summary)
    if not distances:
        return [numbers]
    near = _table("clearance / mm", *distances)
    for place in dict.fromkeys(place for column in distances.values() for place in column):
        near.add_row(place.replace("_", " "), *(number(column.get(place)) for column in distances.values()))
    return [numbers, near]


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """What is said in whole sentences: where bone comes from, and notes."""
    bone = (f"{name} of bone: {text}" for name, text in summary.get("bone", {}).items() if isinstance(text, str))
    return [*bone, *(f"note: {text}" for text in summary.get("warnings", {}).values())]


def _numbers(content: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        place = f"{where}.{key}"
        if key == CLEARANCE or (where == "bone" and isinstance(value, str)):
            continue
        if isinstance(value, Mapping):
            yield from _numbers(value, place)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for count, item in enumerate(value, 1):
                yield from _numbers(item, f"{place.removesuffix('s')} {count}")
        else:
            yield factor_label(place), _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return number(value) if isinstance(value, float) else shown(value)


def _distances(summary: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    """Clearance of cement and of each needle, by structure."""
    columns = {"cement": summary.get("cement", {}).get(CLEARANCE)}
    for count, needle in enumerate(summary.get("safety", {}).get("needles", ()), 1):
        columns[f"needle {count}"] = needle.get(CLEARANCE)
    return {name: column for name, column in columns.items() if column}


def _table(first: str, *others: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
