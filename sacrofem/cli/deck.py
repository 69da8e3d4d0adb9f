"""`deck`: a state of a case as an input file of another solver."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sacrofem.cli.app import CaseOptions, app
from sacrofem.cli.common import UNSOLVED, print_json, read_from
from sacrofem.errors import InputError

SUFFIX = {"calculix": ".inp", "febio": ".feb"}


@app.command
def deck(
    case: Path | None = None,
    /,
    *,
    out: Path,
    format: Literal["calculix", "febio"] = "calculix",
    state: Literal["before", "after"] = "before",
    options: CaseOptions | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Write the fractured sacrum before or after cement as a deck that another solver runs as it is.

    Parameters
    ----------
    case
        Case file (TOML).
    out
        The deck: .inp for CalculiX and Abaqus, .feb for FEBio.
    format
        calculix is exact, with springs on tied nodes; febio has thin wedges and shells instead.
    state
        Before or after cement.
    overwrite
        Replace an existing file.
    json
        One JSON object to standard output.
    """
    from sacrofem.system.folders import check_writable
    from sacrofem.system.progress import Stages

    resolved = (options or CaseOptions()).case(case, idle=_idle(state))
    if out.suffix.lower() != SUFFIX[format]:
        mend = f"name it *{SUFFIX[format]}"
        raise InputError(f"is no name of a deck of {format}", field="--out", value=str(out), mend=mend)
    if out.is_dir() or (out.exists() and not overwrite):
        mend = "name a file" if out.is_dir() else "name another or give --overwrite"
        raise InputError("exists already", field="--out", value=str(out), mend=mend)
    if not out.parent.is_dir():
        raise InputError("its folder does not exist", field="--out", value=str(out), mend="make the folder first")
    check_writable(out.parent, "--out")
    with read_from(case), Stages():
        from sacrofem.specimen.deck import write_deck
        from sacrofem.specimen.specimen import Specimen

        specimen = Specimen(resolved)
        plan = specimen.plan() if state == "after" else None
        write_deck(out, specimen, specimen.recipe(plan), format)
    facts = {"file": str(out), "format": format, "state": state, "nodes": specimen.space.n_nodes}
    if json:
        print_json(facts)
    else:
        print("{file}: {state}, for {format}, {nodes} nodes of bone".format(**facts))
    return 0


def _idle(state: str) -> dict[str, str]:
    """Keys that a deck has no use for, and why."""
    from sacrofem.case.cement import Cement

    idle = {**dict.fromkeys(UNSOLVED, "nothing is solved"), "safety": "a deck has no limits"}
    if state == "before":
        # Its material may fill the gap before any is placed.
        placed = Cement.model_fields.keys() - {"material", "modulus_mpa", "poisson"}
        idle |= {f"cement.{key}": "there is none before cement; add --state after" for key in placed}
    return idle
