import numpy as np
import pytest
from lattices import lattice

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.mesh.files.files import reference_mesh


@pytest.fixture
def block():
    """A 12 x 8 x 8 mm box, x from 0, named sides."""
    mesh = lattice(np.linspace(0, 12, 7), np.linspace(-4, 4, 5), np.linspace(-4, 4, 5))
    centre = mesh.points[mesh.faces].mean(axis=1)
    return mesh.with_sets(
        face_sets={
            "outer": centre[:, 0] > 1e-9,
            "cut": centre[:, 0] < 1e-9,
            "auricular_left": centre[:, 0] > 12 - 1e-9,
            "endplate": centre[:, 2] > 4 - 1e-9,
        }
    )


@pytest.fixture(scope="session")
def marks():
    return ParametricSacrum().landmarks


@pytest.fixture(scope="session")
def mesh():
    return reference_mesh("sacrum-coarse-intact")
