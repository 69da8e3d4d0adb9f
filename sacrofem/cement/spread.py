"""Cement laid into bone and gap: exact volumes as shares of elements and coverage of the gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from sacrofem.bone.overlap import ElementLattice, Field, below_zero, element_reach
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
class PlacedInjection:
    """What became of one injection.

    ``radius_mm`` is the radius of the column or the short semi-axis of the ellipsoid, ``elements`` the number of tets
    that this injection reached; placed = in_bone + in_gap + in_lesion.
    """

    injection: Injection
    radius_mm: float
    elements: int
    requested_ml: float
    in_bone_ml: float
    in_gap_ml: float
    in_lesion_ml: float

    @property
    def placed_ml(self) -> float:
        """Volume that this injection added."""
        return self.in_bone_ml + self.in_gap_ml + self.in_lesion_ml


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
        """Sum over the injections; equals the request to 1e-9."""
        return sum((placed.placed_ml for placed in self.injections), 0.0)

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
) -> CementRegion:
    """Grow each injection's region until it has added exactly its volume to what is already placed.

    V = Σ f V_e (1 − BV/TV) + Σ c A w. The share f of an element is the share of its volume inside the region, cut
    exactly from a lattice of about 1 mm, so V grows continuously. Only tets and gap take cement: what reaches over
    the bone's surface does not count, and the region grows in bone instead (there is no leakage).

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

    Returns
    -------
    CementRegion

    Raises
    ------
    InputError
        Tip outside the bone, or a volume for which there is no room within the spread's largest radius.
    """
    bed = _Bed(mesh, pore_fraction, gap if in_gap else None, aperture_mm)
    lesion = np.zeros(len(mesh.tets)) if lesion_fraction is None else np.asarray(lesion_fraction, dtype=float)
    placed = []
    for number, injection in enumerate(injections):
        before, covered = bed.fraction, bed.coverage
        radius = bed.inject(injection, f"cement.injections[{number}]")
        added = (bed.fraction - before) * bed.capacity / _MM3_PER_ML
        placed.append(
            PlacedInjection(
                injection,
                radius,
                int(np.count_nonzero(added > 0.0)),
                injection.volume_ml,
                float(added @ (1.0 - lesion)),
                float(np.sum((bed.coverage - covered) * bed.gap_capacity)) / _MM3_PER_ML,
                float(added @ lesion),
            )
        )
    shape = (0, 0) if gap is None else gap.areas.shape
    return CementRegion(bed.fraction, bed.coverage if in_gap else np.zeros(shape), tuple(placed))


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

    def inject(self, injection: Injection, field: str) -> float:
        """Fill up with one injection and return its radius."""
        needle, spread = injection.needle, injection.spread
        _check_tip(self.mesh, self.centroids, self.reach, needle, field)
        tip, direction, depth = np.asarray(needle.target_mm), needle.direction, needle.length_mm

        def size(points: FloatArray) -> FloatArray:
            return spread.size(points, tip, direction, depth)

        wanted = injection.volume_ml * _MM3_PER_ML
        growth = _Growth(self, size)
        grown = growth.to_volume(wanted, spread.max_radius_mm)
        if isinstance(grown, float):
            room = grown / _MM3_PER_ML
            raise InputError(
                f"volume larger than the zone: {injection.volume_ml:g} ml wanted, but within "
                f"{spread.max_radius_mm:g} mm of the needle there is room for {room:.2f} ml",
                field=f"{field}.volume_ml", value=injection.volume_ml, mend="inject less, or through more needles",
            )  # fmt: skip
        radius, self.fraction, self.coverage = grown
        self._regions.append((size, radius))
        return radius


class _Growth:
    """The volume that one region adds to a bed, as a function of its radius."""

    def __init__(self, bed: _Bed, size: Field) -> None:
        self.bed, self.size = bed, size
        self.centre = size(bed.centroids)
        self.gap_size = size(bed.gap_points.reshape(-1, 3)).reshape(bed.coverage.shape)

    def coverage(self, radius: float) -> FloatArray:
        return np.maximum(self.bed.coverage, gap_step(radius - self.gap_size))

    def _rough(self, radius: float) -> float:
        """Volume as if each element filled up evenly over its own size; good to a few per cent."""
        bed = self.bed
        filled = np.maximum(np.clip(0.5 + (radius - self.centre) / bed.reach, 0.0, 1.0), bed.fraction)
        gap = np.sum((self.coverage(radius) - bed.coverage) * bed.gap_capacity)
        return float((filled - bed.fraction) @ bed.capacity + gap)

    def to_volume(self, wanted: float, largest: float) -> tuple[float, FloatArray, FloatArray] | float:
        """Radius, fractions and coverage where ``wanted`` mm³ are added; all the room if that is less."""
        low, high = -GAP_RAMP_MM, largest
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
        centre, reach, before = growth.centre, bed.reach, bed.fraction
        self.start = np.where(centre + reach <= low, 1.0, before)
        crossed = np.flatnonzero((centre + reach > low) & (centre - reach < high) & (before < 1.0))
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
        growth, bed = self.growth, self.growth.bed
        gap = np.sum((growth.coverage(radius) - bed.coverage) * bed.gap_capacity)
        return self.start_volume + float(self.cell_capacity @ self._cells(radius)) + float(gap)


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
