"""What kind of sacrum a path holds: a surface, a label map, a mesh, or a folder that an import left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sacrofem.anatomy.scan.surfacefile import SURFACE_SUFFIXES
from sacrofem.errors import InputError

IMAGE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
CASE_FILE = "case.toml"


def anatomy_keys(
    path: Path,
    *,
    field: str = "--anatomy",
    **said: Any,
) -> dict[str, Any]:
    """The ``[anatomy]`` of a case for what lies at a path.

    Parameters
    ----------
    path
        Surface, label map, mesh, or imported folder.
    field
        Named in refusals.
    **said
        What the command line says of it; see `said_of`.

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
    return {**given, **said_of(**said)}


def said_of(
    *,
    ct: Path | None = None,
    ct_series: str | None = None,
    ct_offset_hu: float | None = None,
    units: str | None = None,
    labels: Sequence[str] = (),
) -> dict[str, Any]:
    """The keys of ``[anatomy]`` that options of the command line give, numbers as numbers."""
    given = {
        "ct": None if ct is None else str(ct.resolve()),
        "ct_series": None if ct_series is None else label_of(ct_series),
        "ct_offset_hu": ct_offset_hu,
        "units": units,
        "labels": tuple(map(label_of, labels)) or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def label_of(text: str) -> int | str:
    """A label or series from the command line: its number, or its name."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
