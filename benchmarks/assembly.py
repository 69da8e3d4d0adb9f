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

from common import THREADS, Record, read_model


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_sacrofem(folder: Path, record: Record) -> None:
    from sacrofem import read_mesh
    from sacrofem.mechanics.equilibrium.kernels import warm_up
    from sacrofem.mechanics.parts.bone import Elasticity
    from sacrofem.mechanics.parts.stiffness import Assembler
    from sacrofem.mechanics.space.space import Space
    from sacrofem.system.threads import threads

    with threads(THREADS):
        warm_up()
        model = read_model(folder)
        mesh = read_mesh(folder / "mesh.vtu")
        before = peak_mib()
        record.stage("import and read")
        space = Space(mesh, 2)
        assembler = Assembler(space)
        bone = Elasticity.given(model.youngs, model.poisson)
        began = time.perf_counter()
        matrix = assembler.matrix(bone)
        once = time.perf_counter() - began
        record.stage("first")
        times = []
        for _ in range(5):
            del matrix
            began = time.perf_counter()
            matrix = assembler.matrix(bone)
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
    from skfem_form import assembled

    model = read_model(folder)
    assembled(model.nodes, model.tets[:50], model.youngs[:50], model.poisson[:50])
    before = peak_mib()
    done = assembled(model.nodes, model.tets, model.youngs, model.poisson)
    record.facts.update(
        memory_mib=peak_mib() - before,
        assemble_s=done.form_s,
        with_setup_s=done.basis_s + done.form_s,
        nonzeros=int(done.matrix.nnz),
        norm=float(np.sqrt(np.square(done.matrix.data).sum())),
    )


def main() -> None:
    who, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    record = Record()
    {"sacrofem": by_sacrofem, "skfem": by_skfem}[who](folder, record)
    record.write(out)


if __name__ == "__main__":
    main()
