"""The fields of a solved state as a grid of other programs: meshio, and through it files and PyVista.

Tensors have six components in VTK's order xx, yy, zz, xy, yz, xz, and strain has the shears of the tensor, half of the
engineering ones. Six and not nine, as VTK's filters for principal values and yield criteria take symmetric
tensors only, and ParaView names six components in this order by itself.
"""

from __future__ import annotations

from typing import Any

import meshio
import numpy as np
from numpy.typing import NDArray

from sacrofem.errors import EnvironmentFailure
from sacrofem.mechanics.measures.statefields import FIELDS, StateFields
from sacrofem.mesh.files.files import named_cells, on_both
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

VTK_TENSOR = (0, 1, 2, 5, 3, 4)
"""Where VTK's xx, yy, zz, xy, yz, xz stand in our xx, yy, zz, yz, xz, xy."""


def to_meshio(fields: StateFields) -> meshio.Mesh:
    """Bone and faces with every field that the state has.

    Parameters
    ----------
    fields

    Returns
    -------
    meshio.Mesh
        Ten-node tets and six-node triangles (the whole boundary, both sides of fractures), with four and three nodes
        for a P1 space. Displacement is point data; all else is cell data, NaN on cells of the other kind. Of the
        gap both faces of a pair have the mean over its area. Sets (``set:NAME``) and ``pair``, ``pair_side``
        are there where they have members.
    """
    space = fields.space
    mesh, quadratic = space.mesh, space.order == 2
    cells = [
        ("tetra10" if quadratic else "tetra", space.connectivity.astype(np.int32)),
        ("triangle6" if quadratic else "triangle", space.face_nodes.astype(np.int32)),
    ]
    points: dict[str, NDArray[Any]] = {}
    data: dict[str, list[NDArray[Any]]] = {}
    for name in fields.names:
        place = FIELDS[name].place
        if place == "node":
            points[name] = fields[name]
        elif place == "tet":
            values = fields[name]
            if FIELDS[name].components == 6:
                values = vtk_tensor(values, engineering_shears=name == "strain")
            data[name] = on_both(values, len(mesh.faces), tets_first=True)
        else:
            values = fields[name] if place == "face" else on_faces(mesh, fields.gap.mean(name))
            data[name] = on_both(values, len(mesh.tets), tets_first=False)
    data |= {name: blocks for name, blocks in named_cells(mesh).items() if any(block.any() for block in blocks)}
    return meshio.Mesh(space.nodes, cells, point_data=points, cell_data=data)


def to_pyvista(fields: StateFields) -> Any:
    """The same as a ``pyvista.UnstructuredGrid``.

    Raises
    ------
    EnvironmentFailure
        PyVista is not installed.
    """
    return pyvista_module().from_meshio(to_meshio(fields))


def pyvista_module() -> Any:
    """PyVista, which is optional.

    Raises
    ------
    EnvironmentFailure
        It is not installed.
    """
    try:
        import pyvista
    except ImportError:
        raise EnvironmentFailure("pyvista is not installed; pip install 'sacrofem[view]'") from None
    return pyvista


def vtk_tensor(components: FloatArray, *, engineering_shears: bool) -> FloatArray:
    """(n, 6) components in VTK's order and with the shears of the tensor, from xx, yy, zz, yz, xz, xy."""
    shear = 0.5 if engineering_shears else 1.0
    return np.asarray((components * np.repeat([1.0, shear], 3))[:, VTK_TENSOR])


def on_faces(mesh: TetMesh, pair_values: FloatArray) -> FloatArray:
    """(k, ...) values of pairs on both of their faces, NaN elsewhere."""
    values = np.full((len(mesh.faces), *pair_values.shape[1:]), np.nan)
    for side in mesh.paired:
        values[side] = pair_values
    return values
