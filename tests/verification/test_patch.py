"""VP-01 Patch test.

The hull of a distorted box moves by u = A x; then u = A x everywhere, and the stress is lam tr(eps) I + 2 mu eps in
every tet (Irons 1965). Twins that are tied, and a gap whose law carries the stress of the field, must not disturb it:
a jump [u] = (k_t^-1 (1 - n n) + k_n^-1 n n) s n carries the stress s.
"""

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import fracture_force, gap_of, hooke
from patches import ELEMENT, NU, SIZE, E, solved, stress_of

from sacrofem.mechanics.space.space import Space

ORDERS = [1, 2]


@pytest.mark.parametrize("order", ORDERS)
def test_patch(order, record):
    space = Space(box((3, 3, 3), SIZE, 0.3), order)
    gradient = np.random.default_rng(0).normal(size=(3, 3))
    exact = space.nodes @ gradient.T
    found = solved(space, exact)
    mesh = f"{ELEMENT[order]}, 162 tets"
    record(quantity="displacement", computed=found, exact=exact, tolerance=1e-9, mesh=mesh)
    stress = hooke(gradient, E, NU)
    record(quantity="stress", computed=stress_of(space, found), exact=stress, tolerance=1e-9, mesh=mesh)


@pytest.mark.parametrize("order", ORDERS)
def test_patch_on_tied_twins(order, record):
    """The intact state: the split mesh glued again, and its field carried back to both copies."""
    split = split_box((3, 3, 4), SIZE, 2.0, 0.3)
    glued, vertex = split.glued()
    space = Space(glued, order)
    gradient = np.random.default_rng(1).normal(size=(3, 3))
    found = solved(space, space.nodes @ gradient.T)
    apart = Space(split, order)
    carried = np.empty_like(apart.nodes)
    carried[apart.connectivity] = found[space.connectivity]
    np.testing.assert_array_equal(vertex[split.tets], glued.tets)
    mesh, exact = f"{ELEMENT[order]}, tied twins", apart.nodes @ gradient.T
    record(quantity="displacement", computed=carried, exact=exact, tolerance=1e-9, mesh=mesh)
    assert np.abs(apart.jump(carried)).max() < 1e-12 * np.abs(found).max()


@pytest.mark.parametrize("order", ORDERS)
def test_patch_across_a_filled_gap(order, record):
    space = Space(split_box((3, 3, 4), SIZE, 2.0, 0.3), order)
    gradient = np.random.default_rng(2).normal(size=(3, 3))
    stress, k_n, k_t = hooke(gradient, E, NU), 40.0, 9.0
    jump = stress[:, 2] / [k_t, k_t, k_n]
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[space.mesh.centroids[:, 2] > 2.0]] = True
    exact = space.nodes @ gradient.T + np.where(upper[:, None], jump, 0.0)
    gap = gap_of(space, k_n, k_t)
    found = solved(space, exact, gap=gap)
    mesh = f"{ELEMENT[order]}, filled gap"
    record(quantity="displacement", computed=found, exact=exact, tolerance=1e-9, mesh=mesh)
    record(quantity="stress", computed=stress_of(space, found), exact=stress, tolerance=1e-9, mesh=mesh)
    through = fracture_force(space, found, gap).sum(axis=0)
    record(quantity="force through the gap", computed=through, exact=30.0 * stress[:, 2], tolerance=1e-9, mesh=mesh)
