"""Decks of a case run as they are: CalculiX gives our displacements, FEBio files are whole; contact is refused."""

import os
import subprocess

import calculix
import numpy as np
import pytest
from febfile import FebFile

from sacrofem import Case, InputError, Specimen
from sacrofem.cli import main
from sacrofem.mechanics.decks.calculix import _deck_nodes
from sacrofem.specimen.deck import write_deck


@pytest.fixture(scope="module")
def specimen():
    return Specimen(Case.preset().with_(mesh__reference="tiny", mesh__order=1))


@pytest.mark.slow
def test_calculix_runs_the_deck_as_it_is_and_agrees(specimen, tmp_path):
    program = calculix.ccx()
    after = specimen.solve(specimen.plan())
    write_deck(tmp_path / "after.inp", specimen, specimen.recipe(after.plan))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CCX_NPROC_EQUATION_SOLVER": "1"}
    run = subprocess.run(
        [program, "-i", "after"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "Job finished" in run.stdout
    found = calculix._frd_displacement(tmp_path / "after.frd", _deck_nodes(specimen.space, False))
    ours = after.state.displacement
    assert np.abs(found - ours).max() < 1e-5 * np.abs(ours).max()


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
    assert main(["deck", str(case), "--out", str(out), "--overwrite"]) == 2
    assert "name it *.inp" in capsys.readouterr().err
