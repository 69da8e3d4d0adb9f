"""Small tables for notebooks: no scripts, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

CLAIM = "Research use, not a medical device."


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str) -> str:
    """A table with its caption."""
    columns = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(text_of(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"


def text_of(value: Any) -> str:
    """A cell: four digits of a number, a dash for nothing."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
