"""Meshes on disk: names and pairs are kept, in the file or beside it, or the format is refused."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import meshio
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sacrofem.errors import EnvironmentFailure, InputError, SacrofemWarning
from sacrofem.mesh.files import abaqus, gmsh
from sacrofem.mesh.files.midsides import corner_tets
from sacrofem.mesh.files.untrusted import check_file
from sacrofem.mesh.quality import FARTHEST
from sacrofem.mesh.split import face_codes
from sacrofem.mesh.tetmesh import TetMesh, boundary_faces
from sacrofem.system.arrays import BoolArray, FloatArray, IntArray
from sacrofem.system.files import replace_file

NAMED = {".vtu": meshio.vtu, ".vtk": meshio.vtk}
"""Formats that carry named sets and pairs as cell data."""

BARE: Mapping[str, ModuleType] = {
    ".msh": meshio.gmsh,
    ".inp": meshio.abaqus,
    ".bdf": meshio.nastran,
    ".mesh": meshio.medit,
}
"""Formats that lose them through meshio: a file ``<file>.sets.json`` is kept beside them."""


READERS: Mapping[str, ModuleType] = {".msh": gmsh, ".inp": abaqus}
"""What reads formats of which meshio loses groups."""

NUMBERED = {"gmsh:physical": "physical", "medit:ref": "ref", "nastran:ref": "ref"}
"""Numbers of groups in cell data, and what such a group is called."""


# ---------------------------------------------------------------------- writing
def write_mesh(
    path: str | os.PathLike[str],
    mesh: TetMesh,
    point_data: Mapping[str, ArrayLike] | None = None,
    cell_data: Mapping[str, ArrayLike] | None = None,
    face_data: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Write a mesh with its names and pairs, all or nothing (a temporary file is renamed).

    Parameters
    ----------
    path
        Its suffix chooses the format: .vtu or .vtk keep everything in one file; .msh, .inp, .bdf
        (ten digits) and .mesh get ``<file>.sets.json`` beside them and take no fields.
    mesh
        Equal meshes give equal bytes (.vtu: binary, zlib).
    point_data : mapping of str to (n, ...) array
        Fields on points.
    cell_data, face_data : mapping of str to (m, ...) and (k, ...) array
        Fields on tets and on faces; NaN (0 for integers) on the other kind.

    Raises
    ------
    InputError
        The format cannot hold tets, or not the fields.
    EnvironmentFailure
        The file cannot be written.
    """
    path = Path(path)
    suffix = _known_suffix(path)
    m, k = len(mesh.tets), len(mesh.faces)
    cells = [("tetra", mesh.tets.astype(np.int32)), ("triangle", mesh.faces.astype(np.int32))]
    fields: dict[str, list[NDArray[Any]]] = {}
    if suffix in BARE:
        if point_data or cell_data or face_data:
            raise InputError(f"{suffix} files are written without fields", file=path, mend="write .vtu")
        if suffix == ".msh":
            fields = {
                f"gmsh:{key}": [np.ones(m, np.int32), np.ones(k, np.int32)] for key in ("physical", "geometrical")
            }
    else:
        for name, data in sorted((cell_data or {}).items()):
            fields[name] = on_both(np.asarray(data), k, tets_first=True)
        for name, data in sorted((face_data or {}).items()):
            fields[name] = on_both(np.asarray(data), m, tets_first=False)
        fields |= named_cells(mesh)
    points = {name: np.ascontiguousarray(data) for name, data in sorted((point_data or {}).items())}
    places = _ten_digits(mesh.points) if suffix == ".bdf" else mesh.points
    content = meshio.Mesh(places, cells, point_data=points, cell_data=fields)
    module: Any = NAMED.get(suffix) or BARE[suffix]
    # meshio writes mixed cells only in the older version of that format.
    options = {"fmt_version": "2.2"} if suffix == ".msh" else {}
    replace_file(path, lambda temporary: module.write(str(temporary), content, **options))
    if suffix in BARE:
        text = json.dumps(_side_file(mesh), indent=1, sort_keys=True) + "\n"
        replace_file(_beside(path), text)


def _ten_digits(points: FloatArray) -> FloatArray:
    """Coordinates that meshio can fit into the 16 columns of a field: it fails on a negative one with more digits."""
    lines = np.char.mod("%.10e", np.where(np.abs(points) < 1e-9, 0.0, points))
    return np.asarray(lines.astype(float))


def on_both(data: NDArray[Any], other: int, *, tets_first: bool) -> list[NDArray[Any]]:
    """Cell data on the blocks of tets and of faces: ``data`` on one, NaN (0 for integers) on the ``other`` cells."""
    rest = np.full((other, *data.shape[1:]), np.nan if data.dtype.kind == "f" else 0, dtype=data.dtype)
    data = np.ascontiguousarray(data)
    return [data, rest] if tets_first else [rest, data]


def named_cells(mesh: TetMesh) -> dict[str, list[NDArray[Any]]]:
    """Sets and pairs as cell data on the blocks of tets and of faces: uint8, int32 and int8."""
    assert mesh.pair is not None
    assert mesh.pair_side is not None
    m, k = len(mesh.tets), len(mesh.faces)
    cells: dict[str, list[NDArray[Any]]] = {}
    for name in sorted({*mesh.tet_sets, *mesh.face_sets}):
        on_tets, on_faces = mesh.tet_sets.get(name, np.zeros(m, bool)), mesh.face_sets.get(name, np.zeros(k, bool))
        cells[f"set:{name}"] = [on_tets.astype(np.uint8), on_faces.astype(np.uint8)]
    cells["pair"] = [np.zeros(m, np.int32), np.array(mesh.pair)]
    cells["pair_side"] = [np.zeros(m, np.int8), np.array(mesh.pair_side)]
    return cells


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sets.json")


def _side_file(mesh: TetMesh) -> dict[str, object]:
    def lists(sets: Mapping[str, BoolArray]) -> dict[str, list[int]]:
        return {name: np.flatnonzero(members).tolist() for name, members in sets.items()}

    plus, minus = mesh.paired
    return {
        "schema": 1,
        "tets": len(mesh.tets),
        "faces": mesh.faces.tolist(),
        "tet_sets": lists(mesh.tet_sets),
        "face_sets": lists(mesh.face_sets),
        "pairs": np.column_stack([plus, minus]).tolist(),
    }


# ---------------------------------------------------------------------- reading
def read_mesh(path: str | os.PathLike[str], *, straighten: bool = False) -> TetMesh:
    """Read a tet mesh with its names and pairs.

    Parameters
    ----------
    path
        .vtu or .vtk as ``write_mesh`` leaves them, or any mesh of tets in those formats or in .msh,
        .inp, .bdf, .mesh. ``<file>.sets.json`` is read where it lies beside the file; sets and surfaces
        (.inp) and physical groups (.msh) on tets and boundary triangles become named sets, groups without
        a name are called by their number: ``physical_3`` (.msh), ``ref_3`` (.bdf, .mesh).
        Points without a tet are left out. Call ``quality.check_mesh`` on what comes from elsewhere.
    straighten
        Take ten-node tets with curved mid-sides as straight ones, with a warning.

    Raises
    ------
    InputError
        The file is missing, truncated, of another kind, or holds what a TetMesh cannot.
    """
    path = Path(path)
    suffix = _known_suffix(path)
    if not path.is_file():
        raise InputError("is a folder" if path.is_dir() else "no such file", file=path, mend="give a mesh file")
    check_file(path, suffix)
    module: Any = READERS.get(suffix) or NAMED.get(suffix) or BARE[suffix]
    try:
        # meshio drops cells of kinds that it does not know, and only says so on standard error.
        with contextlib.redirect_stderr(io.StringIO()) as said:
            content = module.read(str(path))
    except InputError:
        raise
    # meshio's readers let errors of every kind through, and end the process on some.
    except (Exception, SystemExit) as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise InputError(
            f"not a readable {suffix} mesh ({reason})", file=path, mend="the file may be truncated: export it again"
        ) from error

    def refuse(problem: str, mend: str) -> NoReturn:
        raise InputError(problem, file=path, mend=mend)

    if "cannot handle" in (dropped := " ".join(said.getvalue().split())):
        refuse(dropped.removeprefix("Warning: ").rstrip("."), "convert them to tetrahedra")
    tets, triangles, order = _blocks(content, refuse)
    points = np.asarray(content.points, dtype=float)
    if points.ndim != 2 or points.shape[1] != 3:
        refuse("its points are not three-dimensional", "give a volume mesh")
    # Points that are not finite are counted where meshes are checked.
    far = np.where(np.isfinite(points), np.abs(points), 0.0).max(axis=1)
    if (lost := np.flatnonzero(far > FARTHEST)).size:
        most = float(far.max())
        refuse(
            f"{len(lost)} points have coordinates up to {most:.3g} (the first, number {lost[0]})",
            "export the mesh again",
        )
    for name, cells in (("tet", tets), ("triangle", triangles)):
        if (bad := ((cells < 0) | (cells >= len(points))).any(axis=1)).any():
            refuse(
                f"cells name points that do not exist (first in {name} number {int(np.argmax(bad))})",
                "the file may be truncated: export it again",
            )
    if orphans := len(points) - len(np.unique(tets)):
        warnings.warn(f"{path}: {orphans} points without a tet were left out", SacrofemWarning, stacklevel=2)
    if tets.shape[1] == 10:
        tets = corner_tets(points, tets, path, straighten=straighten)
    used = np.unique(tets)
    number = np.full(len(points), -1)
    number[used] = np.arange(len(used))
    points, tets, triangles = points[used], number[tets], number[triangles]

    if suffix in BARE and (beside := _beside(path)).is_file():
        return _with_side_file(points, tets, beside)
    tet_sets, triangle_sets = _named_sets(content, order, len(tets), len(triangles))
    for name in (*tet_sets, *triangle_sets):
        if not name.isprintable():
            refuse(f"a set bears the name {name!r}", "name it with letters, digits and _")
    tets_by_number, triangles_by_number = _numbered(content, order, len(tets), len(triangles))
    tet_sets = tets_by_number | tet_sets
    raw = content.cell_data
    pair = _joined(raw, "pair", order["triangle"], len(triangles)).astype(np.int32)
    side = _joined(raw, "pair_side", order["triangle"], len(triangles)).astype(np.int8)
    faces = boundary_faces(tets)
    n = len(points)
    code, boundary = face_codes(triangles, n), face_codes(faces, n)
    if len(code) == len(boundary) and (np.sort(code) == np.sort(boundary)).all():
        mesh = TetMesh(points, tets, triangles, tet_sets, triangles_by_number | triangle_sets, pair, side)
        return mesh if pair.any() else _outward(mesh, faces)
    if pair.any():
        refuse("has fracture pairs, but its triangles are not its whole boundary", "write all faces, or cut again")
    # Every triangle has a number, those between two parts of the bone too.
    outer = {name: np.isin(boundary, code[members]) for name, members in triangles_by_number.items()}
    by_number = {name: members for name, members in outer.items() if members.any()}
    return TetMesh(points, tets, faces, tet_sets, by_number | _on_boundary(code, boundary, triangle_sets, refuse))


def _outward(mesh: TetMesh, faces: IntArray) -> TetMesh:
    """The same faces in the same order, seen from outside whatever the file says."""
    n = len(mesh.points)
    mine, theirs = face_codes(mesh.faces, n), face_codes(faces, n)
    rank = np.empty(len(faces), np.int64)
    rank[np.argsort(mine)] = np.argsort(theirs)
    corners = faces[rank]
    first = np.argmax(corners == mesh.faces[:, :1], axis=1)
    rows = np.arange(len(corners))[:, None]
    turned = corners[rows, (first[:, None] + np.arange(3)) % 3]
    return TetMesh(mesh.points, mesh.tets, turned, mesh.tet_sets, mesh.face_sets)


def _on_boundary(
    code: IntArray, boundary: IntArray, sets: Mapping[str, BoolArray], refuse: Callable[[str, str], NoReturn]
) -> dict[str, BoolArray]:
    face_sets = {}
    for name, members in sets.items():
        inner = ~np.isin(code[members], boundary)
        if inner.any() and re.fullmatch(r"physical_\d+", name):
            # Nobody named it: what lies between two parts of the bone is left out.
            if inner.all():
                continue
        elif inner.any():
            refuse(f"{np.count_nonzero(inner)} triangles of {name!r} are not on the boundary", "name outer faces only")
        face_sets[name] = np.isin(boundary, code[members])
    return face_sets


def _blocks(
    content: meshio.Mesh, refuse: Callable[[str, str], NoReturn]
) -> tuple[IntArray, IntArray, dict[str, list[int]]]:
    order: dict[str, list[int]] = {"tetra": [], "tetra10": [], "triangle": []}
    ignored = {"vertex", "line", "line3"}
    for index, block in enumerate(content.cells):
        kind = {"triangle6": "triangle"}.get(block.type, block.type)
        if kind in order:
            order[kind].append(index)
        elif kind not in ignored:
            refuse(f"holds cells of type {block.type!r}", "convert them to tetrahedra")
    if order["tetra"] and order["tetra10"]:
        refuse("mixes tetrahedra of four and ten nodes", "export one kind")
    kind = "tetra10" if order["tetra10"] else "tetra"
    order["tetra"] = order[kind]
    if not sum(len(content.cells[index].data) for index in order["tetra"]):
        refuse("has no tetrahedra", "give a volume mesh, or import the surface as anatomy")
    tets = np.concatenate([np.asarray(content.cells[index].data, dtype=np.int64) for index in order["tetra"]])
    faces = [np.asarray(content.cells[index].data, dtype=np.int64)[:, :3] for index in order["triangle"]]
    return tets, np.concatenate([*faces, np.empty((0, 3), np.int64)]), order


def _joined(data: Mapping[str, list[Any]], name: str, blocks: list[int], length: int) -> NDArray[Any]:
    if name not in data or not blocks:
        return np.zeros(length, np.int64)
    return np.concatenate([np.asarray(data[name][index]).ravel() for index in blocks])


def _named_sets(
    content: meshio.Mesh, order: Mapping[str, list[int]], m: int, k: int
) -> tuple[dict[str, BoolArray], dict[str, BoolArray]]:
    """Sets as we write them, cell sets, and physical groups; without empty ones of the other kind."""
    tet_sets: dict[str, BoolArray] = {}
    face_sets: dict[str, BoolArray] = {}

    def add(name: str, on_tets: NDArray[Any], on_faces: NDArray[Any]) -> None:
        if on_tets.any():
            tet_sets[name] = on_tets.astype(bool)
        if on_faces.any() or not on_tets.any():
            face_sets[name] = on_faces.astype(bool)

    for key in content.cell_data:
        if key.startswith("set:"):
            parts = (_joined(content.cell_data, key, order[kind], n) for kind, n in (("tetra", m), ("triangle", k)))
            add(key.removeprefix("set:"), *parts)
    for name, members in content.cell_sets.items():
        if name.startswith("gmsh:"):
            continue
        flags: dict[str, list[Any]] = {"in": []}
        for block, inside in zip(content.cells, members, strict=True):
            flag = np.zeros(len(block.data), bool)
            if inside is not None:
                flag[np.asarray(inside, dtype=np.int64)] = True
            flags["in"].append(flag)
        add(name, _joined(flags, "in", order["tetra"], m), _joined(flags, "in", order["triangle"], k))
    for name, (tag, dimension) in content.field_data.items() if "gmsh:physical" in content.cell_data else ():
        # Of several groups of a face this array knows the first; where the file lists them as sets, these are whole.
        if name in content.cell_sets:
            continue
        if dimension == 3:
            add(name, _joined(content.cell_data, "gmsh:physical", order["tetra"], m) == tag, np.zeros(k, bool))
        elif dimension == 2:
            add(name, np.zeros(m, bool), _joined(content.cell_data, "gmsh:physical", order["triangle"], k) == tag)
    return tet_sets, face_sets


def _numbered(content: meshio.Mesh, order: Mapping[str, list[int]], m: int, k: int) -> list[dict[str, BoolArray]]:
    """Groups that bear a number and no name, of tets and of triangles: ``physical_3`` (Gmsh), ``ref_3`` (others)."""
    found: list[dict[str, BoolArray]] = []
    for kind, length, dimension in (("tetra", m, 3), ("triangle", k, 2)):
        named = {int(tag) for tag, of in content.field_data.values() if of == dimension}
        found.append({})
        for key, word in NUMBERED.items():
            tags = _joined(content.cell_data, key, order[kind], length)
            for tag in sorted({int(tag) for tag in np.unique(tags)} - named - {0}):
                found[-1][f"{word}_{tag}"] = tags == tag
    return found


def _with_side_file(points: FloatArray, tets: IntArray, beside: Path) -> TetMesh:
    try:
        names = json.loads(beside.read_text(encoding="utf-8"))
        faces = np.asarray(names["faces"], dtype=np.int64).reshape(-1, 3)
        m, k = len(tets), len(faces)

        def members(sets: Mapping[str, list[int]], length: int) -> dict[str, BoolArray]:
            return {name: np.isin(np.arange(length), indices) for name, indices in sets.items()}

        tet_sets, face_sets = members(names["tet_sets"], m), members(names["face_sets"], k)
        pair, side = np.zeros(k, np.int32), np.zeros(k, np.int8)
        for number, (plus, minus) in enumerate(names["pairs"], start=1):
            pair[[plus, minus]] = number
            side[[plus, minus]] = 1, -1
        same = names["tets"] == m and set(face_codes(faces, len(points)).tolist()) == set(
            face_codes(boundary_faces(tets), len(points)).tolist()
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"not a file of sets ({error})", file=beside, mend="write the mesh again") from error
    if not same:
        raise InputError("belongs to another mesh", file=beside, mend="write the mesh again, or remove the file")
    return TetMesh(points, tets, faces, tet_sets, face_sets, pair, side)


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in NAMED and suffix not in BARE:
        raise InputError(
            f"meshes of format {suffix!r} are not supported",
            file=path,
            mend=f"use .vtu, or one of {', '.join([*list(NAMED)[1:], *BARE])}",
        )
    return suffix


# ---------------------------------------------------------------------- shipped meshes
def reference_folder() -> Path:
    """The folder of the reference meshes: in the installed package, or ``meshes`` of a checkout.

    Raises
    ------
    EnvironmentFailure
        Neither exists.
    """
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "_meshes", package.parent / "meshes"):
        if folder.is_dir():
            return folder
    raise EnvironmentFailure(f"no reference meshes beside {package}; reinstall sacrofem")


def reference_mesh(name: str) -> TetMesh:
    """A reference mesh by its name, such as ``sacrum-coarse-intact``.

    Raises
    ------
    InputError
        There is none of that name.
    """
    folder = reference_folder()
    if not (file := folder / f"{name}.vtu").is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.vtu")))
        raise InputError("no such reference mesh", field="mesh", value=name, mend=f"choose from {known or 'none'}")
    return read_mesh(file)
