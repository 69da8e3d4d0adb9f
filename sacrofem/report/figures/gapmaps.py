"""The fracture faces laid flat: how far they move, open and slip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.report.figures import projection as project
from sacrofem.report.figures.drawing import HALF, MOTION_MAP, SIGNED_MAP, fracture_groups, lines, rim, toward
from sacrofem.system.arrays import FloatArray

_OUTLINE = "#39c2ff"


@dataclass(frozen=True, eq=False)
class _Panel:
    title: str
    values: FloatArray
    colours: str
    scale: Normalize
    treated: bool


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
    fracture_groups(mesh)
    scale = _from_zero(before, after)
    panels = [
        _Panel("before", before, MOTION_MAP, scale, False),
        _Panel("after", after, MOTION_MAP, scale, True),
    ]
    return _maps(mesh, panels, [(0, 2, "micromotion / µm", "max")], coverage, title)


def gap_parts_figure(
    mesh: TetMesh,
    opening: Mapping[str, FloatArray],
    slip: Mapping[str, FloatArray],
    *,
    coverage: FloatArray | None = None,
    title: str = "Opening and slip of the fracture faces",
) -> Figure:
    """The jump split into its normal and its tangential part, before and after, each on one scale.

    Parameters
    ----------
    mesh
    opening : mapping of "before" and "after" to (p,)
        Normal part, µm; negative where the gap closes.
    slip : mapping of "before" and "after" to (p,)
        Length of the tangential part, µm.
    coverage : (p,), optional
        Share of each pair that cement covers; covered faces are outlined.
    title

    Raises
    ------
    ValueError
        The mesh has no fracture.
    """
    fracture_groups(mesh)
    reach = max(float(np.percentile(np.abs(values), 99)) for values in opening.values())
    signed, scale = Normalize(-max(reach, 1e-9), max(reach, 1e-9)), _from_zero(*slip.values())
    panels = [_Panel(f"opening\n{name}", opening[name], SIGNED_MAP, signed, name == "after") for name in opening]
    panels += [_Panel(f"slip\n{name}", slip[name], MOTION_MAP, scale, name == "after") for name in slip]
    n = len(opening)
    bars = [(0, n, "opening (closing below zero) / µm", "both"), (n, len(panels), "slip / µm", "max")]
    return _maps(mesh, panels, bars, coverage, title)


def _from_zero(*values: FloatArray) -> Normalize:
    return Normalize(0.0, float(max(*(np.percentile(v, 99) for v in values), 1e-9)))


def _maps(
    mesh: TetMesh,
    panels: Sequence[_Panel],
    bars: Sequence[tuple[int, int, str, str]],
    coverage: FloatArray | None,
    title: str,
) -> Figure:
    plus, _ = mesh.paired
    groups = fracture_groups(mesh)
    planes = {
        name: project.best_plane(mesh.points[np.unique(mesh.faces[plus[pairs]])]) for name, pairs in groups.items()
    }
    pages = {name: planes[name].page(mesh.points[mesh.faces[plus[pairs]]]) for name, pairs in groups.items()}
    spans = [np.ptp(page, axis=(0, 1)) + 4 for page in pages.values()]
    heights = [min(2.5 * span[1] / span[0], 3.4) for span in spans]
    size = (0.8 + 2.7 * len(panels), sum(heights) + 0.8 * len(heights) + 1.5)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(groups), len(panels), squeeze=False, sharex="row", sharey="row", height_ratios=heights)
    for row, (name, pairs) in zip(axes, groups.items(), strict=True):
        faces, plane, page = mesh.faces[plus[pairs]], planes[name], pages[name]
        low, high = page.min(axis=(0, 1)) - 2, page.max(axis=(0, 1)) + 2
        for ax, panel in zip(row, panels, strict=True):
            cells = PolyCollection(list(page), cmap=panel.colours, norm=panel.scale, edgecolors="face", linewidths=0.2)
            cells.set_array(panel.values[pairs])
            cells.set_rasterized(True)
            ax.add_collection(cells)
            if coverage is not None and panel.treated:
                outline = _OUTLINE if panel.colours == MOTION_MAP else "0.15"
                lines(ax, rim(mesh, faces[np.asarray(coverage)[pairs] >= HALF], plane), outline, 1.6)
            ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
            ax.set_title(f"{name}, {panel.title}", fontsize=9)
            ax.set_xlabel(f"toward {toward(plane.right)} / mm", fontsize=8)
            ax.tick_params(labelsize=8)
        row[0].set_ylabel(f"toward {toward(plane.up)} / mm", fontsize=8)
    for first, last, text, extend in bars:
        panel = panels[first]
        bar = figure.colorbar(
            ScalarMappable(panel.scale, panel.colours), ax=list(axes[:, first:last].flat), extend=extend,
            location="bottom", shrink=0.8, aspect=30,
        )  # fmt: skip
        bar.set_label(text, fontsize=9)
    if coverage is not None and np.any(np.asarray(coverage) >= HALF):
        colour = _OUTLINE if panels[0].colours == MOTION_MAP else "0.15"
        both = "" if len(bars) == 1 else " (dark: opening, light blue: slip)"
        handle = Line2D([], [], color=colour, lw=1.6, label=f"rim of the cement in the gap{both}")
        figure.legend(handles=[handle], loc="outside lower center", frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure
