"""The report: one HTML page with everything in it, readable from a mail attachment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from markupsafe import Markup

from sacrofem.case.case import Case
from sacrofem.case.tomlfile import emit_toml
from sacrofem.mechanics.measures.catalogue import MEASURES
from sacrofem.report.page.checklist import checklist
from sacrofem.report.page.page import CLAIM, Numbers, Picture, embedded, environment, script
from sacrofem.report.page.verdicts import verdicts
from sacrofem.report.text.bands import UNCONVERGED, half_width, sentences
from sacrofem.report.text.loads import load_rows
from sacrofem.report.text.table import Row, change_text, label, left_out, number, rows, unit
from sacrofem.system.version import VERSION

__all__ = ["CLAIM", "render", "sentence"]

# Heading and what is to be seen, of every figure that may be in a result folder.
_PICTURES = {
    "anatomy": (
        "Bone, fracture and cement",
        "The sacrum as glass from the front, the back and the left, with its fracture faces, cement and needles.",
    ),
    "plan": (
        "The plan",
        "Like pictures of X-rays: a slice along the first needle and the view from behind, grey by density, with "
        "needles, cement, fracture, and the outlines of canal and foramina that must stay clear.",
    ),
    "von_mises": (
        "Sections through the fracture",
        "Von Mises stress before, after and their difference in a section parallel to the S1 endplate and in a coronal "
        "one, with the outlines of fracture and cement. Before and after share one scale; the difference spans as much "
        "on either side of zero.",
    ),
    "micromotion": (
        "Micromotion on the fracture faces",
        "The fracture faces laid flat and coloured by their micromotion, before and after on one scale.",
    ),
    "gap_parts": (
        "Opening and slip",
        "The same faces with the motion split: opening (closing where negative) and slip along the faces, each before "
        "and after on one scale.",
    ),
    "histogram": (
        "Stress by volume",
        "How much bone carries how much von Mises stress before and after: in the whole sacrum and near the fracture.",
    ),
    "changes": ("Changes", "The relative change of every headline measure, with its mesh band where there is one."),
}
# The first three of these that exist lead the page.
_LEADING = (
    "micromotion_mean_um",
    "fracture_von_mises_p95_mpa",
    "lesion_von_mises_p95_mpa",
    "front_max_principal_p95_mpa",
    "stiffness_n_per_mm",
)
_LAYERS = {
    "bone": "bone",
    "fracture": "fracture",
    "cement": "cement (after)",
    "needles": "needles (after)",
    "corridors": "canal and foramina",
}


def render(
    content: Mapping[str, Any],
    pictures: Mapping[str, Path],
    *,
    scene: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
) -> str:
    """The page of one comparison.

    Parameters
    ----------
    content
        As in ``comparison.json``.
    pictures
        PNG files by figure name, in the order of the page.
    scene
        The three-dimensional view (`sacrofem.report.page.scene.scene_of`); without it the page has none.
    run
        ``versions``, ``seconds``, ``solver_seconds``, ``peak_memory_mib``, ``inputs`` and ``files`` (hashes
        by name), as in ``manifest.json``.
    """
    case = Case.from_dict(content["case"])
    states = content["before"], content["after"], content["change"], content["intact"]
    table = partial(rows, *states, mesh_band=content["mesh_band"], input_range=content["input_range"])
    numbers = Numbers(
        comparison=content,
        difference=_differences(content),
        half=_half_widths(content),
        run=run or {},
        scene=scene or {},
    )
    marked = partial(_marked, numbers=numbers)
    # A leading change is relative; an absolute one has no meaning without its row.
    leading = {row.key: row for row in table() if row.change.endswith("%") and row.key in _LEADING}
    outside = (content.get("validity") or {}).get("state") == "outside"
    notes = [numbers(f"comparison/warnings/{k}") for k in range(len(content["warnings"]))]
    contents = [("notes", "What to know first")] if notes else []
    contents += [("space", "In three dimensions")] if scene else []
    contents += [("pictures", "Pictures")] if pictures else []
    contents += [("measures", "Measures"), ("method", "Method"), ("provenance", "Versions and files")]
    return (
        environment()
        .get_template("report.html")
        .render(
            name=case.name,
            version=VERSION,
            claim=CLAIM,
            script=script,
            embedded=embedded,
            number=numbers,
            contents=contents,
            sentence=sentence(case, content, numbers),
            content=content,
            headlines=[] if outside else [marked(leading[key]) for key in _LEADING if key in leading][:3],
            verdicts=verdicts(content, numbers),
            rows=[marked(row) for row in table(headlines_only=False)],
            preview=case.mesh.order == 1,
            ranges=sentences(content.get("bands") or {}),
            left_out=left_out(content["before"], content["mesh_band"]),
            notes=notes,
            scene=scene,
            layer_names=_LAYERS,
            side_note="The front of the body is where the page opens; the patient's left is on the right there.",
            pictures=[_picture(name, path) for name, path in pictures.items()],
            reasons=[(label(key), text) for key, text in (content.get("reasons") or {}).items()],
            fractures=_fractures(content, numbers),
            loads=_loads(content, numbers),
            headings=checklist(case, content, numbers),
            provenance=_provenance(run or {}, numbers),
            case=case_text(content),
        )
    )


def case_text(content: Mapping[str, Any]) -> str:
    """The case file of a result: what it says of bone that was not used is left out, and said so."""
    given = content.get("given_in_python") or ()
    head = (
        f"# Given in Python: {', '.join(given)}. This file alone does not give these numbers again.\n" if given else ""
    )
    return head + emit_toml(content["case"])


def sentence(case: Case, content: Mapping[str, Any], numbers: Numbers | None = None) -> str:
    """What was done, in one sentence."""
    bone = _bone(case, content)
    broken = _broken(case, content)
    if case.lesion.kind != "none":
        broken.append(f"{case.lesion.kind} lytic lesion")
    placed = number(content["cement"]["placed_ml"])
    shown = placed if numbers is None else numbers("comparison/cement/placed_ml", placed)
    treated = Markup("{} ml {}").format(shown, case.cement.material)
    if case.cement.spot is not None:
        treated += f", fused over a disc of {case.cement.spot.radius_mm:g} mm radius"
    force = "" if case.load.force_n is None else f" with {case.load.force_n:g} N"
    if (vector := case.load.force_vector_n) is not None:
        force = f" with ({', '.join(f'{component:g}' for component in vector)}) N"
    what = " and ".join(broken) or "no fracture"
    text = Markup("{} with {}, {}{}, before and after {}.")
    whole = text.format(f"{bone[0].upper()}{bone[1:]}", what, case.load.kind, force, treated)
    return whole if numbers is not None else whole.unescape()


def _broken(case: Case, content: Mapping[str, Any]) -> list[str]:
    """Its fractures."""
    if case.anatomy.kind == "mesh" or "mesh" in (content.get("given_in_python") or ()):
        # A mesh may bring fractures of its own in place of those of the case.
        return [f"fracture {name.replace('_', ' ')}" for name in content.get("fractures") or ()]
    fracture, broken = case.fracture, []
    if fracture.zone != "none":
        side = {"both": "bilateral ", "left": "left ", "right": "right "}[fracture.side]
        partial = "" if fracture.extent == 1 else "partial "
        broken.append(f"{partial}{side if fracture.zone in ('zone1', 'zone2') else ''}{fracture.zone} fracture")
    if fracture.surfaces:
        broken.append(f"{len(fracture.surfaces)} own fracture planes")
    return broken


def _bone(case: Case, content: Mapping[str, Any]) -> str:
    """Which bone, by what supplied it."""
    found: Mapping[str, Any] = content.get("bone") or {}
    density: Mapping[str, Any] = found.get("density") or {}
    modulus: Mapping[str, Any] = found.get("modulus") or {}
    anatomy = case.anatomy
    own, python = anatomy.kind != "parametric", "mesh" in (content.get("given_in_python") or ())
    half = "" if anatomy.half == "none" else f", {anatomy.half} half"
    bone = f"sacrum of {PurePath(anatomy.path or '').name}" if own else f"{anatomy.sex} sacrum"
    bone = "sacrum of a mesh given in Python" if python else bone
    extra = []
    if modulus.get("kind") == "law" and density.get("kind") == "map":
        bone = f"{density['bone']} {bone}"
    elif density.get("kind") == "ct":
        extra.append("density of its CT")
    if density.get("factor") not in (None, 1.0):
        extra.append(f"density times {density['factor']:g}")
    if modulus.get("kind") == "table":
        extra.append(f"moduli of {PurePath(modulus['file']).name}")
    if modulus.get("kind") == "python":
        extra.append("moduli given in Python")
    return bone + half + (f" ({', '.join(extra)})" if extra else "")


def _marked(row: Row, *, numbers: Numbers) -> dict[str, Any]:
    """A row whose numbers carry where they come from."""
    relative = numbers.raw(f"comparison/change/{row.key}") is not None
    change = f"{'comparison/change' if relative else 'difference'}/{row.key}"
    shown = {
        state: numbers(f"comparison/{state}/{row.key}", getattr(row, state))
        if getattr(row, state) != UNCONVERGED
        else UNCONVERGED
        for state in ("intact", "before", "after")
    }
    for part in ("before", "after", "change"):
        band = getattr(row, f"{part}_band")
        shown[f"{part}_band"] = numbers(f"half/{row.key}/{part}", band) if band and band != UNCONVERGED else band
    measure = MEASURES.get(row.key)
    return {
        "key": row.key,
        "label": row.label,
        "unit": row.unit,
        **shown,
        "change": numbers(change, row.change),
        "inputs": numbers(f"comparison/input_range/{row.key}/change", row.inputs) if row.inputs else "",
        "definition": "" if measure is None else measure.definition,
    }


def _differences(content: Mapping[str, Any]) -> dict[str, float]:
    before, after = content["before"], content["after"]
    return {
        key: after[key] - old for key, old in before.items() if old is not None and after.get(key) is not None
    }  # what stands where a relative change means nothing


def _half_widths(content: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    band = content["mesh_band"]
    return {key: {part: half_width(band, key, part) for part in ("before", "after", "change")} for key in band or {}}


def _fractures(content: Mapping[str, Any], numbers: Numbers) -> dict[str, Any] | None:
    """The measures of each fracture side by side, where there are several."""
    found: Mapping[str, Any] = content.get("fractures") or {}
    if len(found) < 2:
        return None
    lines = []
    for key in next(iter(found.values()))["before"]:
        name, factor = unit(key)
        cells = []
        for fracture, entry in found.items():
            old, new, change = (entry[part].get(key) for part in ("before", "after", "change"))
            at = f"comparison/fractures/{fracture}"
            cells += [
                numbers(f"{at}/before/{key}", number(old, factor)),
                numbers(f"{at}/after/{key}", number(new, factor)),
            ]
            relative = change is not None
            cells.append(numbers(f"{at}/change/{key}", change_text(key, old, new, change)) if relative else Markup("–"))
        if any(cell != "–" for cell in cells):
            lines.append({"label": label(key), "unit": name, "cells": cells})
    return {"names": [name.replace("_", " ") for name in found], "rows": lines}


def _loads(content: Mapping[str, Any], numbers: Numbers) -> list[dict[str, Any]]:
    """The headlines under every load case, where there are several."""
    return [
        {
            "measure": row.measure,
            "unit": row.unit,
            "load": row.load,
            "before": numbers(row.paths[0], row.before),
            "after": numbers(row.paths[1], row.after),
            "change": row.change,
            "worst": row.worst,
        }
        for row in load_rows(content)
    ]


def _picture(name: str, path: Path) -> Picture:
    words = name.replace("_", " ").replace("-", " ")
    title, alt = _PICTURES.get(name, (words[:1].upper() + words[1:], f"Figure of this result: {words}."))
    return Picture.read(path, title, alt)


def _provenance(run: Mapping[str, Any], numbers: Numbers) -> list[tuple[str, Markup]]:
    found = [(name, numbers(f"run/versions/{name}")) for name in run.get("versions") or {"sacrofem": VERSION}]
    if run.get("platform"):
        found.append(("platform", numbers("run/platform")))
    if run.get("peak_memory_mib") is not None:
        found.append(("peak memory so far", Markup("{} MiB").format(numbers("run/peak_memory_mib"))))
    for kind in ("inputs", "files"):
        for name, digest in (run.get(kind) or {}).items():
            words = "read" if kind == "inputs" else "beside this page"
            found.append((f"{name} ({words})", Markup('<span class="hash">sha256 {}</span>').format(digest)))
    return found
