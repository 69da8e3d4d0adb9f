"""Both techniques on two sacra that are no presets: a Visible Human and a segmented CT, landmarks by hand."""

import numpy as np
import pytest
import scans
import segmented

from sacrofem.cement.planners import plan_needles
from sacrofem.cement.safety import needle_path
from sacrofem.cement.structures import Structures

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["visible human", "segmented ct"])
def bone(request):
    if request.param == "visible human":
        solid = scans.visible_human()
        return solid, scans.meshes(solid, size_mm=6.0, fracture_mm=4.0, lattice_mm=3.0)[0]
    solid = segmented.sacrum()
    return solid, segmented.body(solid, size_mm=5.0, lattice_mm=3.0)


@pytest.mark.parametrize("approach", ["short-axis", "long-axis", "transiliac"])
def test_safe_needles_on_both_sides(bone, approach):
    solid, mesh = bone
    structures = Structures(mesh, solid.landmarks)
    found = {}
    for side in ("left", "right"):
        (needle,) = plan_needles(
            approach, solid.landmarks, side, 1, structures, joint_distance_mm=9.0,
            signed_distance=solid.signed_distance,
        )  # fmt: skip
        found[side] = needle
        path = needle_path(needle, structures)
        assert min(path.clearance_mm[name] for name in structures.corridors) >= 1.0
        assert path.cancellous_mm > 8.0
        assert "anterior" not in path.crosses
        if approach != "transiliac":
            assert path.clearance_mm[f"joint_{side}"] >= 1.0
            assert needle.entry_mm[1] > needle.target_mm[1]
    left, right = found["left"].target_mm, found["right"].target_mm
    # One bone is symmetrised to 1.9 mm, the other one as it grew.
    assert np.abs(np.array([-1.0, 1.0, 1.0]) * left - right).max() < 5.0
