"""Result files: one solved state with all of its fields, for ParaView, PyVista and meshio."""

from __future__ import annotations

from pathlib import Path

import meshio

from sacrofem.mechanics.measures.grids import to_meshio
from sacrofem.mechanics.measures.statefields import StateFields
from sacrofem.system.files import replace_file


def write_solution(path: Path, fields: StateFields) -> None:
    """Write a ``.vtu`` (binary, zlib) that `read_mesh` reads too, whole or not at all.

    Parameters
    ----------
    path
    fields
        What it holds stands in `sacrofem.mechanics.measures.grids.to_meshio`.

    Raises
    ------
    EnvironmentFailure
        The file cannot be written.
    """
    content = to_meshio(fields)
    replace_file(path, lambda temporary: meshio.vtu.write(str(temporary), content))
