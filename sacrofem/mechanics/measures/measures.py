"""Stress, strain and motion of a solved state, in zones that are the same in every state.

What each key means stands in `sacrofem.mechanics.measures.catalogue`; where it is taken, in
`sacrofem.mechanics.measures.zones`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sacrofem.mechanics.equilibrium.state import State
from sacrofem.mechanics.measures.catalogue import FRACTURE_MEASURES, MEASURES, Value
from sacrofem.mechanics.measures.validity import Extremes, rotations
from sacrofem.mechanics.measures.zones import POOLED, CortexZone, Layers, Zone, Zones
from sacrofem.mechanics.parts.cortex import membrane_stresses
from sacrofem.mechanics.parts.interface import closed_area_fraction
from sacrofem.mechanics.parts.loads import Resultant, endplate_faces
from sacrofem.mechanics.parts.reactions import Reactions
from sacrofem.mechanics.space.principal import principal_strains, principal_stresses, von_mises
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space, tet_shape
from sacrofem.system.arrays import FloatArray, IntArray

YIELD_STRAIN_COMPRESSION = 0.008
"""Trabecular yield 0.7-0.85 % in compression (Morgan & Keaveny 2001 [K])."""
YIELD_STRAIN_TENSION = 0.007
"""Trabecular yield 0.65-0.78 % in tension (Morgan & Keaveny 2001 [K])."""
YIELD_VOLUME = 0.02
"""Share of the cancellous volume beyond yield strain at the yield load."""


@dataclass(frozen=True, eq=False)
class Measures:
    """The measures of one state.

    Attributes
    ----------
    values : mapping of str to float or None
        Every key of ``MEASURES``; None where it does not exist.
    reasons : mapping of str to str
        Why a value is None.
    fractures : mapping of str to mapping
        The keys of ``FRACTURE_MEASURES`` for each fracture by name.
    closed_share : float or None
        Share of the fracture area that closed by more than its aperture: above 0 the bonded result
        is not the contact result. With contact, the share on which bone meets bone. None without a fracture.
    extremes : Extremes
        What the validity of the state rests on.
    """

    values: Mapping[str, Value]
    reasons: Mapping[str, str]
    fractures: Mapping[str, Mapping[str, Value]]
    closed_share: float | None
    extremes: Extremes


class _Collector:
    """Values and reasons while they are being found."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.reasons: dict[str, str] = {}

    def put(self, key: str, value: float) -> None:
        self.values[key] = float(value)

    def missing(self, keys: tuple[str, ...], reason: str) -> None:
        for key in keys:
            self.values[key], self.reasons[key] = None, reason


def weighted_percentile(values: FloatArray, weights: FloatArray, percent: float) -> float:
    """Percentile of values with weights, linear between the midpoints of the cumulated weight."""
    if percent < 50.0:
        return -weighted_percentile(-values, weights, 100.0 - percent)
    target = percent / 100.0 * float(weights.sum())
    # Only the upper end is sorted; how much of it is needed shows in the weight below.
    for share in (1.5 * (1.0 - percent / 100.0) + 0.05, 1.0):
        first = int((1.0 - min(share, 1.0)) * len(values))
        upper = values >= np.partition(values, first)[first] if first else np.ones(len(values), dtype=bool)
        order = np.argsort(values[upper], kind="stable")
        weight = weights[upper][order]
        below = float(weights[~upper].sum())
        middles = below + np.cumsum(weight) - 0.5 * weight
        if first == 0 or middles[0] <= target:
            return float(np.interp(target, middles, values[upper][order]))
    raise AssertionError("the whole range always holds the target")


def weighted_mean(values: FloatArray, weights: FloatArray) -> float:
    """Mean of values with weights."""
    return float(values @ weights / weights.sum())


def measure(
    space: Space,
    state: State,
    zones: Zones,
    *,
    resultant: Resultant,
    reactions: Reactions | None,
    aperture_mm: FloatArray | float | None = None,
    empty_gap: bool = False,
    strain: FloatArray | None = None,
) -> Measures:
    """All measures of a state.

    Parameters
    ----------
    space
        On the split mesh.
    state
    zones
        From `build_zones`, the same for every state.
    resultant
        The applied load.
    reactions
        What the supports put on the sacrum in this state; None: no reaction shares.
    aperture_mm : float or (p,), optional
        Aperture of the gap; none: no gap strain and no check for closure.
    empty_gap
        Whether nothing lies in the gap that could be strained.
    strain : (m q, 3), optional
        Principal strains of the state, where they are known already.
    """
    collector = _Collector()
    fractures = {name: _Collector() for name in zones.pairs}
    closed, closure = _gap_measures(space, state, zones, aperture_mm, collector, fractures)
    strain = principal_strains(space, state.displacement) if strain is None else strain
    _fragment_motion(space, state, zones, collector, fractures)
    for suffix, target in [("", collector), *((f":{name}", target) for name, target in fractures.items())]:
        _bone_measures(state, strain, zones.volume[POOLED + suffix], zones.volume["front" + suffix], target)
        _cortex_measures(space, state, zones.cortex[POOLED + suffix], target)
    _zone_measures(state, strain, zones, collector)
    _whole_measures(space, state, resultant, reactions, collector)
    _yield_load(strain, zones.volume["cancellous"], resultant, closure, collector)
    return Measures(
        MappingProxyType({key: collector.values[key] for key in MEASURES}),
        MappingProxyType(collector.reasons),
        MappingProxyType(
            {
                name: MappingProxyType({key: target.values[key] for key in FRACTURE_MEASURES})
                for name, target in fractures.items()
            }
        ),
        closed,
        _extremes(space, state, strain, zones.volume["cancellous"], aperture_mm, empty_gap, collector.values),
    )


def _extremes(
    space: Space,
    state: State,
    strain: FloatArray,
    cancellous: Zone,
    aperture_mm: FloatArray | float | None,
    empty_gap: bool,
    values: Mapping[str, Value],
) -> Extremes:
    reasons: dict[str, str] = {}
    mean, gap_strain, beyond = values["micromotion_mean_um"], None, None
    motion = None if mean is None else mean / 1e3
    if motion is None:
        reasons |= dict.fromkeys(("gap_strain", "micromotion"), "no fracture")
    elif empty_gap:
        reasons["gap_strain"] = "nothing lies in the gap that could be strained"
    elif aperture_mm is None or not np.min(aperture_mm) > 0.0:
        reasons["gap_strain"] = "the gap has no aperture"
    else:
        jump = np.linalg.norm(space.jump(state.displacement), axis=2)
        aperture = np.broadcast_to(np.asarray(aperture_mm, float), (len(jump),))
        gap_strain = weighted_mean((jump / aperture[:, None]).ravel(), space.gap.areas.ravel())
    if cancellous.reason:
        reasons["beyond_yield"] = cancellous.reason
    else:
        beyond = weighted_mean((_of_yield(strain[cancellous.index]) > 1.0).astype(float), cancellous.weight)
    rotation = weighted_percentile(rotations(space, state.displacement), space.mesh.volumes, 95.0)
    return Extremes(gap_strain, motion, beyond, rotation, MappingProxyType(reasons))


def _of_yield(principal: FloatArray) -> FloatArray:
    """(n,) principal strains (n, 3) over those at which trabecular bone yields, whichever is more."""
    return np.maximum(-principal[:, 0] / YIELD_STRAIN_COMPRESSION, principal[:, 2] / YIELD_STRAIN_TENSION)


# ------------------------------------------------------------------ gap
_JUMP = (
    "micromotion_mean_um",
    "micromotion_p95_um",
    "micromotion_max_um",
    "opening_mean_um",
    "closing_mean_um",
    "slip_mean_um",
)


def _gap_measures(
    space: Space,
    state: State,
    zones: Zones,
    aperture_mm: FloatArray | float | None,
    collector: _Collector,
    fractures: Mapping[str, _Collector],
) -> tuple[float | None, float]:
    """Share of the area that closed by more than its aperture, and the largest closing over aperture anywhere."""
    gap = space.gap
    if not zones.pairs:
        collector.missing((*_JUMP, "gap_strain_p95"), "no fracture")
        return None, 0.0
    jump = space.jump(state.displacement)
    aperture = None if aperture_mm is None else np.broadcast_to(np.asarray(aperture_mm, float), (len(gap.areas),))
    everything = np.ones(len(gap.areas), dtype=bool)
    for pairs, target in [(everything, collector), *((zones.pairs[name], fractures[name]) for name in fractures)]:
        _jump_measures(jump[pairs], gap.normals[pairs], gap.areas[pairs], target)
        if aperture is None or (aperture[pairs] <= 0.0).any():
            target.missing(("gap_strain_p95",), "the gap has no aperture")
        else:
            strain = np.linalg.norm(jump[pairs], axis=2) / aperture[pairs][:, None]
            target.put("gap_strain_p95", weighted_percentile(strain.ravel(), gap.areas[pairs].ravel(), 95.0))
    if aperture is None:
        return None, 0.0
    closing = -gap.normal_part(jump)
    if state.contact is not None and state.contact.closed.any():
        return state.contact.closed_mm2 / float(gap.areas.sum()), np.inf
    closed = closed_area_fraction(space, state.displacement, aperture)
    return closed, float((np.maximum(closing, 0.0) / np.maximum(aperture, 1e-12)[:, None]).max())


def _jump_measures(jump: FloatArray, normals: FloatArray, areas: FloatArray, target: _Collector) -> None:
    weight = areas.ravel()
    normal = np.einsum("pqx,px->pq", jump, normals)
    tangential = jump - normal[..., None] * normals[:, None]
    length = np.linalg.norm(jump, axis=2).ravel() * 1e3
    target.put("micromotion_mean_um", weighted_mean(length, weight))
    target.put("micromotion_p95_um", weighted_percentile(length, weight, 95.0))
    target.put("micromotion_max_um", length.max())
    target.put("opening_mean_um", weighted_mean(np.maximum(normal, 0.0).ravel() * 1e3, weight))
    target.put("closing_mean_um", weighted_mean(np.maximum(-normal, 0.0).ravel() * 1e3, weight))
    target.put("slip_mean_um", weighted_mean(np.linalg.norm(tangential, axis=2).ravel() * 1e3, weight))


# ------------------------------------------------------------------ fragments
def _fragment_motion(
    space: Space, state: State, zones: Zones, collector: _Collector, fractures: Mapping[str, _Collector]
) -> None:
    key = ("fragment_motion_um",)
    total = area = 0.0
    reason = "no fracture"
    for name, target in fractures.items():
        layers = zones.layers[name]
        if layers.reason:
            reason = layers.reason
            target.missing(key, reason)
            continue
        weight = space.gap.areas[layers.pairs].ravel()
        value = weighted_mean(fragment_motion(space, layers, state.displacement), weight) * 1e3
        target.put(key[0], value)
        total, area = total + value * float(weight.sum()), area + float(weight.sum())
    if area > 0.0:
        collector.put(key[0], total / area)
    else:
        collector.missing(key, reason)


def fragment_motion(space: Space, layers: Layers, displacement: FloatArray) -> FloatArray:
    """(n,) length in mm of the relative motion of two bone layers at the gap points of their fracture.

    Each layer's displacement is fitted by a rigid motion (volume-weighted least squares); their
    difference is taken at the points. A rigid motion of the whole is part of both and cancels.
    """
    points = space.gap.points[layers.pairs].reshape(-1, 3)
    sides = []
    for zone in (layers.plus, layers.minus):
        where, values = _at_integration_points(space, displacement, zone.index)
        sides.append(_rigid_fit(where, values, zone.weight, points))
    return np.asarray(np.linalg.norm(sides[0] - sides[1], axis=1))


def _at_integration_points(space: Space, displacement: FloatArray, index: IntArray) -> tuple[FloatArray, FloatArray]:
    barycentric, _ = space.rule
    tet, point = np.divmod(index, len(barycentric))
    shape = tet_shape(barycentric, space.order)
    where = np.einsum("nc,ncx->nx", barycentric[point], space.mesh.points[space.mesh.tets[tet]])
    return where, np.einsum("na,nax->nx", shape[point], displacement[space.connectivity[tet]])


def _rigid_fit(where: FloatArray, values: FloatArray, weight: FloatArray, at: FloatArray) -> FloatArray:
    weight = weight / weight.sum()
    centre, mean = weight @ where, weight @ values
    arm = where - centre
    second = np.einsum("n,nx,ny->xy", weight, arm, arm)
    inertia = np.trace(second) * np.eye(3) - second
    spin, *_ = np.linalg.lstsq(inertia, weight @ np.cross(arm, values - mean), rcond=1e-10)
    return np.asarray(mean + np.cross(spin, at - centre))


# ------------------------------------------------------------------ stress and strain
def _stress_at(state: State, strain: FloatArray, zone: Zone) -> FloatArray:
    q = len(strain) // len(state.bone.youngs)
    tet = zone.index // q
    return principal_stresses(strain[zone.index], state.bone.youngs[tet], state.bone.poisson[tet])


def _bone_measures(state: State, strain: FloatArray, fracture: Zone, front: Zone, target: _Collector) -> None:
    keys = tuple(f"fracture_{name}_{stat}_mpa" for name in ("von_mises", "max_principal") for stat in ("mean", "p95"))
    if fracture.reason:
        target.missing(keys, fracture.reason)
    else:
        stress = _stress_at(state, strain, fracture)
        for name, values in (("von_mises", von_mises(stress)), ("max_principal", stress[:, 2])):
            target.put(f"fracture_{name}_mean_mpa", weighted_mean(values, fracture.weight))
            target.put(f"fracture_{name}_p95_mpa", weighted_percentile(values, fracture.weight, 95.0))
    if front.reason:
        target.missing(("front_max_principal_p95_mpa",), front.reason)
    else:
        values = _stress_at(state, strain, front)[:, 2]
        target.put("front_max_principal_p95_mpa", weighted_percentile(values, front.weight, 95.0))


def _cortex_measures(space: Space, state: State, zone: CortexZone, target: _Collector) -> None:
    keys = ("fracture_cortex_von_mises_p95_mpa", "fracture_cortex_max_principal_p95_mpa")
    faces, inside = zone.faces, zone.inside
    if zone.reason:
        target.missing(keys, zone.reason)
        return
    cortex = state.cortex
    carries = (cortex.youngs[faces] > 0) & (cortex.thickness[faces] > 0)
    if not carries.any():
        target.missing(keys, "there is no cortex")
        return
    faces, inside = faces[carries], inside[carries]
    stress, areas = membrane_stresses(space, faces, state.displacement, cortex.youngs[faces], cortex.poisson)
    s11, s22, s12 = stress[inside].T
    centre, radius = 0.5 * (s11 + s22), np.hypot(0.5 * (s11 - s22), s12)
    equivalent = np.sqrt(s11**2 - s11 * s22 + s22**2 + 3.0 * s12**2)
    target.put(keys[0], weighted_percentile(equivalent, areas[inside], 95.0))
    target.put(keys[1], weighted_percentile(centre + radius, areas[inside], 95.0))


def _zone_measures(state: State, strain: FloatArray, zones: Zones, collector: _Collector) -> None:
    for name in ("inside", "shell", "both"):
        zone = zones.volume[f"pericement_{name}"]
        for sign, column, percent in (("max", 2, 95.0), ("min", 0, 5.0)):
            key = f"pericement_{name}_{sign}_principal_strain"
            if zone.reason:
                collector.missing((f"{key}_mean", f"{key}_p95"), zone.reason)
                continue
            values = strain[zone.index, column]
            collector.put(f"{key}_mean", weighted_mean(values, zone.weight))
            collector.put(f"{key}_p95", weighted_percentile(values, zone.weight, percent))

    zone = zones.volume["lesion"]
    keys = ("lesion_von_mises_p95_mpa", "lesion_max_principal_p95_mpa", "lesion_min_principal_strain_p95")
    if zone.reason:
        collector.missing(keys, zone.reason)
    else:
        stress = _stress_at(state, strain, zone)
        collector.put(keys[0], weighted_percentile(von_mises(stress), zone.weight, 95.0))
        collector.put(keys[1], weighted_percentile(stress[:, 2], zone.weight, 95.0))
        collector.put(keys[2], weighted_percentile(strain[zone.index, 0], zone.weight, 5.0))

    zone = zones.volume["contralateral"]
    key = "contralateral_max_principal_p95_mpa"
    if zone.reason:
        collector.missing((key,), zone.reason)
    else:
        collector.put(key, weighted_percentile(_stress_at(state, strain, zone)[:, 2], zone.weight, 95.0))


# ------------------------------------------------------------------ the whole
def mean_displacement(space: Space, faces: IntArray, displacement: FloatArray) -> FloatArray:
    """(3,) area-weighted mean displacement of boundary faces, mm."""
    barycentric, weights = triangle_rule()
    areas = space.mesh.face_areas[faces]
    share = np.einsum("q,qa->a", weights, space.face_shape(barycentric))
    return np.asarray(np.einsum("f,a,fax->x", areas, share, displacement[space.face_nodes[faces]]) / areas.sum())


def _whole_measures(
    space: Space,
    state: State,
    resultant: Resultant,
    reactions: Reactions | None,
    collector: _Collector,
) -> None:
    work = 0.5 * float(np.sum(state.force * state.displacement))
    collector.put("strain_energy_nmm", work if state.contact is None else state.contact.stored_nmm)
    shares = ("reaction_share_left", "reaction_share_right", "reaction_share_ligaments")
    if resultant.magnitude == 0.0:
        collector.missing(("stiffness_n_per_mm", *shares), "the load is a moment only")
        return
    loaded = endplate_faces(space)
    along = float(mean_displacement(space, loaded, state.displacement) @ resultant.direction)
    if along > 0.0:
        collector.put("stiffness_n_per_mm", resultant.magnitude / along)
    else:
        collector.missing(("stiffness_n_per_mm",), "the endplate does not move along the load")
    if reactions is None:
        collector.missing(shares, "the reactions of fixed nodes were not kept")
        return
    for part, value in reactions.shares(resultant.force).items():
        collector.put(f"reaction_share_{part}", value)


def _yield_load(strain: FloatArray, zone: Zone, resultant: Resultant, closure: float, collector: _Collector) -> None:
    key = "yield_load_n"
    if zone.reason:
        collector.missing((key,), zone.reason)
    elif resultant.magnitude == 0.0:
        collector.missing((key,), "the load is a moment only")
    else:
        at = weighted_percentile(_of_yield(strain[zone.index]), zone.weight, 100.0 * (1.0 - YIELD_VOLUME))
        if not at > 0.0:
            collector.missing((key,), "nothing is strained")
        elif max(1.0, 1.0 / at) * closure > 1.0 + 1e-9:
            # Linear up to the load of the case and up to the one that yields, whichever is larger.
            collector.missing((key,), "the gap closes by more than its aperture: strain is not proportional to load")
        else:
            collector.put(key, resultant.magnitude / at)
