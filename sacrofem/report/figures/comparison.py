"""Figures of a comparison: anatomy, stress, gap micromotion, changes; one call each.

Each ``*_figure`` function returns a matplotlib ``Figure`` without touching pyplot, and draws from a
mesh and arrays, so that it serves own results as well; `figure_of` draws one of a comparison by name.
Colour maps are perceptually uniform; the two states of a comparison share one scale.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.report.figures import projection as project
from sacrofem.report.figures.drawing import BONE, CEMENT, FRACTURE, HALF, cement_surface, save_figure
from sacrofem.report.figures.gapmaps import gap_parts_figure, micromotion_figure
from sacrofem.report.figures.plan import plan_figure
from sacrofem.report.figures.sections import histogram_figure, section_figure
from sacrofem.report.text.bands import Band, half_width, no_headline
from sacrofem.report.text.table import HEADLINES, change_text, label
from sacrofem.system.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from sacrofem.specimen.comparison import Comparison

__all__ = [
    "FIGURES",
    "anatomy_figure",
    "changes_figure",
    "comparison_figures",
    "figure_of",
    "gap_parts_figure",
    "histogram_figure",
    "micromotion_figure",
    "save_figure",
    "section_figure",
]

PIXELS_PER_MM = 7.0
# Bone within this distance of the fracture is what the measures at the fracture look at.
_NEAR_MM = 5.0


# ---------------------------------------------------------------------- anatomy
def anatomy_figure(
    mesh: TetMesh,
    *,
    fraction: FloatArray | None = None,
    coverage: FloatArray | None = None,
    needles: Sequence[tuple[Sequence[float], Sequence[float]]] = (),
    views: Sequence[project.View] = (project.ANTERIOR, project.POSTERIOR, project.LEFT),
    title: str = "",
) -> Figure:
    """The bone, translucent, with its fractures and cement.

    Parameters
    ----------
    mesh
    fraction : (m,), optional
        Share of each tet's pores that cement fills.
    coverage : (p,), optional
        Share of each pair of fracture faces that cement covers.
    needles
        Entry and tip of each needle, mm.
    views, title
    """
    points, outer, inner, colours = _anatomy_layers(mesh, fraction, coverage)
    reach = np.concatenate([mesh.points, *(np.asarray(needle, float) for needle in needles)])
    extents = [np.ptp(project.projected(reach, view)[0], axis=0) for view in views]
    height = max(extent[1] for extent in extents)
    widths = [extent[0] / height for extent in extents]
    figure = Figure(figsize=(3.6 * sum(widths) + 0.6, 4.6), layout="constrained")
    axes = figure.subplots(1, len(views), width_ratios=widths, squeeze=False)[0]
    outer_normals = project.smooth_normals(points, outer)
    inner_normals = [project.smooth_normals(points, faces) for faces in inner]
    for ax, view in zip(axes, views, strict=True):
        toward = outer_normals @ view.axes[2]
        near = toward >= 0
        page, _ = project.projected(reach, view)
        box = np.array([page.min(axis=0) - 1, page.max(axis=0) + 1])
        paint = [project.lit(outer_normals[~near], view, BONE, ambient=0.55)]
        paint += [project.lit(n, view, c) for n, c in zip(inner_normals, colours, strict=True)]
        solid = np.concatenate(paint)
        solid = np.column_stack([solid, np.ones(len(solid))])
        # Glass: clear where it faces the viewer, dense where it turns away, so that edges stay visible.
        glass = np.column_stack(
            [project.lit(outer_normals[near], view, BONE), np.clip(0.3 + 0.6 * (1 - toward[near]) ** 1.5, 0, 1)]
        )
        back = project.raster(points, np.concatenate([outer[~near], *inner]), solid, view, box, PIXELS_PER_MM)
        image = project.over(project.raster(points, outer[near], glass, view, box, PIXELS_PER_MM), back)
        colour = np.divide(image[..., :3], image[..., 3:], out=np.ones_like(image[..., :3]), where=image[..., 3:] > 0)
        ax.imshow(np.clip(np.dstack([colour, image[..., 3]]), 0, 1), extent=(*box[:, 0], *box[:, 1]))
        for entry, tip in needles:
            line, _ = project.projected(np.array([entry, tip], float), view)
            ax.plot(*line.T, color="0.15", lw=1.6, solid_capstyle="round", zorder=5)
        _page(ax, page, view.title, view.margins)
    handles: list[Patch | Line2D] = [Patch(color=BONE, label="bone")]
    if len(mesh.paired[0]):
        handles.append(Patch(color=FRACTURE, label="fracture"))
    if any(c == CEMENT for c in colours):
        handles.append(Patch(color=CEMENT, label="cement"))
    if needles:
        handles.append(Line2D([], [], color="0.15", lw=1.6, label="needle"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _anatomy_layers(
    mesh: TetMesh, fraction: FloatArray | None, coverage: FloatArray | None
) -> tuple[FloatArray, IntArray, list[IntArray], list[tuple[float, float, float]]]:
    """Points, outer triangles, and the coloured layers inside."""
    plus, _ = mesh.paired
    assert mesh.pair_side is not None
    outer = mesh.faces[mesh.pair_side == 0]
    covered = np.zeros(len(plus), bool) if coverage is None else np.asarray(coverage) >= HALF
    surface, triangles = cement_surface(mesh, fraction)
    layers = [
        (mesh.faces[plus[~covered]], FRACTURE),
        (mesh.faces[plus[covered]], CEMENT),
        (triangles + len(mesh.points), CEMENT),
    ]
    kept = [(faces, colour) for faces, colour in layers if len(faces)]
    points = np.concatenate([mesh.points, surface])
    return points, outer, [faces for faces, _ in kept], [colour for _, colour in kept]


def _page(ax: Any, points: FloatArray, title: str, margins: tuple[str, str] = ("", "")) -> None:
    low, high = points.min(axis=0), points.max(axis=0)
    pad = 0.04 * float((high - low).max())
    ax.set(xlim=(low[0] - pad, high[0] + pad), ylim=(low[1] - 3 * pad, high[1] + 3 * pad), aspect="equal")
    ax.set_axis_off()
    ax.set_title(title, fontsize=10)
    for x, text, side in ((low[0], margins[0], "left"), (high[0], margins[1], "right")):
        ax.text(x, high[1] + pad, text, ha=side, va="bottom", fontsize=10, color="0.35")
    bar = 20.0
    ax.plot([low[0], low[0] + bar], [low[1] - 2 * pad] * 2, color="0.2", lw=2, solid_capstyle="butt")
    ax.text(low[0] + bar + pad, low[1] - 2 * pad, "20 mm", va="center", fontsize=8, color="0.2")


# ---------------------------------------------------------------------- changes
def changes_figure(
    before: Mapping[str, float | None],
    after: Mapping[str, float | None],
    change: Mapping[str, float | None],
    *,
    mesh_band: Band = None,
    title: str = "Change by cement",
) -> Figure:
    """Bars of the relative change of every headline measure that has one and converges, in per cent."""
    # Where the load leaves is no effect of treatment that anybody would plan for; the table has it.
    keys = [
        key
        for key in HEADLINES
        if change.get(key) is not None and not key.startswith("reaction_share") and not no_headline(mesh_band, key)
    ]
    values = np.array([100 * float(change[key] or 0.0) for key in keys])
    halves = np.array([100 * (half_width(mesh_band, key, "change") or 0.0) for key in keys])
    figure = Figure(figsize=(8.2, 1.1 + 0.27 * max(len(keys), 1)), layout="constrained")
    ax = figure.subplots()
    place = np.arange(len(keys))
    ax.barh(place, values, color=["#1b7f79" if v < 0 else "#d1782c" for v in values], height=0.7)
    if halves.any():
        ax.errorbar(values, place, xerr=halves, fmt="none", ecolor="0.15", elinewidth=1.0, capsize=2.0)
    reach = max(10.0, float((np.abs(values) + halves).max()) if len(values) else 0.0)
    for y, key, value, half in zip(range(len(keys)), keys, values.tolist(), halves.tolist(), strict=True):
        text = change_text(key, before.get(key), after.get(key), change.get(key))
        ax.text(
            value + np.copysign(0.012 * reach + half, value), y, text, va="center", fontsize=8,
            ha="left" if value >= 0 else "right",
        )  # fmt: skip
    ax.set_yticks(place, [label(key) for key in keys], fontsize=8)
    ax.set_ylim(len(keys) - 0.4, -0.6)
    ax.axvline(0, color="0.2", lw=0.8)
    low, high = min(0.0, *(values - halves), 0.0), max(0.0, *(values + halves), 0.0)
    ax.set_xlim(low - 0.2 * reach if low < 0 else -0.05 * reach, high + 0.2 * reach if high > 0 else 0.05 * reach)
    ax.set_xlabel("change from before to after / %" + (", with mesh band" if halves.any() else ""), fontsize=9)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title(title, fontsize=11)
    return figure


# ---------------------------------------------------------------------- all of a comparison
def comparison_figures(comparison: Comparison) -> dict[str, Figure]:
    """All figures of a comparison by name; without a fracture there is no micromotion."""
    broken = len(comparison.mesh.paired[0]) > 0
    return {name: draw(comparison) for name, draw in FIGURES.items() if broken or name not in _OF_GAP}


def figure_of(comparison: Comparison, name: str) -> Figure:
    """One figure of a comparison; `save_figure` writes it.

    Parameters
    ----------
    comparison
    name
        One of `FIGURES`.

    Raises
    ------
    InputError
        No such figure, or the comparison has no fracture to draw.
    """
    if name not in FIGURES:
        close = difflib.get_close_matches(name, FIGURES, n=1)
        mend = f"did you mean {close[0]}?" if close else f"use one of {', '.join(FIGURES)}"
        raise InputError("no such figure", field="name", value=name, mend=mend)
    if name in _OF_GAP and not len(comparison.mesh.paired[0]):
        others = ", ".join(other for other in FIGURES if other not in _OF_GAP)
        raise InputError("the comparison has no fracture", field="name", value=name, mend=f"use one of {others}")
    return FIGURES[name](comparison)


def _name(comparison: Comparison) -> str:
    return comparison.case.name + (" (P1, a preview)" if comparison.case.mesh.order == 1 else "")


def _coverage(comparison: Comparison) -> FloatArray | None:
    gap = comparison.solutions["after"].fields.gap
    return gap.mean("coverage") if len(gap.coverage) else None


def _stress(comparison: Comparison) -> tuple[FloatArray, FloatArray]:
    before, after = (comparison.solutions[name].fields.bone.von_mises for name in ("before", "after"))
    return before, after


def _gap_um(comparison: Comparison, name: str, part: str) -> FloatArray:
    """(p,) mean of a length in the gap over each pair of faces."""
    return 1e3 * comparison.solutions[name].fields.gap.mean(part)


def _anatomy(comparison: Comparison) -> Figure:
    needles = [
        (placed.injection.needle.entry_mm, placed.injection.needle.target_mm) for placed in comparison.region.injections
    ]
    return anatomy_figure(
        comparison.mesh,
        fraction=comparison.solutions["after"].state.fraction,
        coverage=_coverage(comparison),
        needles=needles,
        title=_name(comparison),
    )


def _plan(comparison: Comparison) -> Figure:
    return plan_figure(comparison.specimen, comparison.plan)


def _sections(comparison: Comparison) -> Figure:
    return section_figure(
        comparison.mesh,
        *_stress(comparison),
        fraction=comparison.solutions["after"].state.fraction,
        title=f"Von Mises stress — {_name(comparison)}",
    )


def _micromotion(comparison: Comparison) -> Figure:
    return micromotion_figure(
        comparison.mesh,
        _gap_um(comparison, "before", "micromotion"),
        _gap_um(comparison, "after", "micromotion"),
        coverage=_coverage(comparison),
        title=f"Gap micromotion — {_name(comparison)}",
    )


def _gap_parts(comparison: Comparison) -> Figure:
    states = ("before", "after")
    return gap_parts_figure(
        comparison.mesh,
        {name: _gap_um(comparison, name, "opening") - _gap_um(comparison, name, "closing") for name in states},
        {name: _gap_um(comparison, name, "slip") for name in states},
        coverage=_coverage(comparison),
        title=f"Opening and slip of the gap — {_name(comparison)}",
    )


def _histogram(comparison: Comparison) -> Figure:
    return histogram_figure(
        *_stress(comparison),
        comparison.mesh.volumes,
        near=comparison.space.gap_distance <= _NEAR_MM,
        fraction=comparison.solutions["after"].state.fraction,
        title=f"Bone volume by von Mises stress — {_name(comparison)}",
    )


def _changes(comparison: Comparison) -> Figure:
    return changes_figure(
        comparison.before,
        comparison.after,
        comparison.change,
        mesh_band=comparison.mesh_band,
        title=f"Change by cement — {_name(comparison)}",
    )


#: Every figure of a comparison by name, in the order of the report.
FIGURES: Mapping[str, Callable[[Comparison], Figure]] = MappingProxyType(
    {
        "anatomy": _anatomy,
        "plan": _plan,
        "von_mises": _sections,
        "micromotion": _micromotion,
        "gap_parts": _gap_parts,
        "histogram": _histogram,
        "changes": _changes,
    }
)
_OF_GAP = ("micromotion", "gap_parts")
