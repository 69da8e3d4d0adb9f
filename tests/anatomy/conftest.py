"""The built-in sacrum on a lattice, as a scan of it, and what is known of it."""

import pytest
from scanned_lattice import on_lattice

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.scan.channels import Channels


@pytest.fixture(scope="module")
def theirs():
    """Foramina of the built-in sacrum."""
    return ParametricSacrum().foramina


@pytest.fixture(scope="module")
def whole():
    return on_lattice()


@pytest.fixture(scope="module")
def bone(whole):
    """Its hollows."""
    return Channels(whole)
