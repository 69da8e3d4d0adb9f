"""A state of a prepared model as an input file of another solver."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from sacrofem.errors import InputError
from sacrofem.mechanics.decks.calculix import write_calculix
from sacrofem.mechanics.decks.febio import write_febio
from sacrofem.specimen.model import Model
from sacrofem.system.files import replace_file


def write_deck(
    path: Path, model: Model, state: Literal["before", "after"], solver: Literal["calculix", "febio"] = "calculix"
) -> None:
    """Write a deck, all or nothing.

    Parameters
    ----------
    path
        ``.inp`` or ``.feb``.
    model
        Prepared; its gap is bonded.
    state, solver

    Raises
    ------
    InputError
        Something in the gap is in contact: a linear deck cannot say so.
    EnvironmentFailure
        The file cannot be written.
    """
    if model.touches:
        raise InputError(
            "a deck is linear and has no contact in the gap",
            field="fracture.closure",
            mend='use fracture.closure = "bonded" and cement.in_gap = "bonded" or "none"',
        )
    bone = model.treated if state == "after" else model.bone
    gap = model.gap(model.coverage if state == "after" else np.zeros_like(model.coverage), bone)
    write = write_calculix if solver == "calculix" else write_febio
    replace_file(
        path,
        lambda temporary: write(
            temporary, model.space, bone, model.force, model.supports,
            membrane=model.membrane, gap=gap,
        ),
    )  # fmt: skip
