from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest

from sacrofem.mesh.tetmesh import TetMesh


@pytest.fixture(scope="session")
def block() -> Callable[[float, float], TetMesh]:
    """A cube of tets (six a cell), centred at the origin."""

    def make(edge_mm: float, size_mm: float) -> TetMesh:
        n = round(edge_mm / size_mm)
        axis = np.linspace(-edge_mm / 2, edge_mm / 2, n + 1)
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        stride = np.array([(n + 1) ** 2, n + 1, 1])
        origin = (np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3) @ stride)[:, None]
        tets = []
        for order in permutations(range(3)):
            path = np.concatenate([[0], np.cumsum(stride[list(order)])])
            odd = np.linalg.det(np.eye(3)[list(order)]) < 0
            tets.append(origin + path[[0, 2, 1, 3] if odd else [0, 1, 2, 3]])
        return TetMesh.from_tets(points, np.concatenate(tets))

    return make
