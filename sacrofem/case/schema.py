"""Versions of the names of a case, and how those of an older version are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SCHEMA: Literal[2] = 2
"""Of the names that this version writes. A file that states none is taken to be of this version."""

_NMM_PER_NM = 1000.0


@dataclass(frozen=True)
class Renamed:
    """What a key of an older schema is now.

    Attributes
    ----------
    key : str
        Its dotted name.
    over : float
        Numbers are divided by it; 1 where the unit is the same.
    words : str
        What changed, for a note.
    """

    key: str
    over: float = 1.0
    words: str = ""

    def value(self, old: Any) -> Any:
        """The value in the unit of the new key; what is no number stays as it is, and is refused as ever."""
        if isinstance(old, list | tuple):
            return [self.value(item) for item in old]
        number = isinstance(old, int | float) and not isinstance(old, bool)
        return old / self.over if number and self.over != 1.0 else old


RENAMED: Mapping[str, Renamed] = {
    "load.point": Renamed("load.point_mm", 1.0, "mm, as before"),
    "load.moment": Renamed("load.moment_n_m", _NMM_PER_NM, "N m, was N mm"),
}
"""Keys of schema 1 by their dotted names there."""


def translated(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tables of a case of any schema under the names of this one, and a note on each key that has another.

    Parameters
    ----------
    data
        As in a case file; of a schema that is not 1 it stays as it is.
    """
    if not _is_first(data):
        return dict(data), ()
    result, notes = {**data, "schema": SCHEMA}, []
    for old, new in RENAMED.items():
        (section, key), (_, now) = old.split("."), new.key.split(".")
        table = result.get(section)
        if isinstance(table, Mapping) and key in table and now not in table:
            result[section] = {(now if k == key else k): (new.value(v) if k == key else v) for k, v in table.items()}
            if table[key] not in ([0.0, 0.0, 0.0], (0.0, 0.0, 0.0)):
                notes.append(_note(old, new))
    return result, tuple(notes)


def translated_study(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The same of a study file, whose keys of the case are dotted: in ``case``, factors, levels and scenarios."""
    if not _is_first(data):
        return dict(data), ()
    notes: dict[str, None] = {}

    def dotted(value: Any) -> Any:
        """A table of dotted or nested keys with the new names."""
        if not isinstance(value, Mapping):
            return value
        nested, found = translated({**value, "schema": 1})
        notes.update(dict.fromkeys(found))
        del nested["schema"]
        result = {}
        for key, item in nested.items():
            new = RENAMED.get(key)
            if new is not None:
                notes[_note(key, new)] = None
            result[key if new is None else new.key] = item if new is None else new.value(item)
        return result

    def factor(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        result = dict(value)
        if isinstance(levels := value.get("levels"), list | tuple):
            result["levels"] = [dotted(level) for level in levels]
        path = value.get("path")
        if isinstance(path, str) and (new := RENAMED.get(path)) is not None:
            notes[_note(path, new)] = None
            result["path"] = new.key
            result |= {key: new.value(value[key]) for key in ("values", "low", "high") if key in value}
        return result

    result = {**data, "schema": SCHEMA}
    if "case" in data:
        result["case"] = dotted(data["case"])
    for name, change in (("factors", factor), ("scenarios", dotted)):
        if isinstance(data.get(name), list | tuple):
            result[name] = [change(item) for item in data[name]]
    return result, tuple(notes)


def _is_first(data: Mapping[str, Any]) -> bool:
    version = data.get("schema")
    return isinstance(version, int) and not isinstance(version, bool) and version == 1


def _note(old: str, new: Renamed) -> str:
    return f"read from schema 1: {old} is {new.key} now ({new.words})"
