"""VP-03 Rigid modes and symmetry.

A free body has six motions without force, and no more: K R = 0 for three translations and three rotations, K = K^T,
and exactly six eigenvalues vanish, with or without a filled gap.
"""

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import at, gap_of, held, stiffness, system
from patches import ELEMENT, NU, SIZE, E, stress_of

from sacrofem.mechanics.space.space import Space

ORDERS = [1, 2]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gap", [None, 7.0])
def test_six_zero_modes_and_no_more(order, gap, record):
    space = Space(box((2, 2, 2), SIZE, 0.3) if gap is None else split_box((2, 2, 2), SIZE, 2.0), order)
    parts = {} if gap is None else {"gap": gap_of(space, gap, gap / 3)}
    matrix = stiffness(space, E, NU, **parts).to_scipy().toarray()
    mesh, largest = f"{ELEMENT[order]}{'' if gap is None else ', filled gap'}", np.abs(matrix).max()
    record(quantity="K - K^T over K", error=np.abs(matrix - matrix.T).max() / largest, tolerance=1e-9, mesh=mesh)
    values = np.linalg.eigvalsh(matrix)
    six = np.abs(values[:6]).max() / values[-1]
    record(quantity="six smallest eigenvalues over the largest", error=six, tolerance=1e-9, mesh=mesh)
    assert values[6] > 1e-5 * values[-1]


@pytest.mark.parametrize("order", ORDERS)
def test_rigid_motion_makes_neither_force_nor_stress_nor_jump(order, record):
    space = Space(split_box((3, 3, 4), SIZE, 2.0, 0.3), order)
    motion = space.nodes @ np.cross(np.eye(3), [0.2, -0.4, 0.3]) + [5.0, -3.0, 2.0]
    matrix = stiffness(space, E, NU, gap=gap_of(space, 7.0, 2.0))
    force = np.abs(matrix.dot(motion)).max() / (np.abs(matrix.data).max() * np.abs(motion).max())
    mesh = f"{ELEMENT[order]}, filled gap"
    record(quantity="nodal force of a rigid motion", error=force, tolerance=1e-9, mesh=mesh)
    stress = np.abs(stress_of(space, motion)).max() / E
    record(quantity="stress of a rigid motion over E", error=stress, tolerance=1e-9, mesh=mesh)
    assert np.abs(space.jump(motion)).max() < 1e-13 * np.abs(motion).max() + 1e-14


@pytest.mark.parametrize("order", ORDERS)
def test_a_rigidly_moved_support_moves_the_bone_rigidly(order, record):
    """Prescribed on one face only, without load: the rest follows without stress."""
    space = Space(box((3, 3, 3), SIZE, 0.3), order)
    motion = space.nodes @ np.cross(np.eye(3), [0.02, -0.04, 0.03]) + [5.0, -3.0, 2.0]
    base = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    found = system(space, E, NU, base).solve(np.zeros_like(motion), motion).displacement
    record(quantity="motion of a moved support", computed=found, exact=motion, tolerance=1e-9, mesh=ELEMENT[order])
    assert np.abs(stress_of(space, found)).max() < 1e-9
