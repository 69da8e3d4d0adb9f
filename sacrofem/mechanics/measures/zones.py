"""Where stress, strain and motion are measured: geometry, fixed once and the same in every state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numba import get_num_threads
from scipy.spatial import cKDTree

from sacrofem.anatomy.regions import denis_zone, level_of
from sacrofem.anatomy.solid import SIDES, Landmarks
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray

SUPPORT_MM = 3.0
"""Left out of every zone around loaded and supported faces."""
YIELD_SUPPORT_MM = 5.0
"""The same for the yield load."""
NEAR_MM = 5.0
"""Reach of the zones at fracture, front, fracture line and lesion."""
LAYER_MM = (5.0, 10.0)
"""Bone layers whose relative motion is that of the fragments."""
SAMPLE_MM = 0.5
"""Spacing of the points that stand for a surface or an edge."""
LARGEST_LEFT_OUT = 0.5
"""Above this share of cement in a zone its measures are null."""

POOLED = "fracture"


@dataclass(frozen=True, eq=False)
class Zone:
    """Integration points of tets with their weights.

    Attributes
    ----------
    index : (n,) int
        Into the flattened (m, q) integration points.
    weight : (n,)
        mm³; without the share of cement in the reference plan.
    left_out : float
        Share of the zone's volume that this cement takes.
    reason : str
        Why nothing can be measured here; empty where it can.
    """

    index: IntArray
    weight: FloatArray
    left_out: float = 0.0
    reason: str = ""


@dataclass(frozen=True, eq=False)
class CortexZone:
    """Boundary faces with cortex, and which of their membrane points count: (f,) and (f, q)."""

    faces: IntArray
    inside: BoolArray
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Layers:
    """Bone on either side of a fracture, 5-10 mm from it, and the fracture's own points.

    ``plus`` and ``minus`` are zones; ``pairs`` (p,) are the pairs of the fracture.
    """

    plus: Zone
    minus: Zone
    pairs: IntArray
    reason: str = ""


@dataclass(frozen=True, eq=False)
class ReferencePlan:
    """The cement that fixes the zones: ``fraction`` (m,) of the pores, and its volume in ml."""

    fraction: FloatArray
    volume_ml: float


@dataclass(frozen=True, eq=False)
class Zones:
    """All zones of a comparison.

    Attributes
    ----------
    volume : mapping of str to Zone
        ``"fracture"``, ``"front"`` (pooled) and ``"fracture:<name>"``, ``"front:<name>"``;
        ``"pericement_inside"``, ``"pericement_shell"``, ``"pericement_both"``, ``"lesion"``,
        ``"contralateral"``, ``"cancellous"`` (the mask of the yield load).
    cortex : mapping of str to CortexZone
        ``"fracture"`` and ``"fracture:<name>"``.
    layers : mapping of str to Layers
        By fracture name.
    pairs : mapping of str to (p,) bool
        Pairs of each fracture, in the order of ``TetMesh.paired``.
    """

    volume: Mapping[str, Zone]
    cortex: Mapping[str, CortexZone]
    layers: Mapping[str, Layers]
    pairs: Mapping[str, BoolArray]

    @property
    def left_out(self) -> dict[str, float]:
        """Share of each zone that the cement of the reference plan takes out."""
        return {name: zone.left_out for name, zone in self.volume.items() if not zone.reason or zone.left_out > 0}


def fracture_pairs(mesh: TetMesh) -> dict[str, BoolArray]:
    """Which pairs belong to each fracture (the part of the set name after ``fracture_``).

    Pairs without a name are a fracture called ``unnamed``.
    """
    plus = mesh.paired[0]
    result = {
        name.removeprefix("fracture_"): members[plus]
        for name, members in mesh.face_sets.items()
        if name.startswith("fracture_") and members[plus].any()
    }
    rest = ~np.logical_or.reduce([np.zeros(len(plus), dtype=bool), *result.values()])
    if rest.any():
        result["unnamed"] = rest
    return result


def front_edges(mesh: TetMesh, pairs: BoolArray | None = None) -> IntArray:
    """(e, 2) edges at which the fracture ends inside the bone: its boundary edges where the twins join."""
    plus, minus = mesh.paired
    chosen = slice(None) if pairs is None else pairs
    ours, twins = (_edges(mesh.faces[side[chosen]]) for side in (plus, minus))
    # An edge that another fracture continues is no front, so all pairs vote.
    every = np.sort(_edges(mesh.faces[plus]), axis=1)
    n = len(mesh.points)
    values, count = np.unique(every[:, 0] * n + every[:, 1], return_counts=True)
    key = np.sort(ours, axis=1)
    once = count[np.searchsorted(values, key[:, 0] * n + key[:, 1])] == 1
    return np.asarray(ours[once & (ours == twins).all(axis=1)])


def line_edges(mesh: TetMesh, pairs: BoolArray | None = None) -> IntArray:
    """(e, 2) edges at which the fracture meets the outer surface, on both of its sides."""
    n = len(mesh.points)
    outer = np.sort(_edges(mesh.faces[mesh.pair_side == 0]), axis=1)
    chosen = slice(None) if pairs is None else pairs
    plus, minus = mesh.paired
    edges = np.sort(_edges(mesh.faces[np.concatenate([plus[chosen], minus[chosen]])]), axis=1)
    meets = np.isin(edges[:, 0] * n + edges[:, 1], outer[:, 0] * n + outer[:, 1])
    return np.unique(edges[meets], axis=0)


def _edges(faces: IntArray) -> IntArray:
    return np.asarray(faces[:, [[0, 1], [1, 2], [2, 0]]]).reshape(-1, 2)


def sampled_triangles(corners: FloatArray, spacing: float = SAMPLE_MM) -> tuple[FloatArray, IntArray]:
    """Points on triangles (t, 3, 3) no further than ``spacing`` apart along any edge.

    No point of a triangle is further than spacing/√3 from a sample, so a distance d comes out at most
    √(d² + spacing²/3) - d too long: 0.014 mm at 3 mm and 0.008 mm at 5 mm.

    Returns
    -------
    points : (s, 3)
    owner : (s,) int
    """
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    points, owner = [np.empty((0, 3))], [np.empty(0, dtype=np.int64)]
    steps = np.maximum(np.ceil(longest / spacing).astype(int), 1)
    for n in np.unique(steps):
        mine = np.flatnonzero(steps == n)
        ij = np.array([(i, j) for i in range(n + 1) for j in range(n + 1 - i)], dtype=float) / n
        barycentric = np.column_stack([1.0 - ij.sum(axis=1), ij])
        points.append(np.einsum("sc,tcx->tsx", barycentric, corners[mine]).reshape(-1, 3))
        owner.append(np.repeat(mine, len(barycentric)))
    return np.concatenate(points), np.concatenate(owner)


def sampled_edges(ends: FloatArray, spacing: float = SAMPLE_MM) -> FloatArray:
    """(s, 3) points on segments (e, 2, 3), no further than ``spacing`` apart."""
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    steps = np.maximum(np.ceil(length / spacing).astype(int), 1)
    points = [np.empty((0, 3))]
    for n in np.unique(steps):
        t = np.linspace(0.0, 1.0, n + 1)[None, :, None]
        mine = ends[steps == n]
        points.append(((1 - t) * mine[:, :1] + t * mine[:, 1:]).reshape(-1, 3))
    return np.concatenate(points)


@dataclass(frozen=True, eq=False)
class _Points:
    """Integration points (n, 3) and what each stands for (n,), and distances where they are short."""

    points: FloatArray
    volume: FloatArray

    @classmethod
    def of(cls, space: Space) -> _Points:
        points, weights = space.integration()
        return cls(points.reshape(-1, 3), weights.ravel())

    def nearest(self, samples: FloatArray, reach: float) -> FloatArray:
        """Distance to the samples, inf beyond reach."""
        distance = np.full(len(self.points), np.inf)
        if len(samples):
            box = (self.points >= samples.min(axis=0) - reach) & (self.points <= samples.max(axis=0) + reach)
            near = np.flatnonzero(box.all(axis=1))
            distance[near] = cKDTree(samples).query(
                self.points[near], distance_upper_bound=reach, workers=get_num_threads()
            )[0]
        return distance


class _Field:
    """Integration points with the cement in them, and which of them count."""

    def __init__(self, points: _Points, fraction: FloatArray, usable: BoolArray) -> None:
        self.points, self.volume, self.nearest = points.points, points.volume, points.nearest
        self.fraction = np.repeat(fraction, len(self.volume) // len(fraction))
        self.usable = usable

    def zone(self, mask: BoolArray, empty: str, *, keep_cement: bool = False) -> Zone:
        """The usable points of a mask, weighted by what is no cement."""
        index = np.flatnonzero(mask & self.usable)
        volume = self.volume[index]
        if len(index) == 0:
            return Zone(index, volume, 0.0, empty)
        if keep_cement:
            return Zone(index, volume)
        weight = volume * (1.0 - self.fraction[index])
        left_out = 1.0 - float(weight.sum() / volume.sum())
        reason = ""
        if left_out > LARGEST_LEFT_OUT:
            reason = f"cement takes {left_out:.0%} of the zone"
        return Zone(index, weight, max(left_out, 0.0), reason)


def support_faces(mesh: TetMesh) -> IntArray:
    """(f,) faces named as endplate or auricular face: where load and supports act in every variant of a case."""
    result = np.zeros(len(mesh.faces), dtype=bool)
    for name in ("endplate", "auricular_left", "auricular_right"):
        if name in mesh.face_sets:
            result |= mesh.face_sets[name]
    return np.flatnonzero(result)


@dataclass(frozen=True, eq=False)
class _Masks:
    """Integration points near one fracture, near its front, and in the bone layers on either side."""

    near: BoolArray
    front: BoolArray
    layers: tuple[BoolArray, BoolArray]


class ZoneFinder:
    """Zones of one specimen: what no plan of cement moves is found once.

    Parameters
    ----------
    space
    landmarks
        For the Denis zone of the untreated side.
    lesion_distance
        Distance of points (n, 3) to the border of the lesion, mm, of any sign.
    supports : (f,) int, optional
        Loaded and supported boundary faces; default `support_faces`.
    cortex : (k,) bool, optional
        Boundary faces that carry cortex; default all that are not paired.
    """

    def __init__(
        self,
        space: Space,
        *,
        landmarks: Landmarks | None = None,
        lesion_distance: Callable[[FloatArray], FloatArray] | None = None,
        supports: IntArray | None = None,
        cortex: BoolArray | None = None,
    ) -> None:
        mesh = space.mesh
        self._space, self._landmarks = space, landmarks
        self._points = _Points.of(space)
        held = support_faces(mesh) if supports is None else supports
        samples = sampled_triangles(mesh.points[mesh.faces[held]])[0]
        self._to_support = self._points.nearest(samples, YIELD_SUPPORT_MM + 1e-6)
        self._pairs = fracture_pairs(mesh)
        self._masks = {name: _fracture_masks(self._points, mesh, chosen) for name, chosen in self._pairs.items()}
        assert mesh.pair_side is not None
        has_cortex: BoolArray = mesh.pair_side == 0 if cortex is None else cortex
        near_supports = cKDTree(samples) if len(samples) else None
        self._cortices = {
            f"{POOLED}:{name}": _cortex_zone(space, line_edges(mesh, chosen), has_cortex, near_supports)
            for name, chosen in self._pairs.items()
        }
        self._cortices[POOLED] = _cortex_zone(space, line_edges(mesh), has_cortex, near_supports, self._no_fracture)
        self._near_lesion = None if lesion_distance is None else np.abs(lesion_distance(self._points.points)) <= NEAR_MM

    @property
    def _no_fracture(self) -> str:
        return "" if self._pairs else "no fracture"

    def zones(self, plan: ReferencePlan | None = None) -> Zones:
        """All zones with the cement of a plan left out; none: untreated."""
        mesh = self._space.mesh
        fraction = np.zeros(len(mesh.tets)) if plan is None else plan.fraction
        field = _Field(self._points, fraction, self._to_support > SUPPORT_MM)
        volume: dict[str, Zone] = {}
        layers: dict[str, Layers] = {}
        nothing = np.zeros(len(field.points), dtype=bool)
        any_fracture, any_front = nothing.copy(), nothing.copy()
        for name, masks in self._masks.items():
            any_fracture |= masks.near
            any_front |= masks.front
            volume[f"{POOLED}:{name}"] = field.zone(masks.near, "no bone near the fracture")
            volume[f"front:{name}"] = field.zone(masks.front, "the fracture has no front")
            above, below = (field.zone(mask, "no bone layer beside the fracture") for mask in masks.layers)
            layers[name] = Layers(above, below, np.flatnonzero(self._pairs[name]), above.reason or below.reason)
        volume[POOLED] = field.zone(any_fracture, self._no_fracture or "no bone near the fracture")
        volume["front"] = field.zone(any_front, self._no_fracture or "the fracture has no front")
        volume |= _pericement(field, mesh, plan)
        if self._near_lesion is None:
            volume["lesion"] = field.zone(nothing, "no lesion")
        else:
            volume["lesion"] = field.zone(self._near_lesion, "no bone near the lesion")
        volume["contralateral"] = _contralateral(field, self._landmarks, plan)
        volume["cancellous"] = field.zone(self._to_support > YIELD_SUPPORT_MM, "no bone away from supports and load")
        return Zones(
            MappingProxyType(volume),
            MappingProxyType(dict(self._cortices)),
            MappingProxyType(layers),
            MappingProxyType(self._pairs),
        )


def _fracture_masks(field: _Points, mesh: TetMesh, chosen: BoolArray) -> _Masks:
    plus = mesh.paired[0][chosen]
    samples, owner = sampled_triangles(mesh.points[mesh.faces[plus]])
    distance = field.nearest(samples, LAYER_MM[1] + 1e-6)
    front = field.nearest(sampled_edges(mesh.points[front_edges(mesh, chosen)]), NEAR_MM + 1e-6) <= NEAR_MM
    candidates = np.flatnonzero((distance >= LAYER_MM[0]) & (distance <= LAYER_MM[1]))
    away, normal = _nearest_normal(field.points[candidates], samples, mesh.face_normals[plus][owner])
    height = np.einsum("nx,nx->n", away, normal)
    # Beyond a front or beside the fracture no side can be told.
    clear = np.abs(height) >= 0.7 * distance[candidates]
    above, below = np.zeros(len(distance), dtype=bool), np.zeros(len(distance), dtype=bool)
    above[candidates[clear & (height > 0)]] = True
    below[candidates[clear & (height < 0)]] = True
    return _Masks(distance <= NEAR_MM, front, (above, below))


def _nearest_normal(points: FloatArray, samples: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Vector from the nearest sample to each point, and the mean normal of all samples that coincide there.

    Faces share the samples on their edges; taking any one of them would let the numbering decide.
    """
    if len(samples) == 0 or len(points) == 0:
        return np.zeros((len(points), 3)), np.zeros((len(points), 3))
    distance, index = cKDTree(samples).query(
        points, k=np.arange(1, min(16, len(samples)) + 1), workers=get_num_threads()
    )
    same = distance <= distance[:, :1] + 1e-9
    total = np.einsum("nk,nkx->nx", same.astype(float), normals[index])
    return points - samples[index[:, 0]], np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True))


def membrane_points(space: Space, faces: IntArray) -> FloatArray:
    """(f, q, 3) the points at which `membrane_stresses` gives the stress of cortex, mm."""
    barycentric, _ = space.membrane_rule
    return np.asarray(np.einsum("qc,fcx->fqx", barycentric, space.mesh.points[space.mesh.faces[faces]]))


def _cortex_zone(
    space: Space, edges: IntArray, has_cortex: BoolArray, supports: cKDTree | None, reason: str = ""
) -> CortexZone:
    none = np.empty(0, dtype=np.int64)
    if reason or len(edges) == 0:
        return CortexZone(none, np.zeros((0, 0), dtype=bool), reason or "the fracture does not reach the surface")
    faces = np.flatnonzero(has_cortex)
    if len(faces) == 0:
        return CortexZone(none, np.zeros((0, 0), dtype=bool), "there is no cortex")
    points = membrane_points(space, faces)
    tree = cKDTree(sampled_edges(space.mesh.points[edges]))
    inside = tree.query(points, distance_upper_bound=NEAR_MM + 1e-6)[0] <= NEAR_MM
    if supports is not None:
        inside &= supports.query(points, distance_upper_bound=SUPPORT_MM + 1e-6)[0] > SUPPORT_MM
    some = inside.any(axis=1)
    return CortexZone(faces[some], inside[some], "" if some.any() else "no cortex near the fracture line")


def _pericement(field: _Field, mesh: TetMesh, plan: ReferencePlan | None) -> dict[str, Zone]:
    nothing = np.zeros(len(field.points), dtype=bool)
    names = ("pericement_inside", "pericement_shell", "pericement_both")
    if plan is None or not plan.fraction.any():
        return {name: field.zone(nothing, "no cement in the reference plan") for name in names}
    full = plan.fraction >= 0.5
    if not full.any():
        return {name: field.zone(nothing, "no element is half full of cement") for name in names}
    inside = field.fraction >= 0.5
    radius = (3.0 * plan.volume_ml * 1000.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    border = mesh.points[boundary_faces(mesh.tets[full])]
    shell = (field.nearest(sampled_triangles(border)[0], radius) <= radius) & ~inside
    return {
        # Cement is what these two are about, so none of it is taken out.
        "pericement_inside": field.zone(inside, "cement lies at the supports only", keep_cement=True),
        "pericement_shell": field.zone(shell, "no bone around the cement"),
        "pericement_both": field.zone(inside | shell, "cement lies at the supports only", keep_cement=True),
    }


def _contralateral(field: _Field, landmarks: Landmarks | None, plan: ReferencePlan | None) -> Zone:
    nothing = np.zeros(len(field.points), dtype=bool)
    if landmarks is None:
        return field.zone(nothing, "no landmarks")
    if plan is None or not plan.fraction.any():
        return field.zone(nothing, "neither side is treated")
    if {side for name in landmarks.foramina for side in SIDES if name.endswith(side)} != set(SIDES):
        return field.zone(nothing, "the landmarks lack foramina, which bound Denis zone 1")
    x = field.points[:, 0] - float(landmarks.endplate_centre[0])
    cement = field.fraction * field.volume
    # A bolus of one ala that touches the midline does not treat the other side.
    share_left = float(cement[x > 0].sum() / cement.sum())
    if 0.05 <= share_left <= 0.95:
        return field.zone(nothing, "both sides are treated")
    other = x < 0 if share_left > 0.95 else x > 0
    candidates = np.flatnonzero(other)
    if len(candidates) == 0:
        return field.zone(nothing, "there is no other side")
    points = field.points[candidates]
    wanted = (denis_zone(points, landmarks) == 1) & (level_of(points, landmarks) <= 2)
    mask = nothing.copy()
    mask[candidates[wanted]] = True
    return field.zone(mask, "no bone in Denis zone 1 of the other side")
