"""The built-in sacrum as what a scan becomes: signed distances on a lattice."""

import numpy as np

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.scan.lattice import LatticeSolid


def on_lattice(cut_mm=np.inf):
    """The built-in sacrum on a lattice of 2 mm that is not its mirror image; of its left side what lies within."""
    sacrum = ParametricSacrum()
    low, high = sacrum.bounds + np.array([[-9.3], [9.0]])
    axes = [np.arange(a, b, 2.0) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = sacrum.signed_distance(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    return LatticeSolid(np.maximum(values, grid[..., 0] - cut_mm).astype(np.float32), low, 2.0)
