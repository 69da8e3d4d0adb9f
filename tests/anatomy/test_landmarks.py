from dataclasses import replace

import numpy as np
import pytest

from sacrofem.anatomy.regions import corridor_distance
from sacrofem.anatomy.scan.channels import Channels
from sacrofem.anatomy.scan.landmarks import _foramina


@pytest.mark.parametrize("step", [(0.0, 2.5, -5.0), (0.0, -2.0, 4.0)], ids=["taller twin", "shorter twin"])
def test_lower_foramina_are_looked_for_where_those_above_lie(bone, theirs, step):
    # From level to level the twin lies further off: 13 to 22 mm at S3 and S4, as much as from one foramen to the next.
    twins = {n: replace(c, points=c.points + int(n[1]) * np.array(step)) for n, c in theirs.items()}
    found, shares = _foramina(bone, twins)
    for name, corridor in found.items():
        assert shares[name] == 1.0
        assert (corridor_distance(corridor.points, theirs[name]) < 2.0).all(), name


def test_filled_foramina_stay_where_the_twin_has_them(bone, theirs):
    found, shares = _foramina(Channels(bone._closed), theirs)
    assert set(shares.values()) == {0.0}
    for name, corridor in found.items():
        assert np.array_equal(corridor.points, theirs[name].points)
