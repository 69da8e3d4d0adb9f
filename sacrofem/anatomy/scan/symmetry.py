"""The median plane of a scanned sacrum: where its mirror image lies best on itself."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.scan.lattice import LatticeSolid, truncated
from sacrofem.system.arrays import FloatArray

ROBUST_MM = 0.5
"""Distance beyond which a place pulls by its direction only: what one side lacks moves the plane little."""


def median_frame(solid: LatticeSolid, surface: FloatArray) -> Frame:
    """The motion from the frame of a solid to the nearest one whose x = 0 is its median plane.

    Robust least squares over the distances of the mirrored surface from the surface, for a turn about y, a turn about
    z and a shift in x.

    Parameters
    ----------
    solid
        In a frame whose median plane is about right: within 10° and a few mm.
    surface : (n, 3)
        Points on its surface, evenly spread, in that frame.
    """
    middle = surface.mean(axis=0) * [0.0, 1.0, 1.0]

    def moved(x: FloatArray) -> Frame:
        rotation = Rotation.from_rotvec([0.0, x[0], x[1]]).as_matrix()
        return Frame(rotation, middle + x[2] * rotation[0] - middle @ rotation)

    def residual(x: FloatArray) -> FloatArray:
        return truncated(solid.signed_distance(mirrored(surface, moved(x))))

    scales = np.array([0.02, 0.02, 1.0])
    return moved(least_squares(residual, np.zeros(3), x_scale=scales, loss="soft_l1", f_scale=ROBUST_MM).x)


def mirrored(points: FloatArray, frame: Frame) -> FloatArray:
    """(n, 3) points reflected in the plane x = 0 of a frame."""
    return frame.back(frame.place(points) * [-1.0, 1.0, 1.0])


def symmetric_share(solid: LatticeSolid, surface: FloatArray) -> float:
    """Share of the surface whose mirror image in x = 0 lies within 2 mm of the surface."""
    return float(np.mean(np.abs(solid.signed_distance(surface * [-1.0, 1.0, 1.0])) < 2.0))
