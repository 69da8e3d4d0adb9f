"""FElupe on the shipped block, where it is installed (GPL-3.0: never a dependency).

Its stiffness of quadratic tets with a modulus a tet, plus the springs that CalculiX gets for the gap, factorised by
SciPy, gives our displacement to 1e-8: no digit is lost in a printed file, but its quadrature is given to eight digits.
"""

import numpy as np
import pytest
from elasticity import at, faces_at, held, system, traction_force
from scipy.sparse import diags_array
from scipy.sparse.linalg import spsolve

from sacrofem.mechanics.parts.interface import Filler, GapStiffness
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.files.files import reference_mesh


def test_block_with_gap(agree):
    fe = pytest.importorskip("felupe")
    space = Space(reference_mesh("block-gap"), 2)
    random = np.random.default_rng(0)
    youngs = np.exp(random.normal(5.0, 1.0, len(space.mesh.tets)))
    k_n, k_t = Filler(1.0).stiffness(1.0)
    uneven = np.exp(random.normal(0.0, 2.0, space.gap.areas.shape))
    gap = GapStiffness(k_n * uneven, k_t * uneven)
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    force = traction_force(
        space, faces_at(space.mesh, 2, 40.0), lambda x, n: np.array([0.1, 0.2, -0.7])[:, None, None] + 0 * x
    )
    ours = system(space, youngs, 0.3, fixed, gap=gap).solve(force).displacement

    region = fe.RegionQuadraticTetra(fe.Mesh(space.nodes, space.connectivity, "tetra10"))
    field = fe.FieldContainer([fe.Field(region, dim=3)])
    bone = fe.SolidBody(fe.LinearElastic(E=youngs, nu=0.3), field).assemble.matrix()
    (springs,) = gap.elements(space)
    rows = springs.rows(space.n_nodes)
    matrix = bone + rows.T @ diags_array(springs.stiffness.ravel()) @ rows
    free = ~fixed.ravel()
    theirs = np.zeros(force.size)
    theirs[free] = spsolve(matrix.tocsc()[free][:, free], force.ravel()[free])
    agree("block with gap, FElupe", "displacement, mm", ours, theirs.reshape(-1, 3), 1e-8)
    agree("block with gap, FElupe", "energy, N mm", 0.5 * np.sum(force * ours), 0.5 * theirs @ matrix @ theirs, 1e-8)
