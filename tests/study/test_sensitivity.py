"""Morris and Sobol' indices through the runner, against closed forms."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
from cheap_study import Ishigami

from sacrofem.errors import InputError
from sacrofem.study.design import read_study
from sacrofem.study.runner import run_study
from sacrofem.study.sampling import shares
from sacrofem.study.sensitivity import indices, write_indices
from sacrofem.study.store import Store

pytest.importorskip("SALib")

FILE = """schema = 1
name = "ishigami"
preset = "sif-unilateral"
[design]
kind = "{kind}"
samples = {samples}
{more}
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


COLUMNS = ("ishigami", "linear", "constant", "noise", "product", "square")


class Formulas:
    """Of x1, x2, x3 in [1, 2], hidden in three keys of a case; what their indices are stands in the tests."""

    def __call__(self, cases, places):
        for place in places:
            case = cases[place]
            x1, x2 = case.cement.volume_ml, case.materials.density_factor
            values = {
                "linear": x1 + 2.0 * x2,
                "constant": 1.0,
                "noise": 1.0 + 1e-12 * x1,
                "product": x1 * x2,
                "square": (x1 - 1.0) ** 2,
            }
            yield place, {"status": "done", "error": "", "values": values}


def table(tmp_path, kind, samples, factory, more="seed = 7"):
    path = tmp_path / f"{kind}.toml"
    path.write_text(FILE.format(kind=kind, samples=samples, more=more))
    study = read_study(path)
    run_study(study, tmp_path / kind, executor="serial", factory=factory)
    with (tmp_path / kind / "results.csv").open() as file:
        rows = [{k: float(v) if k in COLUMNS and v else v for k, v in row.items()} for row in csv.DictReader(file)]
    return study, rows


def by(found, kind, measure=None):
    return {index.factor: index for index in found if index.index == kind and measure in (None, index.measure)}


def values(found, kind, measure=None):
    return [index.value for index in by(found, kind, measure).values()]


@pytest.mark.slow
def test_ishigami_through_the_runner(tmp_path):
    study, rows = table(tmp_path, "sobol-indices", 512, Ishigami)
    assert len(rows) == 512 * 5
    found = indices(study, rows, ["ishigami"])
    a, b = 7.0, 0.1
    # Ishigami & Homma 1990: partial variances in closed form.
    v1 = 0.5 * (1 + b * math.pi**4 / 5) ** 2
    v2 = a**2 / 8
    v13 = b**2 * math.pi**8 * (1 / 18 - 1 / 50)
    total = v1 + v2 + v13
    first = np.array([v1, v2, 0.0]) / total
    np.testing.assert_allclose(first, [0.3139, 0.4424, 0.0], atol=5e-5)
    whole = np.array([v1 + v13, v2, v13]) / total
    for kind, wanted in (("S1", first), ("ST", whole)):
        for index, value in zip(by(found, kind).values(), wanted, strict=True):
            assert index.value == pytest.approx(value, abs=0.03), (kind, index)
            # Intervals cover the truth, with a margin for their own scatter, and mean something.
            assert abs(index.value - value) < 2.0 * index.half_width + 0.005
            assert index.half_width < 0.12


def test_morris_on_ishigami(tmp_path):
    """On four levels sin x is 0 or ±√3/2, so that every mean effect over the whole grid has a closed form."""
    study, rows = table(tmp_path, "morris", 16, Ishigami)
    found = indices(study, rows, ["ishigami"])
    step, root = 2.0 / 3.0, math.sqrt(3.0) / 2.0
    fourth = (math.pi**4, (math.pi / 3.0) ** 4)
    exact = {
        "cement.volume_ml": root * (1.0 + 0.1 * sum(fourth) / 2.0) / step,
        "materials.density_factor": 7.0 * root**2 / step,
        "load.slope_deg": 0.1 * (fourth[0] - fourth[1]) * (root / 2.0) / step,
    }
    for factor, index in by(found, "mu_star").items():
        assert abs(index.value - exact[factor]) <= 1.5 * index.half_width + 1e-9, factor
    # The second factor moves the answer by the same size from wherever it starts, to either side.
    second = by(found, "mu_star")["materials.density_factor"]
    assert second.value == pytest.approx(7.875, rel=1e-12)
    assert second.half_width < 1e-9
    # The first only ever raises it, the third acts through the first alone: up as often as down.
    assert by(found, "mu")["cement.volume_ml"].value == by(found, "mu_star")["cement.volume_ml"].value
    third = "load.slope_deg"
    assert abs(by(found, "mu")[third].value) < 0.6 * by(found, "mu_star")[third].value
    assert by(found, "sigma")[third].value > by(found, "mu_star")[third].value
    assert min(values(found, "mu_star")) == by(found, "mu_star")[third].value


def test_linear_by_sobol_indices(tmp_path):
    study, rows = table(tmp_path, "sobol-indices", 32, Formulas)
    found = indices(study, rows, ["linear", "constant", "noise"])
    for kind in ("S1", "ST"):
        np.testing.assert_allclose(values(found, kind, "linear"), [0.2, 0.8, 0.0], atol=0.08)
    # What differs in its last bits only has no variance to share out.
    assert all(index.value == index.half_width == 0.0 for index in found if index.measure != "linear")


def test_linear_and_square_by_morris(tmp_path):
    study, rows = table(tmp_path, "morris", 8, Formulas)
    found = indices(study, rows, ["linear", "square", "constant"])
    for kind in ("mu_star", "mu"):
        np.testing.assert_allclose(values(found, kind, "linear"), [1.0, 2.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(values(found, "sigma", "linear"), 0.0, atol=1e-9)
    # x² on the levels 0, 1/3, 2/3, 1: effects of 2/3 and 4/3 alone, so that their mean gives their scatter.
    mean, scatter = values(found, "mu", "square")[0], values(found, "sigma", "square")[0]
    share = (mean - 2 / 3) / (2 / 3)
    assert 0.0 < share < 1.0
    assert scatter == pytest.approx(2 / 3 * math.sqrt(share * (1 - share) * 8 / 7), rel=1e-9)
    assert values(found, "mu", "constant") == values(found, "sigma", "constant") == [0.0, 0.0, 0.0]


def test_pairs(tmp_path):
    """u v with u and v even on ±1/2: neither explains anything alone, the pair explains all."""
    study, rows = table(tmp_path, "sobol-indices", 2, Formulas, "second_order = true")
    assert len(rows) == 2 * 8
    # Far more of them than a test can afford to publish.
    design = study.design.model_copy(update={"samples": 256})
    places = shares(design, 3)
    study = replace(study, design=design, scenarios=(study.scenarios[0],) * len(places))
    rows = [{"product": (u - 0.5) * (v - 0.5), "constant": 1.0} for u, v, _ in places]
    found = indices(study, rows, ["product", "constant"])
    assert list(by(found, "S2", "product")) == [
        "cement.volume_ml × materials.density_factor", "cement.volume_ml × load.slope_deg",
        "materials.density_factor × load.slope_deg",
    ]  # fmt: skip
    wanted = {"S1": [0.0, 0.0, 0.0], "ST": [1.0, 1.0, 0.0], "S2": [1.0, 0.0, 0.0]}
    for kind, exact in wanted.items():
        for index, value in zip(by(found, kind, "product").values(), exact, strict=True):
            assert abs(index.value - value) < 0.2, index
            assert abs(index.value - value) <= 1.5 * index.half_width + 1e-9, index
    assert values(found, "S2", "constant") == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["morris", "sobol-indices"])
def test_intervals_repeat_without_a_seed_and_leave_numpy_alone(tmp_path, kind):
    study, rows = table(tmp_path, kind, 4, Formulas, "")
    assert study.design.seed == 0
    state = np.random.get_state()  # noqa: NPY002
    first, again = (indices(study, rows, ["product"]) for _ in range(2))
    assert first == again
    np.testing.assert_array_equal(state[1], np.random.get_state()[1])  # noqa: NPY002
    names = []
    for _ in range(2):
        write_indices(Store(tmp_path / kind), first)
        names.append((tmp_path / kind / "sensitivity.csv").read_bytes())
    assert names[0] == names[1]
    lines = list(csv.DictReader(names[0].decode().splitlines()))
    assert [(line["factor"], float(line["value"])) for line in lines] == [(i.factor, i.value) for i in first]
    assert not list((tmp_path / kind).glob(".*partial"))


def test_what_has_no_indices(tmp_path):
    study, rows = table(tmp_path, "latin-hypercube", 4, Formulas)
    with pytest.raises(InputError, match="has no indices; use morris"):
        indices(study, rows, ["linear"])
    study, rows = table(tmp_path, "morris", 4, Formulas)
    with pytest.raises(InputError, match="no such measure"):
        indices(study, rows, ["linea"])
    with pytest.raises(InputError, match="has 15 rows for 16 scenarios; run the study to its end"):
        indices(study, rows[:-1], ["linear"])
    for bad in ("", None, math.nan, True):
        rows[2]["linear"] = bad
        with pytest.raises(InputError, match=r"results\.csv: 1 scenarios have no linear: 3"):
            indices(study, rows, ["linear"])


@pytest.mark.parametrize(
    ("kind", "samples", "more", "said"),
    [
        ("sobol-indices", 100, "", "power of two"),
        ("morris", 4, "levels = 5", "is odd"),
        ("morris", 4, "second_order = true", "sobol-indices alone"),
        ("morris", 0, "", "samples go with"),
    ],
)
def test_designs_that_are_refused(tmp_path, kind, samples, more, said):
    (tmp_path / "study.toml").write_text(FILE.format(kind=kind, samples=samples, more=more))
    with pytest.raises(InputError, match=r"study\.toml") as caught:
        read_study(tmp_path / "study.toml")
    assert said in str(caught.value)
