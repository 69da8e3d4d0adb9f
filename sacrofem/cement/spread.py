"""Cement laid into bone and gap: exact volumes as shares of elements and coverage of the gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from sacrofem.cement.arrival import Arrival, FirstArrival
from sacrofem.cement.bed import MM3_PER_ML, Bed, Encroachment, check_tip
from sacrofem.cement.flow import Flow, Media, Medium
from sacrofem.cement.injection import Injection
from sacrofem.errors import InputError
from sacrofem.mesh.gap import GapPoints
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray


@dataclass(frozen=True)
class PlacedInjection:
    """What became of one injection.

    ``radius_mm`` is the radius of the column, the short semi-axis of the ellipsoid or the arrival time of the flow,
    ``elements`` the number of tets that this injection reached; placed = in_bone + in_gap + in_lesion, and
    requested = placed + leaked + withheld. ``arrival`` is None where it is not
    kept. What leaked lies at ``outside_points`` (k, 3) with ``outside_ml`` (k,).
    """

    injection: Injection
    arrival: Arrival | None = field(repr=False, compare=False)
    radius_mm: float
    elements: int
    requested_ml: float
    in_bone_ml: float
    in_gap_ml: float
    in_lesion_ml: float
    outside_points: FloatArray = field(default_factory=lambda: np.empty((0, 3)), repr=False, compare=False)
    outside_ml: FloatArray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    withheld_ml: float = 0.0
    encroachment: Encroachment | None = None

    @property
    def placed_ml(self) -> float:
        """Volume that this injection added."""
        return self.in_bone_ml + self.in_gap_ml + self.in_lesion_ml

    @property
    def leaked_ml(self) -> float:
        """Volume that left the bone."""
        return float(self.outside_ml.sum())


@dataclass(frozen=True, eq=False)
class CementRegion:
    """Where the cement is.

    Attributes
    ----------
    fraction : (m,)
        Filled share of each element's pore space, 0 to 1.
    coverage : (p, q)
        Covered share at the gap points, 0 to 1; (0, 0) without a gap.
    injections : tuple of PlacedInjection
        In the order of placing.
    """

    fraction: FloatArray
    coverage: FloatArray
    injections: tuple[PlacedInjection, ...] = ()

    @property
    def requested_ml(self) -> float:
        """Sum over the injections."""
        return sum((placed.requested_ml for placed in self.injections), 0.0)

    @property
    def placed_ml(self) -> float:
        """Sum over the injections; with what leaked and was withheld it equals the request to 1e-9."""
        return sum((placed.placed_ml for placed in self.injections), 0.0)

    @property
    def leaked_ml(self) -> float:
        """Cement outside the bone."""
        return sum((placed.leaked_ml for placed in self.injections), 0.0)

    @property
    def withheld_ml(self) -> float:
        """Cement that was not injected, because it would have reached a structure to keep clear."""
        return sum((placed.withheld_ml for placed in self.injections), 0.0)

    @property
    def in_bone_ml(self) -> float:
        """Cement in the pores of bone."""
        return sum((placed.in_bone_ml for placed in self.injections), 0.0)

    @property
    def in_gap_ml(self) -> float:
        """Cement between the fracture faces."""
        return sum((placed.in_gap_ml for placed in self.injections), 0.0)

    @property
    def in_lesion_ml(self) -> float:
        """Cement in the lesion."""
        return sum((placed.in_lesion_ml for placed in self.injections), 0.0)


def place_cement(
    injections: Sequence[Injection],
    mesh: TetMesh,
    pore_fraction: FloatArray,
    gap: GapPoints | None = None,
    aperture_mm: FloatArray | float = 1.0,
    *,
    in_gap: bool = True,
    lesion_fraction: FloatArray | None = None,
    keep_clear: Mapping[str, FloatArray] | None = None,
    stop: bool = False,
    together: bool = False,
    media: Media | None = None,
) -> CementRegion:
    """Grow each injection's region until it has added exactly its volume to what is already placed.

    V = Σ f V_e (1 − BV/TV) + Σ c A w. The share f of an element is the share of its volume inside the region, cut
    exactly from a lattice of about 1 mm, so V grows continuously. A column or an ellipsoid keeps to tets and gap: what
    reaches over the bone's surface does not count, and the region grows in bone instead. A flow leaks, and what
    leaked is part of the volume.

    Parameters
    ----------
    injections
        One after the other; later ones go around earlier cement. None is allowed.
    mesh : TetMesh
    pore_fraction : (m,)
        Pore space of each tet, 1 − BV/TV.
    gap : GapPoints, optional
        Of the fracture, where there is one.
    aperture_mm
        Width of the gap: a number, (p,) or (p, q).
    in_gap
        False leaves the gap free of cement.
    lesion_fraction : (m,), optional
        Share of each tet that is lesion; splits the volumes, nothing else.
    keep_clear : mapping of name to (n, 3), optional
        Points of structures that cement must not reach.
    stop
        Whether an injection ends where its region, as a shape, reaches one of them; the rest is withheld.
    together
        Flows from all needles at once: they move side by side, and a needle gets what its own reaches first.
    media : callable, optional
        What a flow of a law runs through: whoever keeps one shares arrival times between plans. By default the
        mesh with its pores and its gap, whether or not cement may stay there.

    Returns
    -------
    CementRegion

    Raises
    ------
    InputError
        Tip outside the bone, or a volume for which there is no room within the spread's largest radius.
    """
    if media is None:
        points = np.empty((0, 3)) if gap is None else gap.points.reshape(-1, 3)
        media = cache(lambda law: Medium(mesh, pore_fraction, points, law))
    bed = Bed(mesh, pore_fraction, gap if in_gap else None, aperture_mm, media)
    shape = (0, 0) if gap is None else gap.areas.shape
    if together and len(injections) > 1:
        joint = _at_once(bed, injections, lesion_fraction, keep_clear or {}, stop)
        return CementRegion(bed.fraction, bed.coverage if in_gap else np.zeros(shape), joint)
    lesion = np.zeros(len(mesh.tets)) if lesion_fraction is None else np.asarray(lesion_fraction, dtype=float)
    placed = []
    for number, injection in enumerate(injections):
        before, covered = bed.fraction, bed.coverage
        arrival, radius, met = bed.inject(injection, f"cement.injections[{number}]", keep_clear or {}, stop)
        added = (bed.fraction - before) * bed.capacity / MM3_PER_ML
        in_gap_ml = float(np.sum((bed.coverage - covered) * bed.gap_capacity)) / MM3_PER_ML
        outside = arrival.outside_volumes(radius) / MM3_PER_ML
        filled = outside > 0.0
        stopped = stop and met is not None
        withheld = injection.volume_ml - float(added.sum()) - in_gap_ml - float(outside.sum()) if stopped else 0.0
        placed.append(
            PlacedInjection(
                injection,
                arrival,
                radius,
                int(np.count_nonzero(added > 0.0)),
                injection.volume_ml,
                float(added @ (1.0 - lesion)),
                in_gap_ml,
                float(added @ lesion),
                arrival.outside_points[filled],
                outside[filled],
                max(withheld, 0.0),
                met,
            )
        )
    return CementRegion(bed.fraction, bed.coverage if in_gap else np.zeros(shape), tuple(placed))


def _at_once(
    bed: Bed,
    injections: Sequence[Injection],
    lesion_fraction: FloatArray | None,
    keep_clear: Mapping[str, FloatArray],
    stop: bool,
) -> tuple[PlacedInjection, ...]:
    """Fill a bed with flows from several needles, and share out what was placed by which came first."""
    total = sum(injection.volume_ml for injection in injections)
    for number, injection in enumerate(injections):
        check_tip(bed.mesh, bed.centroids, bed.reach, injection.needle, f"cement.injections[{number}]")
    arrival, radius, met = bed.fill(
        lambda reach: _joint(injections, reach, bed.media), total, "cement", keep_clear, stop
    )
    assert isinstance(arrival, FirstArrival)
    added = bed.fraction * bed.capacity / MM3_PER_ML
    first = arrival.first(bed.centroids)
    in_gap = bed.coverage * bed.gap_capacity / MM3_PER_ML
    first_in_gap = arrival.first(bed.gap_points.reshape(-1, 3)).reshape(in_gap.shape)
    outside = arrival.outside_volumes(radius) / MM3_PER_ML
    lesion = np.zeros(len(added)) if lesion_fraction is None else np.asarray(lesion_fraction, dtype=float)
    filled = float(added.sum() + in_gap.sum() + outside.sum())
    withheld = max(total - filled, 0.0) if stop and met is not None else 0.0
    placed = []
    for number, injection in enumerate(injections):
        bone = np.where(first == number, added, 0.0)
        gap_ml = float(in_gap[first_in_gap == number].sum())
        mine = (arrival.outside_owner == number) & (outside > 0.0)
        own = float(bone.sum()) + gap_ml + float(outside[mine].sum())
        kept_back = withheld * own / filled if filled else withheld / len(injections)
        placed.append(
            PlacedInjection(
                injection, arrival.arrivals[number], radius, int(np.count_nonzero(bone > 0.0)), own + kept_back,
                float(bone @ (1.0 - lesion)), gap_ml, float(bone @ lesion), arrival.outside_points[mine], outside[mine],
                kept_back, met if number == 0 else None,
            )
        )  # fmt: skip
    return tuple(placed)


def _joint(injections: Sequence[Injection], reach_mm: float, media: Media) -> FirstArrival:
    arrivals = []
    for injection in injections:
        if not isinstance(injection.spread, Flow):
            raise InputError(
                "needles at once are flows", field="cement.sequence", value="together", mend='use spread = "flow"'
            )
        flow = injection.spread
        arrivals.append(media(flow.law).arrival(injection.needle, flow.line_mm, None, reach_mm))
    return FirstArrival(tuple(arrivals))


def spot_coverage(gap: GapPoints, centre: FloatArray, radius_mm: float) -> FloatArray:
    """Coverage of a disc: 1 at the gap points within ``radius_mm`` of ``centre``, 0 elsewhere.

    Parameters
    ----------
    gap : GapPoints
    centre : (3,)
        On the fracture, mm.
    radius_mm
        Of the disc.

    Returns
    -------
    (p, q)

    Raises
    ------
    InputError
        If the disc covers no gap point.
    """
    distance = np.linalg.norm(gap.points - np.asarray(centre, dtype=float), axis=2)
    coverage = (distance <= radius_mm).astype(float)
    if not coverage.any():
        nearest = f"{distance.min():.2f} mm away" if distance.size else "none, there is no fracture"
        raise InputError(
            f"the spot covers no point of the fracture (nearest: {nearest})",
            field="cement.spot.radius_mm", value=radius_mm, mend="put its centre on the fracture or enlarge it",
        )  # fmt: skip
    return np.asarray(coverage)
