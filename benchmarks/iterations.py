"""Iterations of conjugate gradients with p-multigrid over moduli, gap laws, meshes and sizes.

python benchmarks/iterations.py                     the shipped meshes tiny, coarse and medium, every case
python benchmarks/iterations.py tiny                one of them
python benchmarks/iterations.py --growth            the default case from 60,000 to 1,000,000 unknowns as well
python benchmarks/iterations.py --json FILE         every number as JSON

The family of growing size is the default sacrum through the package's own path of meshes: the shipped tiny,
coarse and medium meshes, then meshed at 3.2 mm (1.4 mm at the fracture) and at 2.7 mm (1.2 mm).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sacrofem import Case, Specimen
from sacrofem.mechanics.equilibrium.kernels import warm_up
from sacrofem.mechanics.equilibrium.statics import Solved, Statics
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.system.memory import GIB, peak_bytes
from sacrofem.system.threads import threads

SHIPPED = ("tiny", "coarse", "medium")
GROWTH = {
    **{name: {"mesh.reference": name} for name in SHIPPED},
    "3.2 mm": {"mesh.size_mm": 3.2, "mesh.fracture_size_mm": 1.4},
    "2.7 mm": {"mesh.size_mm": 2.7, "mesh.fracture_size_mm": 1.2},
}
PENALTIES = (1e4, 1e6)
"""Of closed contact, N/mm³: from stiffer than bone at any mesh size to the limit of double precision."""


@dataclass(frozen=True)
class Count:
    """Iterations to 1e-8 and 1e-10, seconds with set-up, and who solved."""

    mesh: str
    case: str
    dofs: int
    to_1e8: int
    to_1e10: int
    seconds: float
    method: str
    residual: float


@dataclass(frozen=True, eq=False)
class Variant:
    """What one solve takes."""

    name: str
    bone: Elasticity
    gap: GapStiffness | None


def statics(specimen: Specimen) -> Statics:
    """The specimen's equations, solved by multigrid whatever their size."""
    settings = SolverSettings(method="multigrid")
    return Statics(specimen.space, specimen.parts, settings)


def states(specimen: Specimen) -> Iterator[Variant]:
    """Before, after and intact."""
    for recipe in (specimen.recipe(), specimen.recipe(specimen.plan()), specimen.recipe(intact=True)):
        yield Variant(recipe.name, recipe.bone, recipe.gap)


def contacts(specimen: Specimen, before: Solved) -> Iterator[Variant]:
    """Stiff penalties, sliding and sticking, wherever the gap closes in the state before."""
    space, recipe = specimen.space, specimen.recipe()
    bone, gap = recipe.bone, recipe.gap
    assert gap is not None
    closed = space.gap.normal_part(space.jump(before.state.displacement)) < 0
    for penalty in PENALTIES:
        normal, tangential = (np.where(closed, penalty, k) for k in (gap.normal, gap.tangential))
        yield Variant(f"contact {penalty:.0e}, sliding", bone, GapStiffness(normal, gap.tangential))
        yield Variant(f"contact {penalty:.0e}, sticking", bone, GapStiffness(normal, tangential))


def count(mesh: str, specimen: Specimen, equations: Statics, variant: Variant) -> tuple[Count, Solved]:
    """One solve."""
    solved = equations.solve("intact" if variant.gap is None else "before", variant.bone, variant.gap)
    s = solved.solution
    to_1e8, to_1e10 = (s.iterations_to(tolerance) or s.iterations for tolerance in (1e-8, 1e-10))
    dofs = 3 * specimen.space.n_nodes
    return Count(mesh, variant.name, dofs, to_1e8, to_1e10, s.seconds, s.method, s.residual), solved


def cases(mesh: str, **changes: object) -> Iterator[Count]:
    """Every case on one shipped mesh."""
    case = Case.preset().with_(**{"mesh.reference": mesh, **changes})
    specimen = Specimen(case)
    equations = statics(specimen)
    before: Solved | None = None
    for variant in states(specimen):
        row, solved = count(mesh, specimen, equations, variant)
        before = before or solved
        yield row
    assert before is not None
    recipe = specimen.recipe()
    bone, gap = recipe.bone, recipe.gap
    for variant in (
        *contacts(specimen, before),
        Variant("bone with Poisson's ratio 0.45", replace(bone, poisson=np.full_like(bone.youngs, 0.45)), gap),
    ):
        yield count(mesh, specimen, equations, variant)[0]
    for name, given in {
        "filler 0.1 MPa": {"fracture.filler_modulus_mpa": 0.1},
        "filler 10 MPa": {"fracture.filler_modulus_mpa": 10.0},
        "open, partial": {"fracture.filler": "open", "fracture.extent": 0.6, "cement.in_gap": "none"},
    }.items():
        specimen = Specimen(case.with_(**given))
        variant = next(states(specimen))
        yield count(mesh, specimen, statics(specimen), Variant(name, variant.bone, variant.gap))[0]


def growth() -> Iterator[Count]:
    """The default case before cement, from 60,000 to 1,000,000 unknowns."""
    for name, changes in GROWTH.items():
        specimen = Specimen(Case.preset().with_(**changes))
        yield count(name, specimen, statics(specimen), next(states(specimen)))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", nargs="*", choices=[*SHIPPED, []], help="shipped meshes; all")
    parser.add_argument("--growth", action="store_true", help="the family of growing size too")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[Count] = []
    print("| mesh | unknowns | case | to 1e-8 | to 1e-10 | s | true residual |\n|---|---:|---|---:|---:|---:|---:|")
    with threads(None):
        warm_up()
        for source in [*(cases(mesh) for mesh in given.mesh or SHIPPED), *([growth()] if given.growth else [])]:
            for row in source:
                rows.append(row)
                print(
                    f"| {row.mesh} | {row.dofs} | {row.case} | {row.to_1e8} | {row.to_1e10} | {row.seconds:.1f} | "
                    f"{row.residual:.1e} |",
                    flush=True,
                )
    print(f"\npeak memory {(peak_bytes() or 0) / GIB:.2f} GiB")
    if given.json:
        given.json.write_text(json.dumps([vars(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
