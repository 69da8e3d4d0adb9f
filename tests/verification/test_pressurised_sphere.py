"""VP-15 Hollow sphere under inner pressure (Lamé).

With q = p r_i³ / (r_o³ - r_i³): u_r = (q/E) ((1 - 2 nu) r + (1 + nu) r_o³ / (2 r²)), s_r = q (1 - r_o³/r³),
s_t = q (1 + r_o³ / (2 r³)) (Lamé 1852; Timoshenko & Goodier, Theory of Elasticity, art. 136). One octant, r_o = 2 r_i.
Tets have straight sides: most of the error is that the faceted cavity is a little small.
"""

import numpy as np
import pytest
from blocks_of_tets import ball_octant
from elasticity import held, system, traction_force, uniform
from spheres import corner_stress, faces_on, hollow, symmetry

from sacrofem.mechanics.space.space import Space

INNER, OUTER, E, NU, P = 10.0, 20.0, 1000.0, 0.3, 1.0
Q = P * INNER**3 / (OUTER**3 - INNER**3)


def sphere(n, order=2):
    """Largest error of displacement over the largest displacement, and hoop stress at the inner face."""
    mesh = hollow(
        ball_octant(np.concatenate([np.linspace(0.0, INNER, n + 1), np.linspace(INNER, OUTER, n + 1)[1:]])), INNER
    )
    space = Space(mesh, order)
    force = traction_force(space, faces_on(mesh, INNER), lambda x, n: -P * n)
    found = (
        system(space, E, NU, held(space, *symmetry(space)), method="auto", tolerance=1e-10).solve(force).displacement
    )
    r = np.linalg.norm(space.nodes, axis=1, keepdims=True)
    exact = Q / E * ((1 - 2 * NU) + (1 + NU) * OUTER**3 / (2 * r**3)) * space.nodes
    hoop = None
    if order == 2:
        hoop = corner_stress(space, space.stresses(found, uniform(space, E), uniform(space, NU))[..., 1], [INNER, 0, 0])
    return np.abs(found - exact).max() / np.abs(exact).max(), hoop


@pytest.mark.parametrize("n", [8, pytest.param(4, marks=pytest.mark.slow), pytest.param(6, marks=pytest.mark.slow)])
def test_displacement_and_hoop_stress(n, record):
    error, hoop = sphere(n)
    tolerance = {4: (0.025, 0.08), 6: (0.01, 0.05), 8: (0.01, 0.03)}[n]
    mesh = f"Tet10, h/thickness {1 / n:.3g}"
    record(quantity="displacement", error=error, tolerance=tolerance[0], mesh=mesh, size=1 / n)
    exact = Q * (1 + OUTER**3 / (2 * INNER**3))
    record(quantity="hoop stress at r_i", computed=hoop, exact=exact, tolerance=tolerance[1], mesh=mesh, size=1 / n)


def test_linear_tets_are_a_preview(record):
    record(quantity="displacement, Tet4", error=sphere(4, 1)[0], tolerance=0.15, mesh="Tet4, h/thickness 0.25")
