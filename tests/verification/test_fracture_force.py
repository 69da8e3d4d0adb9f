"""VP-09 Force through the fracture.

The internal nodal forces of the bone on one side of a fracture, and the tractions of the gap law, both sum to what is
applied beyond it. The stress on the facets does not: its integral is tens of per cent off with Tet4, several with
Tet10 and a modulus that changes from tet to tet, and falls only with the mesh; it is no measure of force.
"""

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, fracture_force, held, system
from patches import ELEMENT
from whole_block import CUT, SIZE, Model

from sacrofem.mechanics.equilibrium.balance import FractureSides


@pytest.mark.parametrize("order", [1, 2])
def test_force_through_the_fracture_is_the_applied_force(order, record):
    model = Model(split_box((4, 4, 6), SIZE, CUT, 0.25), order)
    space = model.space
    force = model.load()
    force[model.spring.nodes] = 0.0
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    u = system(space, model.youngs, model.poisson, fixed, gap=model.gap).solve(force).displacement
    total = force.sum(axis=0)
    through = fracture_force(space, u, model.gap).sum(axis=0)
    record(quantity="tractions of the gap law", computed=through, exact=total, tolerance=1e-9, mesh=ELEMENT[order])
    both = FractureSides(space, ())
    sides = both.forces(u, model.bone, force)
    for name, side, sign in (("above", sides[0], 1.0), ("below", sides[1], -1.0)):
        record(
            quantity=f"nodal forces of the bone {name}", computed=side, exact=sign * total, tolerance=1e-9,
            mesh=ELEMENT[order],
        )  # fmt: skip


@pytest.mark.parametrize("order", [1, 2])
def test_facet_stress_is_no_measure_of_it(order):
    """Why nodal forces are used; a change that makes them needless should be noticed."""
    model = Model(split_box((4, 4, 6), SIZE, CUT, 0.25), order, cemented=False)
    space, mesh = model.space, model.space.mesh
    force = model.load()
    force[model.spring.nodes] = 0.0
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    u = system(space, model.youngs, model.poisson, fixed, gap=model.gap).solve(force).displacement
    stress = space.stresses(u, model.youngs, model.poisson)[..., 2].mean(axis=1)
    plus, _ = mesh.paired
    integral = np.sum(stress[mesh.face_owners[plus]] * mesh.face_areas[plus])
    assert abs(integral / force[:, 2].sum() - 1.0) > 0.03
