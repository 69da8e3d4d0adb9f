"""Case and study files as text: strict TOML in, complete TOML out, and the merging of nested values."""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sacrofem.case.fields import choices, keys, numbers, section_in, table_of
from sacrofem.errors import InputError, cut

LARGEST_CASE, LARGEST_STUDY = 1_000_000, 20_000_000
"""Bytes. A case is a page of text and a study a list of scenarios; anything larger is some other file."""
MOST_LEVELS = 20
"""Tables and lists in one another; a case has four."""

_KEY = r"""(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
# The parser takes the square of the length of a dotted key.
_LONG_KEY = re.compile(rf"(?:^|[\[{{,])[ \t]*{_KEY}(?:[ \t]*\.[ \t]*{_KEY}){{{MOST_LEVELS},}}", re.MULTILINE)


def read_toml(path: Path, kind: str = "case", largest: int = LARGEST_CASE) -> dict[str, Any]:
    """The tables of a TOML file.

    Parameters
    ----------
    path
    kind
        What the file is, for errors: of a case or of a study.
    largest
        Bytes that are read at most.

    Raises
    ------
    InputError
        Missing, no plain file, unreadable, too large, not UTF-8, not TOML, too deep, or a key given twice.
    """
    mend = f"name the .toml file of the {kind}"
    try:
        if not path.exists():
            how = "check the path, or write one with `sacrofem init`" if kind == "case" else "check the path"
            raise InputError("no such file", file=path, mend=how)
        # Neither a pipe, which may never say anything, nor a device, which may never end.
        if not path.is_file():
            raise InputError("not a file", file=path, mend="name the .toml file itself")
        with path.open("rb") as handle:
            content = handle.read(largest + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(f"cannot be read ({cut(reason)})", file=path, mend="check path and permissions") from None
    if len(content) > largest:
        raise InputError(f"too large for a {kind} file", file=path, mend=mend)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8", file=path, mend=mend) from None
    if _LONG_KEY.search(text):
        raise _too_deep(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = cut(error, 120)
        if reason.startswith(("Cannot overwrite", "Cannot declare", "Duplicate")):
            raise InputError(f"a key or table is given twice: {reason}", file=path, mend="keep one of them") from None
        raise InputError(f"not valid TOML: {reason}", file=path, mend="mend that line") from None
    except RecursionError:
        raise _too_deep(path) from None
    except ValueError:
        # What Python refuses to read as a number for its length.
        raise InputError("holds a number of thousands of digits", file=path, mend="write a shorter one") from None


def _too_deep(path: Path) -> InputError:
    mend = "a case has tables in tables in tables, and no more"
    return InputError(f"nested deeper than {MOST_LEVELS} levels", file=path, mend=mend)


class Whole(dict[str, Any]):
    """A table that replaces another, and is not laid over it."""


def nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a.b": 1}`` as ``{"a": {"b": 1}}``, laid over what is given for ``"a"`` itself.

    Raises
    ------
    InputError
        A path leads through something that is no table.
    """
    tree: dict[str, Any] = {}
    # Tables first, so that the order in which they are given does not matter.
    for name, value in sorted(dotted.items(), key=lambda item: item[0].count(".")):
        *path, last = name.split(".")
        branch: Any = tree
        for part in path:
            inner = branch.get(part)
            # A copy: what the caller gave stays as it is.
            branch[part] = type(inner)(inner) if isinstance(inner, dict) else {} if inner is None else inner
            branch = branch[part]
            if not isinstance(branch, dict):
                raise InputError("is given beside a value that is no table", field=name, value=value, mend="keep one")
        old = branch.get(last)
        branch[last] = merged(old, value) if isinstance(old, Mapping) and _lies_over(value) else value
    return tree


def overlap(key: str, other: str) -> bool:
    """Whether two dotted keys are one, or one of them is a table that holds the other."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


def merged(base: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``update`` laid over it, table by table; lists are replaced whole.

    Own injections bring their own total, so they drop a total that only the base gave.
    """
    result = Whole(base) if isinstance(base, Whole) else dict(base)
    for key, value in update.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and _lies_over(value) else value
    if update.get("injections") and "volume_ml" not in update:
        result.pop("volume_ml", None)
    return result


def _lies_over(value: object) -> bool:
    return isinstance(value, Mapping) and not isinstance(value, Whole)


# ---------------------------------------------------------------------- writing
def emit_toml(data: Mapping[str, Any], model: type[BaseModel] | None = None) -> str:
    """Nested plain data as TOML; with ``model``, every key explained, those that have no value as comments."""
    return "\n".join(_lines(data, model, "")).strip() + "\n"


def _lines(data: Mapping[str, Any], model: type[BaseModel] | None, path: str) -> Iterator[str]:
    fields = keys(model) if model else {}
    tables = {key for key, value in data.items() if _is_table(value)}
    tables |= {key for key, info in fields.items() if _holds_tables(info)}
    for key, value in data.items():
        if key not in tables:
            yield from _explained(f"{key} = {_literal(value)}", _note(fields.get(key)))
    for key, info in fields.items():
        if key not in data and key not in tables:
            yield from _comment(f"{key} = ...  {_note(info)}")
    for key in dict.fromkeys((*data, *fields)):
        if key in tables:
            yield from _table(data.get(key), fields.get(key), f"{path}{key}")


def _table(value: Any, info: FieldInfo | None, path: str) -> Iterator[str]:
    section = section_in(info.annotation) if info else None
    if value is None or (not value and (section is None or not isinstance(value, Mapping))):
        if info:
            yield from _template(info, section, path)
    elif isinstance(value, Mapping):
        yield from ("", f"[{path}]" + (f"  # {_title(section)}" if section else ""))
        yield from _lines(value, section, f"{path}.")
    else:
        for item in value:
            yield from ("", f"[[{path}]]" + (f"  # {_title(section)}" if section else ""))
            yield from _lines(item, section, f"{path}.")


def _template(info: FieldInfo, section: type[BaseModel] | None, path: str) -> Iterator[str]:
    """A table that is not there, as comments: what it would be for, and its keys."""
    yield ""
    table = table_of(info.annotation)
    if section is None and table is not None:
        yield from _comment(f"[{path}]  # {info.description}")
        names = ", ".join(map(str, choices(table[0])))
        bounds = next(numbers(info), None)
        yield from _comment(f"KEY = ...  # with KEY one of {names}" + (f"; {bounds}" if bounds else ""))
        return
    assert section is not None
    many = isinstance(info.get_default(call_default_factory=True), tuple)
    yield from _comment(f"[[{path}]]  # {_title(section)}; one such table for each" if many else
                        f"[{path}]  # {_title(section)}")  # fmt: skip
    for key, inner in keys(section).items():
        default = inner.get_default(call_default_factory=True)
        value = "..." if inner.is_required() or default is None else _literal(default)
        yield from _comment(f"{key} = {value}  # {_note(inner)}")


def _explained(text: str, note: str) -> Iterator[str]:
    if note and len(text) + len(note) < 116:
        yield f"{text}  # {note}"
    else:
        yield from _comment(note)
        yield text


def _comment(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, 112, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)


def _note(info: FieldInfo | None) -> str:
    """What a key is, its choices, its bounds and where they come from."""
    if info is None:
        return ""
    parts = [info.description or ""]
    allowed = choices(info.annotation)
    if len(allowed) > 1:
        parts.append("one of " + ", ".join(map(str, allowed)))
    parts += [str(bounds) for bounds in list(numbers(info))[:1] if str(bounds)]
    return "; ".join(part for part in parts if part)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(item, Mapping) for item in value)
    )


def _holds_tables(info: FieldInfo) -> bool:
    return section_in(info.annotation) is not None or table_of(info.annotation) is not None


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    raise TypeError(f"{type(value).__name__} has no TOML form here")


def _title(section: type[BaseModel]) -> str:
    about = (section.__doc__ or "").split("\n\n")[0]
    return about.split(": ", 1)[-1].strip().rstrip(".")
