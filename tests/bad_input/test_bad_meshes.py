"""Meshes of one's own that must be refused before anything is assembled on them, one fault each."""

from dataclasses import replace

import meshio
import numpy as np
import pytest
from blocks_of_tets import box
from refusals import refused

from sacrofem.cli import main
from sacrofem.mesh.files.files import reference_mesh, write_mesh
from sacrofem.mesh.files.midsides import CONVENTIONS
from sacrofem.mesh.split import inner_faces, split
from sacrofem.mesh.tetmesh import TET_EDGES, TetMesh

# As large as a sacrum, and in its place
BLOCK = box((2, 2, 2), (80.0, 60.0, 90.0))
BLOCK = replace(BLOCK, points=BLOCK.points - [40.0, 30.0, 60.0])
NAMES = {
    "endplate": np.isclose(BLOCK.points[BLOCK.faces][..., 2], 30.0).all(axis=1),
    "auricular_left": np.isclose(BLOCK.points[BLOCK.faces][..., 0], 40.0).all(axis=1),
    "auricular_right": np.isclose(BLOCK.points[BLOCK.faces][..., 0], -40.0).all(axis=1),
}


def raw(path, points=BLOCK.points, tets=BLOCK.tets, **more):
    meshio.Mesh(points, [("tetra", tets), *more.pop("cells", ())], **more).write(path)


def with_tet(path, apex):
    """One more tet on the first boundary face."""
    a, b, c = BLOCK.faces[0]
    n = len(BLOCK.points)
    centre, normal = BLOCK.points[BLOCK.faces[0]].mean(axis=0), BLOCK.face_normals[0]
    raw(path, np.vstack([BLOCK.points, centre + apex * normal]), np.vstack([BLOCK.tets, [a, b, c, n]]))


def inverted(path):
    tets = BLOCK.tets.copy()
    tets[5] = tets[5][[0, 2, 1, 3]]
    raw(path, tets=tets)


def folded(path):
    """Two tets on one side of a face: all volumes are positive, and their sum is more than the block's."""
    a, b, c = BLOCK.faces[0]
    inside = BLOCK.points[BLOCK.faces[0]].mean(axis=0) - 7.0 * BLOCK.face_normals[0]
    raw(path, np.vstack([BLOCK.points, inside]), np.vstack([BLOCK.tets, [a, c, b, len(BLOCK.points)]]))


def ten_nodes(mesh, bump=0.0, order=range(10)):
    """A mesh of ten-node tets: the first middle moved by ``bump`` edge lengths, nodes in another order."""
    ends = np.sort(mesh.tets[:, TET_EDGES], axis=2)
    edges, number = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True)
    middles = mesh.points[edges].mean(axis=1)
    middles[0] += bump * np.linalg.norm(np.ptp(mesh.points[edges[0]], axis=0)) * np.array([0.6, 0.8, 0.0])
    tets = np.column_stack([mesh.tets, number.reshape(-1, 6) + len(mesh.points)])
    theirs = np.empty_like(tets)
    theirs[:, list(order)] = tets
    return meshio.Mesh(np.vstack([mesh.points, middles]), [("tetra10", theirs)])


def moved(by, index=13):
    points = BLOCK.points.copy()
    points[index] += by
    return points


def unmerged(path):
    faces, _ = inner_faces(BLOCK)
    halves = split(BLOCK, {"cut": faces[np.isclose(BLOCK.points[faces][..., 0], 0.0).all(axis=1)]})
    raw(path, halves.points, halves.tets)


def crumbs(path):
    small = box((1, 1, 1), (2.0, 2.0, 2.0))
    n = len(BLOCK.points)
    raw(path, np.vstack([BLOCK.points, small.points + 60.0]), np.vstack([BLOCK.tets, small.tets + n]))


def hinged(path):
    """Two of eight cells that touch along an edge, and nothing else."""
    centre = BLOCK.centroids > [0.0, 0.0, -15.0]
    keep = (centre == [False, False, False]).all(axis=1) | (centre == [True, True, False]).all(axis=1)
    raw(path, tets=BLOCK.tets[keep])


def beyond(path):
    raw(path, points=BLOCK.points[:-1])


def mixed(path):
    corners = np.array([[x, y, z] for z in (40, 50) for x, y in ((0, 0), (9, 0), (9, 9), (0, 9))], float)
    points = np.vstack([BLOCK.points, corners])
    raw(path, points, cells=[("hexahedron", [np.arange(8) + len(BLOCK.points)])])


def duplicated(path):
    raw(path, tets=np.vstack([BLOCK.tets, BLOCK.tets[[4]][:, [1, 2, 0, 3]]]))


def misspelt(path):
    sets = {**NAMES, "endplte": NAMES["endplate"]}
    del sets["endplate"]
    write_mesh(path, BLOCK.with_sets(face_sets=sets))


def empty_set(path):
    write_mesh(path, BLOCK.with_sets(face_sets={**NAMES, "auricular_right": NAMES["endplate"] & False}))


def overlapping(path):
    both = NAMES["auricular_left"] | NAMES["auricular_right"]
    write_mesh(path, BLOCK.with_sets(face_sets={**NAMES, "auricular_left": both}))


def loaded_and_held(path):
    write_mesh(path, BLOCK.with_sets(face_sets={**NAMES, "endplate": NAMES["endplate"] | NAMES["auricular_left"]}))


def declared(path, old, new):
    """The same cells under another type of element."""
    content = meshio.Mesh(BLOCK.points, [("tetra", BLOCK.tets)]) if old == 10 else ten_nodes(BLOCK)
    meshio.vtu.write(path, content, binary=False)
    head, types = path.read_text().split('Name="types"')
    path.write_text(head + 'Name="types"' + types.replace(f"\n{old}", f"\n{new}"))


def counting(path, number):
    raw(path)
    path.write_text(path.read_bytes().decode("latin-1").replace(f'Points="{len(BLOCK.points)}"', f'Points="{number}"'))


MESHES = {
    "inverted": (inverted, ["1 of 48 tets are inverted", "number 5"]),
    "folded": (folded, ["it is folded: at 1 faces both tets lie on the same side"]),
    "sliver": (lambda path: with_tet(path, 1e-7), ["1 tets are slivers of quality below 1e-06", "number 48"]),
    "curved": (
        lambda path: ten_nodes(BLOCK, 0.2).write(path),
        ["1 mid-side nodes are up to", "furthest in tet number", "straight-sided"],
    ),
    "curved-inside-out": (lambda path: ten_nodes(BLOCK, 1.5).write(path), ["mid-side nodes", "straight-sided"]),
    "nan": (lambda path: raw(path, moved(np.nan, 3)), ["1 points are not finite", "number 3"]),
    "infinite": (lambda path: raw(path, moved(np.inf, 7)), ["1 points are not finite", "number 7"]),
    "unmerged-halves": (unmerged, ["9 pairs of points coincide", "merge the points"]),
    "crumbs": (crumbs, ["it falls into 2 pieces", "8 mm³", "keep one piece"]),
    "hinged": (hinged, ["2 pieces of it hang together by single points or edges only", "(0.0, 0.0,"]),
    "missing-node": (beyond, ["name points that do not exist", "first in tet number"]),
    "tets-and-hexahedra": (mixed, ["cells of type 'hexahedron'", "convert them"]),
    "surface-only": (
        lambda path: meshio.Mesh(BLOCK.points, [("triangle", BLOCK.faces)]).write(path),
        ["has no tetrahedra", "give a volume mesh"],
    ),
    "no-cells": (lambda path: raw(path, tets=BLOCK.tets[:0]), ["not a readable .vtu mesh"]),
    "metres": (
        lambda path: raw(path, BLOCK.points / 1000),
        ["0.09", "60 to 200 mm", 'look like m: set anatomy.units = "m"'],
    ),
    "micrometres": (lambda path: raw(path, BLOCK.points * 1000), ["90000.0", "60 to 200 mm", "look like micrometres"]),
    "inches": (lambda path: raw(path, BLOCK.points / 25.4), ["3.54", "look like inches: set"]),
    "far-beyond": (lambda path: raw(path, moved(1e300, 3)), ["1 points have coordinates up to 1e+300", "number 3"]),
    "far-from-origin": (lambda path: raw(path, BLOCK.points + 1e9), ["mm off the origin", "move it to the origin"]),
    "duplicated-tet": (duplicated, ["1 tets are duplicated", "number 4", "merge them"]),
    "no-sets": (raw, ["no faces named endplate", "no names", "name the loaded and the supported faces"]),
    "misspelt-set": (misspelt, ["no faces named endplate", "auricular_left", "did you mean endplte?"]),
    "empty-set": (empty_set, ["no faces named auricular_right"]),
    "overlapping-sets": (overlapping, ["8 faces are named both auricular_left and auricular_right"]),
    "loaded-and-held": (loaded_and_held, ["8 faces are named both endplate and auricular_left"]),
    "four-nodes-declared-ten": (lambda path: declared(path, 10, 24), ["bone.vtu", "export"]),
    "ten-nodes-declared-four": (lambda path: declared(path, 24, 10), ["48 pieces of it hang together"]),
    "unknown-cells": (lambda path: declared(path, 10, 41), ["cells that meshio cannot handle (type 41)"]),
    "a-billion-points": (lambda path: counting(path, 10**9), ["declares 1000000000 points or cells"]),
    "a-few-points-more": (lambda path: counting(path, 28), ["not a readable .vtu mesh"]),
}  # fmt: skip


def case_of(folder, name="bone.vtu", more=""):
    path = folder / "case.toml"
    path.write_text(f'{more}\n[anatomy]\nkind = "mesh"\npath = "{name}"\n')
    return path


@pytest.mark.parametrize("name", MESHES)
def test_mesh(name, tmp_path, capsys):
    write, expected = MESHES[name]
    write(tmp_path / "bone.vtu")
    refused(capsys, tmp_path, ["compare", case_of(tmp_path), "--out", tmp_path / "out"], "bone.vtu", *expected)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_order_of_another_program(name, tmp_path, capsys):
    ten_nodes(BLOCK, order=CONVENTIONS[name]).write(tmp_path / "bone.vtu")
    refused(capsys, tmp_path, ["check", case_of(tmp_path)], "bone.vtu", f"in the order of {name}", "VTK and Abaqus")


def test_order_of_vtk_is_read(tmp_path, capsys):
    """The counterpart: the same file in the right order comes as far as its missing names."""
    ten_nodes(BLOCK).write(tmp_path / "bone.vtu")
    refused(capsys, tmp_path, ["check", case_of(tmp_path)], "no faces named endplate")


def abaqus(nodes="*NODE", more="", second=""):
    lines = ["*HEADING", "block", nodes]
    for number, (x, y, z) in enumerate(BLOCK.points, 1):
        lines += [second] if second and number == 10 else []
        lines.append(f"{3 * number}, {x}, {y}, {z}")
    lines.append("*ELEMENT, TYPE=C3D4, ELSET=BONE")
    lines += [f"{n}, {', '.join(str(3 * (i + 1)) for i in tet)}" for n, tet in enumerate(BLOCK.tets, 1)]
    return "\n".join([*lines, more]) + "\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (abaqus(second="*NGEN"), ["by *NGEN in line 13", "write every node"]),
        (abaqus(nodes="*NODE, SYSTEM=C"), ["by *NODE in line 3", "in global axes"]),
        (abaqus(second="*NODE\n3, 0, 0, 0"), ["defines node 3 twice", "a number of its own"]),
        (abaqus(second="*NODE\n30, one, 0, 0"), ["node 1 after line 13: '30, one, 0, 0'"]),
        (abaqus(second="*NODE\n31, 0,5, 1,5, 2,0"), ["holds decimal commas", "with decimal points"]),
        (abaqus(more="*ELEMENT, TYPE=C3D8\n1, 2"), ["cells of type 'C3D8'", "convert"]),
        (abaqus(more="*ELEMENT, TYPE=C3D4\n900, 3, 6, 9"), ["no rows of 5 whole numbers", "truncated"]),
        (abaqus(more="*ELEMENT, TYPE=C3D4\n900, 3, 6, 9, 7"), ["element 900 names points that do not exist"]),
        (abaqus(more="*ELSET, ELSET=E, GENERATE\n1, x"), ["GENERATE wants first, last, step, and has '1, x'"]),
        (abaqus(more="*INSTANCE, NAME=A, PART=B"), ["instance 'A'", "of no part of the file"]),
        (abaqus(more="*INCLUDE, INPUT=/etc/passwd"), ["'*INCLUDE, INPUT=/etc/passwd'", "names another file"]),
        (abaqus(nodes="*NODE, INPUT=../nodes.txt"), ["names another file"]),
    ],
    ids=[
        "made-nodes",
        "cylindrical-nodes",
        "node-twice",
        "word-for-a-number",
        "decimal-commas",
        "hexahedra",
        "short-row",
        "missing-node",
        "range-of-words",
        "instance-of-nothing",
        "include",
        "nodes-elsewhere",
    ],
)
def test_abaqus(text, expected, tmp_path, capsys):
    (tmp_path / "bone.inp").write_text(text)
    refused(capsys, tmp_path, ["check", case_of(tmp_path, "bone.inp")], "bone.inp", *expected)


@pytest.mark.parametrize("second", ["", "*NODE", "*Node, nset=rest"])
def test_abaqus_with_gaps_in_its_numbers_is_read(second, tmp_path, capsys):
    (tmp_path / "bone.inp").write_text(abaqus("*NODE, NSET=ALL", second=second))
    refused(capsys, tmp_path, ["check", case_of(tmp_path, "bone.inp")], "no faces named endplate")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "it is empty"),
        (b"solid bone\nfacet normal 0 0 1\n", "an STL surface"),
        (b"\x1f\x8b\x08\x00" + bytes(60), "a gzip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file"),
        (b"$MeshFormat\n4.1 0 8\n", "name it *.msh"),
        (b"# vtk DataFile Version 5.1\n", "name it *.vtk"),
        (b"hello", "does not begin like one"),
    ],
    ids=["empty", "stl", "gzip", "hdf5", "gmsh", "legacy-vtk", "text"],
)
def test_another_kind_of_file(content, kind, tmp_path, capsys):
    (tmp_path / "bone.vtu").write_bytes(content)
    refused(capsys, tmp_path, ["check", case_of(tmp_path)], "not a readable .vtu mesh", kind)


@pytest.mark.parametrize("suffix", [".vtu", ".vtk", ".msh", ".mesh"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_truncated(suffix, share, tmp_path, capsys):
    path = tmp_path / f"bone{suffix}"
    write_mesh(path, BLOCK)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    (tmp_path / f"bone{suffix}.sets.json").unlink(missing_ok=True)
    refused(capsys, tmp_path, ["check", case_of(tmp_path, path.name)], path.name, "not a readable", "export it again")


@pytest.mark.parametrize(
    ("suffix", "declared"), [(".vtk", "POINTS "), (".msh", "$Nodes\n"), (".mesh", "Vertices\n")], ids=lambda x: x[:5]
)
def test_a_header_that_promises_too_much(suffix, declared, tmp_path, capsys):
    path, n = tmp_path / f"bone{suffix}", len(BLOCK.points)
    write_mesh(path, BLOCK)
    path.write_bytes(path.read_bytes().replace(f"{declared}{n}".encode(), f"{declared}30000000000".encode()))
    refused(capsys, tmp_path, ["check", case_of(tmp_path, path.name)], "declares 30000000000 points or cells in")


def test_a_piece_that_nothing_holds(tmp_path, capsys):
    """Between two open fractures the middle of the sacrum floats: found before the solve, with volume and place."""
    path = tmp_path / "case.toml"
    path.write_text('[fracture]\nfiller = "open"\n[supports]\nligaments = false\n[mesh]\nreference = "tiny"\n')
    expected = ["fracture.filler", "a piece of", "ml around (", "motions are held by nothing", "fill the gap"]
    refused(capsys, tmp_path, ["compare", path, "--out", tmp_path / "out"], "case.toml", *expected)


def test_what_is_left_out_and_what_is_poor_is_counted(tmp_path, capsys):
    """A point without a tet and a flat tet are no reason to refuse, and every reader of the result hears of them."""
    mesh = reference_mesh("sacrum-tiny-intact")
    face = int(np.flatnonzero(mesh.face_sets["outer"] & ~mesh.face_sets["endplate"])[0])
    side = np.sqrt(mesh.face_areas[face])
    apex = mesh.points[mesh.faces[face]].mean(axis=0) + 0.01 * side * mesh.face_normals[face]
    tets = np.vstack([mesh.tets, [*mesh.faces[face], len(mesh.points)]])
    points = np.vstack([mesh.points, apex, [0.0, 0.0, 500.0]])
    whole = TetMesh.from_tets(points, tets)
    named = {name: mesh.faces[members] for name, members in mesh.face_sets.items() if members.any()}
    keys = np.sort(whole.faces, axis=1)
    sets = {name: (keys[:, None] == np.sort(faces, axis=1)).all(axis=2).any(axis=1) for name, faces in named.items()}
    cells = [("tetra", tets), ("triangle", whole.faces)]
    data = {f"set:{name}": [np.zeros(len(tets), np.uint8), s.astype(np.uint8)] for name, s in sets.items()}
    meshio.Mesh(points, cells, cell_data=data).write(tmp_path / "bone.vtu")
    case = case_of(tmp_path, more='[fracture]\nzone = "none"\n[cement]\nvolume_ml = 1.0\n')
    assert main(["check", str(case)]) == 0
    out = capsys.readouterr().out
    assert "1 points without a tet were left out" in out
    assert f"1 tets of {tmp_path / 'bone.vtu'} are of quality below 0.05, the worst, number {len(tets) - 1}" in out
