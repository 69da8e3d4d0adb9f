"""What kind of sacrum a path holds: a surface, a label map, a mesh, or a folder that an import left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sacrofem.anatomy.scan.surface import SURFACE_SUFFIXES
from sacrofem.errors import InputError

IMAGE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
CASE_FILE = "case.toml"


def anatomy_keys(
    path: Path,
    *,
    ct: Path | None = None,
    units: str | None = None,
    labels: Sequence[str] = (),
    field: str = "--anatomy",
) -> dict[str, Any]:
    """The ``[anatomy]`` of a case for what lies at a path.

    Parameters
    ----------
    path
        Surface, label map, mesh, or imported folder.
    ct, units, labels
        What the command line says of it.
    field
        Named in refusals.

    Raises
    ------
    InputError
        Nothing is there, or a folder that no import left.
    """
    if not path.exists():
        raise InputError("no such file", field=field, value=str(path), mend="give a surface, label map or mesh")
    given: dict[str, Any] = {}
    if path.is_dir():
        from sacrofem.case.case import Case

        if not (path / CASE_FILE).is_file():
            raise InputError(
                "holds no imported sacrum", field=field, value=str(path),
                mend="give a file, or a folder that `sacrofem import` left",
            )  # fmt: skip
        given = Case.from_toml(path / CASE_FILE).to_dict()["anatomy"]
    else:
        name = path.name.lower()
        kind = "surface" if name.endswith(SURFACE_SUFFIXES) else "labels" if name.endswith(IMAGE_SUFFIXES) else "mesh"
        given = {"kind": kind, "path": str(path.resolve())}
    if ct is not None:
        given["ct"] = str(ct.resolve())
    if units is not None:
        given["units"] = units
    if labels:
        given["labels"] = tuple(map(label_of, labels))
    return given


def label_of(text: str) -> int | str:
    """A label from the command line: its number, or its name."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
