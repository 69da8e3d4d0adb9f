"""How a sacrum moves between fixed ilia, as a scenario of a study: nutation, gliding, centre of motion."""

from __future__ import annotations

from typing import Any

import numpy as np

from sacrofem.anatomy.solid import Landmarks
from sacrofem.mechanics.measures.measures import mean_displacement
from sacrofem.mechanics.space.space import Space
from sacrofem.specimen.comparison import Comparison
from sacrofem.study.evaluate import OneByOne, Values
from sacrofem.system.arrays import FloatArray

NEAR_PROMONTORY_MM = 8.0


def motions(space: Space, landmarks: Landmarks, displacement: FloatArray) -> dict[str, Any]:
    """Motion of a whole sacrum against its ilia.

    The rigid part is that of the least mean square over the volume. Angles are counted forward (nutation).

    Parameters
    ----------
    space, landmarks
        Of one sacrum, with ``auricular_left`` among the face sets.
    displacement : (N, 3)
        mm.

    Returns
    -------
    dict
        ``nutation_deg``: rotation about the transverse axis; ``joint_translation_mm``: length of the mean
        displacement of the left auricular face; ``joint_closing_mm``: its part along the outward normal;
        ``s1_anterior_mm``: forward displacement of the surface within 8 mm of the promontory; ``centre_y_mm``,
        ``centre_z_mm``: where the rigid part vanishes in the sagittal plane, in the anatomical frame (None
        without a rotation).
    """
    mesh = space.mesh
    corners = displacement[mesh.tets].mean(axis=1)
    middle = np.average(mesh.centroids, axis=0, weights=mesh.volumes)
    arm = mesh.centroids - middle
    mean = np.average(corners, axis=0, weights=mesh.volumes)
    second = np.einsum("m,mx,my->xy", mesh.volumes, arm, arm)
    moment = (mesh.volumes[:, None] * np.cross(arm, corners - mean)).sum(axis=0)
    spin = np.linalg.solve(np.trace(second) * np.eye(3) - second, moment)
    turns = float(spin @ spin) > 0.0
    centre = middle + np.cross(spin, mean) / (spin @ spin) if turns else None
    gliding = mean_displacement(space, np.flatnonzero(mesh.face_sets["auricular_left"]), displacement)
    near = np.linalg.norm(mesh.points - landmarks.promontory, axis=1) < NEAR_PROMONTORY_MM
    return {
        "nutation_deg": float(np.degrees(spin[0])),
        "joint_translation_mm": float(np.linalg.norm(gliding)),
        "joint_closing_mm": float(gliding @ landmarks.auricular["left"].normal),
        "s1_anterior_mm": -float(displacement[: len(near)][near, 1].mean()),
        "centre_y_mm": None if centre is None else float(centre[1]),
        "centre_z_mm": None if centre is None else float(centre[2]),
    }


class MotionSolver(OneByOne):
    """Keeps how each sacrum moves before cement, and who carries its load; for `run_study(factory=MotionSolver)`."""

    def values(self, comparison: Comparison) -> Values:
        """See `motions`; with ``share_left``, ``share_right``, ``share_ligaments`` of the load."""
        specimen, before = comparison.specimen, comparison.solutions["before"]
        shares = before.reactions.shares(specimen.loading.resultant.force)
        moved = motions(comparison.space, specimen.landmarks, before.state.displacement)
        return moved | {f"share_{part}": share for part, share in shares.items()}
