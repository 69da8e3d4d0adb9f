"""Bone and gap that fill up with cement: how large a region has to grow to take a volume exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from sacrofem.bone.overlap import ElementLattice, Field, below_zero, element_reach
from sacrofem.cement.arrival import Arrival, ShapeArrival
from sacrofem.cement.flow import LARGEST_REACH_MM, REACH_MM, Flow, Media
from sacrofem.cement.injection import Injection
from sacrofem.cement.needle import Needle
from sacrofem.errors import InputError
from sacrofem.mesh.gap import GapPoints
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import FloatArray

#: Width of the smooth border of the coverage, mm. It keeps the volume continuous and is far below the spacing of
#: the gap points of any mesh in use, so that coverage stays nearly sharp.
GAP_RAMP_MM = 0.25
# Relative; what is promised is 1e-6.
_VOLUME_TOLERANCE = 1e-9
MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Encroachment:
    """The first structure to keep clear that the growing cement reaches, and the volume injected by then."""

    structure: str
    volume_ml: float


def gap_step(depth_mm: FloatArray) -> FloatArray:
    """Coverage at a depth inside the border of the region: a smooth step over ``GAP_RAMP_MM`` centred on it."""
    t = np.clip(depth_mm / GAP_RAMP_MM + 0.5, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


class Bed:
    """Bone and gap that fill up, injection by injection."""

    def __init__(
        self,
        mesh: TetMesh,
        pore_fraction: FloatArray,
        gap: GapPoints | None,
        aperture_mm: FloatArray | float,
        media: Media,
    ) -> None:
        self.mesh, self.media = mesh, media
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
    ) -> tuple[Arrival, float, Encroachment | None]:
        """Fill up with one injection; its arrival, its radius, and what it meets on the way."""
        check_tip(self.mesh, self.centroids, self.reach, injection.needle, field)
        return self.fill(
            lambda reach_mm: self._arrival(injection, reach_mm), injection.volume_ml, field, keep_clear, stop
        )

    def fill(
        self,
        arrival_of: Callable[[float], Arrival],
        volume_ml: float,
        field: str,
        keep_clear: Mapping[str, FloatArray],
        stop: bool,
    ) -> tuple[Arrival, float, Encroachment | None]:
        """Fill up with an arrival, made for a reach of its lattice in mm; it, its radius, and what it meets."""
        wanted = volume_ml * MM3_PER_ML
        reach = REACH_MM
        while True:
            arrival = arrival_of(reach)
            growth = _Growth(self, arrival)
            grown = growth.to_volume(wanted, arrival.largest)
            if not isinstance(grown, float):
                break
            if isinstance(arrival, ShapeArrival) or reach >= LARGEST_REACH_MM:
                room = grown / MM3_PER_ML
                raise InputError(
                    f"volume larger than the zone: {volume_ml:g} ml wanted, but within "
                    f"{arrival.largest:g} mm of the needle there is room for {room:.2f} ml",
                    field=f"{field}.volume_ml", value=volume_ml, mend="inject less, or through more needles",
                )  # fmt: skip
            reach = min(1.5 * reach, LARGEST_REACH_MM)
        radius, fraction, coverage = grown
        met = None
        least, structure = min(
            ((float(arrival.size(points).min()), name) for name, points in keep_clear.items() if len(points)),
            default=(np.inf, ""),
        )
        if least < radius:
            volume, clear_fraction, clear_coverage = growth.at(max(least, 0.0))
            met = Encroachment(structure, volume / MM3_PER_ML)
            if stop:
                radius, fraction, coverage = max(least, 0.0), clear_fraction, clear_coverage
        self.fraction, self.coverage = fraction, coverage
        self._regions.append((arrival.size, radius))
        return arrival, radius, met

    def _arrival(self, injection: Injection, reach_mm: float) -> Arrival:
        spread = injection.spread
        if isinstance(spread, Flow):
            placed = self._level if self._regions else None
            return self.media(spread.law).arrival(injection.needle, spread.line_mm, placed, reach_mm)
        return ShapeArrival(spread, injection.needle)


class _Growth:
    """The volume that one region adds to a bed, as a function of its radius."""

    def __init__(self, bed: Bed, arrival: Arrival) -> None:
        self.bed, self.arrival, self.size = bed, arrival, arrival.size
        self.centre = arrival.size(bed.centroids)
        self.least, self.most = arrival.bounds(bed.centroids, bed.reach)
        points = bed.gap_points.reshape(-1, 3)
        self.spread = bed.reach * arrival.slope(bed.centroids)
        self.gap_size = arrival.size(points).reshape(bed.coverage.shape)
        self.gap_slope = arrival.slope(points).reshape(bed.coverage.shape)

    def coverage(self, radius: float) -> FloatArray:
        return np.maximum(self.bed.coverage, gap_step((radius - self.gap_size) / self.gap_slope))

    def at(self, radius: float) -> tuple[float, FloatArray, FloatArray]:
        """Volume added in mm³, fractions and coverage at a radius."""
        window = _Window(self, radius, radius)
        return window.added(radius), window.fraction(radius), self.coverage(radius)

    def _rough(self, radius: float) -> float:
        """Volume as if each element filled up evenly over its own size; good to a few per cent."""
        bed = self.bed
        if (in_pores := self.arrival.in_pores(radius)) is not None:
            return in_pores + self.beside_bone(radius)
        filled = np.maximum(np.clip(0.5 + (radius - self.centre) / self.spread, 0.0, 1.0), bed.fraction)
        return float((filled - bed.fraction) @ bed.capacity) + self.beside_bone(radius)

    def beside_bone(self, radius: float) -> float:
        """Volume in mm³ added in the gap and outside the bone."""
        bed = self.bed
        gap = float(np.sum((self.coverage(radius) - bed.coverage) * bed.gap_capacity))
        return gap + float(self.arrival.outside_volumes(radius).sum())

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


def check_tip(mesh: TetMesh, centroids: FloatArray, reach: FloatArray, needle: Needle, field: str) -> None:
    """Refuse a needle whose tip lies in no tet; ``centroids`` (m, 3) and ``reach`` (m,) are the tets'."""
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
