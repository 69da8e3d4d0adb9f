"""The S1 endplate of a scanned sacrum, on which its frame rests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sacrofem.anatomy.builtin.parameters import SacrumParameters
from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.scan.lattice import LatticeSolid
from sacrofem.system.arrays import FloatArray

_ROUGH_TURNS, _FINE_TURNS, _FEWEST = 3, 9, 12
_REACH_MM = 6.0
_ROUGH_CONE = 0.75
# Between these a weight runs from all to nothing: in half axes of the plate, in cosines of the angle to its normal.
_RIM, _CONE = (0.8, 1.2), (0.7, 0.9)


def surface_points(solid: LatticeSolid) -> tuple[FloatArray, FloatArray]:
    """Points (n, 3) on the surface of a solid, evenly spread, and unit normals out of it, in its frame."""
    index = np.argwhere(np.abs(solid.values) < 0.6 * solid.spacing_mm)
    # Smoothed by a node: the direction of a scanned surface is noisier than its place.
    smooth = ndimage.gaussian_filter(solid.values.astype(float), 1.0, mode="nearest")
    slope = np.stack(np.gradient(smooth, solid.spacing_mm), axis=-1)[tuple(index.T)]
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    value = solid.values[tuple(index.T)].astype(float)
    points = solid.corner + solid.spacing_mm * index - value[:, None] * slope
    return solid.frame.place(points), slope @ solid.frame.rotation.T


def onto_surface(solid: LatticeSolid, point: FloatArray) -> FloatArray:
    """The point moved down the distance onto the surface."""
    for _ in range(20):
        value = float(solid.signed_distance(point[None])[0])
        if abs(value) < 0.05:
            break
        step = 0.5
        slope = np.array([
            float(np.diff(solid.signed_distance(point + np.outer([-step, step], axis)))[0]) for axis in np.eye(3)
        ])  # fmt: skip
        size = float(np.linalg.norm(slope))
        if size < 1e-6:
            break
        point = point - value * slope / size
    return point


@dataclass(frozen=True, eq=False)
class Endplate:
    """The plane of the S1 endplate.

    Attributes
    ----------
    normal, centre, promontory : (3,)
        In the frame in which it was looked for; the normal lies in the sagittal plane.
    flat : float
        Share of the plate within 1.5 mm of the plane.
    """

    normal: FloatArray
    centre: FloatArray
    promontory: FloatArray
    flat: float


def find_endplate(solid: LatticeSolid, surface: FloatArray, normals: FloatArray, near: ParametricSacrum) -> Endplate:
    """The endplate of a bone near that of a built-in sacrum: a plane by repeated fits.

    Three fits with wide bounds find the plate. Those that follow weigh its points by how well they belong to it: at
    the rim, in direction and in height weights run out smoothly, so that a point that noise carries over a bound turns
    the plane by little. On a coarse scan the plate has no more than some twenty corners.

    Parameters
    ----------
    solid
        In the frame of ``near``.
    surface, normals : (n, 3)
        See `surface_points`.
    near
        Where it is looked for, and how large it is.
    """
    p = near.parameters
    normal, centre = near.endplate_normal, np.zeros(3)
    for turn in range(_ROUGH_TURNS + _FINE_TURNS):
        radius, height = polar(surface - centre, normal, p)
        aligned = normals @ normal
        if turn < _ROUGH_TURNS:
            chosen = (radius < 1.0) & (aligned > _ROUGH_CONE) & (np.abs(height) < 2.0 * _REACH_MM)
            if np.count_nonzero(chosen) < _FEWEST:
                break
            weight = (chosen & (np.abs(height - np.median(height[chosen])) < _REACH_MM)).astype(float)
        else:
            # Tukey's biweight of the height; Beaton & Tukey 1974, 10.1080/00401706.1974.10489171.
            weight = (1.0 - np.minimum(np.abs(height) / _REACH_MM, 1.0) ** 2) ** 2
            weight *= np.interp(radius, _RIM, (1.0, 0.0)) * np.interp(aligned, _CONE, (0.0, 1.0))
            if np.count_nonzero(weight) < _FEWEST:
                break
        mean = weight @ surface / weight.sum()
        away = surface - mean
        new = np.linalg.eigh((weight[:, None] * away).T @ away)[1][:, 0]
        # In the median plane: a plate that leans to a side does not turn the frame.
        new = np.array([0.0, new[1], new[2]]) * np.sign(new @ normal)
        normal = new / np.linalg.norm(new)
        centre = centre + ((mean - centre) @ normal) * normal
        centre = _middle(solid, centre, normal, p)[0]
    _, front = _middle(solid, centre, normal, p)
    radius, height = polar(surface - centre, normal, p)
    there = (radius < 0.92) & (np.abs(height) < 6.0) & (normals @ normal > 0.3)
    flat = float(np.mean(np.abs(height[there]) < 1.5)) if there.any() else 0.0
    return Endplate(normal, centre, onto_surface(solid, front), flat)


def polar(r: FloatArray, normal: FloatArray, parameters: SacrumParameters) -> tuple[FloatArray, FloatArray]:
    """How far from the centre of the plate, 1 on the ellipse that bounds it, and how high above its plane in mm."""
    across = np.cross([1.0, 0.0, 0.0], normal)
    across /= np.linalg.norm(across)
    half = 0.5 * parameters.endplate_transverse_mm, 0.5 * parameters.endplate_ap_mm
    return np.hypot(r[:, 0] / half[0], (r @ across) / half[1]), r @ normal


def _middle(
    solid: LatticeSolid, centre: FloatArray, normal: FloatArray, parameters: SacrumParameters
) -> tuple[FloatArray, FloatArray]:
    """Centre of the plate between its front and its hind edge near the median plane, and the front edge there."""
    backwards = np.cross(normal, [1.0, 0.0, 0.0])
    reach = np.arange(0.0, 0.8 * parameters.endplate_ap_mm, 0.25)
    ends: dict[float, list[float]] = {-1.0: [], 1.0: []}
    for x in (-8.0, -4.0, 0.0, 4.0, 8.0):
        for depth in (2.5, 3.5, 4.5):
            start = centre * [0.0, 1.0, 1.0] + [x, 0.0, 0.0] - depth * normal
            for sign, found in ends.items():
                outside = solid.signed_distance(start + sign * reach[:, None] * backwards) > 0.0
                if outside.any():
                    found.append(sign * float(reach[outside.argmax()]))
    middle = centre * [0.0, 1.0, 1.0]
    front = float(np.median(ends[-1.0])) if ends[-1.0] else -0.5 * parameters.endplate_ap_mm
    hind = float(np.median(ends[1.0])) if ends[1.0] else 0.5 * parameters.endplate_ap_mm
    return middle + 0.5 * (front + hind) * backwards, middle + front * backwards - 1.0 * normal
