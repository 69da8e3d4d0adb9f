"""Where needles go: short axis, long axis and transiliac, planned in any solid with landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sacrofem.anatomy.regions import alar_plane
from sacrofem.anatomy.solid import Corridor, Landmarks, Side
from sacrofem.cement.needle import Gauge, Needle
from sacrofem.cement.safety import needle_path
from sacrofem.cement.structures import Structures
from sacrofem.errors import InputError
from sacrofem.system.arrays import BoolArray, FloatArray

Approach = Literal["short-axis", "long-axis", "transiliac"]
SignedDistance = Callable[[FloatArray], FloatArray]

# Step and reach of the march along a needle; the reach passes the thickest sacrum from any target inside.
_STEP_MM = 0.25
_REACH_MM = 130.0
# Tip of a short-axis needle: so far through the ala that bolus and column come to lie about its middle [K].
_TIP_SHARE = 0.6
# Without a solid to march through: the ala is about 44 mm deep at S1 (JCDR 2018 [A]).
_ALA_DEPTH_MM = 44.0
_TIP_DEPTH_MM = 5.0
# A needle is moved aside until its wall is so far from canal and foramina [D].
_MARGIN_MM = 1.0
# Where it is tried, from the fracture plane to either side, and how closely the nearest safe plane is found, mm.
_OFFSETS_MM = (0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0, 6.0, -6.0, 8.0)
_NEAREST_MM = 0.05
# How far the tip of a transiliac needle lies beyond the fracture plane, so that cement reaches both of its sides [D].
_BEYOND_MM = 4.0


def plan_needles(
    approach: Approach,
    landmarks: Landmarks,
    side: Side,
    needles_per_side: int,
    structures: Structures,
    *,
    joint_distance_mm: float,
    fracture_tilt_deg: float = 0.0,
    signed_distance: SignedDistance | None = None,
    gauge: Gauge = 11,
) -> tuple[Needle, ...]:
    """Needles of an approach that keep clear of canal, foramina and, unless they come through one, the joints.

    The first choice lies in the fracture plane; where it comes nearer than 1 mm to a structure, the nearest plane
    beside it is taken in which it does not.

    Parameters
    ----------
    approach, landmarks, side, needles_per_side
        Which, in what, where, and how many.
    structures : Structures
        What to keep clear of.
    joint_distance_mm, fracture_tilt_deg
        Of the plane of the fracture, see `alar_plane`.
    signed_distance
        Of the bone, (n, 3) -> (n,), negative inside, where it is known.
    gauge
        Of all needles.

    Raises
    ------
    InputError
        No path is safe: the structure that blocks, and by how many mm.
    """
    planner = PLANNERS[approach]
    joints = () if approach == "transiliac" else (f"joint_{side}",)
    blocking = [*structures.corridors, *(name for name in joints if name in structures.surfaces)]
    best: tuple[float, str] | None = None
    refusal: InputError | None = None

    def safe(offset: float) -> tuple[Needle, ...] | None:
        """The needles of a plane beside the fracture, where they keep clear; remembers the best that do not."""
        nonlocal best, refusal
        try:
            needles = planner(
                landmarks, side, needles_per_side, joint_distance_mm=joint_distance_mm,
                fracture_tilt_deg=fracture_tilt_deg, fracture_offset_mm=offset, gauge=gauge,
                signed_distance=signed_distance,
            )  # fmt: skip
        except InputError as error:
            if error.field == "cement.needles":
                raise
            refusal = refusal or error
            return None
        paths = [needle_path(needle, structures, own_joint=approach == "transiliac") for needle in needles]
        clearance, structure = min((path.clearance_mm[name], name) for path in paths for name in blocking)
        if clearance >= _MARGIN_MM and all("anterior" not in path.crosses for path in paths):
            return needles
        if best is None or clearance > best[0]:
            best = clearance, structure
        return None

    tried: list[float] = []
    for offset in _OFFSETS_MM:
        if (needles := safe(offset)) is None:
            tried.append(offset)
            continue
        # Towards the fracture, so that another mesh of the same bone gets nearly the same needle.
        blocked = max((one for one in tried if one * offset >= 0.0), key=abs, default=offset)
        while abs(offset - blocked) > _NEAREST_MM:
            middle = 0.5 * (offset + blocked)
            if (nearer := safe(middle)) is None:
                blocked = middle
            else:
                offset, needles = middle, nearer
        return needles
    if best is None:
        assert refusal is not None
        raise refusal
    clearance, structure = best
    missing = _MARGIN_MM - clearance
    problem = (
        f"no safe {approach} path on the {side}: {structure} blocks it by {missing:.1f} mm"
        if missing > 0
        else f"no safe {approach} path on the {side}: every one leaves the bone anteriorly"
    )
    raise InputError(
        problem, field="cement.approach", value=approach, mend="use another approach, or give own cement.injections"
    )


def short_axis_needles(
    landmarks: Landmarks,
    side: Side,
    needles_per_side: int = 1,
    *,
    joint_distance_mm: float = 12.0,
    fracture_tilt_deg: float = 0.0,
    fracture_offset_mm: float = 0.0,
    gauge: Gauge = 11,
    signed_distance: SignedDistance | None = None,
) -> tuple[Needle, ...]:
    """Needles from posterior, parallel to the S1 endplate and to the SI joint, tips in the ala.

    Direction as in Whitlow 2007 [A] (parallel to the L5-S1 interspace; and to the SI joint [K]),
    so a needle runs in the plane of a zone-1 fracture. The first one runs beside the S1 foramen, at the height
    of the lower end of the S1 body: the ala slopes down to the side, and level with the body's centre the needle would
    leave through its upper face. The next ones do the same at S2 and S3 (3 ml at S1 and 3 ml at S2 a side in Richards
    2009 [A]). The tips lie at six tenths of the depth of the ala, about the middle of what they inject.

    Parameters
    ----------
    landmarks, side
        Of the sacrum, and where.
    needles_per_side
        1 to 3.
    joint_distance_mm, fracture_tilt_deg
        Of the plane of the fracture, see `alar_plane`.
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
    centre, normal = alar_plane(landmarks, side, joint_distance_mm - fracture_offset_mm, fracture_tilt_deg)
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
    fracture_tilt_deg: float = 0.0,
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
    centre, normal = alar_plane(landmarks, side, joint_distance_mm - fracture_offset_mm, fracture_tilt_deg)
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


def transiliac_needles(
    landmarks: Landmarks,
    side: Side,
    needles_per_side: int = 1,
    *,
    joint_distance_mm: float = 12.0,
    fracture_tilt_deg: float = 0.0,
    fracture_offset_mm: float = 0.0,
    gauge: Gauge = 11,
    signed_distance: SignedDistance | None = None,
) -> tuple[Needle, ...]:
    """Needles from lateral through the ilium and across the SI joint, square to the fracture, tips 4 mm beyond it.

    At the height of the lower end of the S1 body, then of S2 and S3: level with its centre the ala is too low [K].
    The path begins at the auricular face, for the ilium is not part of the model.

    Parameters and errors as `short_axis_needles`; ``fracture_offset_mm`` moves the needle backwards.
    """
    _check_count(needles_per_side, 3)
    face = landmarks.auricular[side]
    inwards = -face.normal
    centre, normal = alar_plane(landmarks, side, joint_distance_mm, fracture_tilt_deg)
    back = _into_front(np.cross(landmarks.endplate_normal, face.normal)) * -1.0
    needles = []
    for upper, lower in zip(landmarks.levels[:needles_per_side], landmarks.levels[1:], strict=False):
        level = 0.5 * (upper + lower)
        # The point of the auricular plane from which the needle runs at the height of the body.
        start = _on_plane(level, face.centre, face.normal)
        start = start + (face.centre - start) @ back * back + fracture_offset_mm * back
        depth = (centre - start) @ normal / (inwards @ normal)
        tip = start + (depth + _BEYOND_MM) * inwards
        if signed_distance is not None:
            path = _Path.march(tip, inwards, signed_distance)
            first, last = _longest(path.inside & (path.s <= 20.0), tip)
            start = tip + path.entry(first) * inwards
            tip = tip + min(0.0, float(path.s[last]) - _TIP_DEPTH_MM) * inwards
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


PLANNERS: dict[Approach, Callable[..., tuple[Needle, ...]]] = {
    "short-axis": short_axis_needles,
    "long-axis": long_axis_needles,
    "transiliac": transiliac_needles,
}
