"""A comparison: two solutions of one specimen and their measures, in the zones that the plan fixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from sacrofem.case.case import MAIN_LOAD, Case
from sacrofem.cement.safety import Safety
from sacrofem.cement.spread import CementRegion
from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.mechanics.equilibrium.statics import Solved
from sacrofem.mechanics.measures.catalogue import (
    HEADLINES,
    MEASURES,
    NEEDS_NO_PLAN,
    Changes,
    Measure,
    changes,
    worst_of,
)
from sacrofem.mechanics.measures.measures import Measures
from sacrofem.mechanics.measures.validity import Validity, validity
from sacrofem.mechanics.measures.zones import NEAR_MM, Zones
from sacrofem.mechanics.parts.materials import floor_note
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.closure import Closure, closure
from sacrofem.specimen.plan import Plan
from sacrofem.specimen.setup import Setup
from sacrofem.specimen.show import drawn, tabulated, written
from sacrofem.specimen.solution import Solution
from sacrofem.system.arrays import FloatArray
from sacrofem.system.htmltable import CLAIM, table

Values = Mapping[str, float | None]
# Filler over the bone beside it: up to here the bone that the mesh has in place of the gap is negligible.
NEGLIGIBLE_FILLER = 0.1


@dataclass(frozen=True)
class Compared:
    """One measure of a comparison.

    Attributes
    ----------
    measure : Measure
        Key, unit, label and definition.
    before, after : float or None
    change : float or None
        (after - before) / before; None where that means nothing.
    intact : float or None
    band : mapping or None
        Mesh band of ``before``, ``after`` and ``change`` as ``[low, high]``; None where not computed.
    reason : str
        Why a value is None; empty where none is.
    """

    measure: Measure
    before: float | None
    after: float | None
    change: float | None
    intact: float | None = None
    band: Mapping[str, Any] | None = None
    reason: str = ""

    @property
    def unit(self) -> str:
        """Of the values; empty for a pure number."""
        return self.measure.unit

    def __str__(self) -> str:
        def number(value: float | None) -> str:
            return "–" if value is None else f"{value:.4g}"

        shown = "–" if self.change is None else f"{100 * self.change:+.1f} %"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.measure.label}: {number(self.before)} → {number(self.after)}{unit} ({shown})"


@dataclass(frozen=True, eq=False)
class CommonZones:
    """The measures of a comparison in one zone that several plans share.

    Attributes
    ----------
    plans : int
        How many plans the zone leaves out.
    before, after, change : mapping of str to float or None
        The measures that depend on zones.
    """

    plans: int
    before: Values
    after: Values
    change: Values

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"plans": self.plans, **{part: dict(getattr(self, part)) for part in ("before", "after", "change")}}


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What cement did: measures before and after, and the solutions that they were read off.

    ``comparison[key]`` is one measure (`Compared`). What it holds are numbers, the two solutions (displacement,
    moduli and gap of each, the specimen without what can be found again) and where cement lies: on the coarse mesh
    less than 120 MB, and it can be copied and pickled.

    Attributes
    ----------
    case : Case
    before, after : mapping of str to float or None
        Every measure (see ``sacrofem.mechanics.measures.catalogue``).
    change : mapping of str to float or None
        (after - before) / before, None where that means nothing.
    intact : mapping or None
        The same measures of the unfractured bone, where asked for.
    fractures : mapping
        ``{name: {"before", "after", "change"}}``.
    reasons : mapping of str to str
        Why a measure is None.
    left_out : mapping of str to float
        Share of each measuring zone that the cement of the plan takes out of it.
    solutions : mapping of str to Solution
        ``"before"``, ``"after"`` and, where asked for, ``"intact"``.
    notes : tuple of str
        Of this comparison alone; `warnings` has those of specimen, plan and solutions too.
    mesh_band, input_range : mapping or None
        By measure, ``before``, ``after`` and ``change`` as ``[low, high]``; None where not computed
        (see ``sacrofem.study.bands``).
    bands : mapping
        Where ``mesh_band`` and ``input_range`` come from.
    closure : Closure or None
        Contact in the gap and what it changed; None where all is bonded.
    common_zones : CommonZones or None
        The same in a zone common to several plans, where that was asked for.
    validity : Validity
        Whether the numbers lie inside the model; outside it none of them is a headline.
    loads : mapping of str to Comparison
        The same under each load case of ``[[loads]]``; `worst` is over these and this one.
    """

    case: Case
    before: Values
    after: Values
    change: Values
    intact: Values | None
    fractures: Mapping[str, Mapping[str, Values]]
    reasons: Mapping[str, str]
    left_out: Mapping[str, float]
    solutions: Mapping[str, Solution]
    notes: tuple[str, ...]
    mesh_band: Mapping[str, Any] | None = None
    input_range: Mapping[str, Any] | None = None
    bands: Mapping[str, Any] = field(default_factory=dict)
    closure: Closure | None = None
    common_zones: CommonZones | None = None
    validity: Validity = field(default_factory=Validity)
    loads: Mapping[str, Comparison] = field(default_factory=dict)

    # ------------------------------------------------------------------ one measure, or all
    def __getitem__(self, key: str) -> Compared:
        if key not in MEASURES:
            raise InputError("no such measure", field="measure", value=key, mend=f"one of {', '.join(MEASURES)}")
        reason = self.reasons.get(key, "")
        intact = None if self.intact is None else self.intact.get(key)
        band = None if self.mesh_band is None else self.mesh_band.get(key)
        return Compared(MEASURES[key], self.before[key], self.after[key], self.change[key], intact, band, reason)

    def __iter__(self) -> Iterator[str]:
        return iter(MEASURES)

    def __len__(self) -> int:
        return len(MEASURES)

    def to_frame(self) -> Any:
        """All measures as a pandas data frame, one row a measure.

        Raises
        ------
        EnvironmentFailure
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise EnvironmentFailure("a data frame needs pandas: pip install pandas") from None
        rows = [self[key] for key in self]
        return pandas.DataFrame(
            {
                "unit": [row.unit for row in rows],
                "before": [row.before for row in rows],
                "after": [row.after for row in rows],
                "change": [row.change for row in rows],
            },
            index=pandas.Index(list(self), name="measure"),
        )

    # ------------------------------------------------------------------ what it was read off
    @property
    def specimen(self) -> Setup:
        """What was solved."""
        return self.solutions["after"].specimen

    @property
    def plan(self) -> Plan:
        """The cement of the treated state."""
        plan = self.solutions["after"].plan
        assert plan is not None
        return plan

    @property
    def records(self) -> Mapping[str, Solved]:
        """The solves with their checks, by state."""
        return {name: solution.solved for name, solution in self.solutions.items()}

    @property
    def mesh(self) -> TetMesh:
        """The split mesh."""
        return self.specimen.mesh

    @property
    def space(self) -> Space:
        """Displacements on the split mesh."""
        return self.specimen.space

    @property
    def region(self) -> CementRegion:
        """Where the cement lies."""
        return self.plan.region

    @property
    def cement(self) -> Mapping[str, Any]:
        """Cement volumes in ml, what leaked where, and clearances in mm."""
        return self.plan.to_json()

    @property
    def safety(self) -> Safety:
        """What needles and cement come near to."""
        return self.plan.safety

    @property
    def mesh_info(self) -> Mapping[str, float]:
        """Size and quality of the mesh."""
        return self.specimen.mesh_info

    @property
    def solver(self) -> Mapping[str, Any]:
        """Method, iterations and residual, worst over the states."""
        solved = [solution.linear for solution in self.solutions.values()]
        return {
            "method": solved[0].method,
            "iterations": max(s.iterations for s in solved),
            "residual": max(s.residual for s in solved),
        }

    @property
    def seconds(self) -> float:
        """What the solves took: no number of the result, and in no file of it but the manifest."""
        return sum(solution.linear.seconds for solution in self.solutions.values())

    @property
    def checks(self) -> Mapping[str, float | None]:
        """Largest imbalance over the states, relative; None for the fracture where there is none."""
        found = {
            key: [value for solution in self.solutions.values() if (value := solution.checks[key]) is not None]
            for key in ("residual", "force", "moment", "energy", "fracture")
        }
        return {key: max(values, default=None) for key, values in found.items()}

    @property
    def warnings(self) -> list[str]:
        """All that a reader has to know: of specimen, plan, solutions and comparison."""
        solved = (note for solution in self.solutions.values() for note in solution.notes)
        told = () if self.validity.state == "inside" else (self.validity.text,)
        further = [
            f"load {name}: {text}"
            for name, one in self.loads.items()
            for text in ([] if one.validity.state == "inside" else [one.validity.text])
            + [note for note in one.notes if note not in self.notes]
        ]
        own = [*self.plan.first_notes, *told, *self.specimen.notes, *self.plan.notes, *solved, *self.notes]
        return [*own, *further]

    @property
    def by_load(self) -> dict[str, Comparison]:
        """The comparison under every load case, the one of ``[load]`` first."""
        return {MAIN_LOAD: self, **self.loads}

    @property
    def worst(self) -> dict[str, dict[str, tuple[str, float]]]:
        """By state, ``"before"`` and ``"after"``, and measure: the load case under which it is worst, and its value.

        Of stiffness and yield load the least is the worst, of all else the largest in size; shares have none.
        """
        return {
            state: worst_of({name: getattr(one, state) for name, one in self.by_load.items()})
            for state in ("before", "after")
        }

    # ------------------------------------------------------------------ words and files
    def table(self) -> str:
        """All measures with their changes and bands, as text."""
        return tabulated(self)

    def plot(self, name: str = "changes") -> Any:
        """A matplotlib figure: a figure of the report (``"changes"``, ``"micromotion"``, ...) or a field on a section.

        Raises
        ------
        InputError
            No such figure or field.
        """
        return drawn(self, name)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Leave a folder: comparison.json, meshes, figures, report.html, case.toml and manifest.json.

        Raises
        ------
        InputError
            The folder holds something else.
        EnvironmentFailure
            It cannot be written.
        """
        written(self, Path(folder), overwrite=overwrite)

    def __str__(self) -> str:
        placed = f"{self.plan.volumes_ml['placed_ml']:.2f} ml of cement"
        shown = () if self.validity.outside else HEADLINES
        lines = [f"{self.case.name}: {placed}", *(f"  {self[key]}" for key in shown)]
        notes = self.warnings
        lines += [f"  note: {text}" for text in notes[:_MOST_NOTES]]
        if len(notes) > _MOST_NOTES:
            lines.append(f"  and {len(notes) - _MOST_NOTES} more notes: comparison.warnings")
        return "\n".join([*lines, f"  {CLAIM}"])

    def __repr__(self) -> str:
        return f"Comparison({self.case.name!r})"

    def _repr_html_(self) -> str:
        return comparison_html(self)

    def to_json(self) -> dict[str, Any]:
        """The content of ``comparison.json``."""
        return {
            "schema": 1,
            "case": self.specimen.given.case_as_solved(self.case),
            "given_in_python": list(self.specimen.given.what),
            "bone": self.specimen.bone.provenance.to_json(),
            "before": dict(self.before),
            "after": dict(self.after),
            "change": dict(self.change),
            "intact": None if self.intact is None else dict(self.intact),
            "fractures": {
                name: {state: dict(values) for state, values in entry.items()} for name, entry in self.fractures.items()
            },
            "mesh_band": self.mesh_band,
            "input_range": self.input_range,
            "bands": dict(self.bands),
            "cement": dict(self.cement),
            "mesh": {**self.mesh_info, "origin": self.specimen.mesh_origin},
            "solver": dict(self.solver),
            "checks": dict(self.checks),
            "contact": None if self.closure is None else self.closure.to_json(),
            "common_zones": None if self.common_zones is None else self.common_zones.to_json(),
            "safety": self.safety.to_json(),
            "validity": self.validity.to_json(),
            **self._loads_to_json(),
            "reasons": dict(self.reasons),
            "left_out": dict(self.left_out),
            "warnings": list(self.warnings),
        }

    def _loads_to_json(self) -> dict[str, Any]:
        """The keys ``loads`` and ``worst``: empty with one load case alone."""
        if not self.loads:
            return {"loads": {}, "worst": {}}
        loads = {}
        for name, one in self.by_load.items():
            loads[name] = {
                **one.specimen.loading.to_json(),
                "before": dict(one.before),
                "after": dict(one.after),
                "change": dict(one.change),
                "intact": None if one.intact is None else dict(one.intact),
                "validity": one.validity.to_json(),
                "reasons": dict(one.reasons),
                "checks": dict(one.checks),
            }
        worst = {
            state: {key: {"load": name, "value": value} for key, (name, value) in found.items()}
            for state, found in self.worst.items()
        }
        return {"loads": loads, "worst": worst}


_MOST_NOTES = 20


def comparison_of(
    before: Solution,
    after: Solution,
    *,
    intact: Solution | None = None,
    zones: Zones | None = None,
    strain: Mapping[str, FloatArray] | None = None,
) -> Comparison:
    """The comparison of two solutions of one specimen.

    Parameters
    ----------
    before, after, intact
    zones
        Of the plan of ``after``, where they are known already.
    strain : mapping of str to (m q, 3)
        Principal strains by state, where they are known already.

    Raises
    ------
    InputError
        They are not of one specimen, or ``after`` has no plan.
    """
    plan, specimen = after.plan, after.specimen
    if plan is None:
        raise InputError("has no cement", field="after", mend="solve the specimen with a plan")
    if before.plan is not None:
        raise InputError("has cement in it", field="before", mend="solve the specimen without a plan")
    if any(s is not None and not _same(s.specimen, specimen) for s in (before, intact)):
        raise InputError("is of another specimen", field="before", mend="compare solutions of one specimen")
    zones = specimen.zones(plan) if zones is None else zones
    solutions = {} if intact is None else {"intact": intact}
    solutions |= {"before": before, "after": after}
    known = strain or {}
    measured = {name: solution.measured(zones, strain=known.get(name)) for name, solution in solutions.items()}
    closed = None
    if specimen.gap_law.touches(plan.in_gap) and plan.coverage.size:
        both = {name: solutions[name].measured(zones, bonded=True) for name in ("before", "after")}
        closed = closure(before, after, measured, both)
    first, second = measured["before"], measured["after"]
    change = changes(first.values, second.values)
    fractures = {
        name: {
            "before": first.fractures[name],
            "after": second.fractures[name],
            "change": changes(first.fractures[name], second.fractures[name]).relative,
        }
        for name in first.fractures
    }
    return Comparison(
        plan.case,
        first.values,
        second.values,
        change.relative,
        measured["intact"].values if "intact" in measured else None,
        fractures,
        _reasons(measured, change),
        zones.left_out,
        solutions,
        (*(closed.notes() if closed else ()), *_notes(specimen, plan, measured)),
        closure=closed,
        validity=validity({name: measured[name].extremes for name in ("before", "after")}),
    )


def in_common_zones(comparison: Comparison, zones: Zones, plans: int) -> Comparison:
    """The comparison with what it measures in zones that several plans share."""
    both = {name: comparison.solutions[name].measured(zones).values for name in ("before", "after")}
    depends = [key for key in MEASURES if key not in NEEDS_NO_PLAN]
    before, after = ({key: values[key] for key in depends} for values in (both["before"], both["after"]))
    common = CommonZones(plans, before, after, changes(both["before"], both["after"]).relative)
    return replace(comparison, common_zones=replace(common, change={key: common.change[key] for key in depends}))


def _same(one: Setup, other: Setup) -> bool:
    """Whether two specimens are one, perhaps after a copy: moduli may have been replaced in between."""
    mesh = one.mesh is other.mesh or (one.case == other.case and np.array_equal(one.mesh.points, other.mesh.points))
    a, b = one.bone.elasticity, other.bone.elasticity
    return mesh and (a is b or (np.array_equal(a.youngs, b.youngs) and np.array_equal(a.poisson, b.poisson)))


def _reasons(measured: Mapping[str, Measures], change: Changes) -> dict[str, str]:
    reasons = {key: f"change: {text}" for key, text in change.reasons.items()}
    for name, values in measured.items():
        reasons |= {key: f"{name}: {text}" for key, text in values.reasons.items()}
    return dict(sorted(reasons.items()))


def _notes(specimen: Setup, plan: Plan, measured: Mapping[str, Measures]) -> Sequence[str]:
    law, bone = specimen.gap_law, specimen.bone.elasticity
    notes = list(specimen.given.notes())
    closed = {name: values.closed_share for name, values in measured.items() if name != "intact"}
    if not law.closes and any(share is not None for share in closed.values()):
        worst = max(share or 0.0 for share in closed.values())
        if worst == 0.0 and not law.touches(plan.in_gap):
            notes.append(
                f"no face of the gap closed by more than its aperture ({law.aperture_mm:g} mm): "
                "the bonded result is the contact result"
            )
        elif worst > 0.0:
            notes.append(
                f"{100 * worst:.2g} % of the fracture area closed by more than its aperture "
                f"({law.aperture_mm:g} mm): there the bonded filler stands for contact"
            )
    near = specimen.space.gap_distance <= NEAR_MM if len(specimen.space.gap.areas) else None
    if (floor := floor_note(specimen.mesh, bone, near)) is not None:
        notes.append(floor)
    filler = law.filler.modulus_mpa
    if near is not None and near.any():
        beside = float(np.median(bone.youngs[near]))
        if filler > NEGLIGIBLE_FILLER * beside * (1.0 + 1e-9):
            notes.append(
                f"the filler ({filler:g} MPa) is not soft beside the bone at the fracture (median {beside:.3g} MPa): "
                "the aperture counts as extra bone in the mesh"
            )
    if plan.in_gap.bond == "bonded" and plan.coverage.any():
        notes.append("cement in the gap is bonded to both faces, the strongest assumption; compare in_gap = none")
    return notes


def comparison_html(comparison: Comparison) -> str:
    """Headlines before and after, and what was placed."""
    rows = []
    for key in () if comparison.validity.outside else HEADLINES:
        change = comparison.change[key]
        shown = None if change is None else f"{100 * change:+.1f} %"
        rows.append((key, comparison.before[key], comparison.after[key], shown))
    placed = comparison.cement["placed_ml"]
    caption = f"{comparison.case.name}: {placed:.2f} ml of cement. {CLAIM}"
    notes = "".join(f"<li>{escape(text)}</li>" for text in comparison.warnings)
    return table(("measure", "before", "after", "change"), rows, caption) + (f"<ul>{notes}</ul>" if notes else "")
