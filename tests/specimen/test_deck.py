"""Decks of a case run as they are: CalculiX gives our displacements, FEBio files are whole; contact is refused."""

import os
import re
import subprocess

import calculix
import numpy as np
import pytest
from febfile import FebFile
from inpfile import cards_of

from sacrofem import Case, InputError, Specimen
from sacrofem.cli import main
from sacrofem.mechanics.decks.calculix import _deck_nodes, deck_name
from sacrofem.specimen.deck import write_deck


@pytest.fixture(scope="module")
def specimen():
    return Specimen(Case.preset().with_(mesh__reference="tiny", mesh__order=1))


@pytest.mark.slow
@pytest.mark.parametrize(("exact", "tolerance"), [(True, 1e-5), (False, 0.02)], ids=["exact", "compact"])
def test_calculix_runs_the_deck_as_it_is_and_agrees(exact, tolerance, specimen, tmp_path):
    """In steps of modulus, which are wrong by 1.6 % at most, displacements agree to 2 %."""
    program = calculix.ccx()
    after = specimen.solve(specimen.plan())
    write_deck(tmp_path / "after.inp", specimen, specimen.recipe(after.plan), exact=exact)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CCX_NPROC_EQUATION_SOLVER": "1"}
    run = subprocess.run(
        [program, "-i", "after"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "Job finished" in run.stdout
    found = calculix._frd_displacement(tmp_path / "after.frd", _deck_nodes(specimen.space, False))
    ours = after.state.displacement
    assert np.abs(found - ours).max() < tolerance * np.abs(ours).max()


def test_the_febio_file_of_a_case_is_whole(specimen, tmp_path):
    recipe = specimen.recipe(specimen.plan())
    write_deck(tmp_path / "a.feb", specimen, recipe, "febio")
    written = FebFile(tmp_path / "a.feb")
    for name in ("bone", "gap", "layer"):
        assert (written.jacobians(name) > 0).all()
    np.testing.assert_allclose(written.values("bone", "E"), recipe.bone.youngs, rtol=1e-10)
    assert len(written.blocks["gap"][1]) == len(specimen.mesh.paired[0])
    assert len(written.springs) == len(specimen.supports[1].nodes)
    force = written.maps["force"][1]
    np.testing.assert_allclose(force.sum(axis=0), specimen.loading.force.sum(axis=0), rtol=1e-9, atol=1e-6)


def test_a_compact_deck_is_small_and_names_what_a_reader_looks_for(specimen, tmp_path):
    recipe = specimen.recipe(specimen.plan())
    said = write_deck(tmp_path / "a.inp", specimen, recipe, exact=False)
    assert (tmp_path / "a.inp").stat().st_size < 8e6
    assert said.startswith("200 materials; moduli within 1.")
    cards = cards_of(tmp_path / "a.inp")
    assert said in "".join((tmp_path / "a.inp").read_text().splitlines(keepends=True)[4:6]).replace("\n** ", " ")
    named = dict(cards)
    assert sum(card.startswith("*MATERIAL") for card, _ in cards) == 200
    sides = [f"FRACTURE_ZONE1_{side}_{which}" for side in ("LEFT", "RIGHT") for which in ("PLUS", "MINUS")]
    faces = [*sides, "ENDPLATE", "AURICULAR_LEFT", "AURICULAR_RIGHT", "CORTICAL", "OUTER"]
    for name in faces:
        assert len(named[f"*NSET, NSET={name}"]) > 0
    mesh = specimen.mesh
    corners = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
    for name, chosen in (
        ("ENDPLATE", mesh.face_sets["endplate"]),
        (sides[0], mesh.face_sets["fracture_zone1_left"] & (mesh.pair_side == 1)),
    ):
        lines = [line.split(",S") for line in named[f"*SURFACE, NAME={name}_FACES, TYPE=ELEMENT"]]
        found = [mesh.tets[int(tet) - 1][corners[int(side) - 1]] for tet, side in lines]
        np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(mesh.faces[chosen], axis=1))
    cement = [int(n) for line in named["*ELSET, ELSET=CEMENT"] for n in line.split(",")]
    np.testing.assert_array_equal(cement, np.flatnonzero(recipe.fraction > 0) + 1)
    names = [
        part.split("=")[1] for card, _ in cards for part in card.split(", ")[1:] if "SET=" in part or "NAME=" in part
    ]
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in names)


@pytest.mark.parametrize(
    ("name", "written"), [("joint l", "JOINT_L"), ("3b", "S_3B"), ("µ", "S__"), ("x" * 99, "X" * 60), ("", "S_")]
)
def test_names_are_those_that_every_reader_takes(name, written):
    assert deck_name(name) == written


def test_contact_in_the_gap_is_refused(tmp_path):
    case = Case.preset().with_(mesh__reference="tiny", mesh__order=1, cement__in_gap="contact")
    specimen = Specimen(case)
    with pytest.raises(InputError, match="a deck is linear"):
        write_deck(tmp_path / "a.inp", specimen, specimen.recipe(specimen.plan()))
    assert not list(tmp_path.iterdir())


def test_the_command_writes_a_deck_and_refuses_a_wrong_name(tmp_path, capsys):
    case = tmp_path / "c.toml"
    case.write_text('[mesh]\nreference = "tiny"\norder = 1\n')
    out = tmp_path / "b.feb"
    assert main(["deck", str(case), "--format", "febio", "--state", "after", "--out", str(out), "--json"]) == 0
    assert '"state": "after"' in capsys.readouterr().out
    first = out.read_bytes()
    assert main(["deck", str(case), "--format", "febio", "--out", str(out)]) == 2
    assert "give --overwrite" in capsys.readouterr().err
    assert out.read_bytes() == first
    inp = tmp_path / "b.inp"
    assert main(["deck", str(case), "--format", "calculix", "--out", str(out), "--overwrite"]) == 2
    assert "name it *.inp" in capsys.readouterr().err
    assert main(["deck", str(case), "--format", "febio", "--out", str(inp)]) == 2
    assert "name it *.feb" in capsys.readouterr().err
    assert main(["deck", str(case), "--out", str(tmp_path / "b.txt")]) == 2
    assert "name it *.inp or *.feb" in capsys.readouterr().err
    assert main(["deck", str(case), "--exact", "--out", str(out), "--overwrite"]) == 2
    assert "does not count" in capsys.readouterr().err
    assert main(["deck", str(case), "--out", str(inp)]) == 0
    assert "for calculix" in capsys.readouterr().out
