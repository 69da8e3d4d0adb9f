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
    format: Literal["calculix", "febio"] | None = None,
    state: Literal["before", "after"] = "before",
    exact: bool = False,
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
        Without it by the suffix. calculix has springs on tied nodes; febio thin wedges and shells instead.
    state
        Before or after cement.
    exact
        With calculix: every modulus by itself, not in at most 200 steps, and all digits; a file many times as large.
    overwrite
        Replace an existing file.
    json
        One JSON object to standard output.
    """
    from sacrofem.system.folders import check_writable
    from sacrofem.system.progress import Stages

    resolved = (options or CaseOptions()).case(case, idle=_idle(state))
    by_suffix = next((name for name, suffix in SUFFIX.items() if out.suffix.lower() == suffix), None)
    if by_suffix is None or format not in (None, by_suffix):
        wanted = [SUFFIX[format]] if format else list(SUFFIX.values())
        problem = f"is no name of a deck of {format or ' or '.join(SUFFIX)}"
        mend = f"name it {' or '.join(f'*{suffix}' for suffix in wanted)}"
        raise InputError(problem, field="--out", value=str(out), mend=mend)
    if exact and by_suffix == "febio":
        raise InputError("does not count: febio has the modulus of every tet", field="--exact", mend="leave it out")
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
        moduli = write_deck(out, specimen, specimen.recipe(plan), by_suffix, exact=exact)  # type: ignore[arg-type]
    facts = {
        "file": str(out),
        "format": by_suffix,
        "state": state,
        "nodes": specimen.space.n_nodes,
        "moduli": moduli,
        "bytes": out.stat().st_size,
    }
    if json:
        print_json(facts)
    else:
        print("{file}: {state}, for {format}, {nodes} nodes of bone; {moduli}".format(**facts))
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
