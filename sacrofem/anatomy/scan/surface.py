"""A scanned surface: read, checked, and made a solid within stated bounds of repair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from sacrofem.anatomy.scan.lattice import LatticeSolid, cleaned
from sacrofem.anatomy.scan.surfacefile import SURFACE_SUFFIXES, read_triangles
from sacrofem.anatomy.scan.triangles import lattice_distance
from sacrofem.errors import InputError
from sacrofem.system.arrays import FloatArray, IntArray

UNIT_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, "um": 1e-3}
"""Length units of files, mm."""
_UNIT_WORDS = {"in": "inches", "um": "micrometres"}

EXTENT_MM = (70.0, 230.0)
"""Largest extent of a sacrum with or without coccyx; the bone is 94 to 108 mm long and as broad
(Bangladesh J Anat 15(2) [A])."""
MOST_ML = 450.0
"""More than that is no sacrum alone: built-in women's 213 ml, men's 228 ml, Visible Human 245 ml with coccyx."""
MOST_DROPPED = 0.05
MOST_TWICE = 0.02
MOST_UNSURE = 0.02
"""Shares of the volume beyond which a surface is refused: other pieces, enclosed twice, left open by holes."""
MOST_HOLLOW = 0.1
"""Share of the volume above which one hollow makes a shell of a bone. The largest cavity of a sacrum is its canal, and
a segmentation may close both its ends: 16 of some 213 ml (a triangle of 30 x 20 mm at S1, 15 x 8 mm at S4 [K])."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles of a scan in mm, counter-clockwise from outside."""

    points: FloatArray
    faces: IntArray
    file: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checks:
    """What a surface or a label map was like, and what was mended.

    Attributes
    ----------
    triangles, open_edges : int
        Of a surface; 0 of a label map.
    pieces : int
        Before the largest was taken.
    dropped_ml, filled_ml, twice_ml : float
        Volume of the other pieces, of hollows inside, and of what the surface encloses more than once.
    volume_ml : float
        Of the solid.
    displacement_mm : float
        Largest distance of the given surface to that of the solid, hollows and dropped pieces left out.
    """

    triangles: int
    open_edges: int
    pieces: int
    dropped_ml: float
    filled_ml: float
    twice_ml: float
    volume_ml: float
    displacement_mm: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def read_surface(path: str | Path, units: str = "mm") -> Surface:
    """Read a triangulated surface.

    Parameters
    ----------
    path
        STL, PLY, OBJ, OFF or (with pyvista) VTP.
    units
        Of the file: see `UNIT_MM`.

    Raises
    ------
    InputError
        Missing, unreadable, empty, not finite, or of no size that a sacrum has.
    EnvironmentFailure
        VTP without pyvista.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", file=path, mend="give a surface: " + ", ".join(SURFACE_SUFFIXES))
    if path.suffix.lower() not in SURFACE_SUFFIXES:
        raise InputError("is no surface that can be read", file=path, mend="give one of " + ", ".join(SURFACE_SUFFIXES))
    points, faces = read_triangles(path)
    if not len(faces):
        raise InputError("holds no triangles", file=path, mend="export the surface again")
    if not np.isfinite(points).all():
        raise InputError(
            f"{int(np.count_nonzero(~np.isfinite(points).all(axis=1)))} points are not finite", file=path,
            mend="export the surface again",
        )  # fmt: skip
    _check_size(path, units, points[np.unique(faces)])
    points = points * UNIT_MM[units]
    points, faces, merged = _merged(points, faces)
    notes = [f"{merged} triangles of no area were left out"] if merged else []
    if len(faces) < 4:
        raise InputError(f"holds {len(faces)} triangles of any area", file=path, mend="give a closed surface")
    faces, twice = _once(faces)
    if twice:
        notes.append(f"{twice} triangles that are there twice count once")
    faces, turned = _oriented(points, faces)
    if turned == len(faces):
        notes.insert(0, f"all {turned} triangles look inward, as after mirroring: are left and right swapped?")
    elif turned:
        notes.append(f"{turned} of {len(faces)} triangles looked inward and were turned")
    return Surface(points, faces, str(path), tuple(notes))


def _check_size(path: Path, units: str, points: FloatArray) -> None:
    # Halves first: the difference of two large numbers may be none.
    given = 2.0 * float(np.ptp(0.5 * points, axis=0).max())
    extent = min(given, 1e300) * UNIT_MM[units]
    if EXTENT_MM[0] <= extent <= EXTENT_MM[1]:
        return
    fits = [unit for unit, factor in UNIT_MM.items() if EXTENT_MM[0] <= given * factor <= EXTENT_MM[1]]
    if fits:
        mend = f"{look_like(fits)} (--units {fits[0]})"
    elif extent > 100.0 * EXTENT_MM[1]:
        mend = "its coordinates are damaged, or in a unit of no scanner: export it again"
    elif extent > EXTENT_MM[1]:
        mend = "cut away what is not sacrum: ilium, L5, femur"
    else:
        mend = "give the whole sacrum, and its length unit in anatomy.units"
    raise InputError(
        f"is {extent:.4g} mm at its longest; a sacrum is {EXTENT_MM[0]:g} to {EXTENT_MM[1]:g} mm", file=path,
        field="anatomy.units", value=units, mend=mend,
    )  # fmt: skip


def look_like(units: Sequence[str]) -> str:
    """What to do about numbers that are of these units, one of `UNIT_MM` or several."""
    words = " or ".join(_UNIT_WORDS.get(unit, unit) for unit in units)
    return f'its numbers look like {words}: set anatomy.units = "{units[0]}"'


def _merged(points: FloatArray, faces: IntArray) -> tuple[FloatArray, IntArray, int]:
    """Equal points made one; triangles without area, and points without a triangle, left out."""
    _, first, number = np.unique(points.round(6), axis=0, return_index=True, return_inverse=True)
    faces = number.ravel()[faces]
    points = points[first]
    a, b, c = (points[faces[:, k]] for k in range(3))
    sound = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-12
    used, kept = np.unique(faces[sound], return_inverse=True)
    return points[used], kept.reshape(-1, 3), int(np.count_nonzero(~sound))


def _once(faces: IntArray) -> tuple[IntArray, int]:
    """Every triangle once, and how many were left out.

    Of two that look to either side both stay, as they enclose nothing between them, unless most of the surface is so.
    """
    low = np.sort(faces, axis=1)
    order = np.lexsort(low.T[::-1])
    new = np.ones(len(faces), bool)
    new[1:] = (low[order[1:]] != low[order[:-1]]).any(axis=1)
    group = np.empty(len(faces), np.int64)
    group[order] = np.cumsum(new) - 1
    count = int(new.sum())
    if count == len(faces):
        return faces, 0
    # Even permutations of the sorted corners look to one side, odd ones to the other.
    first = np.argmin(faces, axis=1)
    rows = np.arange(len(faces))
    even = faces[rows, (first + 1) % 3] < faces[rows, (first + 2) % 3]
    sides = np.zeros((count, 2), bool)
    sides[group, even.astype(int)] = True
    double = sides.all(axis=1)
    key = group if double.mean() > 0.5 else 2 * group + even
    kept = np.sort(np.unique(key, return_index=True)[1])
    return faces[kept], len(faces) - len(kept)


def _edges(faces: IntArray) -> tuple[IntArray, IntArray]:
    """Number of the undirected edge of every side of every triangle (3 f,), and how many triangles each has."""
    sides = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, number, count = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    return number.ravel(), count


def _oriented(points: FloatArray, faces: IntArray) -> tuple[IntArray, int]:
    """Triangles that all look outward, and how many had to be turned."""
    number, count = _edges(faces)
    sides = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    forward = sides[:, 0] < sides[:, 1]
    order = np.argsort(number, kind="stable")
    pairs = order[np.flatnonzero(count[number[order]] == 2)].reshape(-1, 2)
    alike = forward[pairs[:, 0]] == forward[pairs[:, 1]]
    turn = np.zeros(len(faces), bool)
    links = coo_array(
        (np.where(alike, 2.0, 1.0), (pairs[:, 0] // 3, pairs[:, 1] // 3)), shape=(len(faces), len(faces))
    ).tocsr()
    pieces, piece = connected_components(links, directed=False)
    if alike.any():
        both = (links + links.T).tocsr()
        for k in range(pieces):
            root = int(np.flatnonzero(piece == k)[0])
            reached, before = breadth_first_order(both, root, directed=False)
            for face in reached[1:]:
                turn[face] = turn[before[face]] ^ (both[face, before[face]] == 2.0)
    turned = np.where(turn[:, None], faces[:, ::-1], faces)
    a, b, c = (points[turned[:, k]] - points.mean(axis=0) for k in range(3))
    volume = np.bincount(piece, np.einsum("fd,fd->f", a, np.cross(b, c)), minlength=pieces)
    # Of pieces that were consistent by themselves one inside another may well be a hollow: only the whole decides.
    inward = volume < 0 if alike.any() else np.full(pieces, volume.sum() < 0)
    turn ^= inward[piece]
    return np.where(turn[:, None], faces[:, ::-1], faces), int(turn.sum())


def surface_solid(surface: Surface, spacing_mm: float = 1.5) -> tuple[LatticeSolid, Checks, tuple[str, ...]]:
    """The solid that a surface encloses, what was found, and notes on what was mended.

    Parameters
    ----------
    surface
    spacing_mm
        Of the lattice; walls and gaps thinner than that are lost.

    Raises
    ------
    InputError
        What cannot be mended within bounds: it does not close, encloses much of itself twice, consists of several
        bones, or is too large for a sacrum.
    """
    points, faces, file = surface.points, surface.faces, surface.file
    _check_shells(points, faces, file)
    corner = points.min(axis=0) - 4.0 * spacing_mm
    extent = np.ptp(points, axis=0)
    nx, ny, nz = (int(n) for n in np.ceil(extent / spacing_mm + 8.0))
    values, winding = lattice_distance(points, faces, corner, spacing_mm, (nx, ny, nz))
    cell = spacing_mm**3 / 1e3
    volume = cell * float(np.count_nonzero(winding > 0.5))
    open_edges = int(np.count_nonzero(_edges(faces)[1] == 1))
    if volume < 1.0:
        raise InputError(
            f"encloses no volume; {open_edges} edges are open", file=file, mend="close the surface in a mesh editor"
        )
    notes = list(surface.notes)
    unsure = cell * float(np.count_nonzero(np.abs(winding - np.round(winding)) > 0.2))
    if open_edges:
        text = f"the surface does not close: {open_edges} edges are open"
        if unsure > MOST_UNSURE * volume:
            raise InputError(
                f"{text}, and {unsure:.3g} of {volume:.3g} ml may lie on either side", file=file,
                mend="fill its holes in a mesh editor",
            )  # fmt: skip
        notes.append(f"{text}; closed by majority of six rays, {unsure:.2g} ml in doubt")
    twice = cell * float(np.count_nonzero(winding > 1.5))
    if twice > MOST_TWICE * volume:
        raise InputError(
            f"intersects itself: {twice:.3g} of {volume:.3g} ml lie inside it twice or more", file=file,
            mend="unite its parts in a mesh editor",
        )  # fmt: skip
    if twice > 0.0:
        notes.append(f"the surface intersects itself: {twice:.2g} ml lie inside twice and count once")
    return _checked(values, corner, spacing_mm, surface, open_edges, twice, notes)


def _check_shells(points: FloatArray, faces: IntArray, file: str) -> None:
    """Refuse the outer and the inner surface of a shell, which of a thin one do not even close on a lattice."""
    links = coo_array(
        (np.ones(2 * len(faces)), (faces[:, [0, 0]].ravel(), faces[:, [1, 2]].ravel())), shape=(len(points),) * 2
    )
    pieces, at = connected_components(links, directed=False)
    if pieces == 1:
        return
    piece = at[faces[:, 0]]
    a, b, c = (points[faces[:, k]] - points.mean(axis=0) for k in range(3))
    volume = np.bincount(piece, np.einsum("fd,fd->f", a, np.cross(b, c)), minlength=pieces) / 6e3
    corners = points[faces].reshape(-1, 3)
    owner = np.repeat(piece, 3)
    low, high = np.full((pieces, 3), np.inf), np.full((pieces, 3), -np.inf)
    np.minimum.at(low, owner, corners)
    np.maximum.at(high, owner, corners)
    outer = int(np.abs(volume).argmax())
    within = (low > low[outer]).all(axis=1) & (high < high[outer]).all(axis=1)
    inner = float(np.abs(volume[within]).max(initial=0.0))
    if inner > MOST_HOLLOW * abs(volume[outer]):
        raise InputError(
            f"is hollow: inside its surface around {abs(volume[outer]):.4g} ml another one encloses {inner:.4g} ml",
            file=file, mend="delete the inner surface: a sacrum is bone throughout",
        )  # fmt: skip


def _checked(
    values: FloatArray,
    corner: FloatArray,
    spacing_mm: float,
    surface: Surface,
    open_edges: int,
    twice: float,
    notes: list[str],
) -> tuple[LatticeSolid, Checks, tuple[str, ...]]:
    values, done = cleaned(values, spacing_mm)
    solid = LatticeSolid(values.astype(np.float32), corner, spacing_mm)
    notes += check_pieces(solid, done.dropped_ml, done.filled_ml, surface.file)
    away = np.abs(solid.signed_distance(surface.points))
    if done.dropped_ml or done.filled_ml or twice:
        # What was taken away on purpose is no displacement.
        away = away[away < 2.0 * spacing_mm]
    checks = Checks(
        len(surface.faces), open_edges, 1 + len(done.dropped_ml), sum(done.dropped_ml), sum(done.filled_ml), twice,
        solid.volume_mm3 / 1e3, float(away.max(initial=0.0)),
    )  # fmt: skip
    return solid, checks, tuple(notes)


def check_pieces(
    solid: LatticeSolid, dropped_ml: tuple[float, ...], filled_ml: tuple[float, ...], file: str
) -> list[str]:
    """Notes on pieces and hollows; refuses several bones and one that is too large.

    Raises
    ------
    InputError
    """
    volume = solid.volume_mm3 / 1e3
    notes = []
    if dropped_ml:
        text = f"{len(dropped_ml)} further pieces, the largest of {dropped_ml[0]:.3g} ml"
        if dropped_ml[0] > MOST_DROPPED * volume:
            raise InputError(
                f"consists of several bones: {text} beside {volume:.4g} ml", file=file, mend="export the sacrum alone"
            )
        notes.append(f"{text}, were left out")
    if filled_ml:
        if filled_ml[0] > MOST_HOLLOW * volume:
            raise InputError(
                f"is hollow: {filled_ml[0]:.4g} of {volume:.4g} ml are a closed hollow", file=file,
                mend="fill it, as a sacrum is bone throughout: give the whole bone, not its cortex",
            )  # fmt: skip
        notes.append(f"{len(filled_ml)} closed hollows, {sum(filled_ml):.2g} ml together, were filled")
    if volume > MOST_ML:
        raise InputError(
            f"holds {volume:.4g} ml; a sacrum holds up to {MOST_ML:g}", file=file,
            mend="cut away what is not sacrum: is the ilium or L5 still attached?",
        )  # fmt: skip
    return notes
