from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from sacrofem.anatomy.regions import corridor_distance
from sacrofem.anatomy.scan.channels import Channels
from sacrofem.anatomy.solid import Corridor


@pytest.fixture(scope="module")
def filled(bone):
    """The bone as a segmentation leaves it that closes all hollows but for flat dents."""
    closed = bone._closed
    waves = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=closed.values.shape), 2.0)
    return Channels(replace(closed, values=closed.values + np.float32(0.4 / waves.std()) * waves.astype(np.float32)))


def beside(corridor):
    """A guess that is some mm off."""
    return Corridor(corridor.points + np.array([2.0, -2.0, 2.0]), corridor.radii)


@pytest.mark.parametrize("name", ["S1_left", "S1_right", "S2_left", "S3_right"])
def test_an_open_channel_is_found_from_beside(bone, theirs, name):
    found, share = bone.find(beside(theirs[name]))
    assert share == 1.0
    assert (corridor_distance(found.points, theirs[name]) < 0.0).all()


def test_a_filled_channel_stays_where_it_was_expected(filled, theirs):
    for corridor in map(beside, theirs.values()):
        found, share = filled.find(corridor)
        assert share == 0.0
        assert found is corridor
