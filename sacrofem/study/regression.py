"""Reference cases rerun and compared with their stored baselines.

The baselines are readable JSON beside the reference meshes. ``run`` serves `sacrofem verify` and the
regression tests alike; nothing but ``run(update=True, reason=...)`` in a checkout ever changes one. Beside
our own values a record may hold those of CalculiX on the same mesh, which ``meshes/crosscheck.py`` stores.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sacrofem.case.case import Case
from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.mesh.files.files import reference_folder
from sacrofem.specimen.compare import compare
from sacrofem.system.files import json_text, replace_file, sha256
from sacrofem.system.version import VERSION

# Relative to the largest value of its kind.
TOLERANCE = 1e-7
LOG = "log.json"


@dataclass(frozen=True)
class ReferenceCase:
    """A preset, changed, on a shipped mesh."""

    name: str
    preset: str
    changes: Mapping[str, Any]
    quick: bool = True

    @property
    def case(self) -> Case:
        """To be solved to the last digits."""
        return Case.preset(self.preset).with_(**dict(self.changes), **{"solver.tolerance": 1e-12})


CASES = (
    ReferenceCase("tiny-bilateral", "sif-bilateral", {"mesh.reference": "tiny"}),
    ReferenceCase("tiny-bilateral-no-gap-cement", "sif-bilateral", {"mesh.reference": "tiny", "cement.in_gap": "none"}),
    ReferenceCase(
        "tiny-unilateral-right",
        "sif-unilateral",
        {"mesh.reference": "tiny", "fracture.side": "right", "supports.kind": "fixed", "supports.ligaments": False},
    ),
    ReferenceCase("tiny-lytic-focal", "lytic-focal", {"mesh.reference": "tiny"}),
    ReferenceCase("tiny-lytic-infiltrative", "lytic-infiltrative", {"mesh.reference": "tiny"}),
    ReferenceCase("coarse-bilateral", "sif-bilateral", {"mesh.reference": "coarse"}, quick=False),
    ReferenceCase(
        "coarse-long-axis-bioceramic",
        "sif-bilateral",
        {"mesh.reference": "coarse", "cement.approach": "long-axis", "cement.material": "calcium-phosphate"},
        quick=False,
    ),
)


@dataclass(frozen=True)
class Difference:
    """One value that is not as stored."""

    case: str
    key: str
    stored: float | None
    found: float | None
    tolerance: float

    def __str__(self) -> str:
        return f"{self.case}: {self.key} is {self.found!r}, stored {self.stored!r} (tolerance {self.tolerance:g})"


def baselines_folder() -> Path:
    """Where the baselines lie: in the wheel, or in the checkout."""
    return reference_folder() / "baselines"


def _mesh_name(case: Case) -> str:
    fractured = case.fracture.zone != "none"
    return f"sacrum-{case.mesh.reference}-{'bilateral' if fractured else 'intact'}"


def values_of(reference: ReferenceCase) -> dict[str, Any]:
    """Run one reference case; its record in the form that is stored."""
    case = reference.case
    result = compare(case, intact=True)
    mesh = reference_folder() / f"{_mesh_name(case)}.vtu"
    values: dict[str, dict[str, Any]] = {}
    for state, measures in (("intact", result.intact or {}), ("before", result.before), ("after", result.after)):
        for key, value in measures.items():
            if value is not None:
                values[f"{state}.{key}"] = {"value": value, "tolerance": TOLERANCE}
    for key, value in result.cement.items():
        if isinstance(value, float):
            values[f"cement.{key}"] = {"value": value, "tolerance": TOLERANCE}
    return {"mesh": mesh.name, "sha256": sha256(mesh), "version": VERSION, "values": values}


def compared(name: str, stored: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Difference]:
    """Where two records differ by more than the stored tolerance.

    A value counts against the largest of its kind (same state and unit), so that rounding noise in a
    value that is zero by symmetry is no difference.
    """
    old, new = stored["values"], found["values"]
    scale: dict[str, float] = {}
    for key, entry in old.items():
        kind = _kind(key)
        scale[kind] = max(scale.get(kind, 0.0), abs(entry["value"]))
    for key in sorted(set(old) | set(new)):
        a = old.get(key, {}).get("value")
        b = new.get(key, {}).get("value")
        tolerance = (old.get(key) or new[key])["tolerance"]
        if a is None or b is None or not math.isfinite(b) or abs(a - b) > tolerance * scale[_kind(key)]:
            yield Difference(name, key, a, b, tolerance)


def _kind(key: str) -> str:
    state, measure = key.split(".", 1)
    if "principal_strain" in measure:
        return f"{state}.strain"
    if measure.startswith("reaction_share"):
        return f"{state}.share"
    for unit in ("_um", "_mpa", "_ml"):
        if measure.endswith(unit):
            # Cortex is two orders stiffer than what lies under it.
            return f"{state}{unit}{'.cortex' if 'cortex' in measure else ''}"
    return key


def run(update: bool = False, reason: str | None = None, *, quick: bool = False) -> list[Difference]:
    """Rerun the reference cases.

    Parameters
    ----------
    update
        Store what comes out, and log old, new and reason; in a checkout only.
    reason
        Why the baselines change.
    quick
        Only the cases on the tiny mesh.

    Returns
    -------
    list of Difference
        From what is (or, with ``update``, was) stored.

    Raises
    ------
    InputError
        An update without a reason.
    EnvironmentFailure
        An update outside a checkout, or baselines that are missing.
    """
    folder = baselines_folder()
    checkout = reference_folder().name == "meshes" and (reference_folder().parent / "pyproject.toml").is_file()
    if update and not (reason or "").strip():
        raise InputError("a changed baseline needs one", field="--reason", mend="add --reason TEXT")
    if update and not checkout:
        raise EnvironmentFailure("baselines change only in a checkout, and this is an installed package")
    differences: list[Difference] = []
    fresh: dict[Path, dict[str, Any]] = {}
    entries = []
    for reference in CASES:
        if quick and not reference.quick:
            continue
        path = folder / f"{reference.name}.json"
        if not path.is_file() and not update:
            raise EnvironmentFailure(f"{path}: the baseline is missing; reinstall sacrofem")
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"values": {}}
        found = values_of(reference)
        new = list(compared(reference.name, stored, found))
        differences += new
        if update and (new or stored.get("sha256") != found["sha256"]):
            # What another solver found is not ours to change: meshes/crosscheck.py does.
            fresh[path] = found | {key: stored[key] for key in ("calculix",) if key in stored}
            # Of a case that had no baseline everything is new: that need not be listed.
            changed = {d.key: [d.stored, d.found] for d in new} if stored["values"] else {}
            entries.append({"case": reference.name, "changed": changed})
    if entries:
        # All cases have run: a failure or an interrupt leaves every baseline as it was.
        log = folder / LOG
        history = json.loads(log.read_text(encoding="utf-8")) if log.is_file() else []
        history.append({"reason": reason, "date": time.strftime("%Y-%m-%d", time.gmtime()), "cases": entries})
        replace_file(log, record_text(history))
        for path, content in fresh.items():
            replace_file(path, record_text(content))
    return differences


def record_text(content: Mapping[str, Any] | Sequence[Any]) -> str:
    """A baseline or the log as readable JSON."""
    return json_text(content, indent=1)
