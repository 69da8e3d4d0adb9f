import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PROMISED = {
    "assembly_ratio_skfem",
    "solve_ratio_calculix",
    "memory_ratio_calculix",
    "scenario_ratio_calculix",
    "scenario_ratio_fresh",
    "growth_exponent",
}


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The common model in its files."""
    folder = tmp_path_factory.mktemp("common")
    subprocess.run([sys.executable, str(BENCHMARKS / "model.py"), "3000", str(folder)], check=True)
    return folder


def peer(name, folder, out):
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, str(BENCHMARKS / "peers" / f"run_{name}.py"), str(folder), str(out)]
    subprocess.run(command, check=True, env=environment)
    return np.load(out / "displacement.npy")


def test_scikit_fem_agrees_at_every_node(folder, tmp_path):
    ours, theirs = (peer(name, folder, tmp_path / name) for name in ("sacrofem", "skfem"))
    assert np.abs(ours - theirs).max() < 1e-6 * np.abs(ours).max()


def test_common_model_is_what_it_says(folder):
    from model import CEMENT_MPA, CORTEX_MPA, FILLER_MPA, TRACTION, CommonModel

    from sacrofem import read_mesh

    told = json.loads((folder / "model.json").read_text())
    assert abs(told["dofs"] / 3000 - 1) <= 0.1
    with np.load(folder / "model.npz") as content:
        assert content["force"].sum(axis=0) == pytest.approx(TRACTION * 110 * 60, abs=1e-6)
        model = CommonModel(read_mesh(folder / "mesh.vtu"), content["youngs"], content["poisson"], content["zone"])
    assert {FILLER_MPA, CORTEX_MPA} <= set(model.youngs)
    volume = model.mesh.volumes
    assert volume.sum() == pytest.approx(85 * 60 * 100)
    assert volume[model.mesh.tet_sets["layer"]].sum() == pytest.approx(1 * 60 * 100)
    assert (model.scenario(1) != model.scenario(2)).any()
    for seed in range(20):
        youngs = model.scenario(seed)
        changed = youngs != model.youngs
        assert 0.009 < changed.mean() < 0.051
        assert not (changed & ~model.zone).any()
        assert (youngs[changed] == CEMENT_MPA).all()


def test_deck_of_calculix_holds_the_model(folder):
    deck = (folder / "deck.inp").read_text()
    with np.load(folder / "model.npz") as content:
        nodes, tets, force = content["nodes"], content["tets"], content["force"]
    lines = deck.splitlines()
    start = lines.index("*ELEMENT, TYPE=C3D10, ELSET=SOLID")
    given = np.array([line.split(",") for line in lines[1:start]], float)
    assert given[:, 1:] == pytest.approx(nodes, abs=1e-9)
    first = np.array(lines[start + 1].split(","), int)
    assert (first[1:] == tets[0] + 1).all()
    loads = [line.split(",") for line in lines[lines.index("*CLOAD") + 1 : lines.index("*NODE FILE")]]
    total = np.zeros(3)
    for _, axis, value in loads:
        total[int(axis) - 1] += float(value)
    assert total == pytest.approx(force.sum(axis=0), abs=1e-8)
    # The program reads no longer numbers.
    assert max(len(word) for line in lines if line[0] != "*" for word in line.split(",")) <= 20


def test_displacement_is_read_from_results_file(tmp_path):
    from peers.calculix import read_displacement

    file = tmp_path / "deck.frd"
    file.write_text(
        "    1C\n -4  DISP        4    1\n -5  D1          1    2    1    0\n"
        " -1         1 1.00000E+00-2.50000E-03 0.00000E+00\n"
        " -1         2-1.12345E-02 3.00000E-05 7.00000E-01\n -3\n -4  STRESS      6    1\n"
        " -1         1 9.00000E+00 9.00000E+00 9.00000E+00\n -3\n"
    )
    assert read_displacement(file, 2).tolist() == [[1.0, -0.0025, 0.0], [-0.011_234_5, 3e-5, 0.7]]


def entry(dofs, seconds, difference=1e-8, status="ran"):
    return {
        "model": {"common": {"dofs": dofs}},
        "medians": {"sacrofem": {"wall_s": seconds}},
        "difference_from_sacrofem": {"calculix": difference},
        "difference_allowed": {"calculix": 1e-5},
        "status": {"calculix": status},
    }


def test_growth_exponent_is_the_slope():
    from compare import growth_exponent

    sizes = (60_000, 260_000, 1_000_000)
    assert growth_exponent({str(n): entry(n, 2e-5 * n**1.12) for n in sizes}) == pytest.approx(1.12)
    assert growth_exponent({"1": entry(60_000, 1.0)}) is None


@pytest.mark.parametrize(
    ("difference", "status", "count"),
    [(9e-6, "ran", 0), (2e-5, "ran", 1), (np.nan, "ran", 1), (1e-8, "failed with status -9: killed", 1)],
)
def test_answers_that_differ_and_failures_are_told(difference, status, count):
    from compare import disagreements

    assert len(disagreements({"60000": entry(60_000, 1.0, difference, status)})) == count


def test_missing_program_is_no_error():
    from programs import Program

    absent = Program("absent", "no_such_module_anywhere", "run_absent.py", 1)
    assert absent.version(sys.executable) is None


@pytest.mark.slow
def test_command_writes_every_promised_key(tmp_path):
    file, out = tmp_path / "figures.json", tmp_path / "results"
    command = [
        sys.executable, str(BENCHMARKS / "compare.py"), "--dofs", "2500,4000", "--json", str(file), "--out", str(out),
        "--repeats", "1", "--scenarios", "2", "--peers", "skfem", "--warm",
    ]  # fmt: skip
    subprocess.run(command, check=True)
    figures = json.loads(file.read_text())
    assert set(figures) == {"2500", "4000", "machine"}
    for size in ("2500", "4000"):
        assert set(figures[size]) >= PROMISED
        assert figures[size]["status"]["skfem"] == "ran"
        assert figures[size]["assembly_ratio_skfem"] > 0
        assert figures[size]["scenario_ratio_calculix"] is None
        assert figures[size]["scenarios"]["energy_error"] < 1e-6
        assert len(figures[size]["runs"]["sacrofem"]) == 1
        assert np.isfinite(figures[size]["growth_exponent"])
    assert figures["machine"]["versions"]["skfem"]
    assert (out / "comparison.png").is_file()
    assert "scikit-fem" in (out / "comparison.md").read_text()
