"""Every kernel of the solver compiled at once."""

from __future__ import annotations

import numpy as np


def warm_up() -> None:
    """Compile every kernel of the solver on a problem of six tets: 10 s once, nothing afterwards."""
    from sacrofem.mechanics.linear.settings import SolverSettings
    from sacrofem.mechanics.linear.solver import LinearSystem
    from sacrofem.mechanics.parts.bone import Elasticity
    from sacrofem.mechanics.parts.cortex import Membrane
    from sacrofem.mechanics.parts.stiffness import Assembler
    from sacrofem.mechanics.space.space import Space
    from sacrofem.mesh.tetmesh import TetMesh

    corners = np.array([[x, y, z] for z in (0.0, 1.0) for y in (0.0, 1.0) for x in (0.0, 1.0)])
    around = [[0, 1, 3, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 6, 4, 7], [0, 4, 5, 7], [0, 5, 1, 7]]
    mesh = TetMesh.from_tets(corners, np.array(around))
    bone = Elasticity.given(np.ones(len(mesh.tets)), 0.3)
    membrane = Membrane(np.ones(len(mesh.faces)), np.ones(len(mesh.faces)))
    space, coarse = Space(mesh, 2), Space(mesh, 1)
    matrix = Assembler(space, [membrane]).matrix(bone)
    fixed = np.zeros((space.n_nodes, 3), dtype=bool)
    fixed[space.nodes[:, 2] == 0.0] = True
    system = LinearSystem(
        space,
        matrix,
        fixed,
        lambda: Assembler(coarse, [membrane]).matrix(bone),
        SolverSettings(method="multigrid"),
    )
    system.solve(np.where(fixed, 0.0, 1.0))
