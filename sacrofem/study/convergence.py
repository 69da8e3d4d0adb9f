"""One case on a ladder of meshes: observed order and mesh band of every measure and of its change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, cast

from sacrofem.case.case import Case
from sacrofem.errors import SacrofemError
from sacrofem.mechanics.measures.catalogue import MEASURES, SMALLEST_SHARE_OF_SCALE
from sacrofem.specimen.compare import compare
from sacrofem.specimen.comparison import Comparison
from sacrofem.specimen.setup import Setup
from sacrofem.study.ladder import Rung, ladder
from sacrofem.study.order import Estimate, estimate
from sacrofem.system.progress import stages_of

Values = Mapping[str, float | None]
Part = Literal["before", "after", "change"]
PARTS: tuple[Part, ...] = ("before", "after", "change")


@dataclass(frozen=True, eq=False)
class Level:
    """A case solved on one mesh.

    Attributes
    ----------
    name : str
        Of the mesh.
    size_mm : float
        Edge length at the fracture (`representative_size`).
    tets, dofs : int
    before, after, change : mapping of str to float or None
        Every measure.
    """

    name: str
    size_mm: float
    tets: int
    dofs: int
    before: Values
    after: Values
    change: Values

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            **{key: getattr(self, key) for key in ("name", "size_mm", "tets", "dofs")},
            **{part: dict(getattr(self, part)) for part in PARTS},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Level:
        """From what `to_json` gave."""
        return cls(**data)


@dataclass(frozen=True, eq=False)
class Convergence:
    """What a ladder of meshes says of a case.

    Attributes
    ----------
    case : Case
        On the mesh that the bands are for.
    levels : tuple of Level
        Coarse to fine.
    own : int
        Which of them has the case's own mesh.
    warnings : tuple of str
        Of the case on its own mesh.
    """

    case: Case
    levels: tuple[Level, ...]
    own: int
    warnings: tuple[str, ...] = field(default=())

    @cached_property
    def estimates(self) -> Mapping[str, Mapping[Part, Estimate | None]]:
        """Order and band of every measure that exists, before, after and their change; None where one has no value."""
        found = {key: {part: self._estimate(key, part) for part in PARTS} for key in MEASURES}
        return {key: parts for key, parts in found.items() if any(parts.values())}

    def _estimate(self, key: str, part: Part) -> Estimate | None:
        values = [getattr(level, part).get(key) for level in self.levels]
        if any(value is None for value in values):
            return None
        numbers = cast("list[float]", values)
        sizes = [level.size_mm for level in self.levels]
        return estimate(sizes, numbers, at=self.own, scale=self._scale(key, part, numbers[-1]))

    def _scale(self, key: str, part: Part, value: float) -> float:
        if part == "change":
            return 1.0  # percentage points
        kind = MEASURES[key].scale
        of = self.levels[-1].before.get(kind) if isinstance(kind, str) else kind
        return max(abs(value), SMALLEST_SHARE_OF_SCALE * abs(of or 0.0))

    def mesh_band(self) -> dict[str, dict[str, Any]]:
        """The content of ``mesh_band`` in ``comparison.json``, by measure.

        ``before``, ``after`` and ``change`` as ``[low, high]`` (or None), their ``order`` (or None), and
        ``unconverged``: which of the three do not settle under refinement.
        """
        return {
            key: {
                **{part: None if e is None else list(e.band) for part, e in parts.items()},
                "order": {part: None if e is None else e.order for part, e in parts.items()},
                "unconverged": [part for part, e in parts.items() if e is not None and not e.converged],
            }
            for key, parts in self.estimates.items()
        }

    def about(self) -> dict[str, Any]:
        """Which meshes the bands come from."""
        return {"meshes": [{"name": level.name, "size_mm": level.size_mm, "tets": level.tets} for level in self.levels]}

    def to_json(self) -> dict[str, Any]:
        """The content of ``convergence.json``."""
        return {
            "schema": 1,
            "case": self.case.to_dict(),
            "levels": [level.to_json() for level in self.levels],
            "own": self.own,
            "mesh_band": self.mesh_band(),
            "limits": {
                key: {part: None if e is None else e.limit for part, e in parts.items()}
                for key, parts in self.estimates.items()
            },
            "warnings": list(self.warnings),
        }


def converge(case: Case, *, own: Comparison | None = None) -> Convergence:
    """Solve a case on its ladder of meshes (`sacrofem.study.ladder.ladder`).

    The solid, the fractures, the plan and the measuring zones are geometry and the same on every mesh; how
    closely a mesh follows the solid is part of what the band measures.

    Parameters
    ----------
    case
    own
        The comparison of this case on its own mesh, where it is there already.

    Raises
    ------
    InputError
        The case cannot be built, or its mesh cannot be made at other sizes.
    SacrofemError
        A solve failed or did not balance, or the mesher made nothing finer.
    """
    case.check_one_load("a mesh band")
    meshes = ladder(case)
    levels = []
    notes: list[str] = [] if own is None else own.warnings
    for k, rung in enumerate(meshes.rungs):
        if own is not None and k == meshes.own:
            levels.append(_level(rung, own))
            continue
        with stages_of(rung.name):
            result = compare(rung.case)
        levels.append(_level(rung, result))
        if k == meshes.own:
            notes = result.warnings
    sizes = [level.size_mm for level in levels]
    if any(coarse <= fine for coarse, fine in pairwise(sizes)):
        text = ", ".join(f"{size:.3g}" for size in sizes)
        raise SacrofemError(f"the meshes of the ladder do not get finer ({text} mm); try another mesh.size_mm")
    return Convergence(case, tuple(levels), meshes.own, tuple(notes))


def representative_size(specimen: Setup) -> float:
    """Edge length in mm that orders a ladder: of an equilateral triangle as large as the mean fracture face.

    Without a fracture, of a regular tet as large as the mean one.
    """
    areas = specimen.space.gap.areas
    if len(areas):
        return math.sqrt(4.0 / math.sqrt(3.0) * float(areas.sum()) / len(areas))
    return math.cbrt(6.0 * math.sqrt(2.0) * float(specimen.mesh.volumes.mean()))


def _level(rung: Rung, result: Comparison) -> Level:
    size = representative_size(result.specimen)
    info = result.mesh_info
    return Level(
        rung.name, size, int(info["tets"]), int(info["dofs"]),
        dict(result.before), dict(result.after), dict(result.change),
    )  # fmt: skip
