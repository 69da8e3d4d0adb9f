import os
import sys
from dataclasses import replace

import meshio
import numpy as np
import pytest

from sacrofem.errors import EnvironmentFailure, InputError, SacrofemWarning
from sacrofem.mesh.files import files
from sacrofem.mesh.files.files import read_mesh, reference_folder, reference_mesh, write_mesh
from sacrofem.mesh.split import inner_faces, split
from sacrofem.mesh.tetmesh import TET_EDGES, TetMesh


@pytest.fixture
def fractured(block):
    faces, _ = inner_faces(block)
    corners = block.points[faces]
    faces = faces[(np.abs(corners[:, :, 0] - 6) < 1e-9).all(axis=1) & (corners[:, :, 2].mean(axis=1) > 0)]
    mesh = split(block, {"zone1_left": faces})
    return mesh.with_sets(tet_sets={"lesion": mesh.centroids[:, 0] > 9}, face_sets={"nothing": mesh.pair < 0})


def assert_same(a, b):
    for name in ("points", "tets", "faces", "pair", "pair_side"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    for kind in ("tet_sets", "face_sets"):
        mine, theirs = getattr(a, kind), getattr(b, kind)
        assert sorted(mine) == sorted(theirs)
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("suffix", [".vtu", ".vtk", ".msh", ".inp", ".bdf", ".mesh"])
def test_names_and_pairs_survive_a_round_trip(fractured, tmp_path, suffix, capfd):
    # Coordinates of many digits, negative and very small ones too.
    points = fractured.points / 3.0 - [0.7, 1e-5 / 3, 4.0 + 1e-16]
    fractured = replace(fractured, points=points)
    path = tmp_path / f"mesh{suffix}"
    write_mesh(path, fractured)
    back = read_mesh(path)
    if suffix == ".bdf":  # written with few digits
        np.testing.assert_allclose(back.points, fractured.points, atol=1e-9)
        back = TetMesh(
            fractured.points, back.tets, back.faces, back.tet_sets, back.face_sets, back.pair, back.pair_side
        )
    assert_same(fractured, back)
    beside = tmp_path / f"mesh{suffix}.sets.json"
    assert beside.exists() == (suffix not in (".vtu", ".vtk"))
    assert {p.name for p in tmp_path.iterdir()} <= {path.name, beside.name}
    assert capfd.readouterr() == ("", "")


def test_equal_meshes_give_equal_bytes_and_design_names(fractured, tmp_path):
    write_mesh(tmp_path / "a.vtu", fractured)
    write_mesh(tmp_path / "b.vtu", read_mesh(tmp_path / "a.vtu"))
    assert (tmp_path / "a.vtu").read_bytes() == (tmp_path / "b.vtu").read_bytes()
    raw = meshio.read(tmp_path / "a.vtu")
    assert [block.type for block in raw.cells] == ["tetra", "triangle"]
    assert raw.cell_data["set:auricular_left"][1].dtype == np.uint8
    assert raw.cell_data["pair"][1].dtype == np.int32
    assert raw.cell_data["pair_side"][1].dtype == np.int8
    assert len(raw.cell_data["pair"][0]) == len(fractured.tets)


def test_fields_are_written_on_points_tets_and_faces(fractured, tmp_path):
    u = fractured.points * 2
    modulus = np.arange(len(fractured.tets), dtype=float)
    coverage = np.linspace(0, 1, len(fractured.faces))
    write_mesh(tmp_path / "a.vtu", fractured, {"u": u}, {"E": modulus}, {"coverage": coverage})
    raw = meshio.read(tmp_path / "a.vtu")
    np.testing.assert_array_equal(raw.point_data["u"], u)
    np.testing.assert_array_equal(raw.cell_data["E"][0], modulus)
    assert np.isnan(raw.cell_data["E"][1]).all()
    np.testing.assert_array_equal(raw.cell_data["coverage"][1], coverage)
    with pytest.raises(InputError, match=r"without fields; write \.vtu"):
        write_mesh(tmp_path / "a.msh", fractured, {"u": u})


def test_files_of_others_get_their_boundary_and_sets(block, tmp_path):
    named = block.face_sets["endplate"]
    cells = [("triangle", block.faces[named][:, [0, 2, 1]]), ("tetra", block.tets)]
    points = np.vstack([block.points, [99.0, 0, 0]])
    meshio.Mesh(points, cells, cell_data={"set:top": [np.ones(named.sum(), np.uint8), np.zeros(576, np.uint8)]}).write(
        tmp_path / "a.vtu"
    )
    with pytest.warns(SacrofemWarning, match="1 points without a tet were left out"):
        mesh = read_mesh(tmp_path / "a.vtu")
    np.testing.assert_array_equal(mesh.faces, block.faces)
    np.testing.assert_array_equal(mesh.face_sets["top"], named)
    assert len(mesh.points) == len(block.points)
    physical = [np.full(named.sum(), 7), np.full(576, 8)]
    meshio.gmsh.write(
        str(tmp_path / "a.msh"),
        meshio.Mesh(
            block.points,
            cells,
            cell_data={"gmsh:physical": physical, "gmsh:geometrical": physical},
            field_data={"top": np.array([7, 2]), "bone": np.array([8, 3])},
        ),
        fmt_version="2.2",
        binary=False,
    )
    mesh = read_mesh(tmp_path / "a.msh")
    np.testing.assert_array_equal(mesh.face_sets["top"], named)
    assert mesh.tet_sets["bone"].all()


def msh41(mesh, top, names, rest="1 3"):
    """A file of Gmsh 4.1: all faces in group 3, those on top in group 4 too; ``rest`` says the groups of the others."""
    box, n = "0 0 0 9 9 9", len(mesh.points)
    lines = ["$MeshFormat", "4.1 0 8", "$EndMeshFormat"]
    lines += ["$PhysicalNames", str(len(names)), *names, "$EndPhysicalNames"] if names else []
    lines += ["$Entities", "0 0 2 1", f"1 {box} {rest} 0", f"5 {box} 2 3 4 0", f"1 {box} 1 5 2 1 5", "$EndEntities"]
    lines += ["$Nodes", f"1 {n} 1 {n}", f"3 1 0 {n}", *(str(k + 1) for k in range(n))]
    lines += [*(f"{x} {y} {z}" for x, y, z in mesh.points), "$EndNodes"]
    blocks = [("2 1 2", mesh.faces[~top]), ("2 5 2", mesh.faces[top]), ("3 1 4", mesh.tets)]
    lines += ["$Elements", f"3 {sum(len(cells) for _, cells in blocks)} 1 9999"]
    for head, cells in blocks:
        lines += [f"{head} {len(cells)}", *(f"{k} {' '.join(map(str, cell + 1))}" for k, cell in enumerate(cells, 1))]
    return "\n".join([*lines, "$EndElements", ""])


def test_a_face_may_belong_to_two_groups(block, tmp_path):
    top = block.face_sets["endplate"]
    (tmp_path / "a.msh").write_text(msh41(block, top, ['2 3 "outer"', '2 4 "endplate"', '3 5 "bone"']))
    mesh = read_mesh(tmp_path / "a.msh")
    found = np.sort(mesh.faces[mesh.face_sets["endplate"]], axis=1)
    np.testing.assert_array_equal(np.unique(found, axis=0), np.unique(np.sort(block.faces[top], axis=1), axis=0))
    assert mesh.face_sets["outer"].all()
    assert set(mesh.face_sets) == {"outer", "endplate"}
    assert mesh.tet_sets["bone"].all()
    # Faces in no group at all, as where Gmsh was asked to save everything.
    (tmp_path / "c.msh").write_text(msh41(block, top, ['2 4 "endplate"', '3 5 "bone"'], rest="0"))
    mesh = read_mesh(tmp_path / "c.msh")
    assert np.count_nonzero(mesh.face_sets["endplate"]) == np.count_nonzero(mesh.face_sets["physical_3"]) == top.sum()
    (tmp_path / "b.msh").write_text(msh41(block, top, []))
    mesh = read_mesh(tmp_path / "b.msh")
    assert mesh.face_sets["physical_3"].all()
    assert mesh.tet_sets["physical_5"].all()


@pytest.mark.parametrize(
    ("suffix", "module", "key"),
    [(".mesh", meshio.medit, "medit:ref"), (".bdf", meshio.nastran, "nastran:ref")],
    ids=["medit", "nastran"],
)
def test_groups_without_a_name_are_called_by_their_number(block, tmp_path, suffix, module, key):
    top = block.face_sets["endplate"]
    inner, _ = inner_faces(block)
    triangles = np.vstack([block.faces, inner[:4]])
    numbers = [np.ones(len(block.tets), int), np.append(np.where(top, 7, 3), [3, 9, 9, 9])]
    content = meshio.Mesh(block.points, [("tetra", block.tets), ("triangle", triangles)], cell_data={key: numbers})
    module.write(str(tmp_path / f"a{suffix}"), content)
    mesh = read_mesh(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(mesh.face_sets["ref_7"], top)
    np.testing.assert_array_equal(mesh.face_sets["ref_3"], ~top)
    # What lies between two parts of the bone is no face of it.
    assert set(mesh.face_sets) == {"ref_3", "ref_7"}
    assert mesh.tet_sets["ref_1"].all()


@pytest.mark.parametrize("mode", ["Binary", "Appended", "Ascii"])
@pytest.mark.parametrize("compressor", ["None", "ZLib", "LZMA", "LZ4"])
def test_what_vtk_writes_is_read_or_named(block, tmp_path, mode, compressor):
    pyvista = pytest.importorskip("pyvista")
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    writer = vtkXMLUnstructuredGridWriter()
    writer.SetFileName(str(tmp_path / "a.vtu"))
    writer.SetInputData(pyvista.wrap(meshio.Mesh(block.points, [("tetra", block.tets)])))
    getattr(writer, f"SetCompressorTypeTo{compressor}")()
    getattr(writer, f"SetDataModeTo{mode}")()
    writer.Write()
    if compressor == "LZ4":
        with pytest.raises(InputError, match=r"'vtkLZ4DataCompressor': is compressed .*; write it with zlib"):
            read_mesh(tmp_path / "a.vtu")
    else:
        np.testing.assert_array_equal(read_mesh(tmp_path / "a.vtu").tets, block.tets)


def test_whole_boundary_of_others_is_turned_outward(block, tmp_path):
    meshio.Mesh(block.points, [("tetra", block.tets), ("triangle", block.faces[:, [1, 0, 2]])]).write(
        tmp_path / "a.vtu"
    )
    mesh = read_mesh(tmp_path / "a.vtu")
    np.testing.assert_array_equal(np.sort(mesh.faces, axis=1), np.sort(block.faces, axis=1))
    np.testing.assert_allclose(mesh.face_normals, block.face_normals, atol=1e-12)


def tet10(points, bump):
    base = np.vstack([np.zeros(3), np.eye(3)]) * 10
    middle = base[TET_EDGES].mean(axis=1)
    middle[2, 0] += bump
    return meshio.Mesh(np.vstack([base, middle]), [("tetra10", [np.arange(10)])])


def test_curved_mid_sides_are_refused_or_straightened(tmp_path):
    tet10(None, 0.0).write(tmp_path / "straight.vtu")
    assert read_mesh(tmp_path / "straight.vtu").points.shape == (4, 3)
    tet10(None, 0.25).write(tmp_path / "curved.vtu")
    with pytest.raises(InputError, match=r"1 mid-side nodes are up to 0\.25 mm off"):
        read_mesh(tmp_path / "curved.vtu")
    with pytest.warns(SacrofemWarning, match="1 mid-side nodes .* straightened"):
        assert read_mesh(tmp_path / "curved.vtu", straighten=True).volumes == pytest.approx(1000 / 6)


def truncated(path, mesh):
    write_mesh(path, mesh)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def empty(path, mesh):
    path.write_bytes(b"")


def text(path, mesh):
    path.write_text("not a mesh at all\n")


def surface(path, mesh):
    meshio.Mesh(mesh.points, [("triangle", mesh.faces)]).write(path)


def hexahedra(path, mesh):
    meshio.Mesh(np.random.default_rng(0).random((8, 3)), [("hexahedron", [np.arange(8)])]).write(path)


def beyond(path, mesh):
    meshio.Mesh(mesh.points[:-5], [("tetra", mesh.tets)]).write(path)


def missing(path, mesh):
    pass


def folder(path, mesh):
    path.mkdir()


def inner_set(path, mesh):
    faces, _ = inner_faces(mesh)
    data = {"set:crack": [np.zeros(len(mesh.tets), np.uint8), np.ones(3, np.uint8)]}
    meshio.Mesh(mesh.points, [("tetra", mesh.tets), ("triangle", faces[:3])], cell_data=data).write(path)


def half_pairs(path, mesh):
    data = {"pair": [np.zeros(len(mesh.tets), np.int32), np.ones(3, np.int32)]}
    meshio.Mesh(mesh.points, [("tetra", mesh.tets), ("triangle", mesh.faces[:3])], cell_data=data).write(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (truncated, "not a readable .vtu mesh .*truncated"),
        (empty, "not a readable .vtu mesh"),
        (text, "not a readable .vtu mesh"),
        (surface, "has no tetrahedra"),
        (hexahedra, "cells of type 'hexahedron'"),
        (beyond, "points that do not exist"),
        (missing, "no such file"),
        (folder, "is a folder"),
        (inner_set, "3 triangles of 'crack' are not on the boundary"),
        (half_pairs, "not its whole boundary"),
    ],
)
def test_bad_files_are_refused_in_one_line(block, tmp_path, make, message, capfd):
    path = tmp_path / "bad.vtu"
    make(path, block)
    with pytest.raises(InputError, match=message) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".vtk", ".msh", ".inp", ".bdf", ".mesh"])
@pytest.mark.parametrize("content", [b"", b"nonsense\n1 2 3\n", bytes(range(256))])
def test_nonsense_in_any_format_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a readable|no tetrahedra"):
        read_mesh(path)


def test_formats_without_tets_are_refused(block, tmp_path):
    for action in (lambda p: write_mesh(p, block), read_mesh):
        with pytest.raises(InputError, match=r"'\.stl' are not supported; use \.vtu"):
            action(tmp_path / "a.stl")


def test_a_file_of_sets_must_belong_to_the_mesh(block, tmp_path):
    write_mesh(tmp_path / "a.mesh", block)
    beside = tmp_path / "a.mesh.sets.json"
    whole = beside.read_text()
    beside.write_text(whole[:40])
    with pytest.raises(InputError, match=r"sets\.json: not a file of sets"):
        read_mesh(tmp_path / "a.mesh")
    beside.write_text(whole.replace('"tets": 576', '"tets": 577'))
    with pytest.raises(InputError, match=r"sets\.json: belongs to another mesh"):
        read_mesh(tmp_path / "a.mesh")


def test_a_failed_write_leaves_the_old_file(block, tmp_path, monkeypatch):
    path = tmp_path / "a.vtu"
    path.write_text("old")

    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.meshio.vtu, "write", full)
    with pytest.raises(EnvironmentFailure, match=r"a\.vtu: cannot be written \(No space left"):
        write_mesh(path, block)
    assert [p.name for p in tmp_path.iterdir()] == ["a.vtu"]
    assert path.read_text() == "old"


def test_an_absent_folder_is_named(block, tmp_path):
    with pytest.raises(EnvironmentFailure, match=r"away/a\.vtu: cannot be written"):
        write_mesh(tmp_path / "away" / "a.vtu", block)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs permissions that bind")
def test_a_file_without_permission_is_the_environment(block, tmp_path):
    write_mesh(tmp_path / "a.vtu", block)
    (tmp_path / "a.vtu").chmod(0)
    with pytest.raises(EnvironmentFailure, match="cannot be read"):
        read_mesh(tmp_path / "a.vtu")


def test_reference_meshes_are_found_by_name(block, tmp_path, monkeypatch):
    assert reference_folder().is_dir()
    monkeypatch.setattr(files, "reference_folder", lambda: tmp_path)
    write_mesh(tmp_path / "tiny.vtu", block)
    assert_same(reference_mesh("tiny"), block)
    with pytest.raises(InputError, match="mesh = 'huge': no such reference mesh; choose from tiny"):
        reference_mesh("huge")
