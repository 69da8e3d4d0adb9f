"""What needles and cement come near to: clearances, leaks, and structures that are encroached on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sacrofem.anatomy.solid import SIDES
from sacrofem.cement.arrival import ShapeArrival
from sacrofem.cement.flow import FlowArrival
from sacrofem.cement.needle import Needle
from sacrofem.cement.spread import CementRegion, PlacedInjection
from sacrofem.cement.structures import Structures
from sacrofem.system.arrays import FloatArray

# Spacing of the points at which regions and needles are looked at, mm.
_REGION_STEP_MM = 0.6
_NEEDLE_STEP_MM = 0.25

TOUCHING_MM = 1.0
"""Nearer than that, cement or a needle touches: about a voxel of the CT on which it would be judged [D]."""
MOST_ALA_SHARE = 0.26
"""Of an ala, Denis zone 1 from S1 to S3: 9 ml, the most a side that a source reports (Richards 2009 [A]), over the
35 ml of the built-in female sacrum [D]."""
_LEAST_LEAK_ML = 0.005
_SOURCES = {
    "mm": "about a voxel of a CT [D]",
    "share": "9 ml a side (Richards 2009 [A]) over the ala of the built-in female sacrum [D]",
    "ml": "any leak is seen on a CT; where cement leaks: Waites 2008 [A]",
}


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
class Touch:
    """Something that a radiologist would point at: nearer, or more, than its bound.

    Attributes
    ----------
    what : str
        ``cement``, ``needle 1`` and so on, ``ala`` or ``leak``.
    where : str
        Structure, side of the ala, or where what leaked lies.
    value, bound : float
    unit : str
        ``mm``, ``share`` or ``ml``.
    """

    what: str
    where: str
    value: float
    bound: float
    unit: str

    @property
    def source(self) -> str:
        """Where the bound is from."""
        return _SOURCES[self.unit]

    def __str__(self) -> str:
        if self.unit == "share":
            filled, most = (f"{100.0 * share:.0f} %" for share in (self.value, self.bound))
            return f"{filled} of the {self.where} ala is cement (at most {most} in any source)"
        if self.unit == "ml":
            return f"{self.value:.2f} ml left the bone ({self.where})"
        return f"{self.what} {max(self.value, 0.0):.1f} mm from {_words(self.where)}"

    def to_json(self) -> dict[str, object]:
        """As plain data."""
        return {
            "what": self.what,
            "where": self.where,
            "value": self.value,
            "bound": self.bound,
            "unit": self.unit,
            "source": self.source,
        }


Verdict = Literal["clear", "touching", "encroaching"]
"""Encroaching: inside canal or foramen. Touching: nothing is, but something is nearer or more than its bound."""


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
    touching : tuple of Touch
        What is nearer than 1 mm without being inside, what leaked, and an ala that is fuller than any source reports.
    ala_share : mapping of str to float
        Share of the ala of each side that is cement.
    """

    needles: tuple[NeedlePath, ...] = ()
    clearance_mm: Mapping[str, float] = field(default_factory=dict)
    leaked_ml: Mapping[str, float] = field(default_factory=dict)
    encroached: tuple[str, ...] = ()
    exceeded: tuple[str, ...] = ()
    first_reached: Mapping[str, float | str] | None = None
    touching: tuple[Touch, ...] = ()
    ala_share: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Of canal, foramina, joints, cortex and ala; limits of the case are beside it: see `violated`."""
        return "encroaching" if self.encroached else "touching" if self.touching else "clear"

    @property
    def violated(self) -> bool:
        """Whether cement or a needle is inside canal or foramen, or a limit of the case is exceeded."""
        return bool(self.encroached or self.exceeded)

    def sentences(self) -> list[str]:
        """The verdict in words, the worst first."""
        said = [f"inside {_words(name)}" for name in self.encroached] + list(self.exceeded)
        if self.touching:
            shown = [str(touch) for touch in self.touching[:_MOST_TOUCHES]]
            more = len(self.touching) - len(shown)
            said.append("touching: " + "; ".join([*shown, *([f"and {more} more"] if more else [])]))
        said = [f"safety: {text}" for text in said]
        if self.first_reached:
            structure, volume = self.first_reached["structure"], self.first_reached["volume_ml"]
            said.append(f"cement reaches {_words(str(structure))} at {volume:.2f} ml of needle "
                        f"{self.first_reached['needle']}")  # fmt: skip
        return said

    def to_json(self) -> dict[str, object]:
        """The key ``safety`` of ``comparison.json``."""
        return {
            "verdict": self.verdict,
            "violated": self.violated,
            "touching": [touch.to_json() for touch in self.touching],
            "ala_share": dict(self.ala_share),
            "bounds": {
                "touching_mm": {"bound": TOUCHING_MM, "source": _SOURCES["mm"]},
                "ala_share": {"bound": MOST_ALA_SHARE, "source": _SOURCES["share"]},
                "leaked_ml": {"bound": 0.0, "source": _SOURCES["ml"]},
            },
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


# Of what touches, in one line.
_MOST_TOUCHES = 5


def _words(name: str) -> str:
    if name == "canal":
        return "the sacral canal"
    level, _, side = name.partition("_")
    if level == "joint":
        return f"the {side} sacroiliac joint"
    return f"the {side} {level} foramen" if side else f"the {name} cortex" if name == "anterior" else f"the {name}"


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


def ala_share(
    structures: Structures, in_tets_ml: FloatArray, gap_points: FloatArray, in_gap_ml: FloatArray
) -> dict[str, float]:
    """Share of the ala of each side that is cement.

    Parameters
    ----------
    structures : Structures
    in_tets_ml : (m,)
        Cement in each tet.
    gap_points, in_gap_ml : (n, 3), (n,)
        Cement in the gap, point by point.
    """
    sides = dict(zip(map(str, SIDES), structures.in_ala(gap_points), strict=True))
    return {
        side: (float(in_tets_ml[members].sum()) + float(in_gap_ml[sides[side]].sum())) / volume
        for side, (members, volume) in structures.alae.items()
    }


def plan_safety(
    region: CementRegion,
    structures: Structures,
    limits: Limits,
    *,
    own_joint: bool = False,
    filled: Mapping[str, float] | None = None,
) -> Safety:
    """Clearances, leaks and violations of what was placed.

    Parameters
    ----------
    region : CementRegion
        With the arrivals of its injections.
    structures : Structures
    limits : Limits
    own_joint
        Whether needles are meant to come through a joint.
    filled
        Share of the ala of each side that is cement, see `ala_share`.
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
        tuple(_touching(paths, clearance, leaked, filled or {}, inside, own_joint)),
        dict(filled or {}),
    )


def _touching(
    paths: Sequence[NeedlePath],
    clearance: Mapping[str, float],
    leaked: Mapping[str, float],
    filled: Mapping[str, float],
    inside: Sequence[str],
    own_joint: bool,
) -> Iterator[Touch]:
    """What is nearer, or more, than its bound, without being inside canal or foramen; cement first, nearest first."""
    near = [("cement", name, value) for name, value in clearance.items()]
    own = {"joint_left", "joint_right"} if own_joint else set()
    for number, path in enumerate(paths, 1):
        near += [(f"needle {number}", name, value) for name, value in path.clearance_mm.items() if name not in own]
    for what, where, value in sorted(near, key=lambda entry: (entry[0], entry[2])):
        if value < TOUCHING_MM and where not in inside:
            yield Touch(what, where, value, TOUCHING_MM, "mm")
    for side, share in filled.items():
        if share > MOST_ALA_SHARE:
            yield Touch("ala", side, share, MOST_ALA_SHARE, "share")
    for where, volume in leaked.items():
        if volume > _LEAST_LEAK_ML and where not in inside:
            yield Touch("leak", where, volume, 0.0, "ml")


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
