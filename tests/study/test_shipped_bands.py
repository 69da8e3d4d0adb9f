"""The bands that ship belong to the default case and to the numbers of this package, and to nothing else."""

import importlib.util
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sacrofem.case.case import Case
from sacrofem.errors import InputError
from sacrofem.mechanics.measures.catalogue import MEASURES
from sacrofem.specimen.compare import compare
from sacrofem.specimen.provenance import Given
from sacrofem.study import bands
from sacrofem.study.bands import (
    is_shipped_case,
    read_shipped,
    same_values,
    shipped_convergence,
    shipped_for,
    with_bands,
)
from sacrofem.study.inputs import InputRange, variations
from sacrofem.study.ladder import ladder

DEFAULT = Case.preset()


@dataclass
class Result:
    """Just what bands are attached to."""

    case: Case
    before: dict
    after: dict
    change: dict
    mesh_band: dict | None = None
    input_range: dict | None = None
    bands: dict = field(default_factory=dict)
    specimen: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(given=Given(())))


@pytest.fixture(scope="module")
def data():
    return read_shipped()


def shipped_result(data, reference="medium", **changes):
    level = next(level for level in data["levels"] if level["name"] == reference)
    case = DEFAULT.with_(**{"mesh.reference": reference, **changes})
    return Result(case, dict(level["before"]), dict(level["after"]), dict(level["change"]))


def test_the_shipped_file_is_that_of_the_default_case(data):
    assert Case.from_dict(data["case"]) == DEFAULT
    assert [level["name"] for level in data["levels"]] == [rung.name for rung in ladder(DEFAULT).rungs]
    for level in data["levels"]:
        assert set(level["before"]) == set(MEASURES)


def test_the_shipped_runs_are_those_that_would_be_made_today(data):
    stored = InputRange.from_json(data["input_range"])
    rung = ladder(DEFAULT).below
    assert stored.mesh == rung.name
    assert [(run.name, dict(run.changes)) for run in stored.runs] == [("as it is", {}), *variations(rung.case)]
    # Ladder and input range were computed with the same package.
    coarse = next(level for level in data["levels"] if level["name"] == rung.name)
    assert same_values(coarse["before"], stored.runs[0].before, coarse["before"])
    assert same_values(coarse["after"], stored.runs[0].after, coarse["before"])


@pytest.mark.slow
def test_this_package_still_gives_the_shipped_numbers():
    """On the tiny mesh; run meshes/bands.py where this fails after a wanted change of the physics."""
    result = with_bands(compare(DEFAULT.with_(**{"mesh.reference": "tiny"})))
    assert result.bands["mesh_band"]["source"] == "shipped"
    assert result.to_json()["mesh_band"]["micromotion_mean_um"]["change"] is not None


@pytest.mark.parametrize("reference", ["tiny", "coarse", "medium"])
def test_bands_of_the_default_case_hold_its_numbers_on_every_shipped_mesh(data, reference):
    result = with_bands(shipped_result(data, reference, name="mine"))
    assert result.bands["mesh_band"]["source"] == "shipped"
    for key, entry in result.mesh_band.items():
        for part in ("before", "after", "change"):
            if entry[part] is not None:
                low, high = entry[part]
                value = getattr(result, part)[key]
                assert low <= value <= high
                assert (low + high) / 2 == pytest.approx(value, rel=1e-9)
    # The range was computed on the coarse mesh, which says nothing of a coarser one.
    assert (result.input_range is None) == (reference == "tiny")
    if result.input_range is not None:
        low, high = result.input_range["micromotion_mean_um"]["before"]
        assert low < result.before["micromotion_mean_um"] < high


def test_the_maximum_over_nodes_and_whatever_else_does_not_settle_is_marked(data):
    found = with_bands(shipped_result(data)).mesh_band
    assert any(entry["unconverged"] for entry in found.values())
    assert found["micromotion_mean_um"]["unconverged"] == []


@pytest.mark.parametrize(
    "changes",
    [{"cement.volume_ml": 4.2}, {"fracture.aperture_mm": 0.9}, {"mesh.order": 1}, {"mesh.size_mm": 4.0},
     {"load.force_n": 700.0}],
)  # fmt: skip
def test_another_case_gets_none(data, changes):
    result = shipped_result(data, **changes)
    assert with_bands(result) == result


def test_solver_settings_do_not_make_another_case(data):
    assert is_shipped_case(data, DEFAULT.with_(**{"solver.threads": 1, "solver.tolerance": 1e-12, "name": "x"}))


def test_other_numbers_get_none(data):
    """The physics has changed since: the band says nothing of them."""
    result = shipped_result(data)
    result.after["slip_mean_um"] *= 1.0 + 1e-4
    assert shipped_for(result.case, result.before, result.after) == (None, None)
    result = shipped_result(data)
    del result.before["slip_mean_um"]
    assert with_bands(result).mesh_band is None
    result = shipped_result(data)
    result.before["yield_load_n"] = None
    assert with_bands(result).mesh_band is None


def test_rounding_between_machines_is_no_difference(data):
    result = shipped_result(data)
    result.before = {key: value and value * (1.0 + 1e-8) for key, value in result.before.items()}
    assert with_bands(result).mesh_band is not None


def test_a_missing_file_or_one_with_other_names_is_no_band(data, monkeypatch, tmp_path):
    assert not is_shipped_case({"case": {"schema": 1, "fraktur": {}}}, DEFAULT)
    monkeypatch.setattr(bands, "reference_folder", lambda: tmp_path)
    assert read_shipped() is None
    assert with_bands(shipped_result(data)).mesh_band is None


def test_what_is_not_shipped_is_computed_on_request(data, monkeypatch):
    result = shipped_result(data, **{"cement.volume_ml": 4.2})
    monkeypatch.setattr(bands, "converge", lambda case, *, own: shipped_convergence(data, case))
    monkeypatch.setattr(bands, "input_range", lambda case: InputRange.from_json(data["input_range"]))
    found = with_bands(result, mesh=True, inputs=True)
    assert {name: about["source"] for name, about in found.bands.items()} == {
        "mesh_band": "computed",
        "input_range": "computed",
    }
    assert with_bands(result, mesh=True).input_range is None
    assert with_bands(result, inputs=True).mesh_band is None


def test_what_was_given_in_python_is_on_no_other_mesh(data):
    """Other runs would take the bone of the case; shipped bands stand, where the numbers are theirs."""
    own = {"specimen": SimpleNamespace(given=Given(("moduli",), "stiffer"))}
    result = replace(shipped_result(data, **{"cement.volume_ml": 4.2}), **own)
    assert with_bands(result) == result
    for wanted in ({"mesh": True}, {"inputs": True}):
        with pytest.raises(InputError, match=r"given in Python \(stiffer\): moduli; .*ask for no band"):
            with_bands(result, **wanted)
    assert with_bands(replace(shipped_result(data), **own), mesh=True).bands["mesh_band"]["source"] == "shipped"


def test_shipping_writes_what_is_read(data, monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("ship_bands", Path(__file__).parents[2] / "meshes" / "bands.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "converge", lambda case: shipped_convergence(data, case))
    monkeypatch.setattr(script, "input_range", lambda case: InputRange.from_json(data["input_range"]))
    path = tmp_path / bands.SHIPPED
    script.ship(DEFAULT, path)
    written = json.loads(path.read_text())
    # Case files gain keys; what counts is the case that they stand for.
    assert Case.from_dict(written.pop("case")) == Case.from_dict(data["case"])
    assert written == {key: value for key, value in data.items() if key != "case"}
    assert [p.name for p in Path(tmp_path).iterdir()] == [bands.SHIPPED]
