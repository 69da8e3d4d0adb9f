"""Is it a sacrum? Votes on what was measured of a solid, each with its bounds and their source, and a score."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from sacrofem.anatomy.scan.endplate import polar, surface_points
from sacrofem.anatomy.scan.landmarks import HEIGHT_MM, ScannedLandmarks
from sacrofem.anatomy.scan.lattice import LatticeSolid
from sacrofem.anatomy.scan.twin import Twin
from sacrofem.anatomy.solid import LEVELS, SIDES
from sacrofem.system.arrays import FloatArray

NEEDED = 0.8
"""Score that a sacrum has at least: those at hand have 0.9 to 1; of vertebrae, two together, hip bones and shapes that
are no bone none has more than 0.7 even without the vital votes, which half a sacrum fails [D]."""
_OPEN_LEVELS = LEVELS[:3]


@dataclass(frozen=True)
class Measured:
    """What is measured of a solid; None before it is known.

    Attributes
    ----------
    volume_ml : float
    width, thickness : float
        Middle and least standard deviation of the volume along its principal axes over the greatest.
    surface : float
        Area over that of a ball of the same volume.
    distance : float
        Mean distance of surface and twin, as a share of the cube root of the volume: a small bone is near anything.
    distance_p95_mm : float
        95 % of the surface lie nearer to the twin.
    breadth_mm, length_mm : float
        Alar breadth and straight length of the twin.
    taper : float
        Breadth of the lowest fifth over that of the upper quarter between the bodies of S1 and S5.
    symmetry : float
        Share of the surface that has its mirror image.
    endplate_mm2, endplate_flat : float
        Area within 3 mm of the endplate's plane, and the share of the plate within 1.5 mm of it.
    joint_mm2 : float
        Area within 2.5 mm of the plane of the larger auricular face.
    canal, foramina : float
        How open they are, 0 to 1; of the foramina the mean over S1 to S3.
    """

    volume_ml: float | None = None
    width: float | None = None
    thickness: float | None = None
    surface: float | None = None
    distance: float | None = None
    distance_p95_mm: float | None = None
    breadth_mm: float | None = None
    length_mm: float | None = None
    taper: float | None = None
    symmetry: float | None = None
    endplate_mm2: float | None = None
    endplate_flat: float | None = None
    joint_mm2: float | None = None
    canal: float | None = None
    foramina: float | None = None


@dataclass(frozen=True)
class Criterion:
    """What a sacrum measures.

    Attributes
    ----------
    words : str
        What is measured, and its unit.
    low, high : float
        In between, support is full.
    slack : float
        Over so much outside it runs out.
    weight : float
        Half of what a segmentation may have closed: open, it speaks for a sacrum; closed, little against one.
    vital : bool
        Without any support of it nothing is a sacrum.
    source : str
    """

    words: str
    low: float
    high: float
    slack: float
    source: str
    weight: float = 1.0
    vital: bool = False

    def support(self, value: float) -> float:
        """0 to 1."""
        outside = max(self.low - value, value - self.high, 0.0)
        return 1.0 if outside == 0.0 else max(1.0 - outside / self.slack, 0.0) if self.slack else 0.0

    def said(self, value: float) -> str:
        """The measurement in words, with what it should be."""
        unit = self.words.partition(", ")[2]
        name = self.words.partition(", ")[0]
        if self.high == np.inf:
            bounds = f"at least {self.low:g}"
        else:
            bounds = f"at most {self.high:g}" if self.low == 0.0 else f"{self.low:g} to {self.high:g}"
        return f"{name} {value:.4g}{' ' + unit if unit else ''} ({bounds})"


_AT_HAND = "measured: built-in sacra, a man's, a segmented one and a mean shape, whole, filled, broken and warped"
CRITERIA = {
    "volume_ml": Criterion(
        "volume, ml", 110.0, 450.0, 0.0,
        "built-in women's 213 ml at four fifths of their length, 2.5 standard deviations below the mean [D]; "
        "above: two men's", vital=True,
    ),
    "width": Criterion("width, of its length", 0.55, 1.0, 0.25, _AT_HAND, vital=True),
    "thickness": Criterion("thickness, of its length", 0.25, 0.45, 0.2, _AT_HAND, vital=True),
    "surface": Criterion("surface, of a ball's of its volume", 1.4, np.inf, 0.3, _AT_HAND),
    "distance": Criterion("distance to the nearest sacrum, of its size", 0.0, 0.06, 0.04, _AT_HAND, vital=True),
    "distance_p95_mm": Criterion("95 % within, mm", 0.0, 12.0, 6.0, _AT_HAND),
    "breadth_mm": Criterion("breadth, mm", 83.0, 124.0, 20.0, "103.6 ± 3 x 6.78 (30 dry bones [A])"),
    "length_mm": Criterion(
        "length, mm", 73.0, 134.0, 20.0, "women 93.6 - 3 x 6.9, men 107.6 + 3 x 8.9 (Bangladesh J Anat 15(2) [A])"
    ),
    "taper": Criterion("breadth below, of that above", 0.0, 0.8, 0.2, _AT_HAND, vital=True),
    # A broken ala has a third of a side at most; half a sacrum has no mirror image at all.
    "symmetry": Criterion("symmetry", 0.85, np.inf, 0.25, _AT_HAND, vital=True),
    "endplate_mm2": Criterion(
        "endplate, mm²", 670.0, 2160.0, 270.0,
        "ellipses of 30.2 - 3 x 1.57 by 40.3 - 7.0 and 31.9 + 3 x 2.28 by 50 + 3 x 7.0 mm (MRI, 25 + 25 [A]; "
        "PMC5799488 [T])", vital=True,
    ),
    "endplate_flat": Criterion(
        "flat share of the endplate", 0.7, np.inf, 0.4, "endplates are 0.7 mm concave (s00586-012-2415-8 [A])"
    ),
    "joint_mm2": Criterion(
        "joint, mm²", 890.0, 2370.0, 490.0,
        "women 13.7 - 3 x 1.6, men 16.2 + 3 x 2.5 cm² (CT osteoabsorptiometry [A]); none below 400 mm²", vital=True,
    ),
    "canal": Criterion("open canal", 1.0, np.inf, 1.0, "through every sacrum; closed in coarse segmentations", 0.5),
    "foramina": Criterion("open foramina", 0.5, np.inf, 0.5, "of S1 to S3; closed in coarse segmentations", 0.5),
}  # fmt: skip
"""What is asked of a solid, by the names of `Measured`."""


@dataclass(frozen=True)
class Likeness:
    """Votes on whether a solid is a sacrum.

    Attributes
    ----------
    measured : Measured
    """

    measured: Measured

    @property
    def values(self) -> dict[str, float]:
        """What has been measured, by name."""
        found = {field.name: getattr(self.measured, field.name) for field in fields(self.measured)}
        return {name: float(value) for name, value in found.items() if value is not None}

    @property
    def supports(self) -> dict[str, float]:
        """Support of every vote, 0 to 1."""
        return {name: CRITERIA[name].support(value) for name, value in self.values.items()}

    @property
    def score(self) -> float:
        """Weighted mean of the supports; 0 where a vital one is 0."""
        supports = self.supports
        if any(CRITERIA[name].vital and not support for name, support in supports.items()):
            return 0.0
        weights = [CRITERIA[name].weight for name in supports]
        return float(np.average(list(supports.values()), weights=weights)) if weights else 0.0

    @property
    def is_sacrum(self) -> bool:
        """Whether the score suffices."""
        return self.score >= NEEDED

    @property
    def against(self) -> tuple[str, ...]:
        """In words what speaks against a sacrum, the strongest first."""
        supports = self.supports
        order = sorted(supports, key=lambda name: (not CRITERIA[name].vital, supports[name]))
        return tuple(CRITERIA[name].said(self.values[name]) for name in order if supports[name] < 0.5)

    def to_json(self) -> dict[str, Any]:
        """Plain data: score, what is needed, and every vote."""
        votes = {}
        for name, value in self.values.items():
            asked = CRITERIA[name]
            votes[name] = {
                "value": round(value, 4),
                "low": asked.low,
                "high": None if asked.high == np.inf else asked.high,
                "support": round(asked.support(value), 3),
                "weight": asked.weight,
                "source": asked.source,
            }
        return {"score": round(self.score, 3), "needed": NEEDED, "is_sacrum": self.is_sacrum, "votes": votes}


def of_solid(solid: LatticeSolid) -> Measured:
    """What can be measured before anything is fitted."""
    variances = np.linalg.eigvalsh(np.cov(solid.inner_nodes().T))
    least, middle, greatest = np.sqrt(np.maximum(variances, 0.0))
    return Measured(
        volume_ml=solid.volume_mm3 / 1e3,
        width=float(middle / greatest),
        thickness=float(least / greatest),
        surface=_area_mm2(solid) / float(np.cbrt(36.0 * np.pi * solid.volume_mm3**2)),
    )


def of_twin(early: Measured, solid: LatticeSolid, twin: Twin) -> Measured:
    """What was measured of the solid, and what can be once the twin is known."""
    parameters = twin.sacrum.parameters
    return replace(
        early,
        distance=twin.mean_mm / float(np.cbrt(solid.volume_mm3)),
        distance_p95_mm=twin.p95_mm,
        breadth_mm=parameters.alar_breadth_mm,
        length_mm=parameters.straight_length_mm,
    )


def of_landmarks(middle: Measured, solid: LatticeSolid, twin: Twin, marks: ScannedLandmarks) -> Measured:
    """What was measured by the twin, and all that the landmarks give besides."""
    here = solid.placed(marks.frame)
    points, normals = surface_points(here)
    each = _area_mm2(here) / len(points)
    found, confidence = marks.landmarks, marks.confidence
    radius, height = polar(points - found.endplate_centre, found.endplate_normal, twin.sacrum.parameters)
    plate = (radius < 1.0) & (np.abs(height) < 3.0) & (normals @ found.endplate_normal > 0.7)
    joints = []
    for face in found.auricular.values():
        away = points - face.centre
        on = (np.abs(away @ face.normal) < 2.5) & (normals @ face.normal > 0.7)
        joints.append(int(np.count_nonzero(on & (np.linalg.norm(away, axis=1) < 0.5 * HEIGHT_MM[1]))))
    open_ = [confidence[f"foramen_{level}_{side}"] for level in _OPEN_LEVELS for side in SIDES]
    return replace(
        middle,
        taper=_taper(here, found.levels),
        symmetry=confidence["symmetry"],
        endplate_mm2=each * float(np.count_nonzero(plate)),
        endplate_flat=confidence["endplate"],
        joint_mm2=each * max(joints),
        canal=confidence["canal"],
        foramina=float(np.mean(open_)),
    )


def _area_mm2(solid: LatticeSolid) -> float:
    """Area of the surface: what the share of every cell inside changes by (co-area formula)."""
    h = solid.spacing_mm
    share = np.clip(0.5 - solid.values.astype(float) / h, 0.0, 1.0)
    return float(np.sqrt(sum(slope**2 for slope in np.gradient(share))).sum()) * h**2


def _taper(solid: LatticeSolid, levels: FloatArray) -> float:
    """Breadth of the lowest fifth over that of the upper quarter between the bodies of S1 and S5."""
    nodes = solid.frame.place(solid.inner_nodes())
    way = levels[4] - levels[0]
    along = (nodes - levels[0]) @ way / max(float(way @ way), 1e-9)
    upper, lower = (nodes[(along > a) & (along < b), 0] for a, b in ((0.0, 0.25), (0.8, 1.0)))
    if not len(upper) or not len(lower):
        return 0.0
    return float(np.ptp(lower) / max(float(np.ptp(upper)), solid.spacing_mm))
