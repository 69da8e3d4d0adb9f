"""Stress inside the bone: sections through the fracture, and how much bone carries how much stress."""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.report.figures import projection as project
from sacrofem.report.figures.drawing import HALF, SIGNED_MAP, STRESS_MAP, cement_surface, lines, toward
from sacrofem.system.arrays import BoolArray, FloatArray

_SLOPE_DEG = 40.0
_OUTLINE = "#e6007e"
_BINS = 60


def section_planes(
    mesh: TetMesh,
    fraction: FloatArray | None = None,
    *,
    point: FloatArray | None = None,
    normal: FloatArray | None = None,
) -> dict[str, project.Plane]:
    """An oblique axial and a coronal plane by their titles; parameters as for `section_figure`."""
    point = _focus(mesh, fraction) if point is None else np.asarray(point, float)
    normal = _endplate_normal(mesh) if normal is None else np.asarray(normal, float)
    x = np.array([1.0, 0.0, 0.0])
    # Both planes hold the left-right axis: moved along it they stay, and the page counts from the midline.
    point = point * [0.0, 1.0, 1.0]
    return {
        "parallel to S1 endplate": project.Plane(point, x, np.cross(normal, x)),
        "coronal, along endplate normal": project.Plane(point, x, normal),
    }


def section_figure(
    mesh: TetMesh,
    before: FloatArray,
    after: FloatArray,
    *,
    fraction: FloatArray | None = None,
    point: FloatArray | None = None,
    normal: FloatArray | None = None,
    title: str = "Von Mises stress",
    label: str = "von Mises stress / MPa",
) -> Figure:
    """A field on tets before, after and their difference, in an oblique axial and a coronal section.

    Before and after share one scale; the difference has the same span on either side of zero.

    Parameters
    ----------
    mesh
    before, after : (m,)
        A field that is nowhere negative, such as von Mises stress in MPa.
    fraction : (m,), optional
        Cement of the treated state; its outline is drawn.
    point : (3,), optional
        Where both sections pass; by default the middle of the cement, else of the fracture, else of the bone.
    normal : (3,), optional
        S1 endplate normal; by default that of the face set ``endplate``, else at a slope of 40 degrees.
    title, label
        Of the figure, and of the scale with its unit.
    """
    planes = section_planes(mesh, fraction, point=point, normal=normal)
    surface, cement = cement_surface(mesh, fraction)
    cuts = {name: project.section(mesh, plane) for name, plane in planes.items()}
    # The scale is that of bone: cement, many times stiffer, would leave the rest of the picture dark.
    bone = np.ones(len(mesh.tets), bool) if fraction is None else np.asarray(fraction) < HALF
    seen = np.unique(np.concatenate([tets for _, tets in cuts.values()]))
    shown = np.concatenate([before[seen], after[seen[bone[seen]]]])
    top = float(np.percentile(shown, 98)) if len(shown) else 1.0
    scale, signed = Normalize(0.0, top), Normalize(-top, top)
    plus, _ = mesh.paired
    spans = [np.ptp(np.concatenate([*polygons, np.eye(2)]), axis=0) + 6 for polygons, _ in cuts.values()]
    heights = [3.2 * span[1] / span[0] for span in spans]
    figure = Figure(figsize=(11.6, sum(heights) + 2.8), layout="constrained")
    axes = figure.subplots(2, 3, squeeze=False, height_ratios=heights, sharex="row", sharey="row")
    panels = (("before", before, STRESS_MAP, scale), ("after", after, STRESS_MAP, scale))
    for row, (name, plane) in zip(axes, planes.items(), strict=True):
        polygons, tets = cuts[name]
        corners = np.concatenate(polygons) if polygons else np.zeros((1, 2))
        for ax, (state, values, colours, norm) in zip(
            row, (*panels, ("after − before", after - before, SIGNED_MAP, signed)), strict=True
        ):
            cells = PolyCollection(polygons, cmap=colours, norm=norm, edgecolors="face", linewidths=0.2)
            cells.set_array(values[tets])
            cells.set_rasterized(True)
            ax.add_collection(cells)
            outline = "white" if norm is scale else "0.25"
            lines(ax, project.section_lines(mesh.points, mesh.faces[plus], plane), outline, 1.3)
            if state != "before":
                lines(ax, project.section_lines(surface, cement, plane), _OUTLINE, 1.1)
            low, high = corners.min(axis=0) - 3, corners.max(axis=0) + 3
            ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
            ax.set_title(f"{state}\n{name}", fontsize=9)
            ax.tick_params(labelsize=8)
            ax.set_facecolor("0.92" if norm is scale else "0.80")
            ax.set_xlabel("toward left / mm", fontsize=8)
        row[0].set_ylabel(f"toward {toward(plane.up)} / mm", fontsize=8)
    bar = figure.colorbar(
        ScalarMappable(scale, STRESS_MAP), ax=list(axes[:, :2].flat), extend="max", location="bottom", shrink=0.8,
        aspect=40,
    )  # fmt: skip
    bar.set_label(label, fontsize=9)
    bar = figure.colorbar(
        ScalarMappable(signed, SIGNED_MAP), ax=list(axes[:, 2]), extend="both", location="bottom", aspect=20
    )
    bar.set_label(f"difference of {label}", fontsize=9)
    handles = [Line2D([], [], color="0.55", lw=1.6, label="fracture")] if len(plus) else []
    if len(cement):
        handles.append(Line2D([], [], color=_OUTLINE, lw=1.4, label="cement"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


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


def histogram_figure(
    before: FloatArray,
    after: FloatArray,
    volumes: FloatArray,
    *,
    near: BoolArray | None = None,
    fraction: FloatArray | None = None,
    title: str = "Bone volume by von Mises stress",
) -> Figure:
    """How much bone carries how much stress, before and after; cement is left out of both.

    Parameters
    ----------
    before, after : (m,)
        Von Mises stress, MPa.
    volumes : (m,)
        mm³.
    near : (m,), optional
        Tets at the fracture, which get a panel of their own.
    fraction : (m,), optional
        Share of cement; it weighs a tet down in both states alike.
    title
    """
    weight = volumes / 1e3 * (1.0 if fraction is None else 1.0 - np.asarray(fraction))
    panels = {"all bone": np.ones(len(volumes), bool)}
    if near is not None and near.any():
        panels["within 5 mm of the fracture"] = np.asarray(near)
    # Where hardly any bone is left between cement no step would be seen: the ends count what lies beyond them.
    low, high = (_quantile(np.concatenate([before, after]), np.tile(weight, 2), q) for q in (0.001, 0.999))
    edges = np.geomspace(max(low, 1e-4 * high), high, _BINS + 1)
    figure = Figure(figsize=(4.6 * len(panels), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (name, members) in zip(axes, panels.items(), strict=True):
        for state, values, colour, style in (("before", before, "#d1782c", "-"), ("after", after, "#1b7f79", "--")):
            heights, _ = np.histogram(np.clip(values[members], edges[0], edges[-1]), edges, weights=weight[members])
            ax.stairs(heights, edges, color=colour, ls=style, lw=1.6, label=state)
        ax.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(0, None))
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("von Mises stress / MPa", fontsize=9)
        ax.tick_params(labelsize=8)
        ax.grid(color="0.9")
        ax.set_axisbelow(True)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[0].set_ylabel("volume in each of 60 steps / ml", fontsize=9)
    axes[-1].legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return max(float(values[order][np.searchsorted(total, share * total[-1])]), 1e-9)
