"""Generic cancellous density of a sacrum: a smooth map from landmarks, by named bone quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sacrofem.anatomy.solid import SIDES, Corridor, Landmarks, Side
from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray

# Depth over which density falls off below auricular face and endplate, mm: the subchondral zone [K].
_SUBCHONDRAL_DEPTH_MM = 4.0
# The void fills the room between foramen and joint up to this share of its half width on either side.
_VOID_SHARE = 0.8
# The ala is deeper than wide, and so is the void [K].
_VOID_SQUEEZE = 0.65
# Widest void beside S1 body and S1 to S3 foramina: the lateral mass tapers, and below the auricular face the plane
# of the joint is no bound any more [K].
_VOID_WIDTHS_MM = (24.0, 24.0, 20.0, 14.0)


@dataclass(frozen=True)
class BoneQuality:
    """CT numbers of the cancellous zones of a sacrum, HU.

    Attributes
    ----------
    bodies
        S1 to S5.
    void
        In the middle of the alar void.
    joint, endplate
        Rise at the auricular face and at the S1 endplate over what lies below.
    arch
        Rise behind the canal.
    source
        With the marks of docs/theory/sources.md.
    """

    name: str
    bodies: tuple[float, float, float, float, float]
    void: float
    joint: float
    endplate: float
    arch: float
    source: str


QUALITIES: Mapping[str, BoneQuality] = MappingProxyType(
    {
        quality.name: quality
        for quality in (
            BoneQuality(
                "osteoporotic", (40.0, 20.0, 18.0, 18.0, 18.0), -20.0, 120.0, 60.0, 60.0,
                "S1 40, S2 20 HU in insufficiency fractures (Wagner 2018 [A]); void negative, S1 to S3, lateral peak "
                "at the auricular cortex (Wagner 2016 [A]); the amounts of the void, below S2 and of the rises [K]",
            ),
            BoneQuality(
                "osteopenic", (80.0, 55.0, 50.0, 50.0, 50.0), 10.0, 160.0, 80.0, 80.0,
                "between the two others [K]",
            ),
            BoneQuality(
                "normal", (140.0, 105.0, 95.0, 95.0, 95.0), 60.0, 220.0, 120.0, 120.0,
                "S2 below S1 and no negative zone where L5 exceeds 100 HU (Wagner 2016 [A]); the amounts [K]",
            ),
        )
    }
)  # fmt: skip


def density_from_hu(hu: FloatArray) -> FloatArray:
    """Mineral-equivalent QCT density in g/cm³: (0.810 HU + 0.84) / 1000 (Diagnostics 2025 [D] from [T]).

    Fat reads below water; such values are 0.
    """
    return np.asarray(np.maximum(0.810 * np.asarray(hu, dtype=float) + 0.84, 0.0) / 1000.0)


def generic_density(
    points: FloatArray,
    landmarks: Landmarks,
    quality: str = "osteoporotic",
    density_factor: float = 1.0,
    *,
    alar_void: bool = True,
) -> FloatArray:
    """Cancellous density at points of a sacrum with landmarks.

    Parameters
    ----------
    points : (n, 3)
        mm, anatomical frame.
    landmarks : Landmarks
    quality
        A name in ``QUALITIES``.
    density_factor
        Multiplies the density everywhere.
    alar_void
        Without it the alae are as dense as the bodies beside them: to see what the void does.

    Returns
    -------
    (n,)
        Calibrated QCT density, g/cm³.

    Raises
    ------
    InputError
        Unknown quality, or a factor that is not positive.
    """
    if not (np.isfinite(density_factor) and density_factor > 0.0):
        raise InputError(
            "must be positive", field="materials.density_factor", value=density_factor, mend="1 leaves the map as it is"
        )
    return density_factor * density_from_hu(generic_hu(points, landmarks, quality, alar_void=alar_void))


def generic_hu(
    points: FloatArray, landmarks: Landmarks, quality: str = "osteoporotic", *, alar_void: bool = True
) -> FloatArray:
    """CT number (HU) behind `generic_density`: bodies, less the alar void, plus rises at joint, endplate and arch."""
    if quality not in QUALITIES:
        raise InputError(
            "no such bone", field="materials.bone", value=quality, mend=f"use one of {', '.join(QUALITIES)}"
        )
    bone, points = QUALITIES[quality], np.asarray(points, dtype=float)
    base = _body_weights(points, landmarks) @ np.array(bone.bodies)
    hu = base + (bone.void - base) * void_membership(points, landmarks) if alar_void else base.copy()
    for face in landmarks.auricular.values():
        relative = points - face.centre
        below = -(relative @ face.normal)
        across = np.linalg.norm(relative + below[:, None] * face.normal, axis=1)
        hu += bone.joint * _fall_off(below) * _plateau(across / (0.5 * face.height_mm))
    relative = points - landmarks.endplate_centre
    below = -(relative @ landmarks.endplate_normal)
    across = np.linalg.norm(relative + below[:, None] * landmarks.endplate_normal, axis=1)
    radius = np.linalg.norm(landmarks.promontory - landmarks.endplate_centre)
    hu += bone.endplate * _fall_off(below) * _plateau(across / (1.5 * radius))
    return np.asarray(hu + bone.arch * _behind_canal(points, landmarks))


def void_membership(points: FloatArray, landmarks: Landmarks) -> FloatArray:
    """How far each point belongs to the alar void of either side, 0 to 1.

    The void lies lateral of the foramina from S1 to S3 (Wagner 2016, 2018 [A]), here half way between the lateral
    edge of each foramen and the plane of the joint; it begins beside the S1 body.
    """
    outside = np.ones(len(points))
    for side in SIDES:
        if side in landmarks.auricular:
            centres, radii = _void_axis(landmarks, side)
            outside *= 1.0 - _plateau(_relative_distance(points, centres, radii))
    return np.asarray(1.0 - outside)


def _fall_off(depth_mm: FloatArray) -> FloatArray:
    """1 at a face and outside its plane, falling smoothly to nothing three depths below it."""
    return np.asarray(np.exp(-((np.maximum(depth_mm, 0.0) / (1.5 * _SUBCHONDRAL_DEPTH_MM)) ** 2)))


def _plateau(ratio: FloatArray) -> FloatArray:
    """Nearly 1 up to two thirds, one e-th at 1, nearly 0 from 4/3."""
    return np.asarray(np.exp(-(ratio**6)))


def _body_weights(points: FloatArray, landmarks: Landmarks) -> FloatArray:
    """(n, 5) smooth share of each level, by distance from the body centres in the sagittal plane."""
    levels = landmarks.levels[:, 1:]
    width = 0.4 * np.linalg.norm(np.diff(levels, axis=0), axis=1).mean()
    exponent = -np.sum((points[:, None, 1:] - levels) ** 2, axis=2) / (2.0 * width**2)
    weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _void_axis(landmarks: Landmarks, side: Side) -> tuple[FloatArray, FloatArray]:
    """(k, 3) centres and (k,) radii along the void of one side, from beside the S1 body downwards."""
    face = landmarks.auricular[side]
    sign = 1.0 if side == "left" else -1.0
    edges = [_lateral_edge(landmarks.foramina[key], sign) for key in _void_foramina(landmarks, side)]
    if not edges:
        # Foramina unknown: bodies end about two fifths of the way to the joint.
        edges = [
            level + 0.4 * _to_joint(level, face.centre, face.normal) * np.array([1.0, 0.0, 0.0])
            for level in landmarks.levels[:3]
        ]
    # The ala of S1 reaches up beside its body, above the first foramen.
    edges.insert(0, edges[0] + 0.5 * (landmarks.levels[0] - landmarks.levels[1]) * [0.0, 1.0, 1.0])
    centres, radii = [], []
    for edge, most in zip(edges, _VOID_WIDTHS_MM, strict=False):
        room = sign * _to_joint(edge, face.centre, face.normal)
        half = 0.5 * float(np.clip(room, 0.5 * most, most))
        centres.append(edge + np.array([sign * half, 0.0, 0.0]))
        radii.append(_VOID_SHARE * half)
    return np.array(centres), np.array(radii)


def _void_foramina(landmarks: Landmarks, side: Side) -> list[str]:
    return [key for key in (f"{level}_{side}" for level in ("S1", "S2", "S3")) if key in landmarks.foramina]


def _lateral_edge(foramen: Corridor, sign: float) -> FloatArray:
    """Beside the foramen: as lateral as its wall reaches, and at two fifths of its way from front to back.

    Loss is greatest in the central and anterior ala (Richards 2010 [A]).
    """
    reach = float((sign * foramen.points[:, 0] + foramen.radii).max())
    middle = 0.6 * foramen.points[0] + 0.4 * foramen.points[-1]
    return np.array([sign * reach, *middle[1:]])


def _to_joint(point: FloatArray, centre: FloatArray, normal: FloatArray) -> float:
    """How far along x the plane of the joint lies from a point."""
    return float((centre - point) @ normal / normal[0])


def _relative_distance(points: FloatArray, centres: FloatArray, radii: FloatArray) -> FloatArray:
    """(n,) distance from a polyline over its radius there, least over its pieces."""
    squeeze = np.array([1.0, _VOID_SQUEEZE, 1.0])
    points, centres = points * squeeze, centres * squeeze
    least = np.full(len(points), np.inf)
    for a, b, ra, rb in zip(centres[:-1], centres[1:], radii[:-1], radii[1:], strict=True):
        along = b - a
        t = np.clip((points - a) @ along / (along @ along), 0.0, 1.0)
        least = np.minimum(least, np.linalg.norm(points - a - t[:, None] * along, axis=1) / (ra + t * (rb - ra)))
    return least


def _behind_canal(points: FloatArray, landmarks: Landmarks) -> FloatArray:
    """1 in the posterior arch, 0 in front of the canal and far to the side: smooth over a few mm."""
    canal = landmarks.canal
    order = np.argsort(canal.points[:, 2])
    y, radius = (
        np.interp(points[:, 2], canal.points[order, 2], values[order]) for values in (canal.points[:, 1], canal.radii)
    )
    behind = 0.5 * (1.0 + np.tanh((points[:, 1] - y) / 4.0))
    return np.asarray(behind * _plateau(points[:, 0] / (3.0 * radius)))
