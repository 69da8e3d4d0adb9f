"""Moduli of elements in a file of one's own: a table of element numbers and Young's moduli."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sacrofem.bone.provenance import ModulusProvenance
from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.system.arrays import FloatArray

HEADER = "element,youngs_mpa"


@dataclass(frozen=True, eq=False)
class ModuliTable:
    """Moduli (m,) in MPa as a file has them, and which file that was."""

    youngs: FloatArray
    provenance: ModulusProvenance


def read_moduli(path: str | os.PathLike[str], elements: int) -> ModuliTable:
    """The modulus of every element, whatever the order of the rows.

    Raises
    ------
    InputError
        Missing, of another header, an element missing, twice or unknown, or a modulus that is not positive.
    EnvironmentFailure
        The file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        raise InputError(problem, file=path, field="materials.moduli", mend="give a table of moduli")
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError("is no text", file=path, field="materials.moduli", mend=f"write {HEADER}") from error
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be read ({error.strerror})") from error
    if not lines or lines[0].replace(" ", "") != HEADER:
        raise InputError("has another header", file=path, field="materials.moduli", mend=f"begin with {HEADER}")
    youngs = np.full(elements, np.nan)
    for row, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        try:
            first, second = line.split(",")
            number, value = int(first), float(second)
        except ValueError:
            number, value = -1, np.nan
        if not (0 <= number < elements and np.isfinite(value) and value > 0.0):
            problem = f"line {row} is no element below {elements} with a modulus above 0"
            raise InputError(problem, file=path, value=line[:60], mend="elements count from 0, as in the mesh")
        if not np.isnan(youngs[number]):
            raise InputError(f"line {row} gives an element twice", file=path, value=number, mend="keep one of them")
        youngs[number] = value
    if missing := int(np.count_nonzero(np.isnan(youngs))):
        raise InputError(
            f"{missing} of {elements} elements have no modulus, the first is {int(np.argmax(np.isnan(youngs)))}",
            file=path,
            mend="give every element of the fractured mesh one",
        )
    return ModuliTable(youngs, ModulusProvenance.from_table(str(path), hashlib.sha256(content).hexdigest()))
