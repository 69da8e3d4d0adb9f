"""Needles and injections, and the plain short-axis and long-axis approaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from sacrofem.anatomy.solid import Corridor, FloatArray, Landmarks, Side
from sacrofem.cement.shapes import SHORT_AXIS_COLUMN, Spread
from sacrofem.errors import InputError
from sacrofem.mesh.tetmesh import BoolArray

Triple = tuple[float, float, float]
Gauge = Literal[10, 11, 13]
Approach = Literal["short-axis", "long-axis"]
SignedDistance = Callable[[FloatArray], FloatArray]

#: Outer diameters, mm; standard gauge table, literature.md section 6 [K].
OUTER_DIAMETER_MM: Mapping[int, float] = MappingProxyType({10: 3.40, 11: 3.05, 13: 2.41})

# Step and reach of the march along a needle; the reach passes the thickest sacrum from any target inside.
_STEP_MM = 0.25
_REACH_MM = 130.0
# Tip of a short-axis needle: so far through the ala that bolus and column come to lie about its middle [K].
_TIP_SHARE = 0.6
# Without a solid to march through: the ala is about 44 mm deep at S1 (literature.md section 5 [A]).
_ALA_DEPTH_MM = 44.0
_TIP_DEPTH_MM = 5.0


@dataclass(frozen=True)
class Needle:
    """A straight needle from its entry on the bone to its tip.

    Parameters
    ----------
    entry_mm, target_mm
        Entry point and tip, mm, anatomical frame.
    gauge
        10, 11 or 13.

    Raises
    ------
    InputError
        Points that are not finite or coincide, or another gauge.
    """

    entry_mm: Triple
    target_mm: Triple
    gauge: Gauge = 11

    def __post_init__(self) -> None:
        for name in ("entry_mm", "target_mm"):
            value = getattr(self, name)
            if np.shape(value) != (3,) or not np.isfinite(value).all():
                raise InputError(
                    "needs three finite numbers", field=f"cement.injections.{name}", value=value, mend="give x, y, z"
                )
            object.__setattr__(self, name, tuple(float(x) for x in value))
        if self.gauge not in get_args(Gauge):
            raise InputError(
                "no such needle", field="cement.injections.gauge", value=self.gauge, mend="use 10, 11 or 13"
            )
        if self.length_mm < 1e-6:
            raise InputError(
                "entry and target coincide",
                field="cement.injections.entry_mm", value=self.entry_mm, mend="give two different points",
            )  # fmt: skip

    @property
    def length_mm(self) -> float:
        """Distance from entry to tip."""
        return float(np.linalg.norm(np.subtract(self.target_mm, self.entry_mm)))

    @property
    def direction(self) -> FloatArray:
        """(3,) unit vector from entry to tip."""
        return np.asarray(np.subtract(self.target_mm, self.entry_mm) / self.length_mm)

    @property
    def diameter_mm(self) -> float:
        """Outer diameter."""
        return OUTER_DIAMETER_MM[self.gauge]


@dataclass(frozen=True)
class Injection:
    """What goes through one needle: a volume, and the shape in which it spreads.

    Raises
    ------
    InputError
        If the volume is not a positive number.
    """

    needle: Needle
    volume_ml: float
    spread: Spread = SHORT_AXIS_COLUMN

    def __post_init__(self) -> None:
        if not (np.isfinite(self.volume_ml) and self.volume_ml > 0.0):
            raise InputError(
                "must be positive", field="cement.volume_ml", value=self.volume_ml, mend="2 to 5 ml are usual"
            )


def short_axis_needles(
    landmarks: Landmarks,
    side: Side,
    needles_per_side: int = 1,
    *,
    joint_distance_mm: float = 12.0,
    fracture_offset_mm: float = 0.0,
    gauge: Gauge = 11,
    signed_distance: SignedDistance | None = None,
) -> tuple[Needle, ...]:
    """Needles from posterior, parallel to the S1 endplate and to the SI joint, tips in the ala.

    Direction as in Whitlow 2007 [A] (parallel to the L5-S1 interspace) and literature.md section 6 [K] (and to the SI
    joint), so a needle runs in the plane of a zone-1 fracture. The first one runs beside the S1 foramen, at the height
    of the lower end of the S1 body: the ala slopes down to the side, and level with the body's centre the needle would
    leave through its upper face. The next ones do the same at S2 and S3 (3 ml at S1 and 3 ml at S2 a side in Richards
    2009 [A]). The tips lie at six tenths of the depth of the ala, about the middle of what they inject.

    Parameters
    ----------
    landmarks, side
        Of the sacrum, and where.
    needles_per_side
        1 to 3.
    joint_distance_mm
        Distance of the fracture from the auricular plane.
    fracture_offset_mm
        Distance of the tips lateral of the fracture plane.
    gauge
        Of all needles.
    signed_distance
        Of the bone, (n, 3) -> (n,), negative inside. With it entry and tip are found in this bone; without it the
        tip lies abreast of the auricular centre, in an ala 44 mm deep.

    Raises
    ------
    InputError
        Another number of needles, or a path that meets no bone.
    """
    _check_count(needles_per_side, 3)
    centre, normal = _fracture_plane(landmarks, side, joint_distance_mm - fracture_offset_mm)
    along = _into_front(np.cross(landmarks.endplate_normal, normal))
    up = _unit(landmarks.endplate_normal - (landmarks.endplate_normal @ normal) * normal)
    medial_limit = max((_lateral_edge(landmarks.foramina[key]) for key in _keys(landmarks, side)), default=0.0)
    needles = []
    for upper, lower in zip(landmarks.levels[:needles_per_side], landmarks.levels[1:], strict=False):
        level = 0.5 * (upper + lower)
        # The point of the plane nearest to the auricular centre that lies level with it along the endplate.
        middle = centre + landmarks.endplate_normal @ (level - centre) / (landmarks.endplate_normal @ up) * up
        if signed_distance is None:
            needles.append(_needle(middle - _TIP_SHARE * _ALA_DEPTH_MM * along, middle, gauge))
            continue
        path = _Path.march(middle, along, signed_distance)
        # In a strongly converging joint the line runs on behind the body; the ala is what lies beside the foramina.
        ala = path.inside & (np.abs(path.points[:, 0]) >= medial_limit)
        first, last = _longest(ala if ala.any() else path.inside, middle)
        tip = path.s[first] + _TIP_SHARE * (path.s[last] - path.s[first])
        needles.append(_needle(middle + path.entry(first) * along, middle + tip * along, gauge))
    return tuple(needles)


def long_axis_needles(
    landmarks: Landmarks,
    side: Side,
    needles_per_side: int = 1,
    *,
    joint_distance_mm: float = 12.0,
    fracture_offset_mm: float = 0.0,
    gauge: Gauge = 11,
    signed_distance: SignedDistance | None = None,
) -> tuple[Needle, ...]:
    """Needles from the dorsal S3 level cephalad to the S1 ala, along the fracture.

    Smith & Gilula 2006 [A]: entry midway between the lower margin of the SI joint and the lateral edge of the S3
    foramen, aimed at the middle of the S1 body in the lateral view, cement laid down while withdrawing: use a long
    column (`LONG_AXIS_COLUMN`). The needle aims at the fracture plane and, with ``signed_distance``, stops 5 mm inside
    the bone; the entry is where the published one lies, so the needle need not stay in that plane. A
    second needle runs parallel to the first, 6 mm behind it, where the ala is deeper [K].

    Parameters and errors as `short_axis_needles`, with 1 or 2 needles.
    """
    _check_count(needles_per_side, 2)
    centre, normal = _fracture_plane(landmarks, side, joint_distance_mm - fracture_offset_mm)
    aim = _on_plane(landmarks.levels[0], centre, normal)
    entry = _long_axis_entry(landmarks, side)
    along = _unit(aim - entry)
    forward = _into_front(np.cross(normal, along))
    needles = []
    for number in range(needles_per_side):
        shift = -6.0 * number * forward
        start, tip = entry + shift, aim + shift
        if signed_distance is not None:
            path = _Path.march(tip, along, signed_distance)
            # The ala may end below the aim; the tip stops where a column still has room around it.
            roomy = np.flatnonzero((path.distance <= -_TIP_DEPTH_MM) & (path.s <= 0.0))
            first, last = _longest(path.inside & (path.s <= 0.0), tip)
            roomy = roomy[(roomy >= first) & (roomy <= last)]
            end = roomy[-1] if len(roomy) else first + np.argmin(path.distance[first : last + 1])
            start, tip = tip + path.entry(first) * along, tip + path.s[end] * along
        needles.append(_needle(start, tip, gauge))
    return tuple(needles)


def _check_count(needles_per_side: int, most: int) -> None:
    if not 1 <= needles_per_side <= most:
        raise InputError(
            f"must be 1 to {most} here", field="cement.needles", value=needles_per_side, mend="give own injections"
        )


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))


def _into_front(vector: FloatArray) -> FloatArray:
    """Unit vector of either sense that points from posterior to anterior."""
    return np.asarray(_unit(vector) * (-1.0 if vector[1] > 0.0 else 1.0))


def _needle(entry: FloatArray, target: FloatArray, gauge: Gauge) -> Needle:
    (a, b, c), (d, e, f) = entry.tolist(), target.tolist()
    return Needle((a, b, c), (d, e, f), gauge)


def _fracture_plane(landmarks: Landmarks, side: Side, distance_mm: float) -> tuple[FloatArray, FloatArray]:
    face = landmarks.auricular[side]
    return face.centre - distance_mm * face.normal, face.normal


def _on_plane(point: FloatArray, centre: FloatArray, normal: FloatArray) -> FloatArray:
    """Where the left-right line through ``point`` meets the plane."""
    return np.asarray(point + np.array([(centre - point) @ normal / normal[0], 0.0, 0.0]))


def _keys(landmarks: Landmarks, side: Side) -> list[str]:
    return [key for key in landmarks.foramina if key.endswith(side)]


def _lateral_edge(foramen: Corridor) -> float:
    """Distance of the lateral edge of a foramen from the median plane."""
    return float((np.abs(foramen.points[:, 0]) + foramen.radii).max())


def _long_axis_entry(landmarks: Landmarks, side: Side) -> FloatArray:
    """Midway between the lower margin of the SI joint and the lateral edge of the posterior S3 foramen."""
    face = landmarks.auricular[side]
    down = -_unit(np.array([0.0, 0.0, 1.0]) - face.normal[2] * face.normal)
    margin = face.centre + 0.5 * face.height_mm * down
    if f"S3_{side}" in landmarks.foramina:
        foramen = landmarks.foramina[f"S3_{side}"]
        lateral = np.array([1.0 if side == "left" else -1.0, 0.0, 0.0])
        edge = foramen.points[-1] + foramen.radii[-1] * lateral
    else:
        edge = 0.5 * (landmarks.levels[2] + margin)
    return np.asarray(0.5 * (margin + edge))


@dataclass(frozen=True, eq=False)
class _Path:
    """Samples of the line that a needle follows: place s along it, point, signed distance of the bone."""

    s: FloatArray
    points: FloatArray
    distance: FloatArray

    @classmethod
    def march(cls, point: FloatArray, along: FloatArray, signed_distance: SignedDistance) -> _Path:
        s = np.arange(-_REACH_MM, _REACH_MM + 0.5 * _STEP_MM, _STEP_MM)
        points = point + s[:, None] * along
        return cls(s, points, np.asarray(signed_distance(points), dtype=float))

    @property
    def inside(self) -> BoolArray:
        return self.distance < 0.0

    def entry(self, sample: int) -> float:
        """Where the line last came into the bone before a sample inside."""
        outside = np.flatnonzero(~self.inside[:sample])
        if not len(outside):
            return float(self.s[0])
        i = int(outside[-1])
        return float(self.s[i] + _STEP_MM * self.distance[i] / (self.distance[i] - self.distance[i + 1]))


def _longest(members: BoolArray, aim: FloatArray) -> tuple[int, int]:
    """First and last of the longest run of true values."""
    padded = np.concatenate([[False], members, [False]])
    starts = np.flatnonzero(padded[1:] & ~padded[:-1])
    ends = np.flatnonzero(~padded[1:] & padded[:-1]) - 1
    if not len(starts):
        raise InputError(
            "the path of the needle meets no bone",
            field="cement.approach", value=tuple(np.round(aim, 1).tolist()),
            mend="give own needles as cement.injections, or another joint distance",
        )  # fmt: skip
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])
