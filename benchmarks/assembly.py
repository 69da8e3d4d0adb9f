"""Assembly alone: the stiffness matrix of the common model by sacrofem, or by scikit-fem's vector P2 form.

python benchmarks/assembly.py sacrofem|skfem MODEL OUT

Both with quadrature that is exact for the straight-sided element; seconds of what is done once for a
mesh, of one assembly (median of five here, one for scikit-fem), and memory above the level before.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))

from common import THREADS, Record, lame, read_model


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_sacrofem(folder: Path, record: Record) -> None:
    from sacrofem import read_mesh
    from sacrofem.mechanics.kernels import warm_up
    from sacrofem.mechanics.space import Space
    from sacrofem.mechanics.stiffness import Assembler
    from sacrofem.threads import threads

    with threads(THREADS):
        warm_up()
        model = read_model(folder)
        mesh = read_mesh(folder / "mesh.vtu")
        before = peak_mib()
        record.stage("import and read")
        space = Space(mesh, 2)
        assembler = Assembler(space)
        began = time.perf_counter()
        matrix = assembler.matrix(model.youngs, model.poisson)
        once = time.perf_counter() - began
        record.stage("first")
        times = []
        for _ in range(5):
            del matrix
            began = time.perf_counter()
            matrix = assembler.matrix(model.youngs, model.poisson)
            times.append(time.perf_counter() - began)
        record.facts.update(memory_mib=peak_mib() - before)
    seconds = statistics.median(times)
    record.facts.update(
        assemble_s=seconds,
        with_setup_s=record.stages["first"],
        pattern_s=once - seconds,
        nonzeros=9 * len(matrix.indices),
        norm=float(np.sqrt(np.square(matrix.data).sum())),
    )


def by_skfem(folder: Path, record: Record) -> None:
    from skfem import Basis, BilinearForm, ElementTetP2, ElementVector, MeshTet
    from skfem.helpers import ddot, eye, sym_grad, trace

    model = read_model(folder)

    @BilinearForm
    def elasticity(u, v, w):
        strain = sym_grad(u)
        return ddot(w.lam * eye(trace(strain), 3) + 2.0 * w.mu * strain, sym_grad(v))

    def assembled(count: int):
        """The matrix of the first tets, and the seconds of basis and form."""
        used, tets = np.unique(model.tets[:count, :4], return_inverse=True)
        began = time.perf_counter()
        mesh = MeshTet(model.nodes[used].T.copy(), tets.reshape(-1, 4).T.copy())
        basis = Basis(mesh, ElementVector(ElementTetP2()), intorder=2)
        between = time.perf_counter()
        at_points = np.ones((1, basis.dx.shape[1]))
        lam, mu = (values[:count, None] * at_points for values in lame(model.youngs, model.poisson))
        matrix = elasticity.assemble(basis, lam=lam, mu=mu)
        return matrix, between - began, time.perf_counter() - between

    assembled(50)
    before = peak_mib()
    matrix, basis_s, form_s = assembled(len(model.tets))
    record.facts.update(
        memory_mib=peak_mib() - before,
        assemble_s=form_s,
        with_setup_s=basis_s + form_s,
        nonzeros=int(matrix.nnz),
        norm=float(np.sqrt(np.square(matrix.data).sum())),
    )


def main() -> None:
    who, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    record = Record()
    {"sacrofem": by_sacrofem, "skfem": by_skfem}[who](folder, record)
    record.write(out)


if __name__ == "__main__":
    main()
