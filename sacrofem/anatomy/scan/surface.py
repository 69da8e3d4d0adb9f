"""A scanned surface: read, checked, and made a solid within stated bounds of repair."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from sacrofem.anatomy.scan.lattice import LatticeSolid, cleaned
from sacrofem.anatomy.scan.triangles import lattice_distance
from sacrofem.errors import EnvironmentFailure, InputError
from sacrofem.system.arrays import FloatArray, IntArray

SURFACE_SUFFIXES = (".stl", ".ply", ".obj", ".off", ".vtp")
UNIT_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}

EXTENT_MM = (70.0, 230.0)
"""Largest extent of a sacrum with or without coccyx; the bone is 94 to 108 mm long and as broad
(Bangladesh J Anat 15(2) [A])."""
MOST_ML = 450.0
"""More than that is no sacrum alone: built-in women's 213 ml, men's 228 ml, Visible Human 245 ml with coccyx."""
MOST_DROPPED = 0.05
MOST_TWICE = 0.02
MOST_UNSURE = 0.02
"""Shares of the volume beyond which a surface is refused: other pieces, enclosed twice, left open by holes."""
_MOST_TRIANGLES = 20_000_000
_STL_HEADER, _STL_TRIANGLE = 84, 50


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
        Of the file: mm, cm or m.

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
    points, faces = _vtp(path) if path.suffix.lower() == ".vtp" else _triangles(path)
    if not len(faces):
        raise InputError("holds no triangles", file=path, mend="export the surface again")
    if not np.isfinite(points).all():
        raise InputError(
            f"{int(np.count_nonzero(~np.isfinite(points).all(axis=1)))} points are not finite", file=path,
            mend="export the surface again",
        )  # fmt: skip
    points = points * UNIT_MM[units]
    _check_size(path, units, points)
    points, faces, merged = _merged(points, faces)
    notes = [f"{merged} triangles of no area were left out"] if merged else []
    faces, turned = _oriented(points, faces)
    if turned:
        notes.append(f"{turned} of {len(faces)} triangles looked inward and were turned")
    return Surface(points, faces, str(path), tuple(notes))


def _triangles(path: Path) -> tuple[FloatArray, IntArray]:
    trimesh: Any = import_module("trimesh")
    kind = path.suffix.lower()[1:]
    with path.open("rb") as file:
        head = file.read(_STL_HEADER)
    if kind == "stl" and len(head) == _STL_HEADER and not head.lstrip().startswith(b"solid"):
        declared = int.from_bytes(head[80:84], "little")
        if declared * _STL_TRIANGLE + _STL_HEADER > path.stat().st_size:
            raise InputError(
                f"is cut short: it declares {declared} triangles", file=path, mend="export the surface again"
            )
    try:
        # No materials and no resolver: nothing but the file itself is opened.
        found = trimesh.load(str(path), file_type=kind, force="mesh", process=False, skip_materials=True)
        points, faces = np.asarray(found.vertices, dtype=float), np.asarray(found.faces, dtype=np.int64)
    except InputError:
        raise
    except Exception as error:
        # What a damaged file makes of a reader is anything.
        raise InputError(f"not a readable surface ({error})"[:200], file=path, mend="export it again") from error
    if len(faces) > _MOST_TRIANGLES:
        raise InputError(f"has {len(faces)} triangles", file=path, mend="decimate it to a million or fewer")
    if faces.size and not (faces.min() >= 0 and faces.max() < len(points)):
        raise InputError("its triangles name points that are not there", file=path, mend="export it again")
    return points.reshape(-1, 3), faces.reshape(-1, 3)


def _vtp(path: Path) -> tuple[FloatArray, IntArray]:
    try:
        pyvista: Any = import_module("pyvista")
    except ImportError as error:
        raise EnvironmentFailure("reading .vtp needs pyvista: pip install 'sacrofem[view]', or give STL") from error
    try:
        found = pyvista.read(path).extract_surface(algorithm=None).triangulate()
        return np.asarray(found.points, dtype=float), np.asarray(found.faces).reshape(-1, 4)[:, 1:].astype(np.int64)
    except Exception as error:
        raise InputError(f"not a readable surface ({error})"[:200], file=path, mend="export it again") from error


def _check_size(path: Path, units: str, points: FloatArray) -> None:
    extent = float(np.ptp(points, axis=0).max())
    if EXTENT_MM[0] <= extent <= EXTENT_MM[1]:
        return
    given = extent / UNIT_MM[units]
    fits = [unit for unit, factor in UNIT_MM.items() if EXTENT_MM[0] <= given * factor <= EXTENT_MM[1]]
    if fits:
        mend = f'its numbers look like {fits[0]}: set anatomy.units = "{fits[0]}" (--units {fits[0]})'
    elif extent > EXTENT_MM[1]:
        mend = "cut away what is not sacrum: ilium, L5, femur"
    else:
        mend = "give the whole sacrum, and its length unit in anatomy.units"
    raise InputError(
        f"is {extent:.4g} mm at its longest; a sacrum is {EXTENT_MM[0]:g} to {EXTENT_MM[1]:g} mm", file=path,
        field="anatomy.units", value=units, mend=mend,
    )  # fmt: skip


def _merged(points: FloatArray, faces: IntArray) -> tuple[FloatArray, IntArray, int]:
    """Equal points made one; triangles without area left out."""
    _, first, number = np.unique(points.round(6), axis=0, return_index=True, return_inverse=True)
    faces = number.ravel()[faces]
    points = points[first]
    a, b, c = (points[faces[:, k]] for k in range(3))
    sound = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-12
    kept = faces[sound]
    return points, kept, int(len(faces) - len(kept))


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
        notes.append(f"{len(filled_ml)} closed hollows, {sum(filled_ml):.2g} ml together, were filled")
    if volume > MOST_ML:
        raise InputError(
            f"holds {volume:.4g} ml; a sacrum holds up to {MOST_ML:g}", file=file,
            mend="cut away what is not sacrum: is the ilium or L5 still attached?",
        )  # fmt: skip
    return notes
