"""Mesh band and input range beside a comparison: shipped where they belong to it, else computed on request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sacrofem.case.case import Case
from sacrofem.errors import InputError, SacrofemError
from sacrofem.mechanics.measures.catalogue import MEASURES, SMALLEST_SHARE_OF_SCALE
from sacrofem.mesh.files.files import reference_folder
from sacrofem.specimen.comparison import Comparison
from sacrofem.study.convergence import Convergence, Level, Values, converge
from sacrofem.study.inputs import InputRange, input_range
from sacrofem.study.ladder import REFERENCES

SHIPPED = "bands.json"
SAME_NUMBERS = 1e-5
"""Relative difference below which a run reproduces a shipped level (that of baselines with contact)."""


def with_bands(comparison: Comparison, *, mesh: bool = False, inputs: bool = False) -> Comparison:
    """A comparison with the shipped bands where they belong to it, and with those that are asked for.

    Parameters
    ----------
    comparison
    mesh, inputs
        Compute the mesh band (two further meshes) or the input range (up to eight runs on a coarser
        mesh) where none is shipped.

    Raises
    ------
    InputError
        A mesh band of a mesh that cannot be made at other sizes, or a band of what was given in Python beside the case.
    SolverError
        A solve failed or did not balance.
    """
    before, after, change = comparison.before, comparison.after, comparison.change
    # Of the load case of [load] alone.
    case = comparison.case.with_(loads=()) if comparison.case.loads else comparison.case
    stored, stored_range = shipped_for(case, before, after)
    wanted = (mesh and stored is None) or (inputs and stored_range is None)
    if wanted and (why := comparison.specimen.given.notes()):
        # Other runs would be of what the case has instead.
        raise InputError(why[0], field="bands", mend="put it into the case, or ask for no band")
    convergence = stored or (converge(case, own=comparison) if mesh else None)
    inputs_range = stored_range or (input_range(case) if inputs else None)
    bands = {}
    if convergence is not None:
        bands["mesh_band"] = {"source": "shipped" if stored else "computed", **convergence.about()}
    if inputs_range is not None:
        bands["input_range"] = {"source": "shipped" if stored_range else "computed", **inputs_range.about()}
    return replace(
        comparison,
        mesh_band=None if convergence is None else convergence.mesh_band(),
        input_range=None if inputs_range is None else inputs_range.ranges(before, after, change),
        bands=bands,
    )


# ---------------------------------------------------------------------- shipped
def shipped_for(case: Case, before: Values, after: Values) -> tuple[Convergence | None, InputRange | None]:
    """The shipped bands, if this is the case that they were computed for, and if it gave their numbers.

    Parameters
    ----------
    case
        On any of the shipped meshes.
    before, after
        What it gave. Numbers that differ from those of the band mean that the package has changed since: then
        the band says nothing of them.
    """
    data = read_shipped()
    if data is None or not is_shipped_case(data, case):
        return None, None
    convergence = shipped_convergence(data, case)
    level = convergence.levels[convergence.own]
    if not (same_values(level.before, before, level.before) and same_values(level.after, after, level.before)):
        return None, None
    # It was computed on the mesh below the medium one and holds for any that is as fine.
    inputs = InputRange.from_json(data["input_range"]) if case.mesh.reference != REFERENCES[0] else None
    return convergence, inputs


def read_shipped() -> Mapping[str, Any] | None:
    """The shipped file, or None where there is none."""
    path = reference_folder() / SHIPPED
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def is_shipped_case(data: Mapping[str, Any], case: Case) -> bool:
    """Whether a case is, but for its name, its solver and which shipped mesh it takes, the one of the file."""
    try:
        stored = Case.from_dict(data["case"])
    except SacrofemError:
        return False  # of a version with other names
    return _physics(stored) == _physics(case)


def _physics(case: Case) -> dict[str, Any]:
    content = case.to_dict()
    content.pop("name")
    content.pop("solver", None)
    content["mesh"] = {key: value for key, value in content["mesh"].items() if key != "reference"}
    return content


def shipped_convergence(data: Mapping[str, Any], case: Case) -> Convergence:
    """The shipped ladder with the band for the mesh of a case."""
    levels = tuple(Level.from_json(level) for level in data["levels"])
    return Convergence(case, levels, [level.name for level in levels].index(case.mesh.reference))


def same_values(stored: Values, found: Values, scales: Values) -> bool:
    """Whether two sets of measures agree to `SAME_NUMBERS`; what only one of them has is a difference.

    Parameters
    ----------
    stored, found
    scales
        The values before of the stored set, for the measures that others are small against.
    """
    if set(stored) != set(found):
        return False
    for key, old in stored.items():
        new = found[key]
        if old is None or new is None:
            if old is not new:
                return False
            continue
        kind = MEASURES[key].scale if key in MEASURES else 0.0
        of = scales.get(kind) if isinstance(kind, str) else kind
        if abs(new - old) > SAME_NUMBERS * max(abs(old), SMALLEST_SHARE_OF_SCALE * abs(of or 0.0)):
            return False
    return True


def shipped_halves(
    data: Mapping[str, Any], case: Case, row: Mapping[str, Any], keys: Sequence[str]
) -> dict[str, float]:
    """Half widths of the shipped mesh band of changes, for a scenario of a study that is the shipped case.

    Parameters
    ----------
    data
        Of `read_shipped`.
    case
        Of the scenario.
    row
        Its values by column: ``{key}_before``, ``{key}_after``, ``{key}_change``.
    keys
        Measures.

    Returns
    -------
    dict
        Share by key; without a key that does not converge, or whose values are not those of the band: zones of a
        study are fixed by all its plans together.
    """
    if not is_shipped_case(data, case):
        return {}
    convergence = shipped_convergence(data, case)
    level = convergence.levels[convergence.own]
    found = {}
    for key in keys:
        estimate = (convergence.estimates.get(key) or {}).get("change")
        same = all(
            same_values({key: values.get(key)}, {key: row.get(f"{key}_{part}")}, level.before)
            for part, values in (("before", level.before), ("after", level.after))
        )
        if same and estimate is not None and estimate.converged:
            found[key] = estimate.half_width
    return found
