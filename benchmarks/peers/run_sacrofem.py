"""sacrofem: mesh file to stresses written. A gap of paired faces, where the mesh has them, follows the gap law."""

import sys
from pathlib import Path

from common import THREADS, Record, arguments

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    folder, out = arguments()
    record = Record()
    import numpy as np
    from model import FILLER_MPA, GAP, POISSON, support_and_load

    import sacrofem
    from sacrofem import read_mesh, write_mesh
    from sacrofem.mechanics.linear.settings import SolverSettings
    from sacrofem.mechanics.linear.solver import LinearSystem
    from sacrofem.mechanics.parts.bone import Elasticity
    from sacrofem.mechanics.parts.interface import GapStiffness
    from sacrofem.mechanics.parts.stiffness import Assembler
    from sacrofem.mechanics.space.space import Space, layer_stiffness
    from sacrofem.system.threads import threads

    record.stage("import")
    with threads(THREADS):
        mesh = read_mesh(folder / "mesh.vtu")
        with np.load(folder / "model.npz") as fields:
            youngs, poisson = fields["youngs"], fields["poisson"]
        record.stage("read")
        space, coarse = Space(mesh, 2), Space(mesh, 1)
        fixed, force = support_and_load(space)

        def matrix(on):
            gap = None
            if len(mesh.paired[0]):
                ones = np.ones(on.gap.areas.shape)
                gap = GapStiffness(*(k * ones for k in layer_stiffness(FILLER_MPA, POISSON, GAP[1] - GAP[0])))
            return Assembler(on).matrix(Elasticity.given(youngs, poisson), gap=gap)

        fine = matrix(space)
        record.stage("assemble")
        system = LinearSystem(space, fine, fixed, lambda: matrix(coarse), SolverSettings("multigrid", 1e-8))
        record.stage("set up")
        solution = system.solve(force)
        record.stage("solve")
        stress = space.stresses(solution.displacement, youngs, poisson)
        record.stage("stress")
    record.facts.update(
        version=sacrofem.__version__,
        solver=solution.method,
        iterations=solution.iterations,
        residual=solution.residual,
        dofs=3 * space.n_nodes,
    )
    write_mesh(
        out / "result.vtu",
        mesh,
        {"displacement_mm": solution.displacement[: len(mesh.points)]},
        {"stress_mpa": stress.mean(axis=1)},
    )
    record.write(out, solution.displacement, stress)


if __name__ == "__main__":
    main()
