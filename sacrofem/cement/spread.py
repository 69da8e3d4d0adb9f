"""Cement laid into bone and gap: exact volumes as shares of elements and coverage of the gap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import brentq

from sacrofem.bone.overlap import ElementLattice, Field, below_zero, element_reach
from sacrofem.cement.flow import LARGEST_REACH_MM, REACH_MM, Flow
from sacrofem.cement.front import Front, JointFront, ShapeFront
from sacrofem.cement.needle import Injection, Needle
from sacrofem.errors import InputError
from sacrofem.mesh.gap import GapPoints
from sacrofem.mesh.tetmesh import FloatArray, TetMesh

#: Width of the smooth border of the coverage, mm. It keeps the volume continuous and is far below the spacing of
#: the gap points of any mesh in use, so that coverage stays nearly sharp.
GAP_RAMP_MM = 0.25
# Relative; what is promised is 1e-6.
_VOLUME_TOLERANCE = 1e-9
_MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Encroachment:
    """The first structure to keep clear that the growing cement reaches, and the volume injected by then."""

    structure: str
    volume_ml: float


@dataclass(frozen=True)
class PlacedInjection:
    """What became of one injection.

    ``radius_mm`` is the radius of the column, the short semi-axis of the ellipsoid or the arrival time of the flow,
    ``elements`` the number of tets that this injection reached; placed = in_bone + in_gap + in_lesion, and
    requested = placed + leaked + withheld. ``front`` is None where it is not
    kept. What leaked lies at ``outside_points`` (k, 3) with ``outside_ml`` (k,).
    """

    injection: Injection
    front: Front | None = field(repr=False, compare=False)
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
        Flows from all needles at once: fronts move side by side, and a needle gets what its own front fills.

    Returns
    -------
    CementRegion

    Raises
    ------
    InputError
        Tip outside the bone, or a volume for which there is no room within the spread's largest radius.
    """
    bed = _Bed(mesh, pore_fraction, gap if in_gap else None, aperture_mm)
    shape = (0, 0) if gap is None else gap.areas.shape
    if together and len(injections) > 1:
        joint = _at_once(bed, injections, lesion_fraction, keep_clear or {}, stop)
        return CementRegion(bed.fraction, bed.coverage if in_gap else np.zeros(shape), joint)
    lesion = np.zeros(len(mesh.tets)) if lesion_fraction is None else np.asarray(lesion_fraction, dtype=float)
    placed = []
    for number, injection in enumerate(injections):
        before, covered = bed.fraction, bed.coverage
        front, radius, met = bed.inject(injection, f"cement.injections[{number}]", keep_clear or {}, stop)
        added = (bed.fraction - before) * bed.capacity / _MM3_PER_ML
        in_gap_ml = float(np.sum((bed.coverage - covered) * bed.gap_capacity)) / _MM3_PER_ML
        outside = front.outside_volumes(radius) / _MM3_PER_ML
        filled = outside > 0.0
        stopped = stop and met is not None
        withheld = injection.volume_ml - float(added.sum()) - in_gap_ml - float(outside.sum()) if stopped else 0.0
        placed.append(
            PlacedInjection(
                injection,
                front,
                radius,
                int(np.count_nonzero(added > 0.0)),
                injection.volume_ml,
                float(added @ (1.0 - lesion)),
                in_gap_ml,
                float(added @ lesion),
                front.outside_points[filled],
                outside[filled],
                max(withheld, 0.0),
                met,
            )
        )
    return CementRegion(bed.fraction, bed.coverage if in_gap else np.zeros(shape), tuple(placed))


def _at_once(
    bed: _Bed,
    injections: Sequence[Injection],
    lesion_fraction: FloatArray | None,
    keep_clear: Mapping[str, FloatArray],
    stop: bool,
) -> tuple[PlacedInjection, ...]:
    """Fill a bed with flows from several needles, and share out what was placed by whose front came first."""
    total = sum(injection.volume_ml for injection in injections)
    for number, injection in enumerate(injections):
        _check_tip(bed.mesh, bed.centroids, bed.reach, injection.needle, f"cement.injections[{number}]")
    front, radius, met = bed.fill(lambda reach: _joint(injections, reach), total, "cement", keep_clear, stop)
    assert isinstance(front, JointFront)
    added = bed.fraction * bed.capacity / _MM3_PER_ML
    first = front.first(bed.centroids)
    in_gap = bed.coverage * bed.gap_capacity / _MM3_PER_ML
    first_in_gap = front.first(bed.gap_points.reshape(-1, 3)).reshape(in_gap.shape)
    outside = front.outside_volumes(radius) / _MM3_PER_ML
    lesion = np.zeros(len(added)) if lesion_fraction is None else np.asarray(lesion_fraction, dtype=float)
    filled = float(added.sum() + in_gap.sum() + outside.sum())
    withheld = max(total - filled, 0.0) if stop and met is not None else 0.0
    placed = []
    for number, injection in enumerate(injections):
        bone = np.where(first == number, added, 0.0)
        gap_ml = float(in_gap[first_in_gap == number].sum())
        mine = (front.outside_owner == number) & (outside > 0.0)
        own = float(bone.sum()) + gap_ml + float(outside[mine].sum())
        kept_back = withheld * own / filled if filled else withheld / len(injections)
        placed.append(
            PlacedInjection(
                injection, front.fronts[number], radius, int(np.count_nonzero(bone > 0.0)), own + kept_back,
                float(bone @ (1.0 - lesion)), gap_ml, float(bone @ lesion), front.outside_points[mine], outside[mine],
                kept_back, met if number == 0 else None,
            )
        )  # fmt: skip
    return tuple(placed)


def _joint(injections: Sequence[Injection], reach_mm: float) -> JointFront:
    fronts = []
    for injection in injections:
        if not isinstance(injection.spread, Flow):
            raise InputError(
                "needles at once are flows", field="cement.sequence", value="together", mend='use spread = "flow"'
            )
        fronts.append(injection.spread.front(injection.needle, None, reach_mm))
    return JointFront(tuple(fronts))


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


def gap_step(depth_mm: FloatArray) -> FloatArray:
    """Coverage at a depth inside the border of the region: a smooth step over ``GAP_RAMP_MM`` centred on it."""
    t = np.clip(depth_mm / GAP_RAMP_MM + 0.5, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


class _Bed:
    """Bone and gap that fill up, injection by injection."""

    def __init__(
        self, mesh: TetMesh, pore_fraction: FloatArray, gap: GapPoints | None, aperture_mm: FloatArray | float
    ) -> None:
        self.mesh = mesh
        self.centroids, self.reach = mesh.centroids, element_reach(mesh)
        self.capacity = mesh.volumes * pore_fraction
        self.fraction = np.zeros(len(mesh.tets))
        self.gap_points = np.empty((0, 0, 3)) if gap is None else gap.points
        areas = np.empty((0, 0)) if gap is None else gap.areas
        width = np.asarray(aperture_mm, dtype=float)
        self.gap_capacity = areas * (width[:, None] if width.ndim == 1 and gap is not None else width)
        self.coverage = np.zeros(areas.shape)
        self._regions: list[tuple[Field, float]] = []

    def _level(self, points: FloatArray) -> FloatArray:
        """Signed size of what is already placed, negative inside."""
        level = np.full(len(points), np.inf)
        for size, radius in self._regions:
            level = np.minimum(level, size(points) - radius)
        return level

    def inject(
        self, injection: Injection, field: str, keep_clear: Mapping[str, FloatArray], stop: bool
    ) -> tuple[Front, float, Encroachment | None]:
        """Fill up with one injection; its front, its radius, and what it meets on the way."""
        _check_tip(self.mesh, self.centroids, self.reach, injection.needle, field)
        return self.fill(
            lambda reach_mm: self._front(injection, reach_mm), injection.volume_ml, field, keep_clear, stop
        )

    def fill(
        self,
        front_of: Callable[[float], Front],
        volume_ml: float,
        field: str,
        keep_clear: Mapping[str, FloatArray],
        stop: bool,
    ) -> tuple[Front, float, Encroachment | None]:
        """Fill up with a front, made for a reach of its lattice in mm; the front, its radius, and what it meets."""
        wanted = volume_ml * _MM3_PER_ML
        reach = REACH_MM
        while True:
            front = front_of(reach)
            growth = _Growth(self, front)
            grown = growth.to_volume(wanted, front.largest)
            if not isinstance(grown, float):
                break
            if isinstance(front, ShapeFront) or reach >= LARGEST_REACH_MM:
                room = grown / _MM3_PER_ML
                raise InputError(
                    f"volume larger than the zone: {volume_ml:g} ml wanted, but within "
                    f"{front.largest:g} mm of the needle there is room for {room:.2f} ml",
                    field=f"{field}.volume_ml", value=volume_ml, mend="inject less, or through more needles",
                )  # fmt: skip
            reach = min(1.5 * reach, LARGEST_REACH_MM)
        radius, fraction, coverage = grown
        met = None
        least, structure = min(
            ((float(front.size(points).min()), name) for name, points in keep_clear.items() if len(points)),
            default=(np.inf, ""),
        )
        if least < radius:
            volume, clear_fraction, clear_coverage = growth.at(max(least, 0.0))
            met = Encroachment(structure, volume / _MM3_PER_ML)
            if stop:
                radius, fraction, coverage = max(least, 0.0), clear_fraction, clear_coverage
        self.fraction, self.coverage = fraction, coverage
        self._regions.append((front.size, radius))
        return front, radius, met

    def _front(self, injection: Injection, reach_mm: float) -> Front:
        spread = injection.spread
        if isinstance(spread, Flow):
            return spread.front(injection.needle, self._level if self._regions else None, reach_mm)
        return ShapeFront(spread, injection.needle)


class _Growth:
    """The volume that one region adds to a bed, as a function of its radius."""

    def __init__(self, bed: _Bed, front: Front) -> None:
        self.bed, self.front, self.size = bed, front, front.size
        self.centre = front.size(bed.centroids)
        self.least, self.most = front.bounds(bed.centroids, bed.reach)
        points = bed.gap_points.reshape(-1, 3)
        self.spread = bed.reach * front.slope(bed.centroids)
        self.gap_size = front.size(points).reshape(bed.coverage.shape)
        self.gap_slope = front.slope(points).reshape(bed.coverage.shape)

    def coverage(self, radius: float) -> FloatArray:
        return np.maximum(self.bed.coverage, gap_step((radius - self.gap_size) / self.gap_slope))

    def at(self, radius: float) -> tuple[float, FloatArray, FloatArray]:
        """Volume added in mm³, fractions and coverage at a radius."""
        window = _Window(self, radius, radius)
        return window.added(radius), window.fraction(radius), self.coverage(radius)

    def _rough(self, radius: float) -> float:
        """Volume as if each element filled up evenly over its own size; good to a few per cent."""
        bed = self.bed
        if (in_pores := self.front.in_pores(radius)) is not None:
            return in_pores + self.beside_bone(radius)
        filled = np.maximum(np.clip(0.5 + (radius - self.centre) / self.spread, 0.0, 1.0), bed.fraction)
        return float((filled - bed.fraction) @ bed.capacity) + self.beside_bone(radius)

    def beside_bone(self, radius: float) -> float:
        """Volume in mm³ added in the gap and outside the bone."""
        bed = self.bed
        gap = float(np.sum((self.coverage(radius) - bed.coverage) * bed.gap_capacity))
        return gap + float(self.front.outside_volumes(radius).sum())

    def to_volume(self, wanted: float, largest: float) -> tuple[float, FloatArray, FloatArray] | float:
        """Radius, fractions and coverage where ``wanted`` mm³ are added; all the room if that is less."""
        low, high = -GAP_RAMP_MM * max(1.0, float(self.gap_slope.max(initial=0.0))), largest
        guess = (
            float(brentq(lambda r: self._rough(r) - wanted, low, high, xtol=1e-3))
            if self._rough(high) > wanted and self._rough(low) < wanted
            else high
        )
        margin = 0.2
        while True:
            a, b = max(guess - margin, low), min(guess + margin, high)
            window = _Window(self, a, b)
            at_a, at_b = window.added(a), window.added(b)
            if at_a <= wanted <= at_b:
                break
            if b >= high and at_b < wanted:
                return at_b
            # The next window starts where this one ended, on the side where the volume lies.
            guess = b + margin if at_b < wanted else a - margin
            margin *= 2.0
        radius = float(brentq(lambda r: window.added(r) - wanted, a, b, xtol=1e-13, rtol=1e-14))
        assert abs(window.added(radius) - wanted) <= _VOLUME_TOLERANCE * wanted
        return radius, window.fraction(radius), self.coverage(radius)


class _Window:
    """Fractions for radii in [low, high]: only lattice cells that the border crosses there are looked at again.

    Which cells these are changes the cost and never the result, so fractions are one continuous
    function of the radius.
    """

    def __init__(self, growth: _Growth, low: float, high: float) -> None:
        self.growth, bed = growth, growth.bed
        before = bed.fraction
        self.start = np.where(growth.most <= low, 1.0, before)
        crossed = np.flatnonzero((growth.most > low) & (growth.least < high) & (before < 1.0))
        lattice = ElementLattice.of(bed.mesh, crossed)
        size, placed = growth.size(lattice.points), bed._level(lattice.points)
        corner_size, corner_placed = size[lattice.cells], placed[lattice.cells]
        passed = corner_size.max(axis=0) <= low
        active = ~passed & (corner_size.min(axis=0) < high)
        fixed = passed.astype(float)
        untouched = np.flatnonzero(~passed & ~active)
        fixed[untouched] = below_zero(corner_placed[:, untouched])
        self.start[crossed] = lattice.sums(fixed)
        self.owner, self.share = crossed[lattice.owner[active]], lattice.share[active]
        self.corner_size, self.corner_placed = corner_size[:, active], corner_placed[:, active]
        self.cell_capacity = self.share * bed.capacity[self.owner]
        self.start_volume = float((self.start - before) @ bed.capacity)

    def _cells(self, radius: float) -> FloatArray:
        return below_zero(np.minimum(self.corner_size - radius, self.corner_placed))

    def fraction(self, radius: float) -> FloatArray:
        """(m,) filled shares at a radius in the window."""
        rise = np.bincount(self.owner, self.share * self._cells(radius), minlength=len(self.start))
        # Rounding must not take cement away that is already there, nor fill more than there is.
        return np.clip(self.start + rise, self.growth.bed.fraction, 1.0)

    def added(self, radius: float) -> float:
        """Volume in mm³ added at a radius in the window."""
        in_bone = self.start_volume + float(self.cell_capacity @ self._cells(radius))
        return in_bone + self.growth.beside_bone(radius)


def _check_tip(mesh: TetMesh, centroids: FloatArray, reach: FloatArray, needle: Needle, field: str) -> None:
    tip = np.asarray(needle.target_mm)
    near = np.linalg.norm(centroids - tip, axis=1) <= reach * (1.0 + 1e-9)
    if near.any():
        corners = mesh.points[mesh.tets[near]]
        edges = np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2)
        barycentric = np.linalg.solve(edges, (tip - corners[:, 0])[:, :, None])[:, :, 0]
        lowest = np.minimum(barycentric.min(axis=1), 1.0 - barycentric.sum(axis=1))
        # A tip on a face, such as a fracture's, belongs to the bone.
        if lowest.max() >= -1e-6:
            return
    distance = surface_distance(tip, mesh)
    raise InputError(
        f"the needle tip lies outside the bone, {distance:.1f} mm from its surface",
        field=f"{field}.target_mm", value=needle.target_mm, mend="move the target into the bone",
    )  # fmt: skip


def surface_distance(point: FloatArray, mesh: TetMesh) -> float:
    """Distance in mm from a point to the nearest boundary face of a mesh."""
    corners = mesh.points[mesh.faces]
    relative = point - corners
    edges = np.roll(corners, -1, axis=1) - corners
    along = np.einsum("kex,kex->ke", relative, edges) / np.einsum("kex,kex->ke", edges, edges)
    to_edges = np.linalg.norm(relative - np.clip(along, 0.0, 1.0)[:, :, None] * edges, axis=2).min()
    normal = mesh.face_normals
    # Over a face its plane is nearer than its edges.
    over = (np.einsum("kex,kex->ke", relative, np.cross(normal[:, None], edges)) >= 0.0).all(axis=1)
    to_planes = np.abs(np.einsum("kx,kx->k", relative[over][:, 0], normal[over]))
    return float(min(to_edges, to_planes.min(initial=np.inf)))
