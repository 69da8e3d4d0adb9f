"""A state of a specimen as an input file of another solver."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from sacrofem.errors import InputError
from sacrofem.mechanics.decks.calculix import Sets, deck_name, write_calculix
from sacrofem.mechanics.decks.compact import MOST_MATERIALS, binned
from sacrofem.mechanics.decks.febio import write_febio
from sacrofem.specimen.recipe import Recipe
from sacrofem.specimen.setup import Setup
from sacrofem.system.arrays import BoolArray
from sacrofem.system.files import replace_file


def write_deck(
    path: Path,
    specimen: Setup,
    recipe: Recipe,
    solver: Literal["calculix", "febio"] = "calculix",
    *,
    exact: bool = True,
) -> str:
    """Write a state as a deck, all or nothing.

    Parameters
    ----------
    path
        ``.inp`` or ``.feb``.
    specimen
    recipe
        The state (`Setup.recipe`); its gap is bonded.
    solver
    exact
        With CalculiX: every tet's own modulus, 13 digits and a spring at every integration point; else at most
        200 materials, 9 digits and the fewest springs of the same energy.

    Returns
    -------
    str
        How the moduli were written, and with what error.

    Raises
    ------
    InputError
        Something in the gap is in contact: a linear deck cannot say so. Or the case has several loads.
    EnvironmentFailure
        The file cannot be written.
    """
    specimen.case.check_one_load("a deck")
    if recipe.contact is not None:
        raise InputError(
            "a deck is linear and has no contact in the gap",
            field="fracture.closure" if specimen.gap_law.closes else "cement.in_gap",
            mend='use fracture.closure = "bonded" and cement.in_gap = "bonded" or "none"',
        )
    parts = specimen.parts if recipe.gap is None else (*specimen.parts, recipe.gap)
    if solver == "febio":
        replace_file(path, lambda temporary: write_febio(temporary, specimen.space, recipe.bone, parts))
        return "moduli of every tet, exact"
    few = binned(recipe.bone, specimen.mesh.volumes, len(recipe.bone.youngs) if exact else MOST_MATERIALS)
    options: dict[str, Any] = {"compact": not exact, "sets": _sets(specimen, recipe), "remarks": [str(few)]}
    replace_file(path, lambda temporary: write_calculix(temporary, specimen.space, few.bone, parts, **options))
    return str(few)


def _sets(specimen: Setup, recipe: Recipe) -> Sets:
    """Names of what a reader of the deck looks for: faces of the mesh, both sides of each fracture, cortex, cement."""
    mesh = specimen.mesh
    faces: dict[str, BoolArray] = {}
    # Names that the deck has for nodes of its own.
    taken = {"BONE", "FIXED", "CEMENT", "CORTICAL", "GAP", *(part.name.upper() for part in specimen.parts)}

    def add(name: str, chosen: BoolArray) -> None:
        name = deck_name(name)
        while name in taken:
            name += "_"
        taken.add(name)
        faces[name] = chosen

    for name, chosen in mesh.face_sets.items():
        if name.startswith("fracture"):
            add(f"{name}_plus", chosen & (mesh.pair_side == 1))
            add(f"{name}_minus", chosen & (mesh.pair_side == -1))
        else:
            add(name, chosen)
    cortex = np.zeros(len(mesh.faces), dtype=bool)
    cortex[specimen.bone.cortex.faces] = True
    return Sets({**faces, "CORTICAL": cortex}, {"CEMENT": recipe.fraction > 0.0})
