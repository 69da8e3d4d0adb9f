"""The three-dimensional scene of a result folder with pyvista: in a window, or as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sacrofem.errors import InputError
from sacrofem.mechanics.measures.grids import pyvista_module
from sacrofem.mesh.files.files import read_mesh
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.report.figures.drawing import MOTION_MAP, cement_surface
from sacrofem.system.arrays import FloatArray
from sacrofem.system.files import replace_file

_BAR = {"title": "micromotion / µm", "color": "black", "fmt": "%.0f", "position_x": 0.2, "width": 0.6}
_BONE, _CEMENT = "#d9c7a3", "#1a73b3"


def view(folder: Path, *, png: Path | None = None) -> None:
    """Show what ``compare --out`` left: bone as glass, fracture coloured by micromotion, cement.

    Parameters
    ----------
    folder
        With ``before.vtu`` and ``after.vtu``.
    png
        Draw off-screen into this file instead of opening a window.

    Raises
    ------
    InputError
        The folder holds no result.
    EnvironmentFailure
        pyvista is not installed.
    """
    pyvista = pyvista_module()
    paths = {state: folder / f"{state}.vtu" for state in ("before", "after")}
    for path in paths.values():
        if not path.is_file():
            raise InputError("no such result", file=path, mend="name a folder that `sacrofem compare --out` wrote")
    states = {state: (read_mesh(path), pyvista.read(path)) for state, path in paths.items()}
    motions = {state: _micromotion(*content, paths[state]) for state, content in states.items()}
    top = max((float(np.percentile(values, 99)) for values in motions.values() if len(values)), default=1.0)
    plotter = pyvista.Plotter(shape=(1, 2), off_screen=png is not None, window_size=(1500, 750))
    for column, (state, (mesh, grid)) in enumerate(states.items()):
        plotter.subplot(0, column)
        plotter.add_text(state, font_size=12, color="black")
        outer = mesh.faces[np.asarray(mesh.pair_side) == 0]
        plotter.add_mesh(_surface(pyvista, mesh.points, outer), color=_BONE, opacity=0.25, smooth_shading=True)
        plus = mesh.paired[0]
        if len(plus):
            plotter.add_mesh(
                _surface(pyvista, mesh.points, mesh.faces[plus]), scalars=motions[state], clim=(0.0, top),
                cmap=MOTION_MAP, scalar_bar_args=_BAR,
            )  # fmt: skip
        fraction = grid.cell_data.get("cement_fraction")
        points, faces = cement_surface(mesh, None if fraction is None else np.asarray(fraction)[: len(mesh.tets)])
        if len(faces):
            plotter.add_mesh(_surface(pyvista, points, faces), color=_CEMENT)
    plotter.link_views()
    plotter.set_background("white")
    # From in front, z up: the patient's left is on the right.
    plotter.view_vector((0.35, -1.0, 0.25), viewup=(0.0, 0.0, 1.0))
    if png is None:
        plotter.show()
        return
    replace_file(png, lambda temporary: plotter.screenshot(str(temporary)))
    plotter.close()


def _surface(pyvista: Any, points: Any, faces: Any) -> Any:
    return pyvista.PolyData(points, np.column_stack([np.full(len(faces), 3), faces]).ravel())


def _micromotion(mesh: TetMesh, grid: Any, file: Path) -> FloatArray:
    """(p,) mean length of the jump over each pair of faces in µm."""
    plus, _ = mesh.paired
    if not len(plus):
        return np.zeros(0)
    if "micromotion" not in grid.cell_data:
        raise InputError("has no micromotion", file=file, mend="run `sacrofem compare` again with this version")
    return np.asarray(1e3 * np.asarray(grid.cell_data["micromotion"])[len(mesh.tets) + plus])
