"""A sacrum of one's own with what was found on it, to be looked at before anything is solved."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sacrofem.anatomy.solid import AuricularFace, Landmarks
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.report.figures import projection as project
from sacrofem.system.arrays import FloatArray

_BONE = (0.93, 0.90, 0.84)
_JOINT, _CHANNEL, _GUESS, _PLATE, _POINT = "#0072b2", "#cc3311", "#ee9966", "#009988", "#222222"
_PIXELS_PER_MM = 5.0


def landmarks_figure(mesh: TetMesh, landmarks: Landmarks, *, title: str = "") -> Figure:
    """Front, left side and back of a bone with its frame, endplate, joints, canal and foramina.

    Parameters
    ----------
    mesh : TetMesh
        In the anatomical frame; its outer faces are drawn.
    landmarks : Landmarks
        Foramina that are estimated are dashed.
    title
    """
    views = (project.ANTERIOR, project.LEFT, project.POSTERIOR)
    return _views(mesh, views, title, lambda ax, view: _marks(ax, view, landmarks), _handles(landmarks))


def distance_figure(mesh: TetMesh, distance: FloatArray, *, title: str = "") -> Figure:
    """Signed distance from the outer surface of a bone to that of its twin, painted on it.

    Parameters
    ----------
    mesh : TetMesh
    distance : (f,)
        mm at the centres of its outer faces (`outer_faces`); positive where the twin lies inside the bone.
    title
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    norm, colours = Normalize(-8.0, 8.0), colormaps["RdBu_r"]
    views = (project.ANTERIOR, project.LEFT, project.POSTERIOR)
    figure = _views(mesh, views, title, lambda ax, view: None, [], paint=colours(norm(distance))[:, :3])
    # Wide bones leave the bar no room.
    figure.set_figheight(figure.get_figheight() + 0.8)
    bar = figure.colorbar(
        ScalarMappable(norm, colours), ax=figure.axes, orientation="horizontal", fraction=0.04, aspect=50, extend="both"
    )
    bar.set_label("distance to the fitted built-in sacrum / mm (red: bone stands out)")
    return figure


def outer_faces(mesh: TetMesh) -> FloatArray:
    """(f, 3) corners of the faces that are drawn."""
    assert mesh.pair_side is not None
    return np.asarray(mesh.faces[mesh.pair_side == 0])


def _views(
    mesh: TetMesh,
    views: tuple[project.View, ...],
    title: str,
    draw: Any,
    handles: list[Line2D],
    paint: FloatArray | None = None,
) -> Figure:
    faces = np.asarray(outer_faces(mesh), dtype=np.int64)
    normals = project.smooth_normals(mesh.points, faces)
    boxes = []
    for view in views:
        page, _ = project.projected(mesh.points, view)
        boxes.append(np.array([page.min(axis=0) - 6.0, page.max(axis=0) + 6.0]))
    widths = [float(np.ptp(box[:, 0])) for box in boxes]
    height = max(float(np.ptp(box[:, 1])) for box in boxes)
    figure = Figure(figsize=(4.6 * sum(widths) / height, 5.6), layout="constrained")
    axes = figure.subplots(1, len(views), width_ratios=widths, squeeze=False)[0]
    for ax, view, box in zip(axes, views, boxes, strict=True):
        near = normals @ view.axes[2] > 0
        colour = np.column_stack([project.lit(normals[near], view, _BONE), np.ones(int(near.sum()))])
        if paint is not None:
            shade = project.lit(normals[near], view, (1.0, 1.0, 1.0), ambient=0.6)
            colour[:, :3] = paint[near] * shade
        image = project.raster(mesh.points, faces[near], colour, view, box, _PIXELS_PER_MM)
        ax.imshow(np.clip(image, 0, 1), extent=(*box[:, 0], *box[:, 1]))
        draw(ax, view)
        ax.set(xlim=box[:, 0], ylim=box[:, 1], aspect="equal")
        ax.set_axis_off()
        ax.set_title(view.title, fontsize=10)
        for x, text, side in ((box[0, 0], view.margins[0], "left"), (box[1, 0], view.margins[1], "right")):
            ax.text(x, box[1, 1], text, ha=side, va="top", fontsize=10, color="0.35")
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _marks(ax: Any, view: project.View, landmarks: Landmarks) -> None:
    def page(points: FloatArray) -> FloatArray:
        return project.projected(np.atleast_2d(points), view)[0]

    toward = view.axes[2]
    for face in landmarks.auricular.values():
        # A joint is drawn where it can be seen.
        if face.normal @ toward > -0.35:
            ax.add_collection(
                PolyCollection([page(_ellipse(face, landmarks))], facecolors="none", edgecolors=_JOINT, linewidths=1.8)
            )
    for name, corridor in {"canal": landmarks.canal, **landmarks.foramina}.items():
        guess = name in landmarks.estimated
        ax.plot(
            *page(corridor.points).T, color=_GUESS if guess else _CHANNEL, lw=1.6, ls="--" if guess else "-",
            marker="o", ms=2.5,
        )  # fmt: skip
    across = np.cross([1.0, 0.0, 0.0], landmarks.endplate_normal)
    reach = float(np.linalg.norm(landmarks.promontory - landmarks.endplate_centre))
    angle = np.linspace(0, 2 * np.pi, 60)[:, None]
    plate = landmarks.endplate_centre + 1.3 * reach * np.cos(angle) * [1.0, 0, 0] + reach * np.sin(angle) * across
    ax.plot(*page(plate).T, color=_PLATE, lw=1.8)
    tip = landmarks.endplate_centre + 22.0 * landmarks.endplate_normal
    ax.plot(*page(np.array([landmarks.endplate_centre, tip])).T, color=_PLATE, lw=1.8)
    points = np.array([landmarks.promontory, landmarks.apex, *landmarks.levels])
    ax.plot(*page(points).T, ls="", marker="x", color=_POINT, ms=5)
    for k, level in enumerate(page(landmarks.levels), 1):
        ax.annotate(f"S{k}", level, xytext=(4, 0), textcoords="offset points", fontsize=8, color=_POINT, va="center")


def _ellipse(face: AuricularFace, landmarks: Landmarks) -> FloatArray:
    down = landmarks.levels[2] - landmarks.levels[0]
    down = down - (down @ face.normal) * face.normal
    down /= np.linalg.norm(down)
    across = np.cross(face.normal, down)
    angle = np.linspace(0, 2 * np.pi, 60)[:, None]
    return np.asarray(
        face.centre + 0.5 * face.height_mm * np.cos(angle) * down + 0.5 * face.width_mm * np.sin(angle) * across
    )


def _handles(landmarks: Landmarks) -> list[Line2D]:
    handles = [
        Line2D([], [], color=_PLATE, lw=1.8, label="S1 endplate and normal"),
        Line2D([], [], color=_JOINT, lw=1.8, label="auricular face"),
        Line2D([], [], color=_CHANNEL, lw=1.6, label="canal, foramina"),
    ]
    if landmarks.estimated:
        handles.append(Line2D([], [], color=_GUESS, lw=1.6, ls="--", label="estimated"))
    return [*handles, Line2D([], [], color=_POINT, ls="", marker="x", ms=5, label="promontory, apex, bodies")]
