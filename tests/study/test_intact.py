"""Records with the unbroken bone: the same as that of a comparison by itself."""

import pytest

from sacrofem import Case, compare
from sacrofem.study.evaluate import IntactGroupSolver


@pytest.mark.slow
def test_the_intact_state_of_a_group_is_that_of_each_case():
    case = Case.preset("sif-unilateral").with_(mesh__reference="tiny", mesh__order=1)
    cases = [case, case.with_(cement__volume_ml=3.0)]
    records = dict(IntactGroupSolver()(cases, [0, 1]))
    for case, place in zip(cases, (0, 1), strict=True):
        # The unbroken bone is one state of the group; what is measured in it leaves out the cement of each plan.
        alone = compare(case, intact=True).intact
        values = records[place]["values"]
        known = {key: value for key, value in alone.items() if value is not None}
        assert {key: values[f"{key}_intact"] for key in known} == pytest.approx(known, rel=1e-7)
        assert all(values[f"{key}_intact"] is None for key in alone.keys() - known.keys())
