"""How a case, a comparison and a study look in a notebook: small tables, no scripts, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sacrofem.case import Case
    from sacrofem.compare import Comparison
    from sacrofem.study.design import Study

CLAIM = "Research use, not a medical device."
_HEADLINES = (
    "micromotion_mean_um",
    "fragment_motion_um",
    "fracture_von_mises_mean_mpa",
    "fracture_von_mises_p95_mpa",
    "stiffness_n_per_mm",
    "yield_load_n",
)
_MOST_ROWS = 20


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str) -> str:
    columns = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def case_html(case: Case) -> str:
    """What a case sets, section by section, where it differs from the default."""
    default = type(case)().to_dict()
    rows = [
        (f"{section}.{key}", value)
        for section, content in case.to_dict().items()
        if isinstance(content, dict)
        for key, value in content.items()
        if default.get(section, {}).get(key) != value
    ]
    caption = f"Case {case.name}: what differs from the typical patient"
    return _table(("key", "value"), rows or [("–", "nothing: the typical patient")], caption)


def comparison_html(comparison: Comparison) -> str:
    """Headlines before and after, and what was placed."""
    rows = []
    for key in _HEADLINES:
        change = comparison.change[key]
        shown = None if change is None else f"{100 * change:+.1f} %"
        rows.append((key, comparison.before[key], comparison.after[key], shown))
    placed = comparison.cement["placed_ml"]
    caption = f"{comparison.case.name}: {placed:.2f} ml of cement. {CLAIM}"
    notes = "".join(f"<li>{escape(text)}</li>" for text in comparison.warnings)
    return _table(("measure", "before", "after", "change"), rows, caption) + (f"<ul>{notes}</ul>" if notes else "")


def study_html(study: Study) -> str:
    """The first scenarios of a study."""
    rows = [(scenario.number, *scenario.factors.values()) for scenario in study.scenarios[:_MOST_ROWS]]
    more = len(study.scenarios) - len(rows)
    caption = f"Study {study.name}: {len(study.scenarios)} scenarios" + (f", {more} more below" if more > 0 else "")
    return _table(("scenario", *study.columns), rows, caption)
