"""The last few bad tets: their corners moved one by one, where that helps the worst tet around them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sacrofem.mesh.quality import element_quality
from sacrofem.mesh.tetmesh import boundary_faces
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

GOOD = 0.15
"""Tets below this quality are worked on."""


def smoothed(
    points: FloatArray,
    tets: IntArray,
    distance: Callable[[FloatArray], FloatArray] | None,
    *,
    midplane: bool = False,
    fixed: BoolArray | None = None,
    rounds: int = 12,
) -> FloatArray:
    """Points moved so that the worst tets become better; connectivity stays.

    Inner points move freely, points of the surface ``distance`` = 0 slide on it, points of the midplane stay in it
    (``midplane``). A move counts only if it raises the worst quality among
    the tets of its point.

    Parameters
    ----------
    points, tets
        The mesh.
    distance
        Signed distance of the solid, mm; None: points of the surface stay.
    midplane
        Whether x = 0 is a flat face of the mesh.
    fixed : (n,) bool, optional
        Further points that stay.
    rounds
        How many times to go over all bad tets.
    """
    points = points.copy()
    faces = boundary_faces(tets)
    flat = np.all(points[faces, 0] == 0.0, axis=1) & midplane
    in_plane, on_surface = np.zeros(len(points), bool), np.zeros(len(points), bool)
    in_plane[faces[flat]] = True
    on_surface[faces[~flat]] = True
    order = np.argsort(tets.ravel(), kind="stable")
    first = np.searchsorted(tets.ravel()[order], np.arange(len(points) + 1))
    random = np.random.default_rng(0)
    for turn in range(rounds):
        bad = np.flatnonzero(element_quality(points, tets) < GOOD)
        if not len(bad):
            break
        for vertex in np.unique(tets[bad]):
            stays = on_surface[vertex] and (in_plane[vertex] or distance is None)
            if stays or (fixed is not None and fixed[vertex]):
                continue
            star = tets[order[first[vertex] : first[vertex + 1]] // 4]
            here = points[vertex]
            around = points[np.setdiff1d(star, vertex)]
            scale = np.linalg.norm(around - here, axis=1).min()
            tries = here + random.normal(size=(40, 3)) * scale * 0.5 ** (1 + turn % 4)
            tries[0] = around.mean(axis=0)
            if in_plane[vertex]:
                tries[:, 0] = 0.0
            if on_surface[vertex] and distance is not None:
                tries = _onto(tries, here, distance)
            quality = np.array([_worst(points, star, vertex, place) for place in tries])
            if quality.max() > _worst(points, star, vertex, here):
                points[vertex] = tries[quality.argmax()]
    return points


def _worst(points: FloatArray, star: IntArray, vertex: int, place: FloatArray) -> float:
    corners = np.where((star == vertex)[..., None], place, points[star])
    return float(element_quality(corners.reshape(-1, 3), np.arange(star.size).reshape(-1, 4)).min())


def _onto(points: FloatArray, here: FloatArray, distance: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Points moved along the gradient to the level of ``here``: the surface of the mesh, not that of the solid."""
    step = 1e-3 * np.eye(3)
    level = distance(here[None])
    for _ in range(2):
        stencil = np.concatenate([points, *(points + s for s in step)])
        value = distance(stencil).reshape(4, -1)
        gradient = (value[1:] - value[0]).T / 1e-3
        norm = np.maximum((gradient**2).sum(axis=1, keepdims=True), 1e-2)
        points = points - (value[0] - level)[:, None] * gradient / norm
    return points
