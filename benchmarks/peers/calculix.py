"""CalculiX: the deck of the common model, and the displacements of its results file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from peers.common import read_model


def write_deck(folder: Path, solver: str = "SPOOLES") -> Path:
    """``folder/deck.inp`` with C3D10 elements and a material for each modulus.

    Nodes and elements are numbered from 1 in the order of the model; VTK and CalculiX order ten-node tets alike.
    """
    model = read_model(folder)
    number = np.arange(1, len(model.nodes) + 1)
    element = np.arange(1, len(model.tets) + 1)
    path = folder / "deck.inp"
    # CalculiX reads twenty characters of a number and no more.
    with path.open("w") as deck:
        deck.write("*NODE, NSET=ALL\n")
        np.savetxt(deck, np.column_stack([number, model.nodes]), fmt="%d,%.12e,%.12e,%.12e")
        deck.write("*ELEMENT, TYPE=C3D10, ELSET=SOLID\n")
        np.savetxt(deck, np.column_stack([element, model.tets + 1]), fmt="%d", delimiter=",")
        kinds, kind = np.unique(np.column_stack([model.youngs, model.poisson]), axis=0, return_inverse=True)
        for i, (youngs, poisson) in enumerate(kinds):
            deck.write(f"*ELSET, ELSET=E{i}\n")
            np.savetxt(deck, element[kind.ravel() == i], fmt="%d,")
            deck.write(f"*MATERIAL, NAME=M{i}\n*ELASTIC\n{youngs:.16g},{poisson:.16g}\n")
            deck.write(f"*SOLID SECTION, ELSET=E{i}, MATERIAL=M{i}\n")
        deck.write("*NSET, NSET=CLAMPED\n")
        np.savetxt(deck, model.fixed + 1, fmt="%d,")
        deck.write(f"*BOUNDARY\nCLAMPED,1,3,0.\n*STEP\n*STATIC, SOLVER={solver}\n*CLOAD\n")
        for axis in range(3):
            loaded = np.flatnonzero(np.abs(model.force[:, axis]) > 1e-12 * np.abs(model.force).max())
            values = np.column_stack([loaded + 1, np.full(len(loaded), axis + 1), model.force[loaded, axis]])
            np.savetxt(deck, values, fmt="%d,%d,%.12e")
        deck.write("*NODE FILE\nU\n*EL FILE\nS\n*END STEP\n")
    return path


def read_displacement(path: Path, n_nodes: int) -> np.ndarray:
    """(N, 3) displacement of an .frd file; its six digits are 1e-6 of each value at best."""
    result = np.full((n_nodes, 3), np.nan)
    with path.open() as lines:
        for line in lines:
            if line.startswith(" -4  DISP"):
                break
        for line in lines:
            if line.startswith(" -1"):
                result[int(line[3:13]) - 1] = [float(line[13 + 12 * i : 25 + 12 * i]) for i in range(3)]
            elif line.startswith(" -3"):
                break
    return result
