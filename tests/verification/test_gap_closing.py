"""VP-07 A gap that closes.

Two blocks of height H and nu = 0 with a gap g between them, the upper end pushed down by d. d <= g: no stress,
remaining gap g - d. d > g: stress -E (d - g) / (2 H), gap 0, reaction stress times area. Both are exact in the finite
element space; the upper block hangs on nothing but the pushed end while the gap is open.
"""

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, bone_of, gap_of, held, stiffness, uniform

from sacrofem.mechanics.equilibrium.active_set import solve_contact
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.contact import face_closure
from sacrofem.mechanics.space.space import Space

SIZE, HEIGHT, AREA, E, GAP = (6.0, 5.0, 20.0), 10.0, 30.0, 300.0, 0.1


def pushed(order, distance, method):
    space = Space(split_box((2, 2, 4), SIZE, HEIGHT, 0.25), order)
    coarse = Space(space.mesh, 1)
    matrix = stiffness(space, E, 0.0)
    ends = at(space, 2, 0.0) | at(space, 2, 2 * HEIGHT)
    down = np.zeros_like(space.nodes)
    down[at(space, 2, 2 * HEIGHT), 2] = -distance
    empty = np.zeros(space.gap.areas.shape)
    solution, contact = solve_contact(
        space,
        matrix,
        held(space, (ends, [0, 1, 2])),
        face_closure(space, bone_of(space, E, 0.0), empty, GAP, gap_of(space, 0.0), 0.0),
        np.zeros_like(down),
        prescribed=down,
        coarse=lambda: stiffness(coarse, E, 0.0),
        settings=SolverSettings(method, 1e-12),
        accuracy=1e-10,
        steps=1,
    )
    stress = space.stresses(solution.displacement, uniform(space, E), uniform(space, 0.0))
    gap = GAP + space.gap.normal_part(space.jump(solution.displacement))
    reaction = matrix.dot(solution.displacement)[at(space, 2, 2 * HEIGHT), 2].sum()
    return stress, gap, reaction, contact


@pytest.mark.parametrize(("order", "method"), [(1, "direct"), (2, "direct"), (2, "multigrid")])
@pytest.mark.parametrize("distance", [0.05, 0.25])
def test_gap_closes_exactly(order, method, distance, record):
    mesh = f"P{order} {method}, d = {distance / GAP:g} g"
    stress, gap, reaction, contact = pushed(order, distance, method)
    exact = -E * max(0.0, distance - GAP) / (2 * HEIGHT)
    record(quantity="stress over E", error=np.abs(stress[..., 2] - exact).max() / E, tolerance=1e-9, mesh=mesh)
    left = max(0.0, GAP - distance)
    record(quantity="remaining gap over gap", error=np.abs(gap - left).max() / GAP, tolerance=1e-9, mesh=mesh)
    if distance > GAP:
        record(quantity="reaction", computed=reaction, exact=exact * AREA, tolerance=1e-9, mesh=mesh)
        carried = (contact.pressure * contact.areas).sum()
        record(quantity="force of contact", computed=carried, exact=-exact * AREA, tolerance=1e-9, mesh=mesh)
        assert contact.closed.all()
    else:
        record(quantity="reaction over E times area", error=reaction / (E * AREA), tolerance=1e-9, mesh=mesh)
        assert not contact.closed.any()
