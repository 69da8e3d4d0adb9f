"""Morris and Sobol' indices through the runner, against closed forms."""

import csv
import math

import numpy as np
import pytest
from cheap_study import Ishigami

from sacrofem.errors import InputError
from sacrofem.study.design import read_study
from sacrofem.study.runner import run_study
from sacrofem.study.sensitivity import indices

SALIB = pytest.importorskip("SALib")

FILE = """schema = 1
name = "ishigami"
preset = "sif-unilateral"
[design]
kind = "{kind}"
samples = {samples}
seed = 7
[[factors]]
path = "cement.volume_ml"
low = 1.0
high = 2.0
[[factors]]
path = "materials.density_factor"
low = 1.0
high = 2.0
[[factors]]
path = "load.slope_deg"
low = 1.0
high = 2.0
"""


class Linear:
    """1 x1 + 2 x2 + 0 x3: Sobol' indices 1/5, 4/5, 0; elementary effects 1, 2, 0."""

    def __call__(self, cases, places):
        for place in places:
            case = cases[place]
            value = case.cement.volume_ml + 2.0 * case.materials.density_factor
            yield place, {"status": "done", "error": "", "values": {"linear": value, "constant": 1.0}}


def table(tmp_path, kind, samples, factory):
    path = tmp_path / "study.toml"
    path.write_text(FILE.format(kind=kind, samples=samples))
    study = read_study(path)
    run_study(study, tmp_path / "out", executor="serial", factory=factory)
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = [{k: float(v) if k in ("ishigami", "linear", "constant") and v else v for k, v in row.items()}
                for row in csv.DictReader(file)]  # fmt: skip
    return study, rows


def by(found, kind):
    return {index.factor: index for index in found if index.index == kind}


@pytest.mark.slow
def test_ishigami_through_the_runner(tmp_path):
    study, rows = table(tmp_path, "sobol-indices", 1024, Ishigami)
    assert len(rows) == 1024 * 5
    found = indices(study, rows, ["ishigami"])
    a, b = 7.0, 0.1
    # Ishigami & Homma 1990: partial variances in closed form.
    v1 = 0.5 * (1 + b * math.pi**4 / 5) ** 2
    v2 = a**2 / 8
    v13 = b**2 * math.pi**8 * (1 / 18 - 1 / 50)
    total = v1 + v2 + v13
    first = np.array([v1, v2, 0.0]) / total
    whole = np.array([v1 + v13, v2, v13]) / total
    for kind, wanted in (("S1", first), ("ST", whole)):
        for index, value in zip(by(found, kind).values(), wanted, strict=True):
            assert index.value == pytest.approx(value, abs=0.03), (kind, index)
            # Intervals cover the truth, with a margin for their own scatter, and mean something.
            assert abs(index.value - value) < 2.0 * index.half_width + 0.005
            assert index.half_width < 0.12


def test_linear_sobol_and_morris(tmp_path):
    study, rows = table(tmp_path, "sobol-indices", 256, Linear)
    found = indices(study, rows, ["linear", "constant"])
    for kind in ("S1", "ST"):
        values = [index.value for index in found if index.index == kind and index.measure == "linear"]
        np.testing.assert_allclose(values, [0.2, 0.8, 0.0], atol=0.02)
    assert all(index.value == 0.0 for index in found if index.measure == "constant")
    study, rows = table(tmp_path / "..", "morris", 8, Linear)
    found = indices(study, rows, ["linear"])
    for kind in ("mu_star", "mu"):
        np.testing.assert_allclose([index.value for index in by(found, kind).values()], [1.0, 2.0, 0.0], atol=1e-9)
    np.testing.assert_allclose([index.value for index in by(found, "sigma").values()], 0.0, atol=1e-9)


def test_what_has_no_indices(tmp_path):
    study, rows = table(tmp_path, "latin-hypercube", 4, Linear)
    with pytest.raises(InputError, match="has no indices; use morris"):
        indices(study, rows, ["linear"])
    study, rows = table(tmp_path, "morris", 4, Linear)
    with pytest.raises(InputError, match="no such measure"):
        indices(study, rows, ["linea"])
    rows[2]["linear"] = ""
    with pytest.raises(InputError, match="1 scenarios have no linear: 3"):
        indices(study, rows, ["linear"])
    for text, words in (
        (FILE.format(kind="sobol-indices", samples=100), "power of two"),
        (FILE.format(kind="morris", samples=4).replace("seed = 7", "levels = 5"), "is odd"),
    ):
        (tmp_path / "study.toml").write_text(text)
        with pytest.raises(InputError, match=words):
            read_study(tmp_path / "study.toml")
