"""Bands of every measure, on numbers whose order is known, and one real ladder of previews."""

import json
import logging
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from sacrofem import reference_mesh
from sacrofem.case.case import Case
from sacrofem.errors import SacrofemError
from sacrofem.mechanics.measures.catalogue import MEASURES, changes
from sacrofem.mechanics.space.space import Space
from sacrofem.study import convergence
from sacrofem.study.convergence import Convergence, Level, converge, representative_size
from sacrofem.study.ladder import Ladder, Rung
from sacrofem.system.progress import stage

SIZES = (4.0, 2.0, 1.0)


def level(h, before, after):
    values = {part: {**dict.fromkeys(MEASURES), **data} for part, data in (("before", before), ("after", after))}
    change = changes(values["before"], values["after"]).relative
    return Level(f"{h:g}", h, 10, 30, values["before"], values["after"], change)


@pytest.fixture(scope="module")
def first_order():
    levels = [
        level(
            h,
            {"micromotion_mean_um": 100.0 - 5.0 * h, "micromotion_max_um": 100.0 / h, "slip_mean_um": 0.2 + 0.1 * h},
            {"micromotion_mean_um": 50.0, "micromotion_max_um": 40.0 / h, "slip_mean_um": None},
        )
        for h in SIZES
    ]
    return Convergence(Case(), tuple(levels), 2)


def test_order_limit_and_band_of_a_measure(first_order):
    before = first_order.estimates["micromotion_mean_um"]["before"]
    assert before.order == pytest.approx(1.0)
    assert before.limit == pytest.approx(100.0)
    assert before.band == pytest.approx((95.0 - 6.25, 95.0 + 6.25))
    after = first_order.estimates["micromotion_mean_um"]["after"]
    assert (after.half_width, after.order) == (0.0, None)


def test_a_nodal_maximum_that_grows_with_refinement_is_marked(first_order):
    entry = first_order.mesh_band()["micromotion_max_um"]
    assert entry["order"]["before"] == pytest.approx(-1.0)
    # Its relative change does not move: that is a number.
    assert entry["unconverged"] == ["before", "after"]
    assert entry["change"] == pytest.approx([-0.6, -0.6])


def test_what_is_small_against_its_scale_counts_against_it(first_order):
    """Slip of 0.3 µm beside a micromotion of 95 µm: its steps are below 5 % of 1 % of that."""
    entry = first_order.mesh_band()["slip_mean_um"]
    assert entry["after"] is None
    assert entry["change"] is None
    assert entry["unconverged"] == []


def test_measures_that_do_not_exist_have_no_band(first_order):
    assert set(first_order.mesh_band()) == {"micromotion_mean_um", "micromotion_max_um", "slip_mean_um"}


def test_json_has_no_nan_and_reads_back(first_order):
    content = json.loads(json.dumps(first_order.to_json(), allow_nan=False))
    assert Level.from_json(content["levels"][0]).to_json() == first_order.levels[0].to_json()
    assert content["limits"]["micromotion_mean_um"]["before"] == pytest.approx(100.0)
    assert Case.from_dict(content["case"]) == Case()


def test_the_size_of_a_mesh_is_that_of_its_fracture_faces():
    broken = reference_mesh("block-gap")
    mean = broken.face_areas[broken.paired[0]].mean()
    found = representative_size(SimpleNamespace(mesh=broken, space=Space(broken, 1)))
    assert 3**0.5 / 4 * found**2 == pytest.approx(mean, rel=1e-9)
    whole = broken.glued()[0]
    found = representative_size(SimpleNamespace(mesh=whole, space=Space(whole, 1)))
    assert found**3 / (6 * 2**0.5) == pytest.approx(whole.volumes.mean(), rel=1e-9)


@dataclass
class Solved:
    """Just what a ladder takes from a comparison."""

    before: dict
    after: dict
    change: dict
    specimen: object = None
    warnings: list = field(default_factory=lambda: ["P1 is a preview"])
    mesh_info: dict = field(default_factory=lambda: {"tets": 5, "dofs": 30})


def test_the_cases_own_result_is_not_solved_again(monkeypatch, caplog):
    own = Solved({"stiffness_n_per_mm": 200.0}, {"stiffness_n_per_mm": 300.0}, {"stiffness_n_per_mm": 0.5})
    solved = []

    def counted(case):
        stage("solving")
        solved.append(case)
        return Solved({"stiffness_n_per_mm": 201.0}, {"stiffness_n_per_mm": 300.0}, {"stiffness_n_per_mm": 0.49})

    sizes = iter((3.0, 2.0, 1.0))
    rungs = tuple(Rung(name, Case().with_(name=name)) for name in ("a", "b", "c"))
    monkeypatch.setattr(convergence, "compare", counted)
    monkeypatch.setattr(convergence, "ladder", lambda case: Ladder(rungs, 1))
    monkeypatch.setattr(convergence, "representative_size", lambda specimen: next(sizes))
    with caplog.at_level(logging.INFO, logger="sacrofem"):
        result = converge(Case(), own=own)
    assert [case.name for case in solved] == ["a", "c"]
    assert caplog.messages == ["a: solving", "c: solving"]
    assert result.own == 1
    assert result.warnings == ("P1 is a preview",)
    # Not monotone: three times the range, around the value on its own mesh.
    assert result.mesh_band()["stiffness_n_per_mm"]["before"] == [197.0, 203.0]
    assert result.about()["meshes"][1] == {"name": "b", "size_mm": 2.0, "tets": 5}


def test_meshes_that_do_not_get_finer_are_no_ladder(monkeypatch):
    values = {"stiffness_n_per_mm": 200.0}
    sizes = iter((3.0, 3.1, 1.0))
    monkeypatch.setattr(convergence, "compare", lambda case: Solved(values, values, values))
    monkeypatch.setattr(convergence, "representative_size", lambda specimen: next(sizes))
    with pytest.raises(SacrofemError, match=r"do not get finer \(3, 3.1, 1 mm\)"):
        converge(Case())


@pytest.mark.slow
def test_a_preview_ladder_softens_with_refinement():
    """P1 is too stiff: the energy rises monotonically, and the three meshes say so in their band."""
    case = Case.preset("sif-unilateral").with_(**{"mesh.reference": "medium", "mesh.order": 1})
    result = converge(case)
    energy = [level.before["strain_energy_nmm"] for level in result.levels]
    assert energy[0] < energy[1] < energy[2]
    assert [level.name for level in result.levels] == ["tiny", "coarse", "medium"]
    assert 1.3 < result.levels[0].size_mm / result.levels[1].size_mm < 2.0
    low, high = result.mesh_band()["strain_energy_nmm"]["before"]
    assert low < energy[2] < high
