"""The meshes that a case is repeated on: the same solid, fractures and plan, finer from rung to rung."""

from __future__ import annotations

from dataclasses import dataclass

from sacrofem.case.case import Case
from sacrofem.errors import InputError
from sacrofem.specimen.mesh import DEFAULT_SIZE_MM, FRACTURE_SIZE_SHARE, uses_reference

REFERENCES = ("tiny", "coarse", "medium")
SIZE_RATIO = 1.5
"""From rung to rung of meshes made to a size: enough to tell an order (above 1.3: Celik 2008)."""
COARSEST_MM = 10.0
"""Above it the walls between canal, foramina and surface are no longer resolved (the tiny mesh: 9 mm)."""


@dataclass(frozen=True)
class Rung:
    """One mesh of a ladder: its name and the case on it."""

    name: str
    case: Case


@dataclass(frozen=True)
class Ladder:
    """Rungs from coarse to fine, and which of them is the case's own mesh."""

    rungs: tuple[Rung, ...]
    own: int

    @property
    def below(self) -> Rung:
        """The rung below the case's own mesh; its own where there is none."""
        return self.rungs[max(self.own - 1, 0)]


def ladder(case: Case) -> Ladder:
    """Three meshes, the case's own among them.

    The shipped meshes where the case uses them; else its own size and 1.5 and 2.25 times as much, or
    finer ones where those would be too coarse for the solid.

    Raises
    ------
    InputError
        An own mesh, which cannot be made again at another size, or moduli of one's own, which are those of one mesh.
    """
    if case.materials.moduli is not None:
        raise InputError(
            "are those of one mesh, and a ladder has three",
            field="materials.moduli",
            value=case.materials.moduli,
            mend="give a law of density, or compare three meshes with a table each",
        )
    if case.anatomy.kind == "mesh":
        raise InputError(
            "a mesh of one's own cannot be made again at other sizes",
            field="anatomy.kind",
            value=case.anatomy.kind,
            mend='compare three such meshes, or use kind = "parametric"',
        )
    if uses_reference(case):
        rungs = tuple(Rung(name, case.with_(**{"mesh.reference": name})) for name in REFERENCES)
        return Ladder(rungs, REFERENCES.index(case.mesh.reference))
    size = case.mesh.size_mm or DEFAULT_SIZE_MM
    fracture_size = case.mesh.fracture_size_mm or FRACTURE_SIZE_SHARE * size
    own = next((k for k in (2, 1) if size * SIZE_RATIO**k <= COARSEST_MM), 0)
    factors = [SIZE_RATIO ** (own - k) for k in range(3)]
    for field, value, least in (("size_mm", size, 0.5), ("fracture_size_mm", fracture_size, 0.3)):
        if value * factors[-1] < least:
            problem = f"the ladder needs meshes down to {factors[-1]:.2g} of it, below the least of {least:g} mm"
            raise InputError(problem, field=f"mesh.{field}", value=value, mend="make it larger")
    rungs = tuple(
        Rung(
            f"{size * factor:.3g} mm",
            case.with_(**{"mesh.size_mm": size * factor, "mesh.fracture_size_mm": fracture_size * factor}),
        )
        for factor in factors
    )
    return Ladder(rungs, own)
