"""What is inside the model, at its edge and outside: numbers against bounds, and rotations against exact ones."""

from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import box

from sacrofem import Case, compare
from sacrofem.mechanics.measures.validity import CHECKS, Extremes, Validity, rotations, validity
from sacrofem.mechanics.space.space import Space
from sacrofem.report.page.html import render
from sacrofem.specimen.comparison import comparison_html


def extremes(**numbers):
    return Extremes(**{key: numbers.get(key) for key in CHECKS}, reasons={})


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.3, -0.5, 0.8)])
def test_rotation_of_a_small_rigid_motion_with_strain(order, axis):
    """A rotation is what it is, whatever pure strain and shift are added."""
    space = Space(box((3, 2, 2), (30.0, 20.0, 10.0)), order)
    turn = np.radians(1.5) * np.array(axis) / np.linalg.norm(axis)
    strain = np.array([[0.01, 0.004, 0.0], [0.004, -0.02, 0.003], [0.0, 0.003, 0.005]])
    displacement = np.cross(turn, space.nodes) + space.nodes @ strain + [1.0, 2.0, 3.0]
    assert rotations(space, displacement) == pytest.approx(1.5, abs=1e-9)


@pytest.mark.parametrize("key", CHECKS)
def test_each_check_has_three_states_and_a_source(key):
    check = CHECKS[key]
    assert 0.0 < check.amber < check.outside
    assert check.source.endswith((")", "]"))
    between = 0.5 * (check.amber + check.outside)
    for number, state in ((check.amber, "inside"), (between, "amber"), (1.01 * check.outside, "outside")):
        found = validity({"before": extremes(**{key: number}), "after": extremes(**{key: 0.5 * check.amber})})
        assert found.state == state
        told = found.to_json()["checks"][key]
        assert (told["state"], told["number"], told["at"]) == (state, number, "before")
        assert told["bound"] == (check.outside if state == "outside" else check.amber)
        assert found.outside == (state == "outside") == ("no headline" in found.text)


def test_the_worst_of_two_states_and_of_all_checks_counts():
    found = validity(
        {"before": extremes(gap_strain=0.4, rotation=1.0), "after": extremes(gap_strain=0.2, rotation=9.0)}
    )
    assert found.state == "outside"
    assert found.text.startswith("outside the model: rotation 9° after cement (bound 6.8°)")
    assert "gap strain" not in found.text
    assert Validity().text == "inside the model"
    assert len(validity({"before": extremes(**dict.fromkeys(CHECKS, 1e6))}).text) < 400


def test_a_number_that_means_nothing_has_a_reason():
    sound = replace(extremes(rotation=1.0), reasons={"gap_strain": "no fracture"})
    told = validity({"before": sound, "after": sound}).to_json()["checks"]["gap_strain"]
    assert (told["state"], told["number"], told["reason"]) == ("inside", None, "no fracture")


@pytest.fixture(scope="module")
def light():
    """The typical patient, under a load that is hardly one, and under far too much."""
    case = Case.preset("sif-unilateral").with_(**{"mesh.reference": "tiny", "mesh.order": 1, "cement.spread": "column"})
    return {force: compare(case.with_(**{"load.force_n": force})) for force in (1.0, 20000.0)}


def test_validity_grows_with_the_load_and_takes_the_headlines(light):
    one, many = light[1.0].validity, light[20000.0].validity
    assert (one.state, many.state) == ("inside", "outside")
    assert light[1.0].to_json()["validity"]["state"] == "inside"
    assert not any("the model:" in text for text in light[1.0].warnings)
    for key in ("gap_strain", "micromotion", "rotation"):
        ratio = many.checks[key].number / one.checks[key].number
        assert ratio == pytest.approx(20000.0, rel=1e-6), key
    assert one.checks["gap_strain"].number == pytest.approx(light[1.0].before["micromotion_mean_um"] / 1e3)
    far = light[20000.0]
    assert far.warnings[0].startswith("outside the model: ")
    assert "micromotion: " not in str(far)
    assert "Micromotion" not in str(far).split("outside the model")[0]
    assert "micromotion_mean_um" in comparison_html(light[1.0])
    assert "micromotion_mean_um" not in comparison_html(far)


def test_the_page_shows_the_verdict_and_no_headline_outside(light):
    near, far = (render(light[force].to_json(), {}) for force in (1.0, 20000.0))
    assert 'class="headlines"' in near
    assert 'class="verdict good"' in near
    assert 'class="headlines"' not in far
    assert 'class="verdict bad" role="note"><p><strong>Validity: outside the model: ' in far
    for page in (near, far):
        assert 'data-path="comparison/before/micromotion_mean_um"' in page


@pytest.mark.slow
def test_an_empty_gap_that_nothing_holds_together_is_outside_the_model():
    changes = {"mesh.reference": "tiny", "mesh.order": 1, "cement.spread": "column", "fracture.state": "fresh"}
    case = Case.preset("sif-unilateral").with_(**changes)
    result = compare(case)
    told = result.to_json()["validity"]
    assert told["state"] == "outside"
    assert told["checks"]["gap_strain"]["number"] is None
    assert told["checks"]["micromotion"]["number"] > 2.0
    assert not any("gap law" in text for text in result.warnings)
