"""A case's numbers and notes are its own, whatever is solved beside it; a result holds no more than it has to."""

import copy
import csv
import gc
import json
import pickle
from dataclasses import replace

import numba
import numpy as np
import pytest
import scans
import threadpoolctl

from sacrofem import Case, InputError, Specimen, compare, compare_plans, reference_mesh, write_mesh
from sacrofem.anatomy.landmarkfile import landmarks_to_dict
from sacrofem.anatomy.solid import Corridor
from sacrofem.cement.flow import FlowArrival, Medium
from sacrofem.mechanics.equilibrium.statics import Statics
from sacrofem.mechanics.measures.catalogue import MEASURES, NEEDS_NO_PLAN
from sacrofem.study.design import read_study
from sacrofem.study.evaluate import CommonZonesGroupSolver, GroupSolver, failure
from sacrofem.study.runner import run_study
from sacrofem.study.store import value_of
from sacrofem.system import threads as limits
from sacrofem.system.threads import threads

PARTS = ("before", "after", "change")
MIB = 1024**2


def tiny(volume_ml=2.0, **changes):
    return Case.preset("sif-unilateral").with_(mesh__reference="tiny", cement__volume_ml=volume_ml, **changes)


def numbers(comparison):
    return {f"{key}_{part}": getattr(comparison, part)[key] for key in MEASURES for part in PARTS}


def same(found, expected):
    """Every number to 1e-9 of itself; what is zero, within 1e-9."""
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key] == (value if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), key


# ------------------------------------------------------------------ numbers
@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.slow)], ids=["P1", "P2"])
def order(request):
    return request.param


@pytest.fixture(scope="module")
def alone(order):
    """The numbers of two cases, each compared by itself."""
    return {volume: numbers(compare(tiny(volume, mesh__order=order))) for volume in (0.5, 2.0)}


@pytest.mark.parametrize("volumes", [(2.0,), (2.0, 6.0), (6.0, 0.5, 2.0)])
def test_a_plan_beside_others_has_its_own_numbers(order, alone, volumes):
    found = dict(zip(volumes, compare_plans([tiny(v, mesh__order=order) for v in volumes]), strict=True))
    for volume in set(volumes) & set(alone):
        same(numbers(found[volume]), alone[volume])
        assert found[volume].common_zones is None
        assert found[volume].to_json()["common_zones"] is None


def rows_of(folder, order, volumes, *, common=False):
    """The table of a study, by volume."""
    folder.mkdir()
    (folder / "study.toml").write_text(
        'schema = 1\nname = "dose"\npreset = "sif-unilateral"\n'
        f'[case.mesh]\nreference = "tiny"\norder = {order}\n[zones]\ncommon = {str(common).lower()}\n'
        f'[[factors]]\npath = "cement.volume_ml"\nvalues = {list(volumes)}\n'
    )
    outcome = run_study(read_study(folder / "study.toml"), folder / "out", executor="serial")
    assert outcome.done == len(volumes)
    with (folder / "out" / "results.csv").open(encoding="utf-8", newline="") as table:
        rows = [{key: value_of(cell) for key, cell in row.items()} for row in csv.DictReader(table)]
    return {row["cement.volume_ml"]: row for row in rows}


def own_columns(row):
    return {f"{key}_{part}": row[f"{key}_{part}"] for key in MEASURES for part in PARTS}


@pytest.mark.parametrize("volumes", [(2.0,), (2.0, 6.0)])
def test_a_row_of_a_study_has_the_numbers_of_its_case(order, alone, volumes, tmp_path):
    rows = rows_of(tmp_path / "study", order, volumes)
    same(own_columns(rows[2.0]), alone[2.0])
    assert not [column for column in rows[2.0] if "common_zones" in column]


@pytest.mark.parametrize("volumes", [(2.0,), (2.0, 6.0)])
def test_common_zones_of_a_study_stand_in_columns_that_say_so(order, alone, volumes, tmp_path):
    rows = rows_of(tmp_path / "study", order, volumes, common=True)
    same(own_columns(rows[2.0]), alone[2.0])
    key = "fracture_von_mises_p95_mpa"
    # Before cement the same bone is looked at for every plan.
    assert len({row[f"{key}_common_zones_before"] for row in rows.values()}) == 1
    shared, own = (rows[2.0][f"{key}{common}_change"] for common in ("_common_zones", ""))
    assert (shared == pytest.approx(own, rel=1e-9)) == (len(volumes) == 1)
    # What has no zone that cement is left out of has no second value.
    assert not [key for key in NEEDS_NO_PLAN if f"{key}_common_zones_after" in rows[2.0]]


def test_common_zones_of_plans_are_asked_for(order, alone):
    found = list(compare_plans([tiny(v, mesh__order=order) for v in (2.0, 6.0)], common_zones=True))
    same(numbers(found[0]), alone[2.0])
    first, second = (comparison.common_zones for comparison in found)
    assert first.plans == second.plans == 2
    assert first.before == second.before
    assert first.after != second.after
    content = json.loads(json.dumps(found[0].to_json(), allow_nan=False))["common_zones"]
    assert content["plans"] == 2
    assert content["change"] == dict(first.change)


# ------------------------------------------------------------------ a fracture that was fitted
@pytest.fixture
def narrow(tmp_path):
    """An own mesh whose S3 foramen leaves the default fracture too little room."""
    landmarks = Specimen(tiny(mesh__order=1)).landmarks
    there = landmarks.foramina["S3_left"]
    foramina = {**landmarks.foramina, "S3_left": Corridor(there.points + np.array([14.0, 0.0, 0.0]), there.radii)}
    (tmp_path / "landmarks.json").write_text(json.dumps(landmarks_to_dict(replace(landmarks, foramina=foramina))))
    write_mesh(tmp_path / "bone.vtu", reference_mesh("sacrum-tiny-intact"))
    own = {"kind": "mesh", "path": str(tmp_path / "bone.vtu"), "landmarks_file": str(tmp_path / "landmarks.json")}
    return Case.preset("sif-unilateral").with_(mesh__order=1).with_anatomy(own)


def check_fitted(case, volumes):
    cases = [case.with_(cement__volume_ml=volume) for volume in volumes]
    found = list(compare_plans(cases))
    for comparison, volume in zip(found, volumes, strict=True):
        assert comparison.case.cement.volume_ml == volume
        assert comparison.case.fracture.tilt_deg > 0.0
        assert comparison.change["micromotion_mean_um"] < -0.1
        assert len([text for text in comparison.warnings if "the fracture passes between them" in text]) == 1
        # What was fitted is part of the case that made the numbers.
        assert Case.from_dict(comparison.to_json()["case"]) == comparison.case
    assert found[0].before["micromotion_mean_um"] == found[1].before["micromotion_mean_um"]
    return cases, found


@pytest.mark.slow
def test_plans_are_laid_on_a_specimen_whose_fracture_was_fitted(narrow):
    cases, found = check_fitted(narrow, (1.0, 3.0))
    same(numbers(found[1]), numbers(compare(cases[1])))
    records = [record for _, record in GroupSolver()(cases, [0, 1])]
    assert [record["status"] for record in records] == ["done", "done"]
    same({key: records[0]["values"][key] for key in numbers(found[0])}, numbers(found[0]))
    # A place that a plan gives itself is another specimen.
    with pytest.raises(InputError) as refused:
        next(compare_plans([cases[0], cases[1].with_(fracture__tilt_deg=9.0)]))
    assert refused.value.field == "fracture"


@pytest.mark.slow
def test_plans_are_laid_on_a_scan_whose_fracture_was_fitted():
    scan = {"kind": "surface", "path": str(scans.scan_folder() / "sacrum.ply"), "units": "mm"}
    case = Case.preset("sif-unilateral").with_(mesh__order=1, mesh__size_mm=9.0, mesh__fracture_size_mm=7.0)
    check_fitted(case.with_anatomy(scan), (1.0, 3.0))


# ------------------------------------------------------------------ plans that are refused
MISSES = {"entry_mm": (300.0, 40.0, -10.0), "target_mm": (300.0, 5.0, -10.0), "volume_ml": 2.0}


def refused_cases():
    outside = tiny(mesh__order=1).with_(cement__injections=[MISSES])
    spot = {"cement.volume_ml": 0.0, "cement.spot": {"radius_mm": 2.0, "centre": (300.0, 0.0, 0.0)}}
    return [outside, tiny(mesh__order=1).with_(**spot)]


@pytest.mark.parametrize("solver", [GroupSolver, CommonZonesGroupSolver])
def test_plans_that_are_all_refused_keep_their_reasons(solver):
    cases = refused_cases()
    reasons = []
    for case in cases:
        with pytest.raises(InputError) as refused:
            compare(case)
        reasons.append(failure(refused.value))
    assert reasons[0] != reasons[1]
    assert [record for _, record in sorted(solver()(cases, [0, 1]))] == reasons


def test_a_refused_plan_leaves_the_others_alone():
    cases = [*refused_cases(), tiny(mesh__order=1)]
    records = dict(GroupSolver()(cases, [0, 1, 2]))
    assert [records[place]["status"] for place in range(3)] == ["failed", "failed", "done"]
    expected = numbers(compare(cases[2]))
    same({key: records[2]["values"][key] for key in expected}, expected)


# ------------------------------------------------------------------ notes
def test_notes_of_a_plan_are_its_own():
    little = tiny(0.02, mesh__order=1, cement__ellipsoid_aspect=2.0)
    usual = tiny(2.0, mesh__order=1)
    first, second = compare_plans([little, usual])
    for words in ("tets only", "cement.ellipsoid_aspect = 2 does not count"):
        assert any(words in text for text in first.warnings), words
        assert not any(words in text for text in second.warnings), words
    assert first.warnings == compare(little).warnings
    assert second.warnings == compare(usual).warnings


def test_notes_belong_to_what_they_are_about():
    specimen = Specimen(tiny(0.02, mesh__order=1, fracture__extent_from="anterior"))
    plan = specimen.plan()
    assert any("P1 is a preview" in text for text in specimen.notes)
    assert any("fracture.extent_from" in text for text in specimen.notes)
    assert not any("tets only" in text for text in specimen.notes)
    assert any("tets only" in text for text in plan.notes)
    assert not any("preview" in text or "extent_from" in text for text in plan.notes)
    result = compare(specimen.solve(), specimen.solve(plan))
    (missed,) = plan.first_notes
    assert missed.startswith("cement reaches no fracture: ")
    assert result.validity.state == "amber"
    assert result.warnings == [missed, result.validity.text, *specimen.notes, *plan.notes, *result.notes]


# ------------------------------------------------------------------ what a comparison holds
def flows():
    """Lattices of cement flow that are alive, by number of the object."""
    gc.collect()
    return {id(thing): thing for thing in gc.get_objects() if isinstance(thing, Medium | FlowArrival)}


@pytest.mark.parametrize(
    ("reference", "most_mib"), [("tiny", 20), pytest.param("coarse", 120 * 1e6 / MIB, marks=pytest.mark.slow)]
)
def test_a_comparison_can_be_kept_sent_and_copied(reference, most_mib):
    earlier = flows()
    result = compare(tiny().with_(mesh__reference=reference))
    assert result.case.cement.spread == "flow"
    assert set(result.solutions) == {"before", "after"}
    assert not set(flows()) - set(earlier), "a lattice of cement flow outlived its plan"
    pickled = pickle.dumps(result)
    assert len(pickled) <= most_mib * MIB
    u = result.solutions["after"].state.displacement
    for twin in (pickle.loads(pickled), copy.deepcopy(result)):
        assert twin.to_json() == result.to_json()
        np.testing.assert_array_equal(twin.solutions["after"].state.displacement, u)
        # What was left out is found again: the same zones, the same numbers.
        again = compare(twin.solutions["before"], twin.solutions["after"])
        assert numbers(again) == numbers(result)


# ------------------------------------------------------------------ threads
@pytest.fixture
def seen(monkeypatch):
    """Threads in force inside every solve, numba's and those of BLAS, on a machine of four cores."""
    in_force = {"numba": 4}
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 4)
    monkeypatch.setattr(numba, "set_num_threads", lambda number: in_force.update(numba=number))
    monkeypatch.setattr(numba, "get_num_threads", lambda: in_force["numba"])
    monkeypatch.setattr(limits, "available_cores", lambda: 4)
    found = []
    solve = Statics.solve

    def watched(self, name, *given, **named):
        found.append((name, in_force["numba"], blas()))
        return solve(self, name, *given, **named)

    monkeypatch.setattr(Statics, "solve", watched)
    found.append(in_force)
    return found


def blas():
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(scope="module")
def small():
    return Specimen(tiny(mesh__order=1))


def test_a_solve_keeps_to_its_threads_and_gives_them_back(small, seen):
    in_force = seen.pop()
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        outside = blas()
        assert outside == {2}, "this BLAS cannot be watched"
        compare(small.solve(), small.solve(small.plan()))
        assert blas() == outside
    assert seen == [("before", 4, {1}), ("after", 4, {1})]
    assert in_force["numba"] == 4


def test_a_case_has_a_number_of_threads_of_its_own(seen):
    in_force = seen.pop()
    specimen = Specimen(tiny(mesh__order=1, solver__threads=2))
    specimen.solve()
    with threads(1):
        specimen.solve()
    assert [number for _, number, _ in seen] == [2, 2]
    assert in_force["numba"] == 4


def test_a_block_around_holds_for_solves_without_a_wish(small, seen):
    in_force = seen.pop()
    with threads(1):
        compare(small.solve(), small.solve(small.plan()))
        list(small.sweep([small.plan(volume_ml=1.0)]))
        assert in_force["numba"] == 1
    assert {number for _, number, _ in seen} == {1}
    assert len(seen) == 3
    assert in_force["numba"] == 4
