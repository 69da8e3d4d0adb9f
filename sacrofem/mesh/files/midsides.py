"""Mid-side nodes of ten-node tets: which convention numbers them, and whether they lie on straight edges."""

from __future__ import annotations

import os
import warnings

import numpy as np

from sacrofem.errors import InputError, SacrofemWarning
from sacrofem.mesh.tetmesh import TET_EDGES
from sacrofem.system.arrays import FloatArray, IntArray

STRAIGHT = 1e-6
"""A mid-side node further than this share of its edge from the middle is curved."""

MISPLACED = 0.25
"""Further than this share of an edge from its middle, a node belongs to another edge."""

CONVENTIONS = {
    "gmsh": (0, 1, 2, 3, 4, 5, 6, 7, 9, 8),
    "basix (DOLFINx)": (0, 1, 2, 3, 9, 6, 8, 7, 5, 4),
    "Netgen": (0, 2, 1, 3, 5, 7, 4, 6, 9, 8),
    "UNV (I-DEAS)": (0, 2, 4, 9, 1, 3, 5, 6, 7, 8),
}
"""Where each of the ten nodes in the order of VTK and Abaqus stands in the order of others."""


def corner_tets(points: FloatArray, tets: IntArray, file: str | os.PathLike[str], *, straighten: bool) -> IntArray:
    """(m, 4) corners of ten-node tets whose sides are straight.

    Parameters
    ----------
    points : (n, 3) float
    tets : (m, 10) int
        In the order of VTK and Abaqus.
    file
        Where they come from, for the message.
    straighten
        Take curved sides as straight ones, with a warning.

    Raises
    ------
    InputError
        Nodes in the order of another program (which is named), or curved sides.
    """
    away, length = _offsets(points, tets)
    curved = away > STRAIGHT * length
    if not curved.any():
        return np.ascontiguousarray(tets[:, :4])
    worst = int(np.argmax((away / np.maximum(length, np.finfo(float).tiny)).max(axis=1)))
    if (away > MISPLACED * length).any():
        fits = [name for name, order in CONVENTIONS.items() if _fits(points, tets[:, list(order)])]
        if len(fits) == 1:
            raise InputError(
                f"the ten nodes of a tet come in the order of {fits[0]}",
                file=file,
                mend="export it again in the order of VTK and Abaqus, or as tets of four nodes",
            )
    count = len(np.unique(tets[:, 4:][curved]))
    text = f"{count} mid-side nodes are up to {away[curved].max():.3g} mm off the middle of their edges"
    if not straighten:
        mend = "export straight-sided tets, or ask to straighten them"
        raise InputError(f"{text}, furthest in tet number {worst}", file=file, mend=mend)
    warnings.warn(f"{file}: {text}; they were straightened", SacrofemWarning, stacklevel=3)
    return np.ascontiguousarray(tets[:, :4])


def _offsets(points: FloatArray, tets: IntArray) -> tuple[FloatArray, FloatArray]:
    """(m, 6) distances of the mid-side nodes from the middles of their edges, and the lengths of these."""
    start, end = (points[tets[:, TET_EDGES[:, i]]] for i in (0, 1))
    away: FloatArray = np.linalg.norm(points[tets[:, 4:]] - 0.5 * (start + end), axis=2)
    return away, np.asarray(np.linalg.norm(end - start, axis=2))


def _fits(points: FloatArray, tets: IntArray) -> bool:
    away, length = _offsets(points, tets)
    return bool((away <= MISPLACED * length).all())
