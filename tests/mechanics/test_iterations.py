"""The number of iterations to 1e-8 stays below 45 whatever the moduli, the gap law and the mesh."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import scans

from sacrofem import Specimen
from sacrofem.mechanics.parts.bone import Elasticity

MOST = 45


def _script():
    """The benchmark, which defines the cases."""
    file = Path(__file__).parents[2] / "benchmarks" / "iterations.py"
    spec = importlib.util.spec_from_file_location("iterations", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["iterations"] = module
    spec.loader.exec_module(module)
    return module


iterations = _script()


def _check(rows):
    found = {row.case: row.to_1e8 for row in rows}
    assert max(found.values()) <= MOST, found
    return found


def test_before_on_the_tiny_mesh():
    specimen = Specimen(iterations.Case.preset().with_(**{"mesh.reference": "tiny"}))
    row, _ = iterations.count("tiny", specimen, iterations.statics(specimen), next(iterations.states(specimen)))
    assert "multigrid" in row.method
    assert row.to_1e8 <= MOST
    assert row.to_1e10 <= row.to_1e8 + 10


@pytest.mark.slow
def test_every_case():
    # `python benchmarks/iterations.py` does the finer meshes too.
    assert len(_check(iterations.cases("tiny"))) == 11


@pytest.mark.slow
def test_a_scanned_sacrum_with_moduli_of_its_own():
    """Moduli over three decades from one tet to the next, as a CT gives them, on a mesh with bad tets."""
    _, mesh = scans.meshes(scans.visible_human(), size_mm=6.0, fracture_mm=3.5, lattice_mm=2.5)
    specimen = Specimen(scans.bilateral_case(), mesh=mesh, landmarks=scans.landmarks())
    youngs = 10.0 ** np.random.default_rng(0).uniform(0.7, 3.7, len(mesh.tets))
    equations = iterations.statics(specimen)
    rows = []
    for variant in iterations.states(specimen):
        rows.append(iterations.count("scan", specimen, equations, variant)[0])
    bone = Elasticity.given(youngs, variant.bone.poisson)
    own = iterations.Variant("own moduli", bone, specimen.recipe().gap)
    rows.append(iterations.count("scan", specimen, equations, own)[0])
    _check(rows)


@pytest.mark.slow
def test_the_count_hardly_grows_with_the_mesh():
    found = [
        iterations.count(name, specimen, iterations.statics(specimen), next(iterations.states(specimen)))[0].to_1e8
        for name in ("tiny", "coarse")  # `python benchmarks/iterations.py` goes on to a million unknowns.
        for specimen in [Specimen(iterations.Case.preset().with_(**iterations.GROWTH[name]))]
    ]
    assert max(found) < 1.3 * found[0]
