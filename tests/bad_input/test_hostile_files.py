"""Files that would do harm if they were believed: entities, other files' names, archives, pickles, escapes."""

import ast
import os
import pickle
import zipfile
from pathlib import Path

import meshio
import numpy as np
import pytest
from refusals import refused
from test_bad_meshes import BLOCK, NAMES, case_of

import sacrofem
import sacrofem.specimen.specimen
from sacrofem.cli import main
from sacrofem.errors import InputError
from sacrofem.mesh.files.files import read_mesh, write_mesh

SOURCES = sorted(Path(sacrofem.__file__).parent.rglob("*.py"))

ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
OUTSIDE = '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>\n'


@pytest.mark.parametrize("prolog", [ENTITIES, OUTSIDE, "<!-- <VTKFile -->" + OUTSIDE], ids=["bomb", "file", "hidden"])
def test_document_type(prolog, tmp_path, capsys):
    write_mesh(tmp_path / "bone.vtu", BLOCK)
    text = (tmp_path / "bone.vtu").read_text()
    (tmp_path / "bone.vtu").write_text('<?xml version="1.0"?>\n' + prolog + text[text.index("<VTKFile") :])
    refused(capsys, tmp_path, ["check", case_of(tmp_path)], "bone.vtu", "holds an XML document type", "without one")


HEADERS = {
    "bone.xdmf": '<Xdmf><Domain><Grid><DataItem Format="HDF">/etc/passwd:/x</DataItem></Grid></Domain></Xdmf>',
    "ct.mhd": "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementDataFile = ../../etc/passwd\n",
    "ct.nhdr": "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 4 4 4\ndata file: /etc/passwd\n",
    "bone.pvtu": '<VTKFile type="PUnstructuredGrid"><Piece Source="/etc/passwd"/></VTKFile>',
    "bone.vtm": '<VTKFile type="vtkMultiBlockDataSet"><DataSet file="../bone.vtu"/></VTKFile>',
}


@pytest.mark.parametrize("name", HEADERS)
def test_header_that_points_elsewhere(name, tmp_path, capsys):
    """Formats whose files name others are not read at all."""
    (tmp_path / name).write_text(HEADERS[name])
    refused(capsys, tmp_path, ["check", case_of(tmp_path, name)], name, "are not supported", "use .vtu")


def test_header_under_another_name(tmp_path, capsys):
    (tmp_path / "bone.vtu").write_text(HEADERS["bone.xdmf"])
    refused(capsys, tmp_path, ["check", case_of(tmp_path)], "it looks like an XDMF header")


def test_nastran_include(tmp_path, capsys):
    write_mesh(tmp_path / "bone.bdf", BLOCK)
    (tmp_path / "bone.bdf.sets.json").unlink()
    text = (tmp_path / "bone.bdf").read_text()
    (tmp_path / "bone.bdf").write_text(f"INCLUDE '/etc/passwd'\n{text}")
    refused(capsys, tmp_path, ["check", case_of(tmp_path, "bone.bdf")], "names another file", "/etc/passwd")


@pytest.mark.parametrize("name", ["bone.zip", "bone.tar.gz", "bone.vtu.gz", "ct.nii.gz"])
def test_archives_are_never_opened(name, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../outside.vtu", bytes(1_000_000))
    refused(capsys, tmp_path, ["check", case_of(tmp_path, name)], name, "are not supported")
    assert not list(tmp_path.parent.glob("outside*"))


class Harm:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("name", ["bone.npy", "bone.npz", "bone.pkl", "bone.joblib", "bone.pt", "bone.vtu", "bone.msh"])
def test_pickles_are_never_read(name, tmp_path, capsys):
    path, trace = tmp_path / name, tmp_path / "unpickled"
    pickled = pickle.dumps(Harm(trace))
    if path.suffix in (".npy", ".npz"):
        with path.open("wb") as handle:
            save = np.save if path.suffix == ".npy" else np.savez
            save(handle, np.array([Harm(trace)], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickled)
    refused(capsys, tmp_path, ["check", case_of(tmp_path, name)], name)
    assert not trace.exists()
    pickle.loads(pickled)
    assert trace.is_dir()


def test_pickle_in_an_array_of_a_mesh(tmp_path, capsys):
    """Bytes of a pickle as cell data are numbers, and no more."""
    trace = tmp_path / "unpickled"
    cells = [("tetra", BLOCK.tets), ("triangle", BLOCK.faces)]
    n = len(BLOCK.tets)
    content = np.frombuffer(pickle.dumps(Harm(trace)).ljust(n, b".")[:n], np.uint8)
    data = {"state": [content, np.zeros(len(BLOCK.faces), np.uint8)]}
    meshio.Mesh(BLOCK.points, cells, cell_data=data).write(tmp_path / "bone.vtu")
    refused(capsys, tmp_path, ["check", case_of(tmp_path)], "no faces named endplate")
    assert not trace.exists()


def calls(path):
    """Dotted names of everything that a source file imports or calls, and the names of keyword arguments."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)
            yield from (keyword.arg or "" for keyword in node.keywords)


def test_nothing_in_the_package_unpickles_or_evaluates():
    banned = {
        "pickle",
        "joblib",
        "torch",
        "shelve",
        "marshal",
        "dill",
        "yaml",
        "allow_pickle",
        "eval",
        "exec",
        "compile",
    }
    assert len(SOURCES) > 50
    found = {(path.name, name) for path in SOURCES for name in calls(path) if name.split(".")[0] in banned}
    assert found == set()


def test_wall_time_decides_nothing():
    """Seconds are counted by a monotonic clock; the date is only written down (time.strftime of time.gmtime)."""
    clocks = {"time.time", "time.localtime", "datetime", "datetime.now", "datetime.datetime.now", "os.path.getmtime"}
    assert {(path.name, name) for path in SOURCES for name in calls(path) if name in clocks} == set()


ESCAPE = "red\x1b[31m\nline"


def test_escape_in_the_name_of_a_case(tmp_path, capsys):
    path = tmp_path / "case.toml"
    path.write_text('name = "red\\u001b[31m\\nline"\n')
    line = refused(capsys, tmp_path, ["check", path], "name = 'red\\x1b[31m\\nline'", "cannot be printed")
    assert "\x1b" not in line


def test_escape_in_the_name_of_a_set(tmp_path, capsys):
    write_mesh(tmp_path / "bone.vtu", BLOCK.with_sets(face_sets={**NAMES, "red\x1b[31m": NAMES["endplate"]}))
    line = refused(capsys, tmp_path, ["check", case_of(tmp_path)], "bone.vtu")
    assert "\x1b" not in line


def test_escape_in_the_name_of_a_file(tmp_path, capsys):
    line = refused(capsys, tmp_path, ["check", tmp_path / ESCAPE], "red\\x1b[31m line", "no such file")
    assert "\x1b" not in line


@pytest.mark.parametrize("text", ['"2 + 2"', "\"__import__('os').getcwd()\"", '"1e3"'])
def test_expression_for_a_number(text, tmp_path, capsys):
    path = tmp_path / "case.toml"
    path.write_text(f"[load]\nforce_n = {text}\n")
    refused(capsys, tmp_path, ["check", path], "load.force_n", "must be a number")


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "bone\0.stl", "--out", "out"],
        ["check", "--anatomy", "bone\0.vtu"],
        ["check", "bone\0.toml"],
        ["check", "--anatomy", "bone.vtu", "--ct", "ct\0.nii"],
        ["compare", "--out", "out\0"],
        ["mesh", "--out", "bone\0.vtu"],
    ],
    ids=["surface", "mesh", "case", "ct", "out", "mesh-out"],
)
def test_nul_in_a_path(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mesh(tmp_path / "bone.vtu", BLOCK)
    line = refused(capsys, tmp_path, arguments, "\\x00", "NUL")
    assert "\0" not in line


def test_nul_in_a_path_from_python(tmp_path):
    for call in (lambda: read_mesh("bone\0.vtu"), lambda: write_mesh("bone\0.vtu", BLOCK)):
        with pytest.raises(InputError, match=r"no such file|holds a NUL"):
            call()
    with pytest.raises(InputError, match="is no path"):
        sacrofem.Case.preset().with_(**{"anatomy.kind": "surface", "anatomy.path": "bone\0.stl"})


def test_result_through_a_link(tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    refused(capsys, tmp_path, ["compare", "--out", tmp_path / "out"], "--out", "is a link", "elsewhere itself")


def test_result_through_a_link_to_nowhere(tmp_path, capsys):
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    refused(capsys, tmp_path, ["compare", "--out", tmp_path / "out", "--overwrite"], "is a link")


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_result_over_its_own_input(more, tmp_path, capsys):
    path = tmp_path / "case.toml"
    path.write_text("[load]\nforce_n = 500.0  # mine\n")
    expected = "holds the input case.toml" if more else "not ours"
    refused(capsys, tmp_path, ["compare", path, "--out", tmp_path, *more], "--out", expected)


def test_mesh_over_a_link_leaves_what_it_points_to(tmp_path, monkeypatch):
    class Prepared:
        mesh = BLOCK

    monkeypatch.setattr(sacrofem.specimen.specimen, "Specimen", lambda case: Prepared())
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "bone.vtu").symlink_to(tmp_path / "precious")
    assert main(["mesh", "--out", str(tmp_path / "bone.vtu"), "--overwrite"]) == 0
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "bone.vtu").is_symlink()
