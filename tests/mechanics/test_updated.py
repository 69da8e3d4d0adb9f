"""Stiffness that comes and goes between twin faces, from one factor, against a factorisation of each matrix."""

from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, gap_of, held, stiffness

from sacrofem.mechanics.linear.direct import MultifrontalCholesky, analyse
from sacrofem.mechanics.linear.updated import UpdatedSystem
from sacrofem.mechanics.parts.contact import contact_matrices, jump_matrices
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.blocks import scatter
from sacrofem.mechanics.space.space import Space

E, NU = 300.0, 0.3


@pytest.mark.parametrize("order", [1, 2])
def test_every_set_is_solved_as_by_a_factor_of_its_own(order):
    space = Space(split_box((2, 2, 4), (6.0, 5.0, 8.0), 4.0, 0.2), order)
    # Held at the bottom and along one side, so that held displacements lie on the fracture too.
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]), (at(space, 0, 0.0), [0]))
    base = stiffness(space, E, NU, gap=gap_of(space, 0.01))
    pair_nodes = Assembler(space).pair_nodes
    system = UpdatedSystem(base, fixed, space.nodes, pair_nodes, analyse(base.indptr, base.indices, space.nodes))
    random = np.random.default_rng(0)
    force = random.normal(size=(space.n_nodes, 3)) * ~fixed
    points = space.gap.areas.shape
    for share in (0.0, 0.3, 1.0, 0.5, 0.0):
        root = random.normal(size=(*points, 3, 3)) * 10.0 ** random.uniform(-1, 3, (*points, 1, 1))
        tensors = np.einsum("psxy,pszy->psxz", root, root) * (random.random(points[0]) < share)[:, None, None, None]
        pairs = tensors.any(axis=(1, 2, 3))
        system.set(pairs, jump_matrices(space, tensors, pairs))
        data = base.data.copy()
        scatter(base.indptr, base.indices, data, pair_nodes, contact_matrices(space, tensors))
        matrix = replace(base, data=data)
        wanted = MultifrontalCholesky(matrix.constrained(fixed), space.nodes).solve(force)
        assert np.abs(system.solve(force) - wanted).max() < 1e-8 * np.abs(wanted).max()
    assert system.jumps(np.zeros(points[0], bool)) == 0
