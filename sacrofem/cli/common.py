"""What commands share: the files that a run reads, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sacrofem.errors import InputError

if TYPE_CHECKING:
    from rich.text import Text

    from sacrofem.case.case import Case


UNSOLVED = ("solver.method", "solver.tolerance", "solver.factorisation", "solver.assembly")
"""Keys that count where something is solved."""


@contextmanager
def read_from(file: Path | None) -> Iterator[None]:
    """Name the case file in refusals that come from building what it asks for."""
    try:
        yield
    except InputError as error:
        if file is None or error.file is not None or error.field is None or error.field.startswith("--"):
            raise
        raise InputError(error.problem, file=file, field=error.field, value=error.value, mend=error.mend) from error


def check_overwrites(overwrite: bool, out: Path | None, field: str = "--out") -> None:
    """Refuse a leave to overwrite where nothing is written."""
    if overwrite and out is None:
        raise InputError("goes with a place to write to", field="--overwrite", mend=f"add {field} or leave it out")


def files_of(file: Path | None, case: Case) -> list[Path]:
    """What a run reads: the case file, and the files of one's own that it names."""
    from sacrofem.case.case import OWN_FILES

    own = (getattr(getattr(case, section), key) for section, key in OWN_FILES)
    return [path for path in (file, *(Path(name) for name in own if name is not None)) if path and path.is_file()]


def hashes(files: list[Path]) -> dict[str, str]:
    """Hash of each file by name."""
    from sacrofem.system.files import sha256

    return {path.name: sha256(path) for path in files}


def elements(case: Case) -> str:
    """The elements of a case, in words."""
    return "P2" if case.mesh.order == 2 else "P1 (a preview, too stiff)"


def placed(content: dict[str, Any]) -> str:
    """The cement of a ``comparison.json``, in words."""
    cement = content.get("cement") or {}
    if not cement.get("placed_ml"):
        return "no bolus"
    where = ", ".join(
        f"{cement[key]:.2f} in {key[3:-3]}" for key in ("in_bone_ml", "in_gap_ml", "in_lesion_ml") if cement.get(key)
    )
    return f"{cement['placed_ml']:.2f} ml cement ({where})"


def near(content: dict[str, Any]) -> list[str]:
    """What the cement of a ``comparison.json`` comes near to and what leaked, in words; nothing without a bolus."""
    cement = content.get("cement") or {}
    clearance = sorted((cement.get("clearance_mm") or {}).items(), key=lambda entry: entry[1])[:4]
    leaked = {name: volume for name, volume in (cement.get("leaked_ml") or {}).items() if volume >= 0.005}
    lines = []
    if clearance:
        lines.append("clearance of cement, mm: " + ", ".join(f"{name} {value:.1f}" for name, value in clearance))
    if leaked:
        lines.append("leaked, ml: " + ", ".join(f"{name} {volume:.2f}" for name, volume in leaked.items()))
    if cement.get("withheld_ml"):
        lines.append(f"withheld at encroachment: {cement['withheld_ml']:.2f} of {cement['requested_ml']:.2f} ml")
    return lines


def verdict(content: dict[str, Any]) -> Text:
    """The safety verdict of a ``comparison.json`` in colour; the notes say what it rests on."""
    from rich.text import Text

    safety = content.get("safety") or {}
    state = safety.get("verdict", "not checked")
    colours = {"clear": "green", "touching": "yellow", "encroaching": "red"}
    exceeded = "; a limit of the case is exceeded" if safety.get("exceeded") else ""
    return Text(f"safety: {state}{exceeded}", style="red" if exceeded else colours.get(state, ""))


def standing(content: dict[str, Any]) -> Text:
    """The validity of a ``comparison.json`` in colour."""
    from rich.text import Text

    found = content.get("validity") or {}
    colour = {"amber": "yellow", "outside": "bold red"}.get(found.get("state", ""), "")
    return Text(f"validity: {found.get('text', 'not checked')}", style=colour)


def safety_status(content: dict[str, Any]) -> int:
    """Exit status of a complete result: 3 where cement or needle violates a safety limit."""
    from sacrofem.errors import SafetyError

    return SafetyError.exit_status if (content.get("safety") or {}).get("violated") else 0


def show(*parts: Any) -> None:
    """Print texts and tables, in colour on a terminal only."""
    from rich.console import Console
    from rich.text import Text

    # Piped text must not be cut at an assumed width of 80. Rich would end the program on a closed pipe: we print.
    console = Console(width=None if sys.stdout.isatty() else 120, emoji=False)
    with console.capture() as page:
        for part in parts:
            console.print(Text(part) if isinstance(part, str) else part)
    print(page.get(), end="")


def print_json(content: dict[str, Any]) -> None:
    """One JSON object to standard output."""
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))
