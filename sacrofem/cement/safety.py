"""What needles and cement come near to: clearances, leaks, and structures that are encroached on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from sacrofem.anatomy.regions import corridor_distance
from sacrofem.anatomy.solid import SIDES, Corridor, Landmarks
from sacrofem.cement.arrival import ShapeArrival
from sacrofem.cement.flow import FlowArrival
from sacrofem.cement.needle import Needle
from sacrofem.cement.spread import CementRegion, PlacedInjection
from sacrofem.mesh.locate import Locator
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import BoolArray, FloatArray

# Spacing of the points at which regions, corridors and needles are looked at, mm.
_REGION_STEP_MM = 0.6
_CORRIDOR_STEP_MM = 0.5
_NEEDLE_STEP_MM = 0.25
_AROUND = 24
# The anterior cortex is what looks forward more than aside: within 60° of straight ahead.
_FORWARD = -0.5


@dataclass(frozen=True, eq=False)
class Structures:
    """What cement and needles have to keep clear of, on one mesh.

    Parameters
    ----------
    mesh : TetMesh
        With the sets ``outer``, ``endplate``, ``auricular_left`` and ``auricular_right``, as far as it has them.
    landmarks : Landmarks
    cortex_mm
        Thickness that counts as cortex along a needle.
    """

    mesh: TetMesh
    landmarks: Landmarks
    cortex_mm: float = 0.8

    @cached_property
    def corridors(self) -> Mapping[str, Corridor]:
        """Canal and foramina by name: inside them nothing may lie."""
        return {"canal": self.landmarks.canal, **self.landmarks.foramina}

    @cached_property
    def keep_clear(self) -> Mapping[str, FloatArray]:
        """(n, 3) points on walls and axis of each of them."""
        return {name: _corridor_points(corridor) for name, corridor in self.corridors.items()}

    @cached_property
    def locate(self) -> Locator:
        """Finds the tet that a point lies in."""
        return Locator(self.mesh)

    @cached_property
    def _surface(self) -> tuple[FloatArray, FloatArray, list[str]]:
        """Sample points of the outer surface, the part of each, and the names of the parts."""
        mesh = self.mesh
        outer = mesh.face_sets.get("outer")
        chosen = np.ones(len(mesh.faces), bool) if outer is None else np.asarray(outer, bool)
        chosen = chosen & (np.asarray(mesh.pair) == 0)
        names = ["anterior", "posterior", "disc", "joint_left", "joint_right"]
        part = np.where(mesh.face_normals[:, 1] < _FORWARD, 0, 1)
        for number, key in ((2, "endplate"), (3, "auricular_left"), (4, "auricular_right")):
            members = np.asarray(mesh.face_sets.get(key, np.zeros(len(mesh.faces), bool)), bool)
            part[members] = number
            chosen = chosen | members
        corners = mesh.points[mesh.faces[chosen]]
        edges = 0.5 * (corners + np.roll(corners, 1, axis=1))
        points = np.concatenate([corners, edges, corners.mean(axis=1, keepdims=True)], axis=1)
        return points.reshape(-1, 3), np.repeat(part[chosen], points.shape[1]), names

    @cached_property
    def _trees(self) -> Mapping[str, KDTree]:
        points, part, names = self._surface
        found = {name: points[part == n] for n, name in enumerate(names) if (part == n).any()}
        for side in SIDES:
            if f"joint_{side}" in found:
                found[f"joint_{side}"] = _patch_points(self.mesh, self.mesh.face_sets[f"auricular_{side}"])
        return {name: KDTree(points) for name, points in found.items()}

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Names of the parts of the surface that the mesh has."""
        return tuple(self._trees)

    @cached_property
    def _whole_surface(self) -> KDTree:
        return KDTree(self._surface[0])

    def distances(self, points: FloatArray) -> dict[str, FloatArray]:
        """(n,) mm from points (n, 3) to each structure: canal and foramina signed, surfaces not."""
        found = {name: corridor_distance(points, corridor) for name, corridor in self.corridors.items()}
        for name in ("joint_left", "joint_right", "anterior"):
            if name in self._trees:
                found[name] = np.asarray(self._trees[name].query(points)[0])
        return found

    def depth(self, points: FloatArray) -> FloatArray:
        """(n,) mm to the nearest point of the surface."""
        return np.asarray(self._whole_surface.query(points)[0])

    def where(self, points: FloatArray) -> list[str]:
        """Where points outside the bone (n, 3) lie: in a corridor, or beyond a part of the surface."""
        if not len(points):
            return []
        names = list(self.corridors)
        signed = np.stack([corridor_distance(points, self.corridors[name]) for name in names])
        nearest = signed.argmin(axis=0)
        parts, kinds = self._surface[1], self._surface[2]
        beyond = parts[self._whole_surface.query(points)[1]]
        return [
            names[nearest[n]] if signed[nearest[n], n] <= 0.5 else kinds[int(beyond[n])] for n in range(len(points))
        ]


@dataclass(frozen=True)
class NeedlePath:
    """One needle in bone.

    Attributes
    ----------
    cortical_mm, cancellous_mm
        Length within the cortex' thickness of the surface, and deeper.
    outside_mm
        Length outside the bone after the entry.
    clearance_mm : mapping
        From the needle's outer wall to each structure; negative where it is inside.
    crosses : tuple of str
        Structures that it runs into.
    """

    cortical_mm: float
    cancellous_mm: float
    outside_mm: float
    clearance_mm: Mapping[str, float]
    crosses: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """Limits of a case, None where there is none: clearances in mm, cement outside the bone in ml."""

    needle_clearance_mm: float | None = None
    cement_clearance_mm: float | None = None
    leaked_ml: float | None = None


@dataclass(frozen=True)
class Safety:
    """What needles and cement of a plan come near to.

    Attributes
    ----------
    needles : tuple of NeedlePath
    clearance_mm : mapping
        From the cement to each structure; negative by as much as it reaches inside. Empty without a bolus.
    leaked_ml : mapping
        Cement outside the bone, by where it is.
    encroached : tuple of str
        Canal and foramina that needle or cement are inside of.
    exceeded : tuple of str
        Limits of the case that are exceeded, in words.
    first_reached : mapping or None
        The structure that growing cement reaches first, and the injected volume of that needle by then.
    """

    needles: tuple[NeedlePath, ...] = ()
    clearance_mm: Mapping[str, float] = field(default_factory=dict)
    leaked_ml: Mapping[str, float] = field(default_factory=dict)
    encroached: tuple[str, ...] = ()
    exceeded: tuple[str, ...] = ()
    first_reached: Mapping[str, float | str] | None = None

    @property
    def violated(self) -> bool:
        """Whether cement or a needle is inside canal or foramen, or a limit of the case is exceeded."""
        return bool(self.encroached or self.exceeded)

    def sentences(self) -> list[str]:
        """The verdict in words, the worst first."""
        said = [f"inside {_words(name)}" for name in self.encroached] + list(self.exceeded)
        said = [f"safety: {text}" for text in said]
        if self.first_reached:
            structure, volume = self.first_reached["structure"], self.first_reached["volume_ml"]
            said.append(f"cement reaches {_words(str(structure))} at {volume:.2f} ml of needle "
                        f"{self.first_reached['needle']}")  # fmt: skip
        return said

    def to_json(self) -> dict[str, object]:
        """The key ``safety`` of ``comparison.json``."""
        return {
            "violated": self.violated,
            "encroached": list(self.encroached),
            "exceeded": list(self.exceeded),
            "first_reached": None if self.first_reached is None else dict(self.first_reached),
            "needles": [
                {
                    "cortical_mm": path.cortical_mm,
                    "cancellous_mm": path.cancellous_mm,
                    "outside_mm": path.outside_mm,
                    "clearance_mm": dict(path.clearance_mm),
                    "crosses": list(path.crosses),
                }
                for path in self.needles
            ],
        }


def _words(name: str) -> str:
    if name == "canal":
        return "the sacral canal"
    level, _, side = name.partition("_")
    return f"the {side} {level} foramen" if side else f"the {name}"


def _patch_points(mesh: TetMesh, members: BoolArray) -> FloatArray:
    """Centres of faces (n, 3), and the edges and corners between them.

    The corners of its rim stand out from a set of faces by up to an edge, each mesh's elsewhere; the centres are what
    made the faces members.
    """
    faces = mesh.faces[members]
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, count = np.unique(edges, axis=0, return_counts=True)
    inner = np.setdiff1d(faces, edges[count == 1])
    middles = mesh.points[edges[count > 1]].mean(axis=1)
    return np.concatenate([mesh.points[faces].mean(axis=1), middles, mesh.points[inner]])


def _corridor_points(corridor: Corridor) -> FloatArray:
    """Axis and wall of a corridor, densely."""
    axis, radii, along = [], [], []
    ends = zip(corridor.points[:-1], corridor.points[1:], corridor.radii[:-1], corridor.radii[1:], strict=True)
    for start, end, r0, r1 in ends:
        length = float(np.linalg.norm(end - start))
        t = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / _CORRIDOR_STEP_MM)) + 1))
        axis.append(start + t[:, None] * (end - start))
        radii.append(r0 + t * (r1 - r0))
        along.append(np.tile((end - start) / length, (len(t), 1)))
    middle, radius, direction = np.concatenate(axis), np.concatenate(radii), np.concatenate(along)
    helper = np.where(np.abs(direction[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(direction, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(direction, first)
    angle = 2.0 * np.pi * np.arange(_AROUND) / _AROUND
    ring = np.cos(angle)[:, None, None] * first + np.sin(angle)[:, None, None] * second
    wall = (middle + radius[:, None] * ring).reshape(-1, 3)
    return np.concatenate([middle, wall])


def needle_path(needle: Needle, structures: Structures, *, own_joint: bool = False) -> NeedlePath:
    """Path of one needle through the bone.

    Parameters
    ----------
    needle : Needle
    structures : Structures
    own_joint
        Whether the needle is meant to come through the joint: its crossing is reported all the same.
    """
    count = max(2, int(np.ceil(needle.length_mm / _NEEDLE_STEP_MM)) + 1)
    entry, tip = np.asarray(needle.entry_mm), np.asarray(needle.target_mm)
    t = np.linspace(0.0, 1.0, count)
    points = entry + t[:, None] * (tip - entry)
    step = needle.length_mm / (count - 1)
    inside = structures.locate(points) >= 0
    first = int(np.argmax(inside)) if inside.any() else count
    deep = structures.depth(points) >= structures.cortex_mm
    radius = 0.5 * needle.diameter_mm
    distances = structures.distances(points[first:] if first < count else points)
    clearance = {name: float(values.min()) - radius for name, values in distances.items()}
    crosses = [name for name in structures.corridors if clearance[name] < 0.0]
    after = ~inside[first:]
    if after.any():
        beyond = {name for name in structures.where(points[first:][after]) if name not in structures.corridors}
        crosses += sorted(beyond & {"anterior", "joint_left", "joint_right"})
    if own_joint:
        joint = min(
            (n for n in ("joint_left", "joint_right") if n in clearance), key=lambda n: clearance[n], default=""
        )
        crosses += [joint] if joint and joint not in crosses else []
    return NeedlePath(
        cortical_mm=float((inside & ~deep).sum() * step),
        cancellous_mm=float((inside & deep).sum() * step),
        outside_mm=float(after.sum() * step),
        clearance_mm=clearance,
        crosses=tuple(crosses),
    )


def cement_clearance(arrival: ShapeArrival | FlowArrival, radius: float, structures: Structures) -> dict[str, float]:
    """mm from the region {size < radius} to each structure; negative by as much as it reaches inside.

    Each point of a shape's region that is in bone is the middle of a ball that lies in the region; the least distance
    of these balls is the distance of the region. A flow is known at the nodes of its lattice, to half a step.
    """
    points = _region_points(arrival, radius)
    inside = structures.locate(points) >= 0
    shape = isinstance(arrival, ShapeArrival)
    if isinstance(arrival, ShapeArrival):
        ball = np.maximum(radius - arrival.size(points), 0.0)
    else:
        ball = np.where(inside, 0.5 * arrival.step, 0.0)
    found = {}
    for name, distance in structures.distances(points).items():
        if shape:
            # What a shape has outside the bone is not there.
            value = float(np.where(inside, distance - ball, np.inf).min(initial=np.inf))
        else:
            value = float(np.where(inside, np.maximum(distance - ball, 0.0), distance).min(initial=np.inf))
        found[name] = value if name in structures.corridors else max(value, 0.0)
    return found


def _region_points(arrival: ShapeArrival | FlowArrival, radius: float) -> FloatArray:
    if isinstance(arrival, ShapeArrival):
        needle = arrival.needle
        tip, entry = np.asarray(needle.target_mm), np.asarray(needle.entry_mm)
        reach = radius * max(1.0, getattr(arrival.spread, "aspect", 1.0)) + _REGION_STEP_MM
        low, high = np.minimum(tip, entry) - reach, np.maximum(tip, entry) + reach
        # A lattice through the tip, so that it sees the middle of the shape itself.
        axes = [
            np.arange(np.floor((a - c) / _REGION_STEP_MM), np.ceil((b - c) / _REGION_STEP_MM) + 1) * _REGION_STEP_MM + c
            for a, b, c in zip(low, high, tip, strict=True)
        ]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        back = np.linspace(0.0, 1.0, int(np.ceil(needle.length_mm / _NEEDLE_STEP_MM)) + 1)[:, None]
        points = np.concatenate([points, tip + back * (entry - tip)])
        return np.asarray(points[arrival.size(points) <= radius])
    return arrival.reached(radius)


def plan_safety(region: CementRegion, structures: Structures, limits: Limits, *, own_joint: bool = False) -> Safety:
    """Clearances, leaks and violations of what was placed.

    Parameters
    ----------
    region : CementRegion
        With the arrivals of its injections.
    structures : Structures
    limits : Limits
    own_joint
        Whether needles are meant to come through a joint.
    """
    paths = tuple(needle_path(p.injection.needle, structures, own_joint=own_joint) for p in region.injections)
    clearance: dict[str, float] = {}
    leaked: dict[str, float] = {}
    for placed in region.injections:
        if not isinstance(placed.arrival, ShapeArrival | FlowArrival):
            continue
        for name, value in cement_clearance(placed.arrival, placed.radius_mm, structures).items():
            clearance[name] = min(clearance.get(name, np.inf), value)
        for name, volume in zip(structures.where(placed.outside_points), placed.outside_ml, strict=True):
            leaked[name] = leaked.get(name, 0.0) + float(volume)
    inside = [name for name in structures.corridors if any(path.clearance_mm[name] < 0.0 for path in paths)]
    # On a wall is not inside: the stop at encroachment ends there.
    inside += [name for name in structures.corridors if clearance.get(name, np.inf) < -0.05 and name not in inside]
    inside += [name for name in structures.corridors if leaked.get(name, 0.0) > 1e-3 and name not in inside]
    return Safety(
        paths,
        {name: value for name, value in clearance.items() if np.isfinite(value)},
        dict(sorted(leaked.items())),
        tuple(inside),
        tuple(_exceeded(paths, clearance, leaked, limits, own_joint)),
        _first_reached(region.injections),
    )


def _exceeded(
    paths: Sequence[NeedlePath],
    clearance: Mapping[str, float],
    leaked: Mapping[str, float],
    limits: Limits,
    own_joint: bool,
) -> list[str]:
    found = []
    own = {"joint_left", "joint_right"} if own_joint else set()
    if limits.needle_clearance_mm is not None:
        for number, path in enumerate(paths, 1):
            for name, value in path.clearance_mm.items():
                if name not in own and value < limits.needle_clearance_mm:
                    found.append(
                        f"needle {number} is {value:.1f} mm from {_words(name)} (limit {limits.needle_clearance_mm:g})"
                    )
    if limits.cement_clearance_mm is not None:
        found += [
            f"cement is {value:.1f} mm from {_words(name)} (limit {limits.cement_clearance_mm:g})"
            for name, value in clearance.items()
            if value < limits.cement_clearance_mm
        ]
    total = sum(leaked.values())
    if limits.leaked_ml is not None and total > limits.leaked_ml:
        found.append(f"{total:.2f} ml leaked (limit {limits.leaked_ml:g})")
    return found


def _first_reached(injections: Sequence[PlacedInjection]) -> Mapping[str, float | str] | None:
    met = [(n, p.encroachment) for n, p in enumerate(injections, 1) if p.encroachment is not None]
    if not met:
        return None
    number, first = min(met, key=lambda entry: entry[1].volume_ml)
    return {"structure": first.structure, "volume_ml": first.volume_ml, "needle": number}
