"""VP-17 Cantilever (Timoshenko).

Clamped, under a parabolic end shear P: w = P L³ / (3 E I) + P L / (kappa G A), kappa = 10 (1 + nu) / (12 + 11 nu) for
a rectangle (Cowper 1966, J Appl Mech 33:335). L / h = 10. The clamp restrains warping, so a part of the error is real.
With two tets through the depth Tet4 is not half as soft as it should be: a preview.
"""

import numpy as np
import pytest
from blocks_of_tets import box
from elasticity import at, faces_at, held, system, traction_force

from sacrofem.mechanics.space.space import Space


def cantilever(counts, order):
    """Tip deflection over Timoshenko's."""
    width, height, length, E, nu = 8.0, 8.0, 80.0, 1000.0, 0.3
    space = Space(box(counts, (width, height, length)), order)
    inertia, area = width * height**3 / 12, width * height

    def shear(x, n):
        y = x[1] - height / 2
        return np.stack([0 * y, ((height / 2) ** 2 - y**2) / (2 * inertia), 0 * y])

    force = traction_force(space, faces_at(space.mesh, 2, length), shear)
    assert force[:, 1].sum() == pytest.approx(1.0)
    problem = system(space, E, nu, held(space, (at(space, 2, 0.0), [0, 1, 2])), method="auto")
    found = problem.solve(force).displacement
    kappa = 10 * (1 + nu) / (12 + 11 * nu)
    exact = length**3 / (3 * E * inertia) + length / (kappa * E / (2 * (1 + nu)) * area)
    return found[at(space, 2, length), 1].mean() / exact


def test_beam(record):
    for n, tolerance in ((1, 0.06), (2, 0.02), (3, 0.01)):
        ratio = cantilever((n, n, 10 * n), 2)
        record(
            quantity="tip deflection over Timoshenko's", computed=ratio, exact=1.0, tolerance=tolerance,
            mesh=f"Tet10, {n} cells through the depth", size=1 / n,
        )  # fmt: skip
    assert cantilever((2, 2, 20), 1) < 0.6
