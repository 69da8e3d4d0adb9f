"""Spread along the paths of least resistance: arrival times of cement that starts at the needle.

|∇T| = 1/F with F the permeability over that of a reference bone, so T is a length: mm of reference bone. The region
of a volume is where T stays below the one value that encloses the volume. This is a geometric model, not a Darcy
simulation: it knows no pressure, no viscosity and no time, only which places cement reaches first.

T is found by fast marching (eikonalfm) on a lattice anchored at the needle's tip, so it depends on the anatomy and
not on the mesh: along the anatomical axes from a tip, along the needle from a withdrawal line. From a tip the
factored equation is solved, which has no error at the source. Permeability is taken as the same in all directions:
what is known of its anisotropy is of vertebral bodies (AP 78 % of SI, Baroud 2004 [A]), not of the ala.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import eikonalfm
import numpy as np
from scipy.ndimage import map_coordinates, maximum_filter, minimum_filter
from scipy.spatial import KDTree

from sacrofem.bone.permeability import DEFAULT_LAW, permeability_law
from sacrofem.cement.needle import Needle
from sacrofem.errors import InputError
from sacrofem.mesh.locate import Locator
from sacrofem.mesh.tetmesh import TetMesh
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.signals import interrupts_wait

Level = Callable[[FloatArray], FloatArray]

#: Lattice step, mm: what was asked for is 1 mm at most.
STEP_MM = 0.8
#: Half width of the first lattice, mm: a 9 ml sphere has a radius of 12.9 mm, and the ala makes it longer. It grows
#: where the cement does not find room.
REACH_MM = 36.0
LARGEST_REACH_MM = 81.0
# Arrival times take some 30 MB each; a plan has up to ten needles.
_KEPT_FIELDS = 10
# Set cement lets next to nothing through, and what is denser than cortex no less than cortex.
_BARRIER = 1e-3
# A line that the withdrawn needle left is reached at once.
_OPEN_TRACK = 1e4


@dataclass(frozen=True)
class FlowLaw:
    """Resistance of what cement meets, as permeability over that of the reference bone.

    Parameters
    ----------
    permeability
        Law of cancellous bone, a name in ``bone.permeability.LAWS``.
    gap
        Of the fracture gap, however it runs: cement prefers it [D].
    cortex
        Of the cortex; cement leaks through it when all else takes longer [D].
    tissue
        Of what lies outside the bone [D].

    Raises
    ------
    InputError
        Unknown law, or a number outside its bounds.
    """

    permeability: str = DEFAULT_LAW
    gap: float = 3.0
    cortex: float = 0.02
    tissue: float = 0.5

    def __post_init__(self) -> None:
        permeability_law(self.permeability)
        for name, most in (("gap", 100.0), ("cortex", 1.0), ("tissue", 10.0)):
            value = getattr(self, name)
            if not (np.isfinite(value) and 1e-3 <= value <= most):
                raise InputError(
                    f"must lie in 0.001 to {most:g}", field=f"cement.flow.{name}", value=value,
                    mend=f"{getattr(FlowLaw, name):g} is the default",
                )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Medium:
    """What cement runs through: a mesh with pores, its fracture and a law.

    Fields of arrival times are kept here, so that many volumes through one needle share one.

    Parameters
    ----------
    mesh : TetMesh
    pore_fraction : (m,)
    gap_points : (n, 3)
        Points of the fracture, close enough to be one surface; may be none.
    law : FlowLaw
    step_mm
        Of the lattice.
    """

    mesh: TetMesh
    pore_fraction: FloatArray
    gap_points: FloatArray
    law: FlowLaw = field(default_factory=FlowLaw)
    step_mm: float = STEP_MM
    _fields: dict[tuple[object, ...], FlowArrival] = field(default_factory=dict, repr=False)

    @cached_property
    def locate(self) -> Locator:
        """Finds the tet that a point lies in."""
        return Locator(self.mesh)

    @cached_property
    def _relative(self) -> FloatArray:
        return np.maximum(permeability_law(self.law.permeability)(self.pore_fraction), self.law.cortex)

    def arrival(self, needle: Needle, line_mm: float, placed: Level | None, reach_mm: float = REACH_MM) -> FlowArrival:
        """Arrival times from a tip, or from the line of that length that the needle leaves behind.

        Parameters
        ----------
        needle : Needle
        line_mm
            0 for the tip alone.
        placed : callable, optional
            Signed size of cement that has set, negative inside: a barrier.
        reach_mm
            Half width of the lattice.
        """
        lattice = _Lattice.around(needle, line_mm, reach_mm, self.step_mm)
        barrier = None if placed is None else placed(lattice.nodes) < 0.0
        key = (
            needle.target_mm, needle.entry_mm, line_mm, reach_mm,
            b"" if barrier is None or not barrier.any() else np.packbits(barrier).tobytes(),
        )  # fmt: skip
        if key not in self._fields:
            while len(self._fields) >= _KEPT_FIELDS:
                del self._fields[next(iter(self._fields))]
            self._fields[key] = self._march(lattice, barrier)
        return self._fields[key]

    def _march(self, lattice: _Lattice, barrier: BoolArray | None) -> FlowArrival:
        law, shape = self.law, lattice.shape
        owner = self.locate(lattice.nodes).reshape(shape)
        inside = owner >= 0
        speed = np.where(inside, self._relative[owner], law.tissue)
        if len(self.gap_points):
            near = KDTree(self.gap_points).query(lattice.nodes, distance_upper_bound=0.75 * lattice.step)[0]
            speed[inside & np.isfinite(near).reshape(shape)] = law.gap
        # One layer closed for cement that moves along the axes; it holds over the fracture too, whose line at the
        # surface the periosteum closes.
        speed[inside & ~_all_beside(inside)] = law.cortex * lattice.step
        if barrier is not None:
            speed[barrier.reshape(shape)] = _BARRIER
        source = lattice.source
        if not inside[source]:
            # The tip is in bone, if only just: its node must let cement out.
            speed[source] = 1.0
        steps = (lattice.step,) * 3
        if lattice.track:
            marched = speed.copy()
            marched[source[0], source[1], source[2] - lattice.track : source[2] + 1] = _OPEN_TRACK
            with interrupts_wait():
                time = eikonalfm.fast_marching(marched, source, steps, 2)
        else:
            with interrupts_wait():
                factor = eikonalfm.factored_fast_marching(speed, source, steps, 2)
            time = factor * np.linalg.norm(lattice.nodes - lattice.origin, axis=1).reshape(shape)
        pores = np.where(inside, self.pore_fraction[owner], 0.0)
        if barrier is not None:
            pores[barrier.reshape(shape)] = 0.0
        return FlowArrival(self, lattice, np.asarray(time), speed, inside, pores)


def _all_beside(inside: BoolArray) -> BoolArray:
    """Nodes whose six neighbours are all inside."""
    result = inside.copy()
    for axis in range(3):
        for shift in (1, -1):
            result &= np.roll(inside, shift, axis)
    return result


@dataclass(frozen=True, eq=False)
class _Lattice:
    """Cubic lattice with a node at the tip; ``axes`` are its rows, ``source`` the tip's node."""

    origin: FloatArray
    axes: FloatArray
    step: float
    shape: tuple[int, int, int]
    source: tuple[int, int, int]
    track: int

    @classmethod
    def around(cls, needle: Needle, line_mm: float, reach_mm: float, step: float) -> _Lattice:
        tip, along = np.asarray(needle.target_mm), needle.direction
        line_mm = min(line_mm, needle.length_mm)
        track = round(line_mm / step)
        half = int(np.ceil(reach_mm / step))
        if not track:
            return cls(tip, np.eye(3), step, (2 * half + 1,) * 3, (half,) * 3, 0)
        across = np.eye(3)[int(abs(along[0]) > 0.9)]
        first = across - (across @ along) * along
        first /= np.linalg.norm(first)
        axes = np.stack([first, np.cross(along, first), along])
        return cls(
            tip, axes, step, (2 * half + 1, 2 * half + 1, 2 * half + 1 + track), (half, half, half + track), track
        )

    @cached_property
    def nodes(self) -> FloatArray:
        """(n, 3) nodes in the order of the flattened lattice."""
        steps = [self.step * (np.arange(n) - s) for n, s in zip(self.shape, self.source, strict=True)]
        grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
        return np.asarray(self.origin + grid @ self.axes)

    def coordinates(self, points: FloatArray) -> FloatArray:
        """(3, n) lattice coordinates of points (n, 3)."""
        local = (points - self.origin) @ self.axes.T / self.step
        return np.asarray((local + np.array(self.source)).T)


@dataclass(frozen=True, eq=False)
class FlowArrival:
    """Arrival times from one needle: the regions {T < s}, growing with s.

    Attributes
    ----------
    time : (i, j, k)
        mm of reference bone.
    speed : (i, j, k)
        Relative permeability.
    inside : (i, j, k) bool
        Nodes in bone.
    pores : (i, j, k)
        Free pore fraction there.
    """

    medium: Medium
    lattice: _Lattice
    time: FloatArray
    speed: FloatArray
    inside: BoolArray
    pores: FloatArray

    @cached_property
    def largest(self) -> float:
        """The s up to which no region touches the border of the lattice."""
        faces = [np.take(self.time, end, axis).min() for axis in range(3) for end in (0, -1)]
        return float(min(faces))

    @property
    def step(self) -> float:
        """Of the lattice, mm."""
        return self.lattice.step

    def reached(self, s: float) -> FloatArray:
        """(n, 3) nodes of the lattice in the region of size s."""
        return np.asarray(self.lattice.nodes[self.time.ravel() <= s])

    def size(self, points: FloatArray) -> FloatArray:
        """(n,) arrival time at points (n, 3); beyond the lattice more than anywhere in it."""
        return _sampled(self.time, self.lattice.coordinates(points), float(self.time.max()) + 1.0)

    def slope(self, points: FloatArray) -> FloatArray:
        """(n,) how much the arrival time changes in a mm at points (n, 3)."""
        return _sampled(1.0 / self.speed, self.lattice.coordinates(points), 1.0, order=0)

    def bounds(self, points: FloatArray, reach_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n,) least and (n,) greatest arrival time within ``reach_mm`` (n,) of each of the points (n, 3)."""
        coordinates = self.lattice.coordinates(points)
        low, high = np.full(len(points), np.inf), np.full(len(points), np.inf)
        steps = np.ceil(reach_mm / self.lattice.step).astype(int) + 1
        # Few sizes, each at most a half more than needed.
        sizes = np.unique(np.ceil(1.5 ** np.arange(20)).astype(int))
        chosen = sizes[np.searchsorted(sizes, steps)]
        for size in np.unique(chosen):
            mine = chosen == size
            width = 2 * int(size) + 1
            for bound, found in ((low, minimum_filter), (high, maximum_filter)):
                # Beyond the lattice nothing is ever reached.
                extreme = found(self.time, size=width, mode="constant", cval=np.inf)
                bound[mine] = _sampled(extreme, coordinates[:, mine], np.inf, order=0)
        return low, high

    def in_pores(self, s: float) -> float:
        """About the volume in mm³ that the region takes in bone: the lattice's own sum."""
        times, volumes = self._by_time
        return float(np.interp(s, times, volumes))

    @cached_property
    def _by_time(self) -> tuple[FloatArray, FloatArray]:
        nodes = np.flatnonzero(self.pores.ravel())
        time = self.time.ravel()[nodes]
        order = np.argsort(time)
        volumes = np.cumsum(self.pores.ravel()[nodes[order]]) * self.lattice.step**3
        return time[order], volumes

    # ------------------------------------------------------------------ outside the bone
    @cached_property
    def _outside(self) -> tuple[IntArray, FloatArray, float]:
        """Flat nodes whose cell is partly outside the bone, their volume there, and the time to cross a cell."""
        lattice = self.lattice
        mixed = maximum_filter(self.inside, size=3) != minimum_filter(self.inside, size=3)
        nodes = np.flatnonzero((mixed | ~self.inside).ravel())
        share = np.where(self.inside.ravel()[nodes], 0.0, 1.0)
        border = np.flatnonzero(mixed.ravel()[nodes])
        corner = 0.25 * lattice.step * np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
        points = lattice.nodes[nodes[border]][:, None] + corner @ lattice.axes
        share[border] = (self.medium.locate(points.reshape(-1, 3)) < 0).reshape(-1, 8).mean(axis=1)
        kept = share > 0.0
        nodes = nodes[kept]
        return nodes, share[kept] * lattice.step**3, lattice.step / self.medium.law.tissue

    @property
    def outside_points(self) -> FloatArray:
        """(k, 3) middles of the cells outside the bone."""
        return np.asarray(self.lattice.nodes[self._outside[0]])

    def outside_volumes(self, s: float) -> FloatArray:
        """(k,) mm³ of each of these cells that the region of size s fills; it rises evenly while cement crosses."""
        nodes, volumes, crossing = self._outside
        return np.asarray(volumes * np.clip((s - self.time.ravel()[nodes]) / crossing + 0.5, 0.0, 1.0))


def _sampled(values: FloatArray, coordinates: FloatArray, beyond: float, order: int = 1) -> FloatArray:
    return np.asarray(map_coordinates(values, coordinates, order=order, mode="constant", cval=beyond))


@dataclass(frozen=True)
class Flow:
    """The spread of cement along the paths of least resistance, from the tip or from a withdrawal line.

    Parameters
    ----------
    law : FlowLaw
    line_mm
        Length of the line, back from the tip and cut off at the entry; 0 is the tip alone.
    """

    law: FlowLaw = field(default_factory=FlowLaw)
    line_mm: float = 0.0


#: What a flow of that law runs through.
Media = Callable[[FlowLaw], Medium]
