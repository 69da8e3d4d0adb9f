"""The report: one HTML page with everything in it, readable from a mail attachment."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sacrofem.case import Case
from sacrofem.report.bands import sentences
from sacrofem.report.table import left_out, number, rows

CLAIM = "Research use, not a medical device."

_TITLES = {
    "anatomy": "Bone, fracture and cement",
    "von_mises": "Von Mises stress in two sections",
    "micromotion": "Micromotion of the fracture faces",
    "changes": "Changes",
}
# The first three of these that exist lead the page.
_LEADING = (
    "micromotion_mean_um",
    "fracture_von_mises_p95_mpa",
    "lesion_von_mises_p95_mpa",
    "front_max_principal_p95_mpa",
    "stiffness_n_per_mm",
)


def render(content: Mapping[str, Any], pictures: Mapping[str, Path]) -> str:
    """The page of one comparison.

    Parameters
    ----------
    content
        As in ``comparison.json``.
    pictures
        PNG files by figure name, in the order of the page.
    """
    case = Case.from_dict(content["case"])
    states = content["before"], content["after"], content["change"], content["intact"]
    table = partial(rows, *states, mesh_band=content["mesh_band"], input_range=content["input_range"])
    # A leading change is relative; an absolute one has no meaning without its row.
    leading = {row.key: row for row in table() if row.change.endswith("%") and row.key in _LEADING}
    environment = Environment(
        loader=PackageLoader("sacrofem.report"), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("report.html").render(
        name=case.name,
        claim=CLAIM,
        sentence=sentence(case, content),
        content=content,
        headlines=[leading[key] for key in _LEADING if key in leading][:3],
        rows=table(headlines_only=False),
        preview=case.mesh.order == 1,
        ranges=sentences(content.get("bands") or {}),
        left_out=left_out(content["before"], content["mesh_band"]),
        pictures=[
            {"title": _TITLES.get(name, name), "data": base64.b64encode(path.read_bytes()).decode("ascii")}
            for name, path in pictures.items()
        ],
        facts=_facts(content),
        case=case.to_toml(),
    )


def sentence(case: Case, content: Mapping[str, Any]) -> str:
    """What was done, in one sentence."""
    half = "" if case.anatomy.half == "none" else f", {case.anatomy.half} half"
    bone = f"{case.materials.bone} {case.anatomy.sex} sacrum{half}"
    side = {"both": "bilateral ", "left": "left ", "right": "right "}[case.fracture.side]
    broken = []
    if case.fracture.zone != "none":
        partial = "" if case.fracture.extent == 1 else "partial "
        paired = case.fracture.zone in ("zone1", "zone2")
        broken.append(f"{partial}{side if paired else ''}{case.fracture.zone} fracture")
    if case.fracture.surfaces:
        broken.append(f"{len(case.fracture.surfaces)} own fracture planes")
    if case.lesion.kind != "none":
        broken.append(f"{case.lesion.kind} lytic lesion")
    treated = f"{number(content['cement']['placed_ml'])} ml {case.cement.material}"
    if case.cement.spot is not None:
        treated += f", fused over a disc of {case.cement.spot.radius_mm:g} mm radius"
    force = "" if case.load.force_n is None else f" with {case.load.force_n:g} N"
    what = " and ".join(broken) or "no fracture"
    return f"{bone[0].upper()}{bone[1:]} with {what}, {case.load.kind}{force}, before and after {treated}."


def _facts(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    for section in ("cement", "mesh", "solver", "checks"):
        for key, value in (content.get(section) or {}).items():
            if value is None or isinstance(value, Mapping):
                continue
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            facts.append((f"{section} {key.replace('_', ' ')}", text))
    return facts
