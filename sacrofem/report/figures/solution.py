"""Any field of a solution or a comparison, in two sections through the fracture."""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sacrofem.errors import InputError
from sacrofem.mechanics.measures.statefields import FIELDS
from sacrofem.report.figures import projection as project
from sacrofem.report.figures.drawing import SIGNED_MAP, STRESS_MAP, lines, toward
from sacrofem.report.figures.sections import section_figure, section_planes
from sacrofem.specimen.comparison import Comparison
from sacrofem.specimen.solution import Solution


def drawable(solution: Solution) -> tuple[str, ...]:
    """The fields of a solution that have one number a tet."""
    return tuple(n for n in solution.fields.names if FIELDS[n].place == "tet" and FIELDS[n].components == 1)


def _label(name: str) -> str:
    unit = FIELDS[name].unit
    return name.replace("_", " ") + ("" if unit == "1" else f" / {unit}")


def compared_figure(comparison: Comparison, name: str) -> Figure:
    """One of these fields before, after and their difference; where it is negative its size is drawn."""
    before, after = (comparison.solutions[state][name] for state in ("before", "after"))
    label = _label(name)
    if min(before.min(), after.min()) < 0.0:
        before, after, label = np.abs(before), np.abs(after), f"size of {label}"
    fraction = comparison.solutions["after"].cement_fraction
    return section_figure(
        comparison.mesh, before, after, fraction=fraction, title=comparison.case.name, label=label
    )  # fmt: skip


def solution_figure(solution: Solution, name: str) -> Figure:
    """A scalar field of the tets, in an oblique axial and a coronal section.

    Parameters
    ----------
    solution
    name
        A field of tets with one component.

    Raises
    ------
    InputError
        No such field.
    """
    if name not in (known := drawable(solution)):
        raise InputError("no field to draw", field="name", value=name, mend=f"use one of {', '.join(known)}")
    mesh, values = solution.mesh, solution[name]
    planes = section_planes(mesh, None if solution.plan is None else solution.cement_fraction)
    cuts = {title: project.section(mesh, plane) for title, plane in planes.items()}
    shown = values[np.unique(np.concatenate([tets for _, tets in cuts.values()]))]
    low, high = (float(x) for x in np.percentile(shown, (2, 98))) if len(shown) else (0.0, 1.0)
    signed = low < 0.0
    top = max(abs(low), abs(high)) or 1.0
    scale = Normalize(-top, top) if signed else Normalize(0.0, top)
    colours = SIGNED_MAP if signed else STRESS_MAP
    spans = [np.ptp(np.concatenate([*polygons, np.eye(2)]), axis=0) + 6 for polygons, _ in cuts.values()]
    figure = Figure(figsize=(5.6, sum(4.6 * span[1] / span[0] for span in spans) + 1.6), layout="constrained")
    axes = figure.subplots(2, 1, height_ratios=[span[1] / span[0] for span in spans])
    plus, _ = mesh.paired
    for ax, (title, plane) in zip(axes, planes.items(), strict=True):
        polygons, tets = cuts[title]
        cells = PolyCollection(polygons, cmap=colours, norm=scale, edgecolors="face", linewidths=0.2)
        cells.set_array(values[tets])
        cells.set_rasterized(True)
        ax.add_collection(cells)
        lines(ax, project.section_lines(mesh.points, mesh.faces[plus], plane), "0.25" if signed else "white", 1.3)
        corners = np.concatenate(polygons) if polygons else np.zeros((1, 2))
        ax.set(xlim=(corners[:, 0].min() - 3, corners[:, 0].max() + 3))
        ax.set(ylim=(corners[:, 1].min() - 3, corners[:, 1].max() + 3), aspect="equal", facecolor="0.92")
        ax.set_title(title, fontsize=9)
        ax.tick_params(labelsize=8)
        ax.set_ylabel(f"toward {toward(plane.up)} / mm", fontsize=8)
    axes[-1].set_xlabel("toward left / mm", fontsize=8)
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=list(axes), extend="both", location="bottom", aspect=40)
    bar.set_label(_label(name), fontsize=9)
    figure.suptitle(f"{solution.specimen.case.name}, {solution.name}", fontsize=11)
    return figure
