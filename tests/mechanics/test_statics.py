"""Every solve checks itself; here the force through the fracture, whose two sides must be equal."""

from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, bone_of, faces_at, gap_of, held, traction_force

from sacrofem.errors import SolverError
from sacrofem.mechanics.equilibrium.balance import FractureSides
from sacrofem.mechanics.equilibrium.statics import Statics
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.space.space import Space

SIZE, CUT, PULL = (6.0, 5.0, 8.0), 4.0, np.array([0.3, -0.1, 0.8])


def block(order, mesh=None):
    """A fractured block with uneven bone and cortex on its sides, clamped below and pulled above."""
    mesh = split_box((3, 3, 4), SIZE, CUT, 0.25) if mesh is None else mesh
    space = Space(mesh, order)
    youngs = np.exp(5.0 + np.sin(3.0 * mesh.centroids).sum(axis=1))
    middle = mesh.points[mesh.faces].mean(axis=1)
    cortex = (mesh.pair_side == 0) & (middle[:, 2] > 0.0) & (middle[:, 2] < SIZE[2])
    membrane = Membrane(np.where(cortex, 5e3, 0.0), np.where(cortex, 0.4, 0.0))
    base = HeldNodes(held(space, (at(space, 2, 0.0), [0, 1, 2])))
    force = traction_force(space, faces_at(mesh, 2, SIZE[2]), lambda x, n: PULL[:, None, None] + 0 * x)
    return Statics(space, [membrane, base, NodalForces(force)]), bone_of(space, youngs)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", ["intact", "before"])
def test_bone_on_either_side_carries_the_load(order, name):
    """Also where twin faces are tied, and no gap law is there to ask."""
    statics, bone = block(order)
    solved = statics.solve(name, bone, gap_of(statics.space, 7.0, 3.0) if name == "before" else None)
    both = FractureSides(statics.space, statics.parts)
    sides = both.forces(solved.state.displacement, bone, statics.force)
    load = PULL * SIZE[0] * SIZE[1]
    np.testing.assert_allclose(sides[0], load, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(sides[1], -load, rtol=1e-8, atol=1e-8)
    assert solved.checks["fracture"] < 1e-9


def test_no_fracture_no_check():
    glued, _ = split_box((3, 3, 4), SIZE, CUT).glued()
    statics, bone = block(2, glued)
    assert statics.solve("before", bone, None).checks["fracture"] is None


def test_a_support_across_the_fracture_is_left_out():
    """Where a twin is held, the two sides differ by the reaction there, which no one can share out."""
    statics, bone = block(2)
    fixed = statics.fixed | held(statics.space, (at(statics.space, 0, 0.0), [0]))
    statics = Statics(statics.space, [statics.cortex, HeldNodes(fixed), NodalForces(statics.force)])
    solved = statics.solve("before", bone, gap_of(statics.space, 7.0, 3.0))
    assert solved.checks["fracture"] < 1e-9


@pytest.mark.parametrize("name", ["intact", "before"])
def test_a_matrix_that_is_not_that_of_the_bone_is_refused(name, monkeypatch):
    """Twice the modulus above the fracture in the matrix alone: force, moment and energy balance all the same."""
    statics, bone = block(2)
    upper = statics.space.mesh.centroids[:, 2] > CUT
    from sacrofem.mechanics.parts.stiffness import Assembler

    right = Assembler.matrix
    stiffer = replace(bone, youngs=np.where(upper, 2.0, 1.0) * bone.youngs)
    monkeypatch.setattr(Assembler, "matrix", lambda self, bone, gap=None: right(self, stiffer, gap))
    gap = gap_of(statics.space, 7.0, 3.0) if name == "before" else None
    with pytest.raises(SolverError, match="fracture is out of balance"):
        statics.solve(name, bone, gap)
