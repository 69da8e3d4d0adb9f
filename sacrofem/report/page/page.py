"""What all pages share: one look, pictures inside the file, and numbers that can be checked against the result."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

CLAIM = "Research use, not a medical device."


@dataclass(frozen=True)
class Picture:
    """A picture of the page: its heading, what it shows in words, and the file as base64."""

    title: str
    alt: str
    data: str

    @classmethod
    def read(cls, path: Path, title: str, alt: str) -> Picture:
        """The picture of a PNG file."""
        return cls(title, alt, base64.b64encode(path.read_bytes()).decode("ascii"))


class Numbers:
    """Marks every number with where it stands in the result, so that a reader can check it.

    Parameters
    ----------
    **sources
        Mappings whose numbers the page shows, by the first part of a path.
    """

    def __init__(self, **sources: Mapping[str, Any] | None) -> None:
        self._sources = sources

    def raw(self, path: str) -> Any:
        """The value at a path such as ``comparison/before/slip_mean_um``; None where there is none."""
        value: Any = self._sources
        for part in path.split("/"):
            if isinstance(value, Sequence) and not isinstance(value, str):
                value = value[int(part)] if int(part) < len(value) else None
            else:
                value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def __call__(self, path: str, text: object = None) -> Markup:
        """The value at a path as text, its full digits beside it; a dash where there is none."""
        value = self.raw(path)
        if value is None:
            return escape("–" if text is None else text)
        shown = _text(value) if text is None else text
        return Markup('<data value="{}" data-path="{}">{}</data>').format(
            json.dumps(value, ensure_ascii=False), path, shown
        )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)


@cache
def environment() -> Environment:
    """The templates; undefined names are errors and all text is escaped."""
    return Environment(
        loader=PackageLoader("sacrofem.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def script(name: str) -> Markup:
    """A script or style of the package to be put inside a page."""
    text = (resources.files("sacrofem.report.page") / name).read_text(encoding="utf-8")
    if "</script" in text.lower() or "</style" in text.lower():
        raise ValueError(f"{name} would end its own element")
    return Markup(text)  # our own file


def embedded(content: object) -> Markup:
    """Data for a script, safe inside its element."""
    return Markup(json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"))
