"""VP-18 Thick plate under pressure (NAFEMS LE10).

Quarter plate between the ellipses (x/2)² + y² = 1 and (x/3.25)² + (y/2.75)² = 1 m, 0.6 m thick, E = 210 GPa,
nu = 0.3, 1 MPa on top; u_y = 0 on y = 0, u_x = 0 on x = 0, u_x = u_y = 0 on the outer face, u_z = 0 on its middle line.
Target s_yy = -5.38 MPa at (2, 0, top) (NAFEMS 1990); load pi/4 (3.25·2.75 - 2·1) MN.
"""

import numpy as np
import pytest
from blocks_of_tets import graded, lattice, oriented
from elasticity import at, faces_at, held, system, traction_force, uniform
from spheres import corner_stress

from sacrofem.mechanics.space.space import Space


def thick_plate(fine):
    """Stress yy at the point of the target, unknowns and load."""
    across, around = graded(fine, 2 * fine, 1.0, 1.3), graded(fine / 2, 2 * fine, 1.0, 1.1)
    upper = graded(fine, 2 * fine, 0.5, 1.5)
    mesh = lattice(across, around, np.concatenate([[0.0, 0.25], 1.0 - upper[::-1]]))
    s, t, z = mesh.points.T
    angle = t * np.pi / 2
    points = np.column_stack([(2000 + 1250 * s) * np.cos(angle), (1000 + 1750 * s) * np.sin(angle), 600 * z - 300])
    points[np.isclose(t, 1.0), 0] = 0.0
    mesh = oriented(points, mesh.tets)
    space = Space(mesh, 2)
    outer = np.zeros(space.n_nodes, bool)
    ellipse = (mesh.points[:, 0] / 3250) ** 2 + (mesh.points[:, 1] / 2750) ** 2
    outer[space.face_nodes[np.isclose(ellipse[mesh.faces], 1.0).all(axis=1)]] = True
    fixed = held(
        space,
        (outer, [0, 1]),
        (outer & at(space, 2, 0.0), 2),
        (at(space, 1, 0.0), 1),
        (at(space, 0, 0.0), 0),
    )
    pressure = np.array([0.0, 0.0, -1.0])[:, None, None]
    force = traction_force(space, faces_at(mesh, 2, 300.0), lambda x, n: pressure + 0 * x)
    found = system(space, 210e3, 0.3, fixed, method="auto").solve(force).displacement
    stress = space.stresses(found, uniform(space, 210e3), uniform(space, 0.3))[..., 1]
    return corner_stress(space, stress, [2000.0, 0.0, 300.0]), 3 * space.n_nodes, -force[:, 2].sum()


@pytest.mark.parametrize(
    ("fine", "tolerance", "unknowns"),
    [(0.1, 0.04, 0), (0.06, 0.02, 0), pytest.param(0.04, 0.01, 15e3, marks=pytest.mark.slow)],
)
def test_thick_plate(fine, tolerance, unknowns, record):
    stress, dofs, load = thick_plate(fine)
    mesh = f"Tet10, {dofs:,} unknowns"
    exact = np.pi / 4 * (3250 * 2750 - 2000 * 1000)
    record(quantity="load", computed=load, exact=exact, tolerance=fine / 5, mesh=mesh)
    record(quantity="s_yy at D", computed=stress, exact=-5.38, tolerance=tolerance, mesh=mesh, size=fine)
    assert dofs > unknowns
