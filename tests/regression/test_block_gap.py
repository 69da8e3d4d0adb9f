"""VP-06 on the shipped block: a filled gap between two blocks is a spring in series.

Free sides, ν = 0, traction s on top: micromotion s w/E' everywhere, with E' the filler's constrained
modulus over its aperture w; side forces of the gap balance the load.
"""

import numpy as np
import pytest
from elasticity import at, faces_at, fracture_force, gap_of, held, system, traction_force

from sacrofem.mechanics.parts.interface import Filler
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.files.files import reference_mesh


@pytest.mark.parametrize("order", [1, 2])
def test_shipped_block_in_series(order):
    space = Space(reference_mesh("block-gap"), order)
    assert space.gap.areas.sum() == pytest.approx(400.0)
    k_n, k_t = Filler(1.0, 0.17).stiffness(1.0)
    gap = gap_of(space, k_n, k_t)
    fixed = held(space, (at(space, 2, 0.0), 2), (at(space, 0, 0.0), 0), (at(space, 1, 0.0), 1))
    pull = np.array([0.0, 0.0, 0.7])
    force = traction_force(space, faces_at(space.mesh, 2, 40.0), lambda x, n: pull[:, None, None] + 0 * x)
    youngs = np.full(len(space.mesh.tets), 300.0)
    u = system(space, youngs, 0.0, fixed, gap=gap).solve(force).displacement
    np.testing.assert_allclose(space.jump(u)[..., 2], 0.7 / k_n, rtol=1e-9)
    np.testing.assert_allclose(fracture_force(space, u, gap).sum(axis=0), [0, 0, 280.0], atol=1e-7)
    top = at(space, 2, 40.0)
    np.testing.assert_allclose(u[top, 2], 0.7 * (40.0 / 300.0 + 1 / k_n), rtol=1e-9)
