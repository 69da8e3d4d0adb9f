"""Records with the unbroken bone: the same as that of a comparison by itself."""

import pytest

from sacrofem import Case, compare
from sacrofem.study.evaluate import IntactGroupSolver


@pytest.mark.slow
def test_the_intact_state_of_a_group_is_that_of_its_model():
    case = Case.preset("sif-unilateral").with_(mesh__reference="tiny", mesh__order=1)
    cases = [case, case.with_(cement__volume_ml=3.0)]
    records = dict(IntactGroupSolver()(cases, [0, 1]))
    alone = compare(cases[1], intact=True).intact
    # These do not depend on the zones, which a group has in common.
    for key in ("fragment_motion_um", "stiffness_n_per_mm", "strain_energy_nmm"):
        for place in (0, 1):
            assert records[place]["values"][f"{key}_intact"] == pytest.approx(alone[key], rel=1e-7)
    single = dict(IntactGroupSolver()([cases[1]], [0]))[0]["values"]
    assert single["fragment_motion_um_intact"] == pytest.approx(alone["fragment_motion_um"], rel=1e-9)
