"""Landmarks of a scanned sacrum: those of its parametric twin, moved to where the bone itself has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from sacrofem.anatomy.builtin.parameters import SacrumParameters
from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.scan.channels import MOUTH_MM, Channels
from sacrofem.anatomy.scan.endplate import find_endplate, onto_surface, surface_points
from sacrofem.anatomy.scan.lattice import LatticeSolid
from sacrofem.anatomy.scan.symmetry import symmetric_share
from sacrofem.anatomy.scan.twin import CLOSE_MM, Twin
from sacrofem.anatomy.solid import LEVELS, SIDES, AuricularFace, Corridor, Landmarks, Side
from sacrofem.system.arrays import BoolArray, FloatArray

SLOPE_DEG = SacrumParameters.slope_deg
"""Of the endplate in the anatomical frame: the bone fixes z, not the scanner."""
HEIGHT_MM, WIDTH_MM = (45.0, 66.0), (20.0, 34.0)
"""Long and short axis of an auricular face: 56.2 ± 4.6 mm long (PMC5799488 [T]), 10.7 to 16.2 cm² (CT
osteoabsorptiometry [A])."""
TUBEROSITY_MM = 24.0
"""Further than this behind the ventral face, what looks to the side is tuberosity, where ligaments are (shape)."""
UPRIGHT = 0.15
"""Vertical part of a joint's normal that makes its chance a third: the plane stands upright, 0 to 40° from sagittal
(musculoskeletalkey, chapter 3 [T])."""
LEVEL_MM = 10.0
"""Distance from the level of the twin's joint that makes a place's chance a third."""
ONE_MODE_MM = 15.0
"""Places no further than that from the likeliest are chances of the same joint."""
DEEP_MM = 4.0
"""Nearer to the surface than this no body has its centre."""
MIRRORED = 0.9
"""A smaller share of the surface that has its mirror image is said."""


@dataclass(frozen=True, eq=False)
class ScannedLandmarks:
    """Frame and landmarks of a scanned sacrum.

    Attributes
    ----------
    frame : Frame
        From the axes of the file.
    landmarks : Landmarks
        In the anatomical frame.
    confidence : mapping of str to float
        0 to 1. Symmetry: share of the surface whose mirror image lies within 2 mm of it. Planes: share of the surface
        there within 1.5 mm (endplate) or 2 mm of it. Canal and foramina: 1 open from end to end, 0.5 a mouth
        but no way through, 0 nothing there (place and width are the twin's).
    twin_shift : Frame
        From the anatomical frame to that of the twin.
    notes : tuple of str
    """

    frame: Frame
    landmarks: Landmarks
    confidence: Mapping[str, float]
    twin_shift: Frame
    notes: tuple[str, ...]


def find_landmarks(solid: LatticeSolid, twin: Twin) -> ScannedLandmarks:
    """Landmarks of a solid whose twin is known.

    Parameters
    ----------
    solid
        In the axes of its file.
    twin
        See `fit_twin`.
    """
    placed = solid.placed(twin.frame)
    theirs = twin.sacrum.landmarks
    surface, normals = surface_points(placed)
    plate = find_endplate(placed, surface, normals, twin.sacrum)
    if twin.mean_mm < CLOSE_MM:
        plate = replace(
            plate, normal=twin.sacrum.endplate_normal, centre=np.zeros(3), promontory=twin.sacrum.landmarks.promontory
        )
    normal, centre = plate.normal, plate.centre
    # The bone fixes z: the sagittal part of the normal leans forward by the standard slope.
    slope = np.radians(SLOPE_DEG)
    lean = np.arctan2(-normal[1], normal[2])
    turn = lean - slope
    c, s = np.cos(turn), np.sin(turn)
    correction = Frame(np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]]), centre)
    frame = twin.frame.then(correction)
    back = Frame(correction.rotation.T, correction.place(np.zeros((1, 3)))[0])

    here = solid.placed(frame)
    surface, normals = correction.place(surface), normals @ correction.rotation.T
    confidence = {"symmetry": symmetric_share(here, surface), "endplate": plate.flat}
    faces: dict[Side, AuricularFace] = {}
    for side, (face, share) in _auricular(surface, normals, twin, back, solid.spacing_mm).items():
        faces[side], confidence[f"auricular_{side}"] = face, share
    channels = Channels(here)
    canal, confidence["canal"] = channels.find(_moved(theirs.canal, correction), stations=9)
    foramina, shares = _foramina(channels, {n: _moved(c, correction) for n, c in theirs.foramina.items()})
    confidence |= {f"foramen_{name}": share for name, share in shares.items()}
    landmarks = Landmarks(
        endplate_centre=np.zeros(3),
        endplate_normal=np.array([0.0, -np.sin(slope), np.cos(slope)]),
        promontory=correction.place(plate.promontory[None])[0],
        apex=onto_surface(here, correction.place(theirs.apex[None])[0]),
        levels=_levels(here, correction.place(theirs.levels)),
        auricular=faces,
        canal=canal,
        foramina=foramina,
        estimated=frozenset(name for name in foramina if confidence[f"foramen_{name}"] < 1.0),
    )
    return ScannedLandmarks(frame, landmarks, confidence, back, tuple(_notes(confidence)))


def _moved(corridor: Corridor, frame: Frame) -> Corridor:
    return Corridor(frame.place(corridor.points), corridor.radii)


def _foramina(channels: Channels, twins: Mapping[str, Corridor]) -> tuple[dict[str, Corridor], dict[str, float]]:
    """Foramina from above downwards, with how open they are: each is looked for where those above lie off the twin's.

    Bodies lower or higher than the twin's put foramina further off from level to level, more than half a body at S3.
    """
    found: dict[str, Corridor] = {}
    shares: dict[str, float] = {}
    shift = np.zeros(3)
    for level in LEVELS:
        away = []
        for side in SIDES:
            name = f"{level}_{side}"
            there = replace(twins[name], points=twins[name].points + shift)
            tried = [channels.find(there)]
            # From a few mm beside it a way may be missed; from further off another foramen may be taken for it.
            if tried[0][1] < 1.0 and 0.0 < np.linalg.norm(shift) < 0.5 * MOUTH_MM:
                tried.append(channels.find(twins[name]))
            found[name], shares[name] = max(tried, key=lambda one: one[1])
            if shares[name] > 0.0:
                away.append(found[name].points.mean(axis=0) - twins[name].points.mean(axis=0))
        if away:
            shift = np.mean(away, axis=0) * [0.0, 1.0, 1.0]
    return found, shares


def _notes(confidence: Mapping[str, float]) -> list[str]:
    notes = []
    if confidence["symmetry"] < MIRRORED:
        notes.append(
            f"{1.0 - confidence['symmetry']:.0%} of the surface has no mirror image within 2 mm: "
            "the sides differ, or bone of one is missing"
        )
    if blind := [name for name, value in confidence.items() if name.startswith("foramen") and value < 1.0]:
        names = ", ".join(name.removeprefix("foramen_") for name in blind)
        notes.append(f"foramina not open from front to back, their place is estimated from the twin: {names}")
    if confidence["canal"] < 1.0:
        notes.append("the canal is not open all along: its closed part is estimated from the twin")
    for name in ("endplate", "auricular_left", "auricular_right"):
        if confidence[name] < 0.5:
            notes.append(f"{name} is uncertain: look at the picture, and give anatomy.landmarks where it is wrong")
    return notes


def _levels(solid: LatticeSolid, points: FloatArray) -> FloatArray:
    """Body centres in the median plane, moved to where the bone is deep, and no further, if they lie shallow."""
    reach = np.arange(-6.0, 6.1, 0.5)
    y, z = (axis.ravel() for axis in np.meshgrid(reach, reach))
    offsets = np.stack([np.zeros_like(y), y, z], axis=1)
    found = points.copy()
    for k, point in enumerate(points):
        value = solid.signed_distance(point + offsets)
        deep = value < -DEEP_MM
        least = np.where(deep, np.hypot(y, z), np.inf) if deep.any() else value
        found[k] = point + offsets[least.argmin()]
    return found


# ------------------------------------------------------------------ auricular faces
def _auricular(
    surface: FloatArray, normals: FloatArray, twin: Twin, back: Frame, spacing_mm: float
) -> dict[Side, tuple[AuricularFace, float]]:
    """Best plane and extent of the bone that looks to either side between S1 and S3, and a share.

    Where the twin fits there, its joint is the bone's. Else it knows the levels only, and where between front and back
    the joint lies the bone itself shows: both sides choose together, as the flattest mirrored pair; then each has its
    own plane. The share is that of the bone within 2 mm: of the twin's joint, or of that plane.
    """
    there = back.place(surface)
    ear = twin.sacrum.auricular_distance(there) < 0.0
    off = np.abs(twin.sacrum.signed_distance(there[ear]))
    if off.mean() < CLOSE_MM:
        share = float(np.mean(off < 2.0))
        return {side: (_of_twin(twin.sacrum.landmarks.auricular[side], back), share) for side in SIDES}
    _, depth, along = twin.sacrum.arc_coordinates(there)
    level = (along > -2.0) & (along < twin.sacrum.ends[2]) & (depth < TUBEROSITY_MM)
    sides: dict[Side, BoolArray] = {}
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        reach = sign * surface[:, 0]
        edge = float(np.percentile(reach[level & (reach > 0.0)], 98))
        sides[side] = level & (sign * normals[:, 0] > 0.55) & (reach > 0.55 * edge)
    flip = np.array([-1.0, 1.0, 1.0])
    points: dict[Side, FloatArray] = {"left": surface[sides["left"]], "right": surface[sides["right"]] * flip}
    looks: dict[Side, FloatArray] = {"left": normals[sides["left"]], "right": normals[sides["right"]] * flip}
    lateral: dict[Side, FloatArray] = {"left": np.ones(3), "right": flip}
    at = float(twin.sacrum.arc_coordinates(twin.sacrum.landmarks.auricular["left"].centre[None])[2][0])
    tried: list[tuple[float, FloatArray, FloatArray]] = []
    for side in SIDES:
        tree = KDTree(points[side])
        for seed in range(0, len(points[side]), max(len(points[side]) // 150, 1)):
            around = tree.query_ball_point(points[side][seed], 8.0)
            normal = looks[side][around].mean(axis=0)
            normal /= np.linalg.norm(normal)
            centre = points[side][around].mean(axis=0)
            off_level = float(twin.sacrum.arc_coordinates(back.place(centre[None] * lateral[side]))[2][0]) - at
            chance = np.exp(-((normal[2] / UPRIGHT) ** 2) - (off_level / LEVEL_MM) ** 2)
            score = float(normal[0] * chance) * sum(
                np.count_nonzero(_on(points[one], looks[one], centre, normal, tolerance))
                for one, tolerance in zip(SIDES, (2.0, 4.0) if side == "left" else (4.0, 2.0), strict=True)
            )
            tried.append((score, normal, centre))
    scores, planes, centres = (np.array(column) for column in zip(*tried, strict=True))
    # The mean around the best place, then one face of both sides together: either alone moves with every noise.
    weight = scores * (np.linalg.norm(centres - centres[scores.argmax()], axis=1) < ONE_MODE_MM)
    plane, middle = weight @ planes, weight @ centres / weight.sum()
    plane /= np.linalg.norm(plane)
    both, look = (np.concatenate([where["left"], where["right"]]) for where in (points, looks))
    common, _ = _one_face(both, look, middle, plane, twin, back, spacing_mm)
    plane = common.normal
    result: dict[Side, tuple[AuricularFace, float]] = {}
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        face, share = _one_face(points[side], looks[side], middle, plane, twin, back, spacing_mm)
        mirror = np.array([sign, 1.0, 1.0])
        result[side] = replace(face, centre=face.centre * mirror, normal=face.normal * mirror), share
    return result


def _of_twin(face: AuricularFace, back: Frame) -> AuricularFace:
    """The face of the twin in the anatomical frame."""
    return replace(face, centre=back.back(face.centre[None])[0], normal=face.normal @ back.rotation)


def _on(
    points: FloatArray, normals: FloatArray, centre: FloatArray, plane: FloatArray, tolerance_mm: float
) -> BoolArray:
    """Which points lie on a plane, look where it does, and are no further than a face is long."""
    r = points - centre
    return np.asarray(
        (np.abs(r @ plane) < tolerance_mm) & (normals @ plane > 0.8) & ((r * r).sum(axis=1) < (0.5 * HEIGHT_MM[1]) ** 2)
    )


def _one_face(
    points: FloatArray,
    normals: FloatArray,
    middle: FloatArray,
    plane: FloatArray,
    twin: Twin,
    back: Frame,
    spacing_mm: float,
) -> tuple[AuricularFace, float]:
    """The face of one side, seen as a left one, from a plane near it."""
    near = (normals @ plane > 0.8) & (np.linalg.norm(points - middle, axis=1) < 0.5 * HEIGHT_MM[1])
    # The other side may lie some mm further out.
    middle = middle + float(np.median((points[near] - middle) @ plane)) * plane if near.any() else middle
    start, mean, share = plane, middle, 0.0
    patch = np.zeros(len(points), bool)
    for _ in range(4):
        found = _largest(points, _on(points, normals, mean, plane, 3.0), 1.9 * spacing_mm)
        if np.count_nonzero(found) < 20:
            break
        patch = found
        new = np.linalg.svd(points[patch] - points[patch].mean(axis=0))[2][2]
        new = new * np.sign(new @ start)
        if new @ start < 0.94:
            break
        # The window stays where it is: a side that runs on below would draw it down.
        plane, mean = new, middle + ((points[patch].mean(axis=0) - middle) @ new) * new
    if patch.any():
        mean = points[patch].mean(axis=0)
    around = np.linalg.norm(points - mean, axis=1) < 0.4 * HEIGHT_MM[1]
    close = around & (np.abs((points - mean) @ plane) < 8.0)
    share = float(np.mean(np.abs((points[close] - mean) @ plane) < 2.0)) if close.any() else 0.0
    levels = twin.sacrum.landmarks.levels
    down = (levels[2] - levels[0]) @ back.rotation
    down = down - (down @ plane) * plane
    down /= np.linalg.norm(down)
    across = np.cross(plane, down)
    # A uniform ellipse has axes of four standard deviations.
    size = [4.0 * float(np.std((points[patch] - mean) @ axis)) if patch.any() else 0.0 for axis in (down, across)]
    height, width = float(np.clip(size[0], *HEIGHT_MM)), float(np.clip(size[1], *WIDTH_MM))
    return AuricularFace(mean, plane, height, width), share


def _largest(points: FloatArray, chosen: BoolArray, gap_mm: float) -> BoolArray:
    """Of the chosen points those of the largest group that hangs together."""
    index = np.flatnonzero(chosen)
    result = np.zeros(len(points), bool)
    if not len(index):
        return result
    pairs = KDTree(points[index]).query_pairs(gap_mm, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(index), len(index)))
    label = connected_components(links, directed=False)[1]
    result[index[label == np.bincount(label).argmax()]] = True
    return result
