"""The plan as a radiologist sees it: a slice along the needle and the view from behind, like pictures of X-rays."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sacrofem.anatomy.regions import corridor_distance
from sacrofem.bone.density import density_from_hu
from sacrofem.mesh.locate import Locator
from sacrofem.report.figures.drawing import HALF, toward
from sacrofem.specimen.plan import Plan
from sacrofem.specimen.setup import Setup
from sacrofem.system.arrays import FloatArray

_STEP_MM = 0.5
_DEEP_STEP_MM = 1.25
_MARGIN_MM = 6.0
_FRACTURE, _CEMENT, _NEEDLE, _CLEAR = "#ff5a5a", "#4db8ff", "#ffe066", "#b58cff"


def plan_figure(specimen: Setup, plan: Plan) -> Figure:
    """Slice along the first needle, and the view from behind.

    The slice holds the needle and the left-right direction, an oblique axial one as it is planned in a scanner; the
    patient's left is on the right, as in any CT. Grey is density. The view from behind adds density up along the way
    of the rays.

    Parameters
    ----------
    specimen : Setup
    plan : Plan
        Prepared; nothing needs to be solved.
    """
    figure = Figure(figsize=(11.0, 5.2), layout="constrained")
    axes = figure.subplots(1, 2)
    _slice(axes[0], specimen, plan)
    _from_behind(axes[1], specimen, plan)
    handles = [
        Line2D([], [], color=_NEEDLE, lw=2.5, label="needle"),
        Line2D([], [], color=_CEMENT, lw=1.5, label="cement"),
        Line2D([], [], color=_FRACTURE, lw=1.5, label="fracture"),
        Line2D([], [], color=_CLEAR, lw=1.2, ls="--", label="canal and foramina, to keep clear"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _grey(ax: Any, values: FloatArray, extent: tuple[float, float, float, float], top: float) -> None:
    ax.imshow(values, cmap="gray", vmin=0.0, vmax=top, origin="lower", extent=extent, interpolation="bilinear")


def _slice(ax: Any, specimen: Setup, plan: Plan) -> None:
    needles = plan.needles
    mesh, landmarks = specimen.mesh, specimen.landmarks
    if needles:
        origin, along = np.asarray(needles[0].target_mm), needles[0].direction
    else:
        origin, along = landmarks.levels[0], np.array([0.0, -1.0, 0.0])
    across = np.array([1.0, 0.0, 0.0])
    origin = origin * [0.0, 1.0, 1.0]
    # Backwards in the picture is down, as in a CT.
    up = along - (along @ across) * across
    up /= np.linalg.norm(up)
    up = up if up[1] < 0 else -up
    normal = np.cross(across, up)
    local = (mesh.points - origin) @ np.stack([across, up]).T
    near = np.abs((mesh.points - origin) @ normal) < 2.0
    low, high = local[near].min(axis=0) - _MARGIN_MM, local[near].max(axis=0) + _MARGIN_MM
    u, v = (np.arange(a, b, _STEP_MM) for a, b in zip(low, high, strict=True))
    grid = origin + u[None, :, None] * across + v[:, None, None] * up
    points, shape = grid.reshape(-1, 3), grid.shape[:2]
    owner = Locator(mesh)(points)
    inside = owner >= 0
    top = float(density_from_hu(np.array([250.0]))[0])
    density = np.where(inside, 0.04 + specimen.bone.density[owner], 0.0)
    _grey(ax, density.reshape(shape), (low[0], u[-1], low[1], v[-1]), top)
    flat = {"linewidths": 1.5}
    cement = np.where(inside, plan.region.fraction[owner], 0.0).reshape(shape)
    if (cement >= HALF).any():
        ax.contour(u, v, cement, levels=[HALF], colors=_CEMENT, **flat)
    for corridor in (landmarks.canal, *landmarks.foramina.values()):
        away = corridor_distance(points, corridor).reshape(shape)
        if (away < 0).any():
            ax.contour(u, v, away, levels=[0.0], colors=_CLEAR, linewidths=1.2, linestyles="--")
    gap = specimen.space.gap.points.reshape(-1, 3)
    if len(gap):
        shown = gap[np.abs((gap - origin) @ normal) < 0.6]
        place = (shown - origin) @ np.stack([across, up]).T
        ax.plot(*place.T, ".", color=_FRACTURE, ms=1.6)
    for needle in needles:
        ends = np.array([needle.entry_mm, needle.target_mm]) - origin
        if np.abs(ends @ normal).max() < 3.0:
            place = ends @ np.stack([across, up]).T
            ax.plot(*place.T, color=_NEEDLE, lw=2.5, solid_capstyle="butt")
    ax.set(title="slice along the needle", xlabel="toward left / mm", ylabel=f"toward {toward(up)} / mm")


def _from_behind(ax: Any, specimen: Setup, plan: Plan) -> None:
    mesh, landmarks = specimen.mesh, specimen.landmarks
    low, high = mesh.points.min(axis=0) - _MARGIN_MM, mesh.points.max(axis=0) + _MARGIN_MM
    x, y, z = (np.arange(a, b, _DEEP_STEP_MM) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1)
    owner = Locator(mesh)(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    inside = owner >= 0
    density = np.where(inside, 0.08 + specimen.bone.density[owner], 0.0).sum(axis=1).T
    # From behind the patient's left is on the left.
    _grey(ax, density[:, ::-1], (-x[-1], -x[0], z[0], z[-1]), float(np.percentile(density[density > 0], 99)))
    fraction = np.where(inside, plan.region.fraction[owner], 0.0).max(axis=1).T
    if (fraction >= HALF).any():
        ax.contour(-x, z, fraction, levels=[HALF], colors=_CEMENT, linewidths=1.5)
    for corridor in (landmarks.canal, *landmarks.foramina.values()):
        away = corridor_distance(grid.reshape(-1, 3), corridor).reshape(grid.shape[:3]).min(axis=1).T
        ax.contour(-x, z, away, levels=[0.0], colors=_CLEAR, linewidths=1.2, linestyles="--")
    plus = mesh.paired[0]
    if len(plus):
        near = np.full(density.shape, 1.0)
        gap = specimen.space.gap.points.reshape(-1, 3)
        column = np.clip(((gap[:, 0] - low[0]) / _DEEP_STEP_MM).astype(int), 0, len(x) - 1)
        row = np.clip(((gap[:, 2] - low[2]) / _DEEP_STEP_MM).astype(int), 0, len(z) - 1)
        near[row, column] = -1.0
        ax.contour(-x, z, near, levels=[0.0], colors=_FRACTURE, linewidths=1.2)
    for placed in plan.region.injections:
        ends = np.array([placed.injection.needle.entry_mm, placed.injection.needle.target_mm])
        ax.plot(-ends[:, 0], ends[:, 2], color=_NEEDLE, lw=2.5, solid_capstyle="butt")
    ax.set(xlim=(-x[-1], -x[0]), title="from behind", xlabel="toward right / mm", ylabel="toward superior / mm")
