"""Figures of a comparison: anatomy, stress in a section, gap micromotion, changes.

Each function returns a matplotlib ``Figure`` without touching pyplot, and draws from a mesh and
arrays, so that it serves own results as well. Colour maps are perceptually uniform; the two states
of a comparison share one scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sacrofem.mesh.tetmesh import FloatArray, IntArray, TetMesh
from sacrofem.report import projection as project
from sacrofem.report.bands import Band, half_width, no_headline
from sacrofem.report.table import HEADLINES, change_text, label

if TYPE_CHECKING:
    from sacrofem.compare import Comparison

BONE = (0.93, 0.87, 0.76)
FRACTURE = (0.80, 0.16, 0.22)
CEMENT = (0.10, 0.45, 0.70)
STRESS_MAP = "viridis"
MOTION_MAP = "inferno"

# At least half of the pore space of an element, or half of a face, is cement where cement is drawn.
HALF = 0.5
_SLOPE_DEG = 40.0
PIXELS_PER_MM = 7.0


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
    surface, triangles = _cement(mesh, fraction)
    layers = [
        (mesh.faces[plus[~covered]], FRACTURE),
        (mesh.faces[plus[covered]], CEMENT),
        (triangles + len(mesh.points), CEMENT),
    ]
    kept = [(faces, colour) for faces, colour in layers if len(faces)]
    points = np.concatenate([mesh.points, surface])
    return points, outer, [faces for faces, _ in kept], [colour for _, colour in kept]


def _cement(mesh: TetMesh, fraction: FloatArray | None) -> tuple[FloatArray, IntArray]:
    values = np.zeros(len(mesh.tets)) if fraction is None else np.asarray(fraction, float)
    return project.isosurface(mesh, values, HALF)


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


# ---------------------------------------------------------------------- stress
def section_figure(
    mesh: TetMesh,
    before: FloatArray,
    after: FloatArray,
    *,
    fraction: FloatArray | None = None,
    point: FloatArray | None = None,
    normal: FloatArray | None = None,
    title: str = "Von Mises stress",
) -> Figure:
    """A field on tets before and after, on one scale, in an oblique axial and a coronal section.

    Parameters
    ----------
    mesh
    before, after : (m,)
        Von Mises stress, MPa.
    fraction : (m,), optional
        Cement of the treated state; its outline is drawn.
    point : (3,), optional
        Where both sections pass; by default the middle of the cement, else of the fracture, else of the bone.
    normal : (3,), optional
        S1 endplate normal; by default that of the face set ``endplate``, else at a slope of 40 degrees.
    title
    """
    point = _focus(mesh, fraction) if point is None else np.asarray(point, float)
    normal = _endplate_normal(mesh) if normal is None else np.asarray(normal, float)
    x = np.array([1.0, 0.0, 0.0])
    # Both planes hold the left-right axis: moved along it they stay, and the page counts from the midline.
    point = point * [0.0, 1.0, 1.0]
    planes = {
        "parallel to the S1 endplate": project.Plane(point, x, np.cross(normal, x)),
        "coronal, along the endplate normal": project.Plane(point, x, normal),
    }
    surface, cement = _cement(mesh, fraction)
    cuts = {name: project.section(mesh, plane) for name, plane in planes.items()}
    # The scale is that of bone: cement, many times stiffer, would leave the rest of the picture dark.
    bone = np.ones(len(mesh.tets), bool) if fraction is None else np.asarray(fraction) < HALF
    seen = np.unique(np.concatenate([tets for _, tets in cuts.values()]))
    shown = np.concatenate([before[seen], after[seen[bone[seen]]]])
    scale = Normalize(0.0, float(np.percentile(shown, 98)) if len(shown) else 1.0)
    plus, _ = mesh.paired
    spans = [np.ptp(np.concatenate([*polygons, np.eye(2)]), axis=0) + 6 for polygons, _ in cuts.values()]
    heights = [3.7 * span[1] / span[0] for span in spans]
    figure = Figure(figsize=(9.4, sum(heights) + 2.4), layout="constrained")
    axes = figure.subplots(2, 2, squeeze=False, height_ratios=heights)
    for row, (name, plane) in zip(axes, planes.items(), strict=True):
        polygons, tets = cuts[name]
        corners = np.concatenate(polygons) if polygons else np.zeros((1, 2))
        for ax, (state, values) in zip(row, (("before", before), ("after", after)), strict=True):
            cells = PolyCollection(polygons, cmap=STRESS_MAP, norm=scale, edgecolors="face", linewidths=0.2)
            cells.set_array(values[tets])
            cells.set_rasterized(True)
            ax.add_collection(cells)
            _lines(ax, project.section_lines(mesh.points, mesh.faces[plus], plane), "white", 1.4)
            if state == "after":
                _lines(ax, project.section_lines(surface, cement, plane), "#ff9b54", 1.1)
            low, high = corners.min(axis=0) - 3, corners.max(axis=0) + 3
            ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal", title=f"{state}, {name}")
            ax.title.set_fontsize(9)
            ax.tick_params(labelsize=8)
            ax.set_facecolor("0.96")
            ax.set_xlabel("toward left / mm", fontsize=8)
            ax.set_ylabel(f"toward {_toward(plane.up)} / mm", fontsize=8)
    bar = figure.colorbar(ScalarMappable(scale, STRESS_MAP), ax=list(axes.flat), extend="max", shrink=0.7)
    bar.set_label("von Mises stress / MPa", fontsize=9)
    handles = [Line2D([], [], color="0.75", lw=1.6, label="fracture")] if len(plus) else []
    if len(cement):
        handles.append(Line2D([], [], color="#ff9b54", lw=1.4, label="cement"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _lines(ax: Any, segments: FloatArray, colour: str, width: float) -> None:
    if len(segments):
        ax.add_collection(LineCollection(list(segments), colors=colour, linewidths=width, capstyle="round"))


def _focus(mesh: TetMesh, fraction: FloatArray | None) -> FloatArray:
    if fraction is not None and np.any(fraction > 0):
        weight = np.asarray(fraction) * mesh.volumes
        return np.asarray(weight @ mesh.centroids / weight.sum())
    plus, _ = mesh.paired
    if len(plus):
        return np.asarray(mesh.points[mesh.faces[plus]].mean(axis=(0, 1)))
    return np.asarray(mesh.volumes @ mesh.centroids / mesh.volumes.sum())


def _endplate_normal(mesh: TetMesh) -> FloatArray:
    members = mesh.face_sets.get("endplate")
    if members is None or not members.any():
        angle = np.deg2rad(_SLOPE_DEG)
        return np.array([0.0, -np.sin(angle), np.cos(angle)])
    normal = mesh.face_areas[members] @ mesh.face_normals[members]
    normal[0] = 0.0  # a section that leans to one side would show a false asymmetry
    return np.asarray(normal / np.linalg.norm(normal))


# ---------------------------------------------------------------------- micromotion
def micromotion_figure(
    mesh: TetMesh,
    before: FloatArray,
    after: FloatArray,
    *,
    coverage: FloatArray | None = None,
    title: str = "Micromotion of the fracture faces",
) -> Figure:
    """Gap micromotion on the flattened fracture faces, one row a fracture, before and after on one scale.

    Parameters
    ----------
    mesh
    before, after : (p,)
        Length of the jump, µm, for the pairs in the order of ``mesh.paired``.
    coverage : (p,), optional
        Share of each pair that cement covers; covered faces are outlined.
    title

    Raises
    ------
    ValueError
        The mesh has no fracture.
    """
    plus, _ = mesh.paired
    if not len(plus):
        raise ValueError("the mesh has no fracture")
    groups = {
        name.removeprefix("fracture_").replace("_", " "): np.flatnonzero(members[plus])
        for name, members in mesh.face_sets.items()
        if name.startswith("fracture_") and members[plus].any()
    } or {"fracture": np.arange(len(plus))}
    scale = Normalize(0.0, float(max(np.percentile(before, 99), np.percentile(after, 99), 1e-9)))
    planes = {
        name: project.best_plane(mesh.points[np.unique(mesh.faces[plus[pairs]])]) for name, pairs in groups.items()
    }
    pages = {name: planes[name].page(mesh.points[mesh.faces[plus[pairs]]]) for name, pairs in groups.items()}
    spans = [np.ptp(page, axis=(0, 1)) + 4 for page in pages.values()]
    heights = [min(2.7 * span[1] / span[0], 3.4) for span in spans]
    figure = Figure(figsize=(7.2, sum(heights) + 0.8 * len(heights) + 1.0), layout="constrained")
    axes = figure.subplots(len(groups), 2, squeeze=False, sharey="row", height_ratios=heights)
    for row, (name, pairs) in zip(axes, groups.items(), strict=True):
        faces, plane, page = mesh.faces[plus[pairs]], planes[name], pages[name]
        for ax, (state, values) in zip(row, (("before", before), ("after", after)), strict=True):
            cells = PolyCollection(list(page), cmap=MOTION_MAP, norm=scale, edgecolors="face", linewidths=0.2)
            cells.set_array(values[pairs])
            cells.set_rasterized(True)
            ax.add_collection(cells)
            if coverage is not None and state == "after":
                _lines(ax, _rim(mesh, faces[np.asarray(coverage)[pairs] >= HALF], plane), "#39c2ff", 1.6)
            low, high = page.min(axis=(0, 1)) - 2, page.max(axis=(0, 1)) + 2
            ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
            ax.set_title(f"{name}, {state}", fontsize=9)
            ax.set_xlabel(f"toward {_toward(plane.right)} / mm", fontsize=8)
            ax.tick_params(labelsize=8)
        row[0].set_ylabel(f"toward {_toward(plane.up)} / mm", fontsize=8)
    bar = figure.colorbar(ScalarMappable(scale, MOTION_MAP), ax=list(axes.flat), extend="max", shrink=0.7)
    bar.set_label("micromotion / µm", fontsize=9)
    if coverage is not None and np.any(np.asarray(coverage) >= HALF):
        handle = Line2D([], [], color="#39c2ff", lw=1.6, label="cement in the gap")
        figure.legend(handles=[handle], loc="outside lower center", frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _toward(direction: FloatArray) -> str:
    k = int(np.argmax(np.abs(direction)))
    return (("right", "left"), ("anterior", "posterior"), ("inferior", "superior"))[k][int(direction[k] > 0)]


def _rim(mesh: TetMesh, faces: IntArray, plane: project.Plane) -> FloatArray:
    """(e, 2, 2) edges of a patch of triangles that belong to one of them only."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    if not len(edges):
        return np.zeros((0, 2, 2))
    edges, count = np.unique(edges, axis=0, return_counts=True)
    return plane.page(mesh.points[edges[count == 1]])


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
    """All figures of a comparison by file name; without a fracture there is no micromotion."""
    from sacrofem.report import fields

    mesh, state, name = comparison.mesh, comparison.states["after"], comparison.case.name
    if comparison.case.mesh.order == 1:
        name += " (P1, a preview)"
    coverage = state.coverage.mean(axis=1) if state.coverage.size else None
    needles = [
        (placed.injection.needle.entry_mm, placed.injection.needle.target_mm) for placed in comparison.region.injections
    ]
    stress = {key: fields.tet_von_mises(comparison, key) for key in ("before", "after")}
    figures = {
        "anatomy": anatomy_figure(mesh, fraction=state.fraction, coverage=coverage, needles=needles, title=name),
        "von_mises": section_figure(
            mesh, stress["before"], stress["after"], fraction=state.fraction, title=f"Von Mises stress — {name}"
        ),
    }
    if len(mesh.paired[0]):
        motion = {key: fields.pair_micromotion(comparison, key) for key in ("before", "after")}
        figures["micromotion"] = micromotion_figure(
            mesh, motion["before"], motion["after"], coverage=coverage, title=f"Gap micromotion — {name}"
        )
    figures["changes"] = changes_figure(
        comparison.before,
        comparison.after,
        comparison.change,
        mesh_band=comparison.mesh_band,
        title=f"Change by cement — {name}",
    )
    return figures
