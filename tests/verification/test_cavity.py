"""VP-12 Spherical cavity under remote tension (Goodier): a canal, or a void in bone.

Without traction on the sphere the stress along the load is (27 - 15 nu) / (2 (7 - 5 nu)) of the remote one at the
equator (2.0455 at nu = 0.3), and the stress across it at the pole is -(3 + 15 nu) / (2 (7 - 5 nu)) (-0.6818)
(Goodier 1933, J Appl Mech 1:39; Timoshenko & Goodier, Theory of Elasticity, art. 137). One octant of a ball of 3 a,
exact displacement on its outer shell; stress at a corner, from the tets that meet there. Tets have straight sides, so
the cavity is faceted and a little small: it takes about a quarter more of them along the sphere than curved ones would.
"""

import numpy as np
import pytest
from blocks_of_tets import ball_octant, graded
from closed_forms import Inclusion
from elasticity import held, system, uniform
from spheres import corner_stress, hollow, nodes_on, symmetry

from sacrofem.mechanics.space.space import Space

A, REACH, E, NU = 10.0, 30.0, 300.0, 0.3
GOODIER = Inclusion(A, (E, NU), (0.0, NU), np.diag([0.0, 0.0, 1.0]))
EQUATOR, POLE = (27 - 15 * NU) / (2 * (7 - 5 * NU)), -(3 + 15 * NU) / (2 * (7 - 5 * NU))


def cavity(n):
    h = A / n
    mesh = hollow(ball_octant(np.concatenate([np.linspace(0.0, A, n + 1), A + graded(h, h, REACH - A, 1.3)[1:]])), A)
    space = Space(mesh, 2)
    outer = nodes_on(space, REACH)
    exact = np.where(outer[:, None], GOODIER.displacement(space.nodes), 0.0)
    fixed = held(space, (outer, [0, 1, 2]), *symmetry(space))
    found = system(space, E, NU, fixed, method="auto", tolerance=1e-9).solve(np.zeros_like(exact), exact).displacement
    stress = space.stresses(found, uniform(space, E), uniform(space, NU))
    return corner_stress(space, stress[..., 2], [A, 0, 0]), corner_stress(space, stress[..., 0], [0, 0, A])


def test_closed_form():
    """The general solution with an empty sphere has the two factors, and no traction."""
    x = A * (1 + 1e-3) * np.eye(3)
    stress = GOODIER.stress(x)
    np.testing.assert_allclose([stress[0, 2, 2], stress[2, 0, 0]], [EQUATOR, POLE], atol=6e-3)
    assert max(abs(stress[i, i, i]) for i in range(3)) < 6e-3


@pytest.mark.parametrize(
    ("n", "tolerance"),
    [(5, 0.04), pytest.param(7, 0.025, marks=pytest.mark.slow), pytest.param(10, 0.015, marks=pytest.mark.slow)],
)
def test_stress_at_equator_and_pole(n, tolerance, record):
    equator, pole = cavity(n)
    mesh, size = f"Tet10, h/a {1 / n:.3g}", 1 / n
    record(quantity="stress at the equator", computed=equator, exact=EQUATOR, tolerance=tolerance, mesh=mesh, size=size)
    error = (pole - POLE) / EQUATOR
    record(
        quantity="stress at the pole, error over that at the equator", computed=pole, exact=POLE, error=error,
        tolerance=tolerance, mesh=mesh, size=size,
    )  # fmt: skip
