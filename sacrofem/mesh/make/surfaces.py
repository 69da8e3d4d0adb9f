"""Fracture surfaces: any implicit one, planes, and the patterns of the sacrum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from sacrofem.anatomy.regions import alar_plane
from sacrofem.anatomy.solid import LEVELS, SIDES, Landmarks, Side
from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

Level = Callable[[FloatArray], FloatArray]
"""A function of (n, 3) points in mm that vanishes on a surface: (n,) roughly signed distances in mm."""


@dataclass(frozen=True, eq=False)
class FractureSurface:
    """One oriented, implicit fracture surface.

    Parameters
    ----------
    name
        Its faces are named ``fracture_<name>``.
    level
        (n, 3) points in mm to (n,) roughly signed distances in mm, positive on side +1.
    extent
        Negative where the surface is broken; None: everywhere. The front follows its zero set.
    share, share_from
        The part (0, 1] of the broken surface's own length along the direction ``share_from`` (3,)
        that is broken, beginning where that direction points to.
    bounded_by : mapping of str to +1 or -1
        Other surfaces of the same cut, by name, beyond which this one is whole: it is broken on that
        side of theirs only, and ends on them exactly.
    """

    name: str
    level: Level
    extent: Level | None = None
    share: float = 1.0
    share_from: ArrayLike = (0.0, 0.0, 1.0)
    bounded_by: Mapping[str, int] = field(default_factory=dict)


def plane(name: str, point: ArrayLike, normal: ArrayLike, radius_mm: float | None = None) -> FractureSurface:
    """A planar fracture through ``point`` (mm), side +1 where ``normal`` points; a disc where a radius is given."""
    through, out = np.asarray(point, dtype=float), np.asarray(normal, dtype=float)
    if not (length := float(np.linalg.norm(out))) > 0:
        raise InputError("has no direction", field=f"fracture.{name}.normal", value=out.tolist(), mend="give a vector")
    out = out / length
    disc: Level | None = None
    if radius_mm is not None:
        radius = radius_mm

        def disc(points: FloatArray) -> FloatArray:
            away = points - through
            return np.asarray(np.linalg.norm(away - np.outer(away @ out, out), axis=1) - radius)

    return FractureSurface(name, lambda points: (points - through) @ out, disc)


def left_half(surfaces: Sequence[FractureSurface]) -> tuple[FractureSurface, ...] | None:
    """The surfaces with which to cut a half x >= 0 that is mirrored afterwards, or None.

    None where the surfaces are not, all together, their own mirror image: names ending in ``_left``
    and ``_right`` come in pairs, the others mirror themselves with the sides +1 and -1 in place. Tried
    at a fixed set of points.
    """

    def other(name: str) -> str:
        for mine, theirs in (("_left", "_right"), ("_right", "_left")):
            if name.endswith(mine):
                return name.removesuffix(mine) + theirs
        return name

    points = np.random.default_rng(0).uniform(-100.0, 100.0, (300, 3))
    flip = np.array([-1.0, 1.0, 1.0])
    by_name = {surface.name: surface for surface in surfaces}
    for surface in surfaces:
        if (image := by_name.get(other(surface.name))) is None:
            return None
        if (surface.extent is None) != (image.extent is None) or surface.share != image.share:
            return None
        pairs = [(surface.level, image.level)]
        if surface.extent is not None and image.extent is not None:
            pairs.append((surface.extent, image.extent))
        if surface.share != 1.0 and not np.allclose(surface.share_from, np.asarray(image.share_from) * flip):
            return None
        if {other(name): side for name, side in surface.bounded_by.items()} != dict(image.bounded_by):
            return None
        if not all(np.allclose(mine(points), theirs(points * flip), atol=1e-9) for mine, theirs in pairs):
            return None
    return tuple(
        replace(surface, bounded_by={n: side for n, side in surface.bounded_by.items() if not n.endswith("_right")})
        for surface in surfaces
        if not surface.name.endswith("_right")
    )


Zone = Literal["zone1", "zone2", "zone3", "transverse", "H", "U"]
Margin = Literal["superior", "inferior", "anterior", "posterior"]

NEAR_JOINT_MM = 10.0
"""Nearer to the joint than this the supports disturb the gap."""

TRANSVERSE_LEVEL = {"transverse": 2.0, "H": 2.0, "U": 2.5}
"""Default place of the transverse limb in vertebrae: 2 is the middle of S2, 2.5 the line between S2 and S3.
Fracture lines of this pattern gather between the transverse lines of S1 and S2 (Naniwa 2026 [A])."""


def fracture_surfaces(
    zone: Zone,
    side: Side | Literal["both"],
    landmarks: Landmarks,
    *,
    joint_distance_mm: float = 12.0,
    allow_near_joint: bool = False,
    tilt_deg: float = 0.0,
    extent: float = 1.0,
    extent_from: Margin = "superior",
    transverse_level: float | None = None,
) -> tuple[FractureSurface, ...]:
    """The surfaces of a fracture pattern of the sacrum.

    All are planes, so their mirror images are exact where the landmarks are symmetric.

    Parameters
    ----------
    zone
        ``zone1``: parallel to the auricular face, ``joint_distance_mm`` medial of it, lateral to the foramina.
        ``zone2``: through the foramina S1 to S4. ``zone3``: vertical through the canal. ``transverse``:
        perpendicular to the body axis. ``H``: both zone1 and the transverse plane between them. ``U``: the
        same, the transverse limb lower and the vertical ones above it only. (Denis 1988 [T].)
    side
        Of zone1, zone2, and the half of H and U; ``zone3`` and ``transverse`` have none.
    landmarks
        Of the sacrum.
    joint_distance_mm
        Distance of zone1 from the auricular face; below 10 mm only with ``allow_near_joint``.
    tilt_deg
        By how much the lower end of zone1 is turned to the joint, see `alar_plane`.
    extent, extent_from
        Share of the fracture's length that is broken, beginning at that margin; not for H and U.
    transverse_level
        Place of the transverse limb in vertebrae, see ``TRANSVERSE_LEVEL``; 1 to 5.

    Returns
    -------
    tuple of FractureSurface
        Named ``zone1_left``, ``zone1_right``, ``zone2_left``, ``zone2_right``, ``zone3``, ``transverse``. Side +1
        is lateral, for ``zone3`` left, for ``transverse`` superior.

    Raises
    ------
    InputError
        Unknown pattern or side, too near the joint, into a foramen, or landmarks that are missing.
    """
    sides = SIDES if side == "both" else (side,)
    for name, value, known in (("zone", zone, Zone), ("side", side, Literal["left", "right", "both"])):
        choices = known.__args__  # type: ignore[attr-defined]
        if value not in choices:
            raise InputError("unknown", field=f"fracture.{name}", value=value, mend=f"use {', '.join(choices)}")
    if zone in ("zone1", "H", "U") and joint_distance_mm < NEAR_JOINT_MM and not allow_near_joint:
        raise InputError(
            f"less than {NEAR_JOINT_MM:g} mm from the joint, where supports disturb the gap",
            field="fracture.joint_distance_mm",
            value=joint_distance_mm,
            mend="give 10 or more, or set fracture.allow_near_joint = true",
        )
    if extent != 1.0 and zone in ("H", "U"):
        raise InputError("is for single fractures", field="fracture.extent", value=extent, mend="leave it out for H, U")
    axis = landmarks.levels[0] - landmarks.levels[-1]
    axis = axis / np.linalg.norm(axis)
    rear = np.cross(axis, [1.0, 0.0, 0.0])
    share_from = {"superior": axis, "inferior": -axis, "anterior": -rear, "posterior": rear}[extent_from]

    def partial(surface: FractureSurface) -> FractureSurface:
        return replace(surface, share=extent, share_from=share_from)

    if zone == "zone2":
        return tuple(partial(_zone2(landmarks, one)) for one in sides)
    if zone == "zone3":
        middle = float(landmarks.canal.points[:, 0].mean())
        return (partial(plane("zone3", [middle, 0.0, 0.0], [1.0, 0.0, 0.0])),)
    if zone == "transverse":
        return (partial(_transverse(landmarks, transverse_level or TRANSVERSE_LEVEL[zone])),)
    limbs = tuple(_zone1(landmarks, one, joint_distance_mm, tilt_deg) for one in sides)
    if zone == "zone1":
        return tuple(partial(limb) for limb in limbs)

    across = _transverse(landmarks, transverse_level or TRANSVERSE_LEVEL[zone])

    across = replace(across, bounded_by={limb.name: -1 for limb in limbs})
    if len(limbs) == 1:
        medial = -1.0 if side == "left" else 1.0
        across = replace(across, extent=lambda points: medial * points[:, 0])
    if zone == "U":
        limbs = tuple(replace(limb, bounded_by={across.name: 1}) for limb in limbs)
    return (*limbs, across)


def joint_room(landmarks: Landmarks, side: Side, tilt_deg: float = 0.0) -> tuple[float, str]:
    """Up to which distance (mm) from a joint a plane beside it keeps lateral of the foramina, and which one is first.

    Joints end at S3, and what is only estimated does not count.
    """
    joint, normal = alar_plane(landmarks, side, 0.0, tilt_deg)
    along = float(landmarks.auricular[side].normal @ normal)
    rooms = [
        (-float(((foramen.points - joint) @ normal + foramen.radii).max()) / along, name)
        for name in (f"{level}_{side}" for level in LEVELS[:3])
        if name not in landmarks.estimated and (foramen := landmarks.foramina.get(name)) is not None
    ]
    return min(rooms, default=(np.inf, "none"))


def _zone1(landmarks: Landmarks, side: Side, joint_distance_mm: float, tilt_deg: float) -> FractureSurface:
    room, name = joint_room(landmarks, side, tilt_deg)
    if room < joint_distance_mm:
        raise InputError(
            f"runs into foramen {name}, which begins {room:.1f} mm from the joint",
            field="fracture.joint_distance_mm",
            value=joint_distance_mm,
            mend='move it nearer to the joint, turn it with fracture.tilt_deg, or use zone = "zone2"',
        )
    return plane(f"zone1_{side}", *alar_plane(landmarks, side, joint_distance_mm, tilt_deg))


def _zone2(landmarks: Landmarks, side: Side) -> FractureSurface:
    """The plane x = a + b y + c z nearest to both mouths of every foramen of a side."""
    foramina = {f"{level}_{side}": landmarks.foramina.get(f"{level}_{side}") for level in LEVELS}
    if missing := [name for name, foramen in foramina.items() if foramen is None]:
        raise InputError("landmarks are missing", field="anatomy.landmarks.foramina", value=missing, mend="give them")
    sign = 1.0 if side == "left" else -1.0
    mouths = np.array([f.points[end] for f in foramina.values() if f is not None for end in (0, -1)])
    radii = np.array([f.radii[end] for f in foramina.values() if f is not None for end in (0, -1)])
    # On the left side always, so that the two sides of a symmetric sacrum agree to the last bit.
    mouths = mouths * [sign, 1.0, 1.0]
    (a, b, c), *_ = np.linalg.lstsq(np.column_stack([np.ones(len(mouths)), mouths[:, 1:]]), mouths[:, 0], rcond=None)
    surface = plane(f"zone2_{side}", [sign * a, 0.0, 0.0], [sign, -b, -c])
    off = np.abs(surface.level(mouths * [sign, 1.0, 1.0])) - radii
    if off.max() > 0:
        name = list(foramina)[int(off.argmax()) // 2]
        raise InputError(
            f"the plane nearest to the foramina misses {name} by {off.max():.1f} mm",
            field="fracture.zone",
            value="zone2",
            mend="check the foramina, or give planes of your own in [[fracture.surfaces]]",
        )
    return surface


def _transverse(landmarks: Landmarks, level: float) -> FractureSurface:
    if not 1.0 <= level <= len(landmarks.levels):
        raise InputError("no such vertebra", field="fracture.transverse_level", value=level, mend="give 1 to 5")
    number = np.arange(1.0, len(landmarks.levels) + 1)
    curve = PchipInterpolator(number, landmarks.levels)
    return plane("transverse", curve(level), -curve.derivative()(level))
