"""The verdicts that stand above all numbers of a page: the model, what cement reaches, and what it comes near to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from markupsafe import Markup

from sacrofem.report.page.page import Numbers


@dataclass(frozen=True)
class Verdict:
    """One box: how grave it is, its subject, the verdict in a sentence, and what it rests on."""

    state: Literal["good", "amber", "bad"]
    subject: str
    text: str
    details: list[Markup] = field(default_factory=list)


def verdicts(content: Mapping[str, Any], numbers: Numbers) -> list[Verdict]:
    """All verdicts on a comparison.

    Parameters
    ----------
    content
        As in ``comparison.json``.
    numbers
    """
    return [*_validity(content, numbers), *_reach(content, numbers), _safety(content, numbers)]


def _validity(content: Mapping[str, Any], numbers: Numbers) -> Iterator[Verdict]:
    """Whether the numbers lie inside the model."""
    found: Mapping[str, Any] = content.get("validity") or {}
    if not found.get("checks"):
        return
    details = []
    for name, check in found["checks"].items():
        at = f"comparison/validity/checks/{name}"
        if check["number"] is None:
            details.append(Markup("{}: – ({}).").format(check["what"].capitalize(), check["reason"]))
            continue
        number, amber, outside = (
            _with_unit(numbers, f"{at}/{key}", check["unit"]) for key in ("number", "amber", "outside")
        )
        details.append(
            Markup("{}: {}, {} {} cement; amber above {}, outside above {} ({}).").format(
                check["what"].capitalize(), check["state"], number, check["at"], amber, outside, check["source"]
            )
        )
    state: Literal["good", "amber", "bad"] = (
        "bad" if found["state"] == "outside" else "amber" if found["state"] == "amber" else "good"
    )
    yield Verdict(state, "Validity", f"{found['text']}.", details)


def _with_unit(numbers: Numbers, path: str, unit: str) -> Markup:
    """A number with its unit; a share in percent."""
    if unit:
        return Markup("{} {}").format(numbers(path), unit)
    return numbers(path, f"{100.0 * numbers.raw(path):.3g} %")


def _reach(content: Mapping[str, Any], numbers: Numbers) -> Iterator[Verdict]:
    """Where a fracture is not reached."""
    reached: Mapping[str, bool] = (content.get("cement") or {}).get("reached") or {}
    missed = [name.replace("_", " ") for name, met in reached.items() if not met]
    if not missed:
        return
    none = len(missed) == len(reached)
    text = "cement reaches no fracture." if none else f"cement does not reach {', '.join(missed)}."
    shares = [
        Markup("Covered of {}: {} of its area.").format(
            name.replace("_", " "), _with_unit(numbers, f"comparison/cement/covered_share/{name}", "")
        )
        for name in reached
    ]
    yield Verdict("bad" if none else "amber", "Reach", text, shares)


def _safety(content: Mapping[str, Any], numbers: Numbers) -> Verdict:
    """On canal and foramina, with the distances and volumes that it rests on."""
    safety = content.get("safety")
    cement: Mapping[str, Any] = content.get("cement") or {}
    details = []
    for key, words, name in (("clearance_mm", "clearance", "mm"), ("leaked_ml", "leaked", "ml")):
        values: Mapping[str, Any] = cement.get(key) or {}
        parts = [
            Markup("{} {} {}").format(
                structure.replace("_", " "), numbers(f"comparison/cement/{key}/{structure}"), name
            )
            for structure in values
        ]
        if parts:
            details.append(Markup("{}: {}").format(words.capitalize(), Markup(", ").join(parts)))
    if not isinstance(safety, Mapping):
        return Verdict("good", "Safety", "not checked in this run.", details)
    bad = bool(safety.get("violated"))
    inside = [str(name).replace("_", " ") for name in safety.get("encroached") or ()]
    touching = safety.get("touching") or ()
    text = "clear: nothing lies in canal or foramina or touches them, and no limit of the case is exceeded."
    if bad:
        found = [f"encroaching: cement or a needle lies inside: {', '.join(inside)}"] if inside else []
        text = "; ".join([*found, *map(str, safety.get("exceeded") or ())]) + "."
    elif touching:
        text = "touching: nothing lies in canal or foramina, but a radiologist would point at what follows."
    for k, touch in enumerate(touching):
        at = f"comparison/safety/touching/{k}"
        unit = "" if touch["unit"] == "share" else touch["unit"]
        details.append(
            Markup("{} {}: {}{}, bound {} ({}).").format(
                touch["what"].capitalize(), str(touch["where"]).replace("_", " "),
                _with_unit(numbers, f"{at}/value", unit), "" if unit else " of the ala",
                _with_unit(numbers, f"{at}/bound", unit), touch["source"],
            )
        )  # fmt: skip
    if safety.get("first_reached"):
        at = "comparison/safety/first_reached"
        details.append(
            Markup("Growing cement first reaches {} at {} ml of needle {}.").format(
                numbers(f"{at}/structure"), numbers(f"{at}/volume_ml"), numbers(f"{at}/needle")
            )
        )
    if cement.get("withheld_ml"):
        details.append(Markup("Withheld there: {} ml.").format(numbers("comparison/cement/withheld_ml")))
    return Verdict("bad" if bad else "amber" if touching else "good", "Safety", text, details)
