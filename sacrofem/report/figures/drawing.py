"""What all figures share: colours, outlines, directions in words, and files fit for a journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.report.figures import projection as project
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.files import replace_file

BONE = (0.93, 0.87, 0.76)
FRACTURE = (0.80, 0.16, 0.22)
CEMENT = (0.10, 0.45, 0.70)
#: Perceptually uniform and safe for the colour-blind; the diverging one is blue and red, never green.
STRESS_MAP = "viridis"
MOTION_MAP = "inferno"
SIGNED_MAP = "RdBu_r"
#: Of curves and bars side by side, told apart with any colour vision (Okabe & Ito 2008).
CYCLE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")

#: At least half of the pore space of an element, or half of a face, is cement where cement is drawn.
HALF = 0.5
PRINT_DPI = 300


def save_figure(figure: Figure, path: str | Path, *, dpi: int = PRINT_DPI) -> None:
    """Write a figure as a journal wants it: PDF or SVG with text that stays text, or PNG at 300 dpi.

    Cells of a mesh are pictures inside the vector file, all else is lines and letters.

    Parameters
    ----------
    figure
    path
        Its ending chooses the format.
    dpi
        Of PNG, and of the pictures inside a vector file.
    """
    # TrueType instead of matplotlib's Type 3, which submission systems refuse.
    with rc_context({"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}):
        replace_file(Path(path), lambda temporary: figure.savefig(temporary, dpi=dpi))


def lines(ax: Any, segments: FloatArray, colour: str, width: float) -> None:
    """Draw (s, 2, 2) segments."""
    if len(segments):
        ax.add_collection(LineCollection(list(segments), colors=colour, linewidths=width, capstyle="round"))


def toward(direction: FloatArray) -> str:
    """The side of the body that a direction of the anatomical frame mostly points to."""
    k = int(np.argmax(np.abs(direction)))
    return (("right", "left"), ("anterior", "posterior"), ("inferior", "superior"))[k][int(direction[k] > 0)]


def cement_surface(mesh: TetMesh, fraction: FloatArray | None) -> tuple[FloatArray, IntArray]:
    """Points and triangles around the tets that are at least half cement."""
    values = np.zeros(len(mesh.tets)) if fraction is None else np.asarray(fraction, float)
    return project.isosurface(mesh, values, HALF)


def fracture_groups(mesh: TetMesh) -> dict[str, IntArray]:
    """Pairs of faces by the name of their fracture; all under one name where none is named.

    Raises
    ------
    ValueError
        The mesh has no fracture.
    """
    plus, _ = mesh.paired
    if not len(plus):
        raise ValueError("the mesh has no fracture")
    return {
        name.removeprefix("fracture_").replace("_", " "): np.flatnonzero(members[plus])
        for name, members in mesh.face_sets.items()
        if name.startswith("fracture_") and members[plus].any()
    } or {"fracture": np.arange(len(plus))}


def rim(mesh: TetMesh, faces: IntArray, plane: project.Plane) -> FloatArray:
    """(e, 2, 2) edges of a patch of triangles that belong to one of them only."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    if not len(edges):
        return np.zeros((0, 2, 2))
    edges, count = np.unique(edges, axis=0, return_counts=True)
    return plane.page(mesh.points[edges[count == 1]])
