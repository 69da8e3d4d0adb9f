"""The headings of reporting checklists for finite-element studies, filled from the run itself.

What was modelled, of what, how finely, under what, solved how, checked how, and where it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from sacrofem.bone.laws import LAWS
from sacrofem.case.case import Case
from sacrofem.cement.mixture import cement_material
from sacrofem.mechanics.parts.loads import LOADS
from sacrofem.report.page.page import Numbers
from sacrofem.report.text.bands import sentences

Item = tuple[str, Markup]


@dataclass(frozen=True)
class Heading:
    """A heading of the checklist and what the run says to it."""

    title: str
    items: tuple[Item, ...]


def checklist(case: Case, content: Mapping[str, Any], number: Numbers) -> list[Heading]:
    """Every heading with its items.

    Parameters
    ----------
    case
    content
        As in ``comparison.json``.
    number
        Marks numbers; knows ``comparison`` and ``run``.
    """
    filled = {
        "Geometry": _geometry(case, content, number),
        "Materials and their sources": _materials(case, number),
        "Mesh and its quality": _mesh(case, number),
        "Loads and supports": _loads(case, number),
        "Solver and residual": _solver(case, number),
        "Verification": _verification(content, number),
        "Limits": _limits(case, content, number),
    }
    return [Heading(title, tuple(items)) for title, items in filled.items()]


def _given(number: Numbers, path: str, unit: str, default: str) -> Markup:
    """A value of the case with its unit, or what stands in its place."""
    if number.raw(f"comparison/case/{path}") is None:
        return escape(default)
    return Markup("{} {}").format(number(f"comparison/case/{path}"), unit)


def _geometry(case: Case, content: Mapping[str, Any], number: Numbers) -> Iterator[Item]:
    half = "" if case.anatomy.half == "none" else f", {case.anatomy.half} half"
    source = {"parametric": f"built-in parametric sacrum, {case.anatomy.sex}{half}"}
    yield "bone", escape(source.get(case.anatomy.kind, f"{case.anatomy.kind} of one's own: {case.anatomy.path}{half}"))
    yield "volume", Markup("{} ml").format(number("comparison/mesh/volume_ml"))
    yield (
        "frame",
        escape("x to the patient's left, y posterior, z superior; origin in the centre of the S1 endplate; mm"),
    )
    if case.fracture.zone != "none":
        side = f", {case.fracture.side}" if case.fracture.zone in ("zone1", "zone2") else ""
        text = Markup("{}{}; {} of its full extent; gap of {} mm, {}")
        yield (
            "fracture",
            text.format(
                case.fracture.zone,
                side,
                number("comparison/case/fracture/extent"),
                number("comparison/case/fracture/aperture_mm"),
                case.fracture.state,
            ),
        )
    if case.fracture.surfaces:
        yield "own fracture planes", escape(", ".join(surface.name for surface in case.fracture.surfaces))
    if case.lesion.kind != "none":
        yield (
            "lesion",
            Markup("{}, density factor {}").format(case.lesion.kind, number("comparison/case/lesion/density_factor")),
        )
    cement = content.get("cement") or {}
    parts = [
        ("placed", "placed_ml"),
        ("in bone", "in_bone_ml"),
        ("in the gap", "in_gap_ml"),
        ("in lesion", "in_lesion_ml"),
    ]
    yield (
        "cement",
        Markup("; ").join(
            Markup("{} {} ml").format(name, number(f"comparison/cement/{key}"))
            for name, key in parts
            if cement.get(key)
        )
        or escape("none"),
    )
    yield (
        "approach",
        escape(f"{case.cement.approach} needles, {case.cement.spread}; cement in the gap {case.cement.in_gap}"),
    )


def _materials(case: Case, number: Numbers) -> Iterator[Item]:
    law = LAWS[case.materials.density_law]
    offset = f"{law.offset_mpa:g} + " if law.offset_mpa else ""
    formula = f"E = {offset}{law.coefficient:g} ρ^{law.exponent:g} MPa ({law.density} density, g/cm³)"
    yield "bone", escape(f"{case.materials.bone}; {law.name}: {formula}; {law.source} {law.mark}")
    yield "least modulus of bone", _given(number, "materials/floor_mpa", "MPa", "–")
    yield "Poisson's ratio of bone", _given(number, "materials/poisson", "", "–")
    yield (
        "cortex",
        Markup("plane-stress membrane: thickness {}, modulus {}").format(
            _given(number, "materials/cortex_thickness_mm", "mm", f"of {case.materials.bone} bone"),
            _given(number, "materials/cortex_modulus_mpa", "MPa", f"of {case.materials.bone} bone"),
        ),
    )
    cement = cement_material(case.cement.material)
    default = f"{cement.modulus_mpa:g} MPa ({cement.range_mpa[0]:g}–{cement.range_mpa[1]:g})"
    yield (
        "cement",
        Markup("{}: {}; {}").format(
            case.cement.material, _given(number, "cement/modulus_mpa", "MPa", default), f"{cement.source} {cement.mark}"
        ),
    )
    yield "bone with cement", escape(f"{case.cement.mixture} mixture")
    if case.fracture.zone != "none" or case.fracture.surfaces:
        yield (
            "gap",
            Markup("{}, modulus {}, Poisson's ratio {}; law: {}").format(
                case.fracture.filler,
                _given(number, "fracture/filler_modulus_mpa", "MPa", "of that filler"),
                _given(number, "fracture/filler_poisson", "", "–"),
                case.fracture.closure,
            ),
        )


def _mesh(case: Case, number: Numbers) -> Iterator[Item]:
    order = (
        "quadratic displacement (P2)" if case.mesh.order == 2 else "linear displacement (P1): a preview, far too stiff"
    )
    yield "elements", Markup("{} straight-sided tetrahedra, {}").format(number("comparison/mesh/tets"), order)
    yield "unknowns", number("comparison/mesh/dofs")
    yield "nodes of the tetrahedra's corners", number("comparison/mesh/nodes")
    if case.mesh.size_mm is None:
        origin = f"shipped mesh “{case.mesh.reference}”" if case.anatomy.kind == "parametric" else "as given"
        yield "origin", escape(origin)
    else:
        yield "edge length", _given(number, "mesh/size_mm", "mm", "–")
    yield (
        "worst element",
        Markup("{} (72√3 V / (Σ l²)^(3/2); 1 for the regular tetrahedron)").format(
            number("comparison/mesh/min_quality")
        ),
    )


def _loads(case: Case, number: Numbers) -> Iterator[Item]:
    load = LOADS[case.load.kind]
    yield (
        "load",
        Markup("{}: {}").format(
            case.load.kind, _given(number, "load/force_n", "N", f"{load.force_n:g} N on the S1 endplate")
        ),
    )
    if load.source:
        yield "source of the load", escape(load.source)
    yield "sacral slope", _given(number, "load/slope_deg", "°", "–")
    ligaments = "with ligaments" if case.supports.ligaments else "without ligaments"
    layer = f"elastic layer on the auricular faces, {ligaments}; calibrated against published motion of the joints"
    yield "supports", escape("auricular faces fixed" if case.supports.kind == "fixed" else layer)


def _solver(case: Case, number: Numbers) -> Iterator[Item]:
    yield "method", number("comparison/solver/method")
    yield "iterations", number("comparison/solver/iterations")
    yield (
        "true relative residual",
        Markup("{}, asked for {}").format(
            number("comparison/solver/residual"), number("comparison/case/solver/tolerance")
        ),
    )
    for key, name in (("solver_seconds", "seconds in the solver"), ("seconds", "seconds of the whole run")):
        if number.raw(f"run/{key}") is not None:
            yield name, number(f"run/{key}")
    if number.raw("run/peak_memory_mib") is not None:
        yield "peak memory", Markup("{} MiB").format(number("run/peak_memory_mib"))


def _verification(content: Mapping[str, Any], number: Numbers) -> Iterator[Item]:
    names = {
        "force": "imbalance of force, relative",
        "moment": "imbalance of moment, relative",
        "energy": "imbalance of energy, relative",
        "fracture": "force through the fracture, both sides, relative",
    }
    for key, name in names.items():
        if number.raw(f"comparison/checks/{key}") is not None:
            yield name, number(f"comparison/checks/{key}")
    for text in sentences(content.get("bands") or {}):
        yield text.split(":")[0], escape(text.split(":", 1)[1].strip())
    yield (
        "of the program",
        escape(
            "exact solutions, closed forms and independent codes in the package's verification page; "
            "`sacrofem verify` reruns the stored cases on this machine"
        ),
    )


def _limits(case: Case, content: Mapping[str, Any], number: Numbers) -> Iterator[Item]:
    yield (
        "model",
        escape("linear elasticity, small displacements; no failure, no fatigue, no healing, no muscle but as load"),
    )
    yield "cortex", escape("a membrane: it resists stretch, not bending")
    if case.fracture.closure == "bonded" and (case.fracture.zone != "none" or case.fracture.surfaces):
        yield "gap", escape("a linear law: its faces neither part from the filler nor rub")
    for name, share in (content.get("left_out") or {}).items():
        if share:
            text = Markup("{} % of the zone is cement and left out in both states")
            yield (
                f"zone “{name.replace('_', ' ')}”",
                text.format(number(f"comparison/left_out/{name}", f"{100 * share:.1f}")),
            )
    for k in range(len(content.get("warnings") or ())):
        yield "note", number(f"comparison/warnings/{k}")
