"""From triangles to a signed distance on a lattice, also where they do not close.

The sign is that of the winding number, averaged over rays along the six directions of the lattice (ray stabbing after
Nooruddin & Turk 2003): exact for a closed surface, and outvoted at a hole.
"""

from __future__ import annotations

import math

import numpy as np

from sacrofem.anatomy.scan.lattice import BAND, far_distance
from sacrofem.system.arrays import FloatArray, IntArray
from sacrofem.system.compiled import kernel

# Rays run beside the nodes, so that they meet no edge of a surface that was made on a lattice.
_ASIDE = (1.2345e-4, 0.9876e-4)


def winding_numbers(
    points: FloatArray, faces: IntArray, corner: FloatArray, spacing_mm: float, shape: tuple[int, int, int]
) -> FloatArray:
    """(nx, ny, nz) mean of the winding numbers that rays along ±x, ±y and ±z count.

    Parameters
    ----------
    points, faces
        Triangles, counter-clockwise from outside.
    corner, spacing_mm, shape
        The lattice.
    """
    local = (points - corner) / spacing_mm
    total = np.zeros(shape)
    for axis in range(3):
        across = ((axis + 1) % 3, (axis + 2) % 3)
        order = (*across, axis)
        size = tuple(shape[k] for k in order)
        steps = np.zeros((size[0], size[1], size[2] + 1))
        _stab(np.ascontiguousarray(local[:, order] + [*_ASIDE, 0.0]), faces, steps)
        # Faces above a node count as they look, those below it with the other sign.
        below = np.cumsum(steps, axis=2)[:, :, :-1]
        above = steps.sum(axis=2)[:, :, None] - below
        total += np.transpose(above - below, np.argsort(order))
    return total / 6.0


def lattice_distance(
    points: FloatArray, faces: IntArray, corner: FloatArray, spacing_mm: float, shape: tuple[int, int, int]
) -> tuple[FloatArray, FloatArray]:
    """Signed distance (mm) at the nodes of a lattice, and their winding numbers, both (nx, ny, nz)."""
    squared = np.full(shape, np.inf)
    _nearest(np.ascontiguousarray((points - corner) / spacing_mm), faces, BAND, squared)
    winding = winding_numbers(points, faces, corner, spacing_mm, shape)
    sign = np.where(winding > 0.5, -1.0, 1.0)
    return far_distance(sign * np.sqrt(squared) * spacing_mm, spacing_mm), winding


@kernel()
def _stab(points, faces, steps):  # type: ignore[no-untyped-def]
    """Add to every column what its ray crosses: the sign of the face, at the first node beyond it."""
    nx, ny, nz = steps.shape
    for f in range(faces.shape[0]):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0.0:
            continue
        sign = 1.0 if area > 0.0 else -1.0
        i0 = max(int(np.ceil(min(a[0], b[0], c[0]))), 0)
        i1 = min(int(np.floor(max(a[0], b[0], c[0]))), nx - 1)
        j0 = max(int(np.ceil(min(a[1], b[1], c[1]))), 0)
        j1 = min(int(np.floor(max(a[1], b[1], c[1]))), ny - 1)
        for i in range(i0, i1 + 1):
            for j in range(j0, j1 + 1):
                # Barycentric coordinates from edges that both their faces see alike.
                u = _edge(faces[f, 1], faces[f, 2], b, c, i, j) * sign
                v = _edge(faces[f, 2], faces[f, 0], c, a, i, j) * sign
                w = _edge(faces[f, 0], faces[f, 1], a, b, i, j) * sign
                if u >= 0.0 and v >= 0.0 and w >= 0.0:
                    height = (u * a[2] + v * b[2] + w * c[2]) / (u + v + w)
                    steps[i, j, min(max(int(np.ceil(height)), 0), nz - 1)] += sign


@kernel()
def _edge(p, q, a, b, x, y):  # type: ignore[no-untyped-def]
    """Twice the area of the triangle of an edge and a point, the same to the last bit from both ends."""
    if p < q:
        return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
    return -((a[0] - b[0]) * (y - b[1]) - (a[1] - b[1]) * (x - b[0]))


@kernel()
def _nearest(points, faces, band, squared):  # type: ignore[no-untyped-def]
    """Lower every node's squared distance (in spacings) to that of each triangle it lies near.

    Nearest point of a triangle by its Voronoi regions (Ericson 2005, 5.1.5).
    """
    nx, ny, nz = squared.shape
    for f in range(faces.shape[0]):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        e0, e1, e2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        g0, g1, g2 = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        ee, eg, gg = e0 * e0 + e1 * e1 + e2 * e2, e0 * g0 + e1 * g1 + e2 * g2, g0 * g0 + g1 * g1 + g2 * g2
        if ee * gg - eg * eg <= 0.0:
            continue
        i0, i1 = max(math.ceil(min(a[0], b[0], c[0]) - band), 0), min(math.floor(max(a[0], b[0], c[0]) + band), nx - 1)
        j0, j1 = max(math.ceil(min(a[1], b[1], c[1]) - band), 0), min(math.floor(max(a[1], b[1], c[1]) + band), ny - 1)
        k0, k1 = max(math.ceil(min(a[2], b[2], c[2]) - band), 0), min(math.floor(max(a[2], b[2], c[2]) + band), nz - 1)
        for i in range(i0, i1 + 1):
            for j in range(j0, j1 + 1):
                for k in range(k0, k1 + 1):
                    p0, p1, p2 = i - a[0], j - a[1], k - a[2]
                    d1, d2 = e0 * p0 + e1 * p1 + e2 * p2, g0 * p0 + g1 * p1 + g2 * p2
                    d3, d4, d5, d6 = d1 - ee, d2 - eg, d1 - eg, d2 - gg
                    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
                    v, w = 0.0, 0.0
                    if d1 <= 0.0 and d2 <= 0.0:
                        pass
                    elif d3 >= 0.0 and d4 <= d3:
                        v = 1.0
                    elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
                        v = d1 / (d1 - d3)
                    elif d6 >= 0.0 and d5 <= d6:
                        w = 1.0
                    elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
                        w = d2 / (d2 - d6)
                    elif va <= 0.0 and d4 >= d3 and d5 >= d6:
                        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
                        v = 1.0 - w
                    else:
                        v, w = vb / (va + vb + vc), vc / (va + vb + vc)
                    r0, r1, r2 = p0 - v * e0 - w * g0, p1 - v * e1 - w * g1, p2 - v * e2 - w * g2
                    value = r0 * r0 + r1 * r1 + r2 * r2
                    if value < squared[i, j, k] and value <= band * band:
                        squared[i, j, k] = value
