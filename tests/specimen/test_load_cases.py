"""Several load cases in one run: each is what it is alone, and the worst of them is found."""

import json

import numpy as np
import pytest

from sacrofem import Case, InputError, Specimen, compare, compare_plans, converge, input_range
from sacrofem.case.problems import CaseError
from sacrofem.mechanics.equilibrium import statics
from sacrofem.mechanics.measures.catalogue import MEASURES, worst_of
from sacrofem.mechanics.parts.loads import face_centroid, facet_faces
from sacrofem.report.page.html import render
from sacrofem.report.text.loads import load_rows
from sacrofem.specimen.check import summary
from sacrofem.specimen.deck import write_deck
from sacrofem.study.design import read_study

BASE = Case.preset("sif-unilateral").with_(**{"mesh.reference": "tiny", "mesh.order": 1, "cement.spread": "column"})
LOADS = (
    {"name": "aside", "kind": "lateral-bending"},
    {"name": "twice", "kind": "standing", "force_n": 1400.0},
    {"name": "pull", "kind": "free", "force_vector_n": (50.0, 60.0, -300.0), "moment_n_m": (0.0, 0.0, 2.0)},
)
SEVERAL = BASE.with_(loads=LOADS)


@pytest.fixture(scope="module")
def several():
    made = []
    original = statics.LinearSystem

    class Counted(original):
        def __init__(self, *given):
            made.append(self)
            super().__init__(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statics, "LinearSystem", Counted)
        result = compare(SEVERAL, intact=True)
    return result, len(made)


def test_one_matrix_a_state(several):
    assert several[1] == 3


def test_each_load_gives_what_it_gives_alone(several):
    result, _ = several
    assert list(result.by_load) == ["load", "aside", "twice", "pull"]
    given = {key: value for key, value in LOADS[2].items() if key != "name"}
    alone = compare(BASE.with_(load=given), intact=True)
    for state in ("before", "after", "intact"):
        for key, value in getattr(alone, state).items():
            together = getattr(result.loads["pull"], state)[key]
            assert together is value is None or together == pytest.approx(value, rel=1e-12), key
    first = compare(BASE)
    assert (dict(result.before), dict(result.after)) == (dict(first.before), dict(first.after))


def test_twice_the_load_is_twice_the_motion_and_the_same_stiffness(several):
    result, _ = several
    one, two = result, result.loads["twice"]
    for key in ("micromotion_mean_um", "fracture_von_mises_p95_mpa", "fragment_motion_um"):
        assert two.after[key] == pytest.approx(2.0 * one.after[key], rel=1e-9)
    assert two.after["stiffness_n_per_mm"] == pytest.approx(one.after["stiffness_n_per_mm"], rel=1e-9)


def test_every_load_balances_and_the_worst_is_named(several):
    result, _ = several
    for one in result.by_load.values():
        assert all(value is None or value < 1e-7 for value in one.checks.values())
    name, value = result.worst["after"]["micromotion_mean_um"]
    assert value == max(one.after["micromotion_mean_um"] for one in result.by_load.values())
    assert result.by_load[name].after["micromotion_mean_um"] == value
    name, value = result.worst["before"]["stiffness_n_per_mm"]
    assert value == min(one.before["stiffness_n_per_mm"] for one in result.by_load.values())


def test_json_table_and_page_hold_all_of_them(several):
    result, _ = several
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert list(content["loads"]) == ["load", "aside", "twice", "pull"]
    entry = content["loads"]["pull"]
    assert (entry["force_n"], entry["moment_n_m"]) == ([50.0, 60.0, -300.0], [0.0, 0.0, 2.0])
    assert set(entry["before"]) == set(MEASURES)
    assert entry["validity"]["state"] in ("inside", "amber", "outside")
    assert content["worst"]["after"]["micromotion_mean_um"]["load"] in content["loads"]
    rows = load_rows(content)
    inside = [name for name, one in content["loads"].items() if one["validity"]["state"] != "outside"]
    assert len([row for row in rows if row.measure.startswith("Micromotion")]) == len(inside)
    page = render(content, {})
    assert "Each load case" in page
    assert 'data-path="comparison/loads/pull/after/micromotion_mean_um"' in page
    alone = compare(BASE).to_json()
    assert (alone["loads"], alone["worst"], load_rows(alone)) == ({}, {}, [])
    assert any(text.startswith("load twice: at the edge of the model") for text in result.warnings)


def test_worst_is_the_least_of_stiffness_and_the_largest_in_size_of_all_else():
    values = {
        "a": {"stiffness_n_per_mm": 5.0, "lesion_min_principal_strain_p95": -0.02, "reaction_share_left": 0.3},
        "b": {"stiffness_n_per_mm": 4.0, "lesion_min_principal_strain_p95": 0.01, "yield_load_n": None},
    }
    assert worst_of(values) == {"stiffness_n_per_mm": ("b", 4.0), "lesion_min_principal_strain_p95": ("a", -0.02)}


@pytest.mark.parametrize("reference", ["tiny", "coarse"])
def test_facets_bear_their_share_where_the_processes_are(reference):
    """Highest bone behind the endplate, mirrored on both sides; force and moment of the whole are those stated."""
    case = BASE.with_(**{"mesh.reference": reference, "load.facet_share": 0.2})
    specimen = Specimen(case)
    found = facet_faces(specimen.space, specimen.landmarks)
    left, right = (face_centroid(specimen.space, found[side]) for side in ("left", "right"))
    np.testing.assert_allclose(left, right * [-1.0, 1.0, 1.0], atol=1e-6)
    normal, centre = specimen.landmarks.endplate_normal, specimen.landmarks.endplate_centre
    assert left[0] == pytest.approx(23.0, abs=6.0)
    assert (left - centre)[1] > 10.0
    usual = Specimen(BASE.with_(**{"mesh.reference": reference}))
    loading = specimen.loading
    np.testing.assert_allclose(loading.force.sum(axis=0), usual.loading.resultant.force, atol=1e-9)
    moment = np.cross(specimen.space.nodes - loading.resultant.point, loading.force).sum(axis=0)
    np.testing.assert_allclose(moment, loading.resultant.moment, atol=1e-8)
    # A small mesh has nodes of both.
    over = loading.force - 0.8 * usual.loading.force
    on = np.unique(specimen.space.face_nodes[found["left"]])
    assert over[on].sum(axis=0) @ usual.loading.resultant.direction == pytest.approx(70.0)
    assert (left - centre) @ normal > -15.0


def test_one_half_has_one_facet_and_a_moment_alone_has_none_to_pass():
    half = Case.preset("hemisacrum-one-legged").with_(**{"mesh.size_mm": 9.0, "mesh.order": 1, "load.facet_share": 0.5})
    specimen = Specimen(half.with_(**{"fracture.zone": "none", "cement.spot": None, "cement.volume_ml": 1.0}))
    assert list(facet_faces(specimen.space, specimen.landmarks)) == ["left"]
    np.testing.assert_allclose(specimen.loading.force.sum(axis=0), specimen.loading.resultant.force, atol=1e-9)
    turned = BASE.with_(load={"kind": "free", "moment_n_m": (0.0, 0.0, 5.0), "facet_share": 0.3})
    assert any("facet_share = 0.3 does not count" in note for note in Specimen(turned).notes)


@pytest.mark.slow
def test_contact_is_solved_load_by_load():
    case = SEVERAL.with_(loads=LOADS[1:2], **{"cement.in_gap": "contact"})
    specimen = Specimen(case)
    solved = specimen.solve_loads(specimen.plan())
    alone = Specimen(BASE.with_(**{"cement.in_gap": "contact", "load.force_n": 1400.0}))
    expected = alone.solve(alone.plan()).state.displacement
    np.testing.assert_allclose(solved["twice"].state.displacement, expected, atol=1e-9 * np.abs(expected).max())


def test_check_lists_every_load():
    specimen = Specimen(SEVERAL)
    told = summary(specimen, specimen.plan())
    assert list(told["loads"]) == ["aside", "twice", "pull"]
    assert told["loads"]["aside"]["moment_n_m"] == [0.0, 7.5, 0.0]


@pytest.mark.parametrize(
    ("loads", "words"),
    [
        ([{"kind": "torsion"}], r"loads\.0\.name: is missing"),
        ([{"name": "a"}, {"name": "a"}], "two load cases bear one name"),
        ([{"name": "load"}], "two load cases bear one name"),
        ([{"name": "A b"}], r"loads\.0\.name"),
        ([{"name": "a", "kind": "free"}], "a free load has no force of its own"),
        ([{"name": "a", "kind": "one-legged"}], r"loads\.0\.kind.*a case of its own"),
        ([{"name": "a", "force_kn": 1}], r"loads\.0\.force_kn"),
        ([{"name": f"a{n}"} for n in range(21)], "at most 20"),
    ],
)
def test_load_cases_that_are_none_are_refused(loads, words):
    with pytest.raises(CaseError, match=words):
        BASE.with_(loads=loads)


def test_what_has_one_load_refuses_several(tmp_path):
    specimen = Specimen(SEVERAL)
    (tmp_path / "base.toml").write_text(SEVERAL.to_toml())
    study = tmp_path / "study.toml"
    study.write_text('name = "s"\nbase = "base.toml"\n[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 2.0]\n')
    for refused in (
        lambda: write_deck(tmp_path / "x.inp", specimen, specimen.recipe()),
        lambda: list(compare_plans([SEVERAL])),
        lambda: converge(SEVERAL),
        lambda: input_range(SEVERAL),
        lambda: read_study(study),
    ):
        with pytest.raises(InputError, match=r"loads = .*has one load"):
            refused()
    assert not (tmp_path / "x.inp").exists()


def test_several_loads_read_back(tmp_path):
    (tmp_path / "case.toml").write_text(SEVERAL.to_toml(comments=True))
    assert Case.from_toml(tmp_path / "case.toml") == SEVERAL
