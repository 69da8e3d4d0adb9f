"""The headings of reporting checklists for finite-element studies, filled from the run itself.

What was modelled, of what, how finely, under what, solved how, checked how, and where it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from sacrofem.case.case import Case
from sacrofem.case.supports import SupportsSection
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
    python = "mesh" in (content.get("given_in_python") or ())
    source = {"parametric": f"built-in parametric sacrum, {case.anatomy.sex}{half}"}
    own = f"{case.anatomy.kind} of one's own: {case.anatomy.path}{half}"
    yield "bone", escape("a mesh given in Python" if python else source.get(case.anatomy.kind, own))
    yield "volume", Markup("{} ml").format(number("comparison/mesh/volume_ml"))
    yield (
        "frame",
        escape("x to the patient's left, y posterior, z superior; origin in the centre of the S1 endplate; mm"),
    )
    yield from _fractures(case, content, number)
    if case.lesion.kind != "none":
        yield (
            "lesion",
            Markup("{}, density factor {}").format(
                case.lesion.kind, number("comparison/bone/density/lesion/density_factor")
            ),
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
    yield "approach", escape("; ".join(_approach(case)))


def _fractures(case: Case, content: Mapping[str, Any], number: Numbers) -> Iterator[Item]:
    fracture = case.fracture
    gap = Markup("gap of {} mm, {}").format(number("comparison/case/fracture/aperture_mm"), fracture.state)
    if case.anatomy.kind == "mesh" or "mesh" in (content.get("given_in_python") or ()):
        # A mesh may bring fractures of its own in place of those of the case.
        if names := ", ".join(name.replace("_", " ") for name in content.get("fractures") or ()):
            yield "fractures of the mesh", Markup("{}; {}").format(names, gap)
        return
    if fracture.zone != "none":
        side = f", {fracture.side}" if fracture.zone in ("zone1", "zone2") else ""
        extent = number("comparison/case/fracture/extent")
        yield "fracture", Markup("{}{}; {} of its full extent; {}").format(fracture.zone, side, extent, gap)
    if fracture.surfaces:
        yield "own fracture planes", escape(", ".join(surface.name for surface in fracture.surfaces))


def _approach(case: Case) -> Iterator[str]:
    """How cement came where it is: only what counted."""
    cement = case.cement
    if cement.volume_ml > 0:
        needles = (
            f"{len(cement.injections)} needles of one's own" if cement.injections else f"{cement.approach} needles"
        )
        law = f", permeability {cement.flow.permeability}" if cement.spread == "flow" else ""
        yield f"{needles}, {cement.spread}{law}"
    if cement.spot is not None:
        yield f"a cemented disc of {cement.spot.radius_mm:g} mm radius"
    if case.fracture.zone != "none" or case.fracture.surfaces:
        yield f"cement in the gap {cement.in_gap}"


def _materials(case: Case, number: Numbers) -> Iterator[Item]:
    """Of bone and cortex what their supplier says of them, whatever the case asks for."""
    yield "modulus of bone", number("comparison/bone/modulus/text")
    if number.raw("comparison/bone/modulus/floor_mpa") is not None:
        yield "least modulus of bone", Markup("{} MPa").format(number("comparison/bone/modulus/floor_mpa"))
    least, most = (f"comparison/bone/poisson/{k}" for k in (0, 1))
    same = number.raw(least) == number.raw(most)
    yield "Poisson's ratio of bone", number(least) if same else Markup("{} to {}").format(number(least), number(most))
    yield "density of bone", number("comparison/bone/density/text")
    yield "cortex", number("comparison/bone/cortex/text")
    yield from _cement_material(case, number)
    fracture = case.fracture
    if fracture.zone != "none" or fracture.surfaces:
        modulus = _given(number, "fracture/filler_modulus_mpa", "MPa", "of that filler")
        text = escape(fracture.filler)
        if fracture.filler != "open":
            text += Markup(", modulus {}").format(modulus)
        if fracture.filler not in ("open", "cement"):
            text += Markup(", Poisson's ratio {}").format(number("comparison/case/fracture/filler_poisson"))
        yield "gap", text + Markup("; law: {}").format(fracture.closure)


def _cement_material(case: Case, number: Numbers) -> Iterator[Item]:
    cement = cement_material(case.cement.material)
    default = f"{cement.modulus_mpa:g} MPa ({cement.range_mpa[0]:g}–{cement.range_mpa[1]:g})"
    source = f"{cement.source} {cement.mark}" if case.cement.modulus_mpa is None else "as the case gives it"
    modulus = _given(number, "cement/modulus_mpa", "MPa", default)
    yield "cement", Markup("{}: {}; {}").format(case.cement.material, modulus, source)
    if case.cement.volume_ml > 0:
        yield "bone with cement", escape(f"{case.cement.mixture} mixture")


def _mesh(case: Case, number: Numbers) -> Iterator[Item]:
    order = (
        "quadratic displacement (P2)" if case.mesh.order == 2 else "linear displacement (P1): a preview, far too stiff"
    )
    yield "elements", Markup("{} straight-sided tetrahedra, {}").format(number("comparison/mesh/tets"), order)
    yield "unknowns", number("comparison/mesh/dofs")
    yield "nodes of the tetrahedra's corners", number("comparison/mesh/nodes")
    yield "origin", number("comparison/mesh/origin")
    yield (
        "worst element",
        Markup("{} (72√3 V / (Σ l²)^(3/2); 1 for the regular tetrahedron)").format(
            number("comparison/mesh/min_quality")
        ),
    )


def _loads(case: Case, number: Numbers) -> Iterator[Item]:
    load = LOADS[case.load.kind]
    usual = "as the case gives it" if case.load.kind == "free" else f"{load.force_n:g} N on the S1 endplate"
    yield (
        "load",
        Markup("{}: {}").format(case.load.kind, _given(number, "load/force_n", "N", usual)),
    )
    if load.source:
        own = "" if case.load.force_n in (None, load.force_n) else "force as the case gives it; its direction: "
        yield "source of the load", escape(f"{own}{load.source}")
    if case.load.force_vector_n is not None:
        shown = ", ".join(f"{component:g}" for component in case.load.force_vector_n)
        yield "force to the left, back and up", escape(f"({shown}) N")
    elif load.angle_deg is None:
        yield "sacral slope", _given(number, "load/slope_deg", "°", "–")
    else:
        yield "direction of the load", escape(f"{load.angle_deg:g}° to the endplate normal")
    if any(case.load.moment_n_m):
        shown = ", ".join(f"{component:g}" for component in case.load.moment_n_m)
        yield "moment added about these axes", escape(f"({shown}) N m")
    yield "supports", escape(_supports(case.supports))


def _supports(given: SupportsSection) -> str:
    if given.kind == "fixed":
        return "auricular faces fixed"
    layer, usual = given.joint, SupportsSection()
    numbers = f"{layer.modulus_mpa:g} MPa, ν {layer.poisson:g}, {layer.thickness_mm:g} mm"
    words = f"elastic layer on the auricular faces ({numbers})"
    bands = given.ligament_stiffness
    words += f", ligaments at {bands.factor:g} of their stiffness" if given.ligaments else ", without ligaments"
    own = [name for name, part in (("joint", layer), ("ligament_stiffness", bands)) if part != getattr(usual, name)]
    if own:
        return f"{words}; as the case gives it ({' and '.join(own)})"
    return f"{words}; calibrated against published motion of the joints"


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
    if (content.get("bone") or {}).get("cortex", {}).get("kind") != "none":
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
