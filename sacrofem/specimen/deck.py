"""A state of a specimen as an input file of another solver."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sacrofem.errors import InputError
from sacrofem.mechanics.decks.calculix import write_calculix
from sacrofem.mechanics.decks.febio import write_febio
from sacrofem.specimen.recipe import Recipe
from sacrofem.specimen.setup import Setup
from sacrofem.system.files import replace_file


def write_deck(path: Path, specimen: Setup, recipe: Recipe, solver: Literal["calculix", "febio"] = "calculix") -> None:
    """Write a state as a deck, all or nothing.

    Parameters
    ----------
    path
        ``.inp`` or ``.feb``.
    specimen
    recipe
        The state (`Setup.recipe`); its gap is bonded.
    solver

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
    write = write_calculix if solver == "calculix" else write_febio
    replace_file(
        path,
        lambda temporary: write(
            temporary, specimen.space, recipe.bone,
            specimen.parts if recipe.gap is None else (*specimen.parts, recipe.gap),
        ),
    )  # fmt: skip
