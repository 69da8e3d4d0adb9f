import numpy as np

from sacrofem.mesh.tetmesh import TetMesh


def lattice(xs, ys, zs) -> TetMesh:
    """A box of cubes, each cut into six tets around its main diagonal."""
    points = np.stack(np.meshgrid(xs, ys, zs, indexing="ij"), axis=-1).reshape(-1, 3)
    shape = (len(xs), len(ys), len(zs))
    i, j, k = (index.ravel() for index in np.indices(np.subtract(shape, 1)))
    corner = {
        (a, b, c): np.ravel_multi_index((i + a, j + b, k + c), shape) for a in (0, 1) for b in (0, 1) for c in (0, 1)
    }
    tets = []
    for way in ([0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [2, 1, 0], [1, 0, 2]):
        step = np.cumsum(np.eye(3, dtype=int)[way], axis=0)
        path = [corner[0, 0, 0], *(corner[tuple(int(s) for s in row)] for row in step)]
        if np.linalg.det(np.eye(3)[way]) < 0:
            path[2], path[3] = path[3], path[2]
        tets.append(np.stack(path, axis=1))
    return TetMesh.from_tets(points, np.concatenate(tets))
