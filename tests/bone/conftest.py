from __future__ import annotations

import numpy as np
import pytest

from sacrofem.anatomy.solid import AuricularFace, Corridor, Landmarks


@pytest.fixture(scope="session")
def landmarks() -> Landmarks:
    """A sacrum of plain numbers, mirror-symmetric, with joints that converge to the back and downwards."""
    slope = np.radians(40.0)
    levels = np.array([[0, 11, -9], [0, 26, -31], [0, 35, -53], [0, 36, -72], [0, 33, -89]], float)
    normal = np.array([0.92, 0.33, -0.2]) / np.linalg.norm([0.92, 0.33, -0.2])
    foramina, auricular = {}, {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        flip = np.array([sign, 1.0, 1.0])
        auricular[side] = AuricularFace(np.array([50.0, 28.0, -22.0]) * flip, normal * flip, 56.0, 28.0)
        for k, x in enumerate((22.0, 20.0, 17.5, 15.0)):
            middle = 0.5 * (levels[k] + levels[k + 1])
            track = np.array([[x, -6, 0], [0.6 * x, 10, 2], [0.8 * x, 26, 4]]) + middle
            foramina[f"S{k + 1}_{side}"] = Corridor(track * flip, np.array([6.0, 4.5, 3.8]) - 0.5 * k)
    canal = Corridor(levels + np.array([0.0, 18.0, 2.0]), np.array([9.0, 8.0, 6.0, 5.0, 4.0]))
    return Landmarks(
        np.zeros(3), np.array([0.0, -np.sin(slope), np.cos(slope)]), np.array([0.0, -11.6, -9.7]),
        np.array([0.0, 27.0, -95.0]), levels, auricular, canal, foramina,
    )  # fmt: skip
