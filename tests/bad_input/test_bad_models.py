"""Meshes and plans that must be refused before anything is solved: status 2 and one line."""

from dataclasses import replace

import meshio
import numpy as np
import pytest
from blocks_of_tets import box

from sacrofem.cli import main
from sacrofem.mesh.files.files import write_mesh

# As large as a sacrum
BLOCK = box((2, 2, 2), (80.0, 60.0, 90.0))
BLOCK = replace(BLOCK, points=BLOCK.points - [40.0, 30.0, 60.0])


def bare(path, points=BLOCK.points, tets=BLOCK.tets):
    meshio.Mesh(points, [("tetra", tets)]).write(path)


def nan(path):
    points = BLOCK.points.copy()
    points[3, 1] = np.nan
    bare(path, points)


def inverted(path):
    tets = BLOCK.tets.copy()
    tets[5] = tets[5][[0, 2, 1, 3]]
    bare(path, tets=tets)


def truncated(path):
    write_mesh(path, BLOCK)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


MESHES = {
    "nan": (nan, ["1 points are not finite"]),
    "inverted": (inverted, ["1 of 48 tets are inverted", "number 5"]),
    "truncated": (truncated, ["not a readable .vtu mesh", "truncated"]),
    "empty": (lambda path: path.write_bytes(b""), ["not a readable .vtu mesh"]),
    "text": (lambda path: path.write_text("hello"), ["not a readable .vtu mesh"]),
    "micrometres": (lambda path: bare(path, BLOCK.points * 1000), ["90000.0", "60 to 200 mm"]),
    "missing-sets": (bare, ["endplate", "name the loaded and the supported faces"]),
    "surface-only": (
        lambda path: meshio.Mesh(BLOCK.points, [("triangle", BLOCK.faces)]).write(path),
        ["has no tetrahedra"],
    ),
    "missing": (lambda path: None, ["no such file"]),
}

NEEDLE = "[[cement.injections]]\nentry_mm = {entry}\ntarget_mm = {target}\nvolume_ml = {volume}\n"

PLANS = {
    "needle-outside-bone": (
        NEEDLE.format(entry=[30, 90, -10], target=[30, 60, -10], volume=2),
        ["cement.injections[0].target_mm", "60.0", "outside the bone", "mm from its surface"],
    ),
    "volume-larger-than-zone": (
        '[cement]\nspread = "column"\nvolume_ml = 60',
        ["volume_ml", "30 ml wanted", "there is room for"],
    ),
    "too-many-needles": ("[cement]\nneedles = 5", ["cement.needles = 5", "1 to 3"]),
    "fracture-misses-bone": (
        '[fracture]\nzone = "none"\n[[fracture.surfaces]]\nname = "far"\npoint = [500, 0, 0]\nnormal = [1, 0, 0]',
        ["fracture.far", "misses the bone", "nearest distance"],
    ),
    "fracture-grazes-bone": (
        '[fracture]\nzone = "none"\n[[fracture.surfaces]]\nname = "rim"\npoint = [52.8, 0, 0]\nnormal = [1, 0, 0]',
        ["fracture.rim", "only grazes the bone", "mm²"],
    ),
    "lesion-outside-bone": (
        '[fracture]\nzone = "none"\n[lesion]\nkind = "focal"\ncentre_mm = [300, 0, 0]',
        ["lesion.centre_mm", "300.0", "no bone lies in the lesion"],
    ),
    "spot-off-the-fracture": (
        "[cement.spot]\ncentre = [300, 0, 0]",
        ["cement.spot", "covers no point of the fracture", "mm away"],
    ),
}


def refused(capsys, path, *expected):
    before = sorted(p.name for p in path.parent.iterdir())
    status = main(["check", str(path)])
    out, err = capsys.readouterr()
    assert status == 2, err
    assert out == ""
    (line,) = err.splitlines()
    for text in (*expected, ";"):
        assert text in line
    assert sorted(p.name for p in path.parent.iterdir()) == before


@pytest.mark.parametrize("name", MESHES)
def test_mesh(name, tmp_path, capsys):
    write, expected = MESHES[name]
    write(tmp_path / "bone.vtu")
    case = tmp_path / "case.toml"
    case.write_text('[anatomy]\nkind = "mesh"\npath = "bone.vtu"\n')
    refused(capsys, case, "bone.vtu", *expected)


def test_format_that_cannot_hold_tets(tmp_path, capsys):
    case = tmp_path / "case.toml"
    case.write_text('[anatomy]\nkind = "mesh"\npath = "bone.stl"\n')
    refused(capsys, case, "'.stl'", "use .vtu")


@pytest.mark.parametrize("name", PLANS)
def test_plan(name, tmp_path, capsys):
    text, expected = PLANS[name]
    case = tmp_path / "case.toml"
    case.write_text(f'{text}\n[mesh]\nreference = "tiny"\n')
    refused(capsys, case, "case.toml", *expected)
