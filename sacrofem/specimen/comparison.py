"""The main job: one case solved before and after cement, on one mesh under one load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

import numpy as np

from sacrofem.anatomy.solid import Landmarks
from sacrofem.bone.lesion import border_distance
from sacrofem.case.case import Case
from sacrofem.cement.safety import Safety
from sacrofem.cement.spread import CementRegion
from sacrofem.mechanics.equilibrium.kernels import warm_up
from sacrofem.mechanics.equilibrium.state import State
from sacrofem.mechanics.equilibrium.statics import Solved, Statics
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.measures.catalogue import Changes, changes
from sacrofem.mechanics.measures.measures import Measures, measure
from sacrofem.mechanics.measures.zones import NEAR_MM, ReferencePlan, Zones, build_zones
from sacrofem.mechanics.parts.materials import floor_share
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import element_quality
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.specimen.closure import Closure, bonded_reason, closure, solve_closed
from sacrofem.specimen.model import Model, Progress, prepare, volumes_ml
from sacrofem.system.htmltable import CLAIM, table
from sacrofem.system.memory import GIB, peak_bytes
from sacrofem.system.threads import threads

__all__ = ["Comparison", "compare", "prepare", "solve_model"]

Values = Mapping[str, float | None]
# Filler over the bone beside it: up to here the bone that the mesh has in place of the gap is negligible (DESIGN 4).
NEGLIGIBLE_FILLER = 0.1
# Jump over aperture above which small-displacement gap springs are out of their range.
SMALL_GAP_STRAIN = 0.3


@dataclass(frozen=True, eq=False)
class Comparison:
    """What cement did: measures before and after, and everything they were computed from.

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
    model : Model
    states : mapping of str to State
    records : mapping of str to Solved
        The solves with their checks.
    warnings : list of str
    mesh_band, input_range : mapping or None
        By measure, ``before``, ``after`` and ``change`` as ``[low, high]``; None where not computed
        (see ``sacrofem.study.bands``).
    bands : mapping
        Where ``mesh_band`` and ``input_range`` come from.
    closure : Closure or None
        Contact in the gap and what it changed; None where all is bonded.
    """

    case: Case
    before: Values
    after: Values
    change: Values
    intact: Values | None
    fractures: Mapping[str, Mapping[str, Values]]
    reasons: Mapping[str, str]
    left_out: Mapping[str, float]
    model: Model
    records: Mapping[str, Solved]
    warnings: list[str]
    mesh_band: Mapping[str, Any] | None = None
    input_range: Mapping[str, Any] | None = None
    bands: Mapping[str, Any] = field(default_factory=dict)
    closure: Closure | None = None

    @property
    def mesh(self) -> TetMesh:
        """The split mesh."""
        return self.model.mesh

    @property
    def space(self) -> Space:
        """Displacements on the split mesh."""
        return self.model.space

    @property
    def region(self) -> CementRegion:
        """Where the cement lies."""
        return self.model.region

    @property
    def states(self) -> Mapping[str, State]:
        """The solved states by name."""
        return {name: solved.state for name, solved in self.records.items()}

    @property
    def cement(self) -> Mapping[str, Any]:
        """Cement volumes in ml, what leaked where, and clearances in mm."""
        safety = self.model.safety
        return {
            **volumes_ml(self.model),
            "leaked_ml": dict(safety.leaked_ml),
            "clearance_mm": dict(safety.clearance_mm),
        }

    @property
    def safety(self) -> Safety:
        """What needles and cement come near to."""
        return self.model.safety

    @property
    def mesh_info(self) -> Mapping[str, float]:
        """Size and quality of the mesh."""
        return mesh_info(self.model)

    @property
    def solver(self) -> Mapping[str, Any]:
        """Method, iterations, residual and seconds, worst or summed over the states; peak memory of the process."""
        peak = peak_bytes()
        solutions = [solved.solution for solved in self.records.values()]
        return {
            "method": solutions[0].method,
            "iterations": max(s.iterations for s in solutions),
            "residual": max(s.residual for s in solutions),
            "seconds": sum(s.seconds for s in solutions),
            "peak_memory_gib": None if peak is None else round(peak / GIB, 3),
        }

    @property
    def checks(self) -> Mapping[str, float | None]:
        """Largest imbalance over the states, relative; None for the fracture where there is none."""
        found = {
            key: [value for solved in self.records.values() if (value := solved.checks[key]) is not None]
            for key in ("residual", "force", "moment", "energy", "fracture")
        }
        return {key: max(values, default=None) for key, values in found.items()}

    def _repr_html_(self) -> str:
        return comparison_html(self)

    def to_json(self) -> dict[str, Any]:
        """The content of ``comparison.json``."""
        return {
            "schema": 1,
            "case": self.case.to_dict(),
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
            "mesh": dict(self.mesh_info),
            "solver": dict(self.solver),
            "checks": dict(self.checks),
            "contact": None if self.closure is None else self.closure.to_json(),
            "safety": self.safety.to_json(),
            "reasons": dict(self.reasons),
            "left_out": dict(self.left_out),
            "warnings": list(self.warnings),
        }


def compare(
    case: Case,
    *,
    intact: bool = False,
    progress: Progress | None = None,
    mesh: TetMesh | None = None,
    landmarks: Landmarks | None = None,
) -> Comparison:
    """Solve a case before and after cement.

    Parameters
    ----------
    case
    intact
        Solve the unfractured bone too: the same mesh with twin faces tied.
    progress
        Called with the name of each stage as it begins.
    mesh, landmarks
        A mesh of one's own, fractured already, and its landmarks: see `prepare`.

    Raises
    ------
    InputError
        The case cannot be built.
    SolverError
        A solve failed or did not balance.
    """
    with threads(case.solver.threads):
        return solve_model(prepare(case, progress, mesh=mesh, landmarks=landmarks), intact=intact, progress=progress)


def solve_model(
    model: Model, *, intact: bool = False, progress: Progress | None = None, zones: Zones | None = None
) -> Comparison:
    """The comparison of a model that is prepared already.

    Parameters
    ----------
    model
    intact, progress
        See `compare`.
    zones
        Measuring zones of another plan on the same mesh, by default those of its own.
    """
    say = progress or (lambda stage: None)
    statics = statics_of(model)
    say("kernels (compiled once, 10 s)")
    warm_up()
    bone, treated = model.bone, model.treated
    records: dict[str, Solved] = {}
    if intact:
        say("solving intact")
        records["intact"] = statics.solve("intact", bone, None)
    bonded: dict[str, Solved] = {}
    if not model.touches or bonded_reason(model) is None:
        say("solving before")
        gap = model.gap(np.zeros_like(model.coverage), bone)
        bonded["before"] = statics.solve("before", bone, gap)
        say("solving after")
        gap = model.gap(model.coverage, treated)
        bonded["after"] = statics.solve("after", treated, gap, fraction=model.region.fraction, coverage=model.coverage)
    records |= solve_closed(model, statics, bonded, say) if model.touches else bonded
    say("measuring")
    zones = zones or zones_of(model)
    measured = measure_states(model, records, zones)
    closed = closure(model, records, measured, measure_states(model, bonded, zones)) if model.touches else None
    return comparison_of(model, records, measured, zones, closed)


def statics_of(model: Model) -> Statics:
    """The equilibrium of a model, with the solver of its case."""
    solver = model.case.solver
    return Statics(
        model.space,
        model.membrane,
        model.supports,
        model.force,
        SolverSettings(
            method="direct" if solver.method == "direct" else "auto",
            tolerance=solver.tolerance,
            factorisation=solver.factorisation,
            memory_gib=solver.memory_gib,
        ),
    )


def zones_of(model: Model) -> Zones:
    """The measuring zones of a model, fixed by its own plan."""
    return build_zones(
        model.space,
        plan=ReferencePlan(model.region.fraction, model.region.placed_ml) if model.region.fraction.any() else None,
        landmarks=model.landmarks,
        lesion_distance=None if model.lesion is None else partial(_distance_to, model),
        cortex=(model.membrane.youngs > 0) & (model.membrane.thickness > 0),
    )


def _distance_to(model: Model, points: Any) -> Any:
    assert model.lesion is not None
    return border_distance(points, model.lesion)


def measure_states(model: Model, records: Mapping[str, Solved], zones: Zones) -> dict[str, Measures]:
    """All measures of solved states, in one set of zones."""
    return {
        name: measure(
            model.space,
            solved.state,
            zones,
            resultant=model.resultant,
            reactions=solved.reactions,
            aperture_mm=model.case.fracture.aperture_mm,
        )
        for name, solved in records.items()
    }


def comparison_of(
    model: Model,
    records: Mapping[str, Solved],
    measured: Mapping[str, Measures],
    zones: Zones,
    closed: Closure | None = None,
) -> Comparison:
    """The comparison of solved and measured states by name: ``before``, ``after`` and, where asked for, ``intact``."""
    before, after = measured["before"], measured["after"]
    change = changes(before.values, after.values)
    fractures = {
        name: {
            "before": before.fractures[name],
            "after": after.fractures[name],
            "change": changes(before.fractures[name], after.fractures[name]).relative,
        }
        for name in before.fractures
    }
    return Comparison(
        model.case,
        before.values,
        after.values,
        change.relative,
        measured["intact"].values if "intact" in measured else None,
        fractures,
        _reasons(measured, change),
        zones.left_out,
        model,
        records,
        [*model.warnings, *_accuracy(model, records), *(closed.notes() if closed else []), *_warnings(model, measured)],
        closure=closed,
    )


def _reasons(measured: Mapping[str, Measures], change: Changes) -> dict[str, str]:
    reasons = {key: f"change: {text}" for key, text in change.reasons.items()}
    for name, values in measured.items():
        reasons |= {key: f"{name}: {text}" for key, text in values.reasons.items()}
    return dict(sorted(reasons.items()))


def _accuracy(model: Model, records: Mapping[str, Solved]) -> list[str]:
    wanted = model.case.solver.tolerance
    return [
        f"the {name} solve stopped at a relative residual of {solved.solution.residual:.1e}, "
        f"above solver.tolerance = {wanted:g}"
        for name, solved in records.items()
        if solved.solution.residual > wanted
    ]


def _warnings(model: Model, measured: Mapping[str, Measures]) -> list[str]:
    case = model.case
    notes = []
    closed = {name: values.closed_share for name, values in measured.items() if name != "intact"}
    if case.fracture.closure == "bonded" and any(share is not None for share in closed.values()):
        worst = max(share or 0.0 for share in closed.values())
        if worst == 0.0 and not model.touches:
            notes.append(
                f"no face of the gap closed by more than its aperture ({case.fracture.aperture_mm:g} mm): "
                "the bonded result is the contact result"
            )
        elif worst > 0.0:
            notes.append(
                f"{100 * worst:.2g} % of the fracture area closed by more than its aperture "
                f"({case.fracture.aperture_mm:g} mm): there the bonded filler stands for contact"
            )
    strain = max((values.values["gap_strain_p95"] or 0.0 for values in measured.values()), default=0.0)
    if strain > SMALL_GAP_STRAIN:
        notes.append(
            f"the gap moves by {100 * strain:.0f} % of its aperture (95th percentile): the linear gap law is meant for "
            f"less than {100 * SMALL_GAP_STRAIN:.0f} %"
        )
    near = model.space.gap_distance <= NEAR_MM if len(model.space.gap.areas) else None
    share = floor_share(model.mesh, model.bone)
    if share:
        text = f"bone on the modulus floor of {case.materials.floor_mpa:g} MPa: {100 * share:.0f} % of the volume"
        if near is not None:
            text += f", {100 * (floor_share(model.mesh, model.bone, near) or 0.0):.0f} % within 5 mm of the fracture"
        notes.append(text)
    filler = model.fillers[0].modulus_mpa
    if near is not None and near.any():
        beside = float(np.median(model.bone.youngs[near]))
        if filler > NEGLIGIBLE_FILLER * beside * (1.0 + 1e-9):
            notes.append(
                f"the filler ({filler:g} MPa) is not soft beside the bone at the fracture (median {beside:.3g} MPa): "
                "the aperture counts as extra bone in the mesh"
            )
    if case.cement.in_gap == "bonded" and model.coverage.any():
        notes.append("cement in the gap is bonded to both faces, the strongest assumption; compare in_gap = none")
    return notes


def mesh_info(model: Model) -> dict[str, float]:
    """Nodes, tets, unknowns, volume and worst quality of a model's mesh."""
    mesh = model.mesh
    return {
        "nodes": len(mesh.points),
        "tets": len(mesh.tets),
        "dofs": 3 * model.space.n_nodes,
        "volume_ml": float(mesh.volumes.sum()) / 1e3,
        "min_quality": float(element_quality(mesh.points, mesh.tets).min()),
    }


_HEADLINES = (
    "micromotion_mean_um",
    "fragment_motion_um",
    "fracture_von_mises_mean_mpa",
    "fracture_von_mises_p95_mpa",
    "stiffness_n_per_mm",
    "yield_load_n",
)


def comparison_html(comparison: Comparison) -> str:
    """Headlines before and after, and what was placed."""
    rows = []
    for key in _HEADLINES:
        change = comparison.change[key]
        shown = None if change is None else f"{100 * change:+.1f} %"
        rows.append((key, comparison.before[key], comparison.after[key], shown))
    placed = comparison.cement["placed_ml"]
    caption = f"{comparison.case.name}: {placed:.2f} ml of cement. {CLAIM}"
    notes = "".join(f"<li>{escape(text)}</li>" for text in comparison.warnings)
    return table(("measure", "before", "after", "change"), rows, caption) + (f"<ul>{notes}</ul>" if notes else "")
