"""Case files as text: strict TOML in, complete TOML out, and the merging of nested values."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sacrofem.errors import InputError

# A case is a page of text; anything larger is some other file given by mistake.
_LARGEST_FILE = 1_000_000


def parse_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises
    ------
    InputError
        Missing, unreadable, too large, not UTF-8, not TOML, or a key given twice.
    """
    try:
        if not path.exists():
            raise InputError("no such file", file=path, mend="check the path, or write one with `sacrofem init`")
        if not path.is_file():
            raise InputError("not a file", file=path, mend="name the .toml file itself")
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError("too large for a case file", file=path, mend="name the .toml file of the case")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8", file=path, mend="name the .toml file of the case") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path, mend="check its permissions") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        if reason.startswith(("Cannot overwrite", "Cannot declare", "Duplicate")):
            raise InputError(f"a key or table is given twice: {reason}", file=path, mend="keep one of them") from None
        raise InputError(f"not valid TOML: {reason}", file=path, mend="mend that line") from None


def nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a.b": 1}`` as ``{"a": {"b": 1}}``."""
    tree: dict[str, Any] = {}
    for name, value in dotted.items():
        *path, last = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = value
    return tree


def merged(base: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``update`` laid over it, table by table; lists are replaced whole.

    Own injections bring their own total, so they drop a total that only the base gave.
    """
    result = dict(base)
    for key, value in update.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    if update.get("injections") and "volume_ml" not in update:
        result.pop("volume_ml", None)
    return result


# ---------------------------------------------------------------------- writing
def emit_toml(data: Mapping[str, Any], model: type[BaseModel] | None = None) -> str:
    """Nested plain data as TOML; with ``model``, its field descriptions as comments."""
    lines: list[str] = []
    _emit_table(data, model, "", lines)
    return "\n".join(lines).strip() + "\n"


def _emit_table(data: Mapping[str, Any], model: type[BaseModel] | None, path: str, lines: list[str]) -> None:
    scalars = {key: value for key, value in data.items() if not _is_table(value)}
    for key, value in scalars.items():
        text = f"{key} = {_literal(value)}"
        note = _description(model, key)
        lines.append(f"{text}  # {note}" if note and len(text) + len(note) < 116 else text)
        if note and lines[-1] == text:
            lines[-1:] = [*textwrap.wrap(note, 112, initial_indent="# ", subsequent_indent="# "), text]
    for key, name in _absent(data, model):
        wrapped = textwrap.wrap(f"{key} = ...  {name}", 112, initial_indent="# ", subsequent_indent="#   ")
        lines.extend(wrapped)
    for key, value in data.items():
        if key in scalars:
            continue
        inner = f"{path}{key}"
        section = _section(model, key)
        if isinstance(value, Mapping):
            if not value and section is None:
                continue
            about = f"  # {_title(section)}" if section else ""
            lines.extend(["", f"[{inner}]{about}"])
            _emit_table(value, section, f"{inner}.", lines)
        else:
            for item in value:
                lines.extend(["", f"[[{inner}]]"])
                _emit_table(item, None, f"{inner}.", lines)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(item, Mapping) for item in value)
    )


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


def _description(model: type[BaseModel] | None, key: str) -> str | None:
    if model is None:
        return None
    for name, info in model.model_fields.items():
        if (info.alias or name) == key:
            return info.description
    return None


def _absent(data: Mapping[str, Any], model: type[BaseModel] | None) -> list[tuple[str, str]]:
    if model is None:
        return []
    keys = {info.alias or name: info.description or "" for name, info in model.model_fields.items()}
    return [(key, text) for key, text in keys.items() if data.get(key, {}) == {} and _section(model, key) is None]


def _section(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    if model is None or key not in model.model_fields:
        return None
    kind = model.model_fields[key].annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _title(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").split(": ", 1)[-1].strip().rstrip(".")
