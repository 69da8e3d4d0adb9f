"""In what a case differs from the preset that it comes from, as text and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sacrofem.errors import shown
from sacrofem.system.htmltable import table, text_of

MOST_LINES = 40
"""Of a printed case."""
_LONGEST_REPR = 300


def flat(data: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """Nested plain data by dotted names; lists stay whole."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        where = f"{name}.{key}" if name else key
        found |= flat(value, where) if isinstance(value, Mapping) else {where: value}
    return found


@dataclass(frozen=True)
class Differences:
    """What a case sets otherwise than a preset.

    Attributes
    ----------
    case, preset : str
        Their names.
    values : mapping of str to (case's, preset's)
        By dotted key; None where a key has no value.
    """

    case: str
    preset: str
    values: Mapping[str, tuple[Any, Any]]

    @property
    def lines(self) -> list[str]:
        """At most 40 lines to be printed."""
        if not self.values:
            return [f"Case {shown(self.case, 60)}: nothing differs from preset {self.preset}"]
        many = f"{len(self.values)} keys differ" if len(self.values) > 1 else "one key differs"
        head = f"Case {shown(self.case, 60)}: {many} from preset {self.preset}"
        kept = list(self.values.items())
        if len(kept) > MOST_LINES - 1:
            kept = kept[: MOST_LINES - 2]
        width = max(len(key) for key, _ in kept)
        rows = [f"  {key:{width}}  {_short(mine)}  (preset: {_short(theirs)})" for key, (mine, theirs) in kept]
        more = len(self.values) - len(kept)
        return [head, *rows, *([f"  and {more} more"] if more else [])]

    @property
    def call(self) -> str:
        """The Python that makes such a case, cut short where there is much of it."""
        changes = {"name": self.case} if self.case != self.preset else {}
        changes |= {key.replace(".", "__"): mine for key, (mine, _) in self.values.items()}
        text = [repr(self.preset), *(f"{key}={value!r}" for key, value in changes.items())]
        whole = f"Case.preset({', '.join(text)})"
        if len(whole) <= _LONGEST_REPR:
            return whole
        kept = text[:1]
        for part in text[1:]:
            if len(", ".join([*kept, part])) > _LONGEST_REPR - 40:
                break
            kept.append(part)
        return f"Case.preset({', '.join(kept)}, ... and {len(text) - len(kept)} more)"

    @property
    def html(self) -> str:
        """The same as a table."""
        rows = [(key, _cell(mine), _cell(theirs)) for key, (mine, theirs) in self.values.items()]
        nothing = [("–", f"nothing: preset {self.preset} as it is", "–")]
        return table(("key", "value", "preset"), rows or nothing, f"Case {self.case}: differs from {self.preset}")


def differences(case: Mapping[str, Any], presets: Mapping[str, Mapping[str, Any]]) -> Differences:
    """What differs from the preset that a case bears the name of, else from the one with least to tell.

    A case holds values and no history: one that was read from a complete file, or reached by another way, says the
    same as an equal one that came straight from the preset.

    Parameters
    ----------
    case
        As plain data.
    presets
        All of them as plain data, by name; of several equally near the first counts.
    """
    name = case["name"]
    candidates = [name] if name in presets else list(presets)
    found = [Differences(name, preset, _between(case, presets[preset])) for preset in candidates]
    return min(found, key=lambda one: len(one.values))


def _between(case: Mapping[str, Any], preset: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    mine, theirs = (flat({k: v for k, v in data.items() if k not in ("name", "schema")}) for data in (case, preset))
    keys = dict.fromkeys((*theirs, *mine))
    # In the order of the sections, whichever of the two has a key.
    places = {section: place for place, section in enumerate(preset)}
    ordered = sorted(keys, key=lambda key: places.get(key.split(".")[0], 0))
    found = {key: (mine.get(key), theirs.get(key)) for key in ordered if mine.get(key) != theirs.get(key)}
    return {_lost(key, case) if values[0] is None else key: values for key, values in found.items()}


def _lost(key: str, case: Mapping[str, Any]) -> str:
    """The key that a case has no value for, or the whole table where it has none of that."""
    parts, here = key.split("."), case
    for place, part in enumerate(parts[:-1], 1):
        if part not in here:
            return ".".join(parts[:place])
        here = here[part]
    return key


def _short(value: Any) -> str:
    return "not given" if value is None else shown(list(value) if isinstance(value, tuple) else value, 40)


def _cell(value: Any) -> str:
    return text_of(value) if isinstance(value, float) else _short(value) if not isinstance(value, str) else value
