"""What is varied, and that the range of a real case holds what it must."""

import logging

import pytest

from sacrofem import compare
from sacrofem.case.case import Case
from sacrofem.study import inputs
from sacrofem.study.inputs import InputRange, Run, input_range, variations


def keys(case):
    return [next(iter(changes)) for _, changes in variations(case)]


def test_the_default_case_varies_all_five():
    assert keys(Case()) == [
        "fracture.filler_modulus_mpa", "fracture.filler_modulus_mpa", "fracture.aperture_mm", "fracture.aperture_mm",
        "materials.floor_mpa", "materials.floor_mpa", "cement.in_gap", "supports.kind",
    ]  # fmt: skip
    for name, changes in variations(Case()):
        assert name
        assert Case().with_(**changes) != Case()


@pytest.mark.parametrize(
    ("preset", "changes", "absent"),
    [
        ("lytic-focal", {}, {"fracture.filler_modulus_mpa", "fracture.aperture_mm", "cement.in_gap"}),
        ("sif-bilateral", {"fracture.filler": "callus"}, {"fracture.filler_modulus_mpa"}),
        ("hemisacrum-one-legged", {}, {"cement.in_gap"}),
        ("sif-bilateral", {"materials.moduli": "own.csv"}, {"materials.floor_mpa"}),
    ],
)
def test_what_a_case_does_not_have_is_not_varied(preset, changes, absent):
    case = Case.preset(preset).with_(**changes)
    assert not absent & set(keys(case))
    assert {"materials.floor_mpa", "supports.kind"} - absent <= set(keys(case))


def test_a_value_at_an_end_is_varied_to_the_other_only():
    assert keys(Case().with_(materials__floor_mpa=20.0)).count("materials.floor_mpa") == 1


def test_the_other_end_of_two_choices_is_the_other_choice():
    case = Case().with_(**{"supports.kind": "fixed", "cement.in_gap": "none"})
    changed = dict(variations(case))
    assert changed["joint elastic"] == {"supports.kind": "elastic"}
    assert changed["cement in the gap: bonded"]["cement.in_gap"] == "bonded"


def test_cement_in_the_gap_goes_from_bonded_to_contact_and_back():
    assert dict(variations(Case()))["cement in the gap: contact"] == {"cement.in_gap": "contact"}
    loose = Case().with_(**{"cement.in_gap": "contact", "fracture.friction": 0.2})
    bonded = loose.with_(**dict(variations(loose))["cement in the gap: bonded"])
    assert (bonded.cement.in_gap, bonded.fracture.friction) == ("bonded", None)
    rubbing = loose.with_(fracture__closure="contact")
    assert rubbing.with_(**dict(variations(rubbing))["cement in the gap: bonded"]).fracture.friction == 0.2


def test_a_range_is_the_lowest_and_the_highest_with_the_cases_own_value_in_it():
    def run(name, before, change):
        return Run(name, {}, {"slip_mean_um": before}, {"slip_mean_um": None}, {"slip_mean_um": change})

    found = InputRange("coarse", (run("as it is", 10.0, -0.5), run("a", 5.0, -0.2), run("b", 30.0, -0.6)))
    ranges = found.ranges({"slip_mean_um": 31.0}, {"slip_mean_um": None}, {"slip_mean_um": -0.5})
    assert ranges == {"slip_mean_um": {"before": [5.0, 31.0], "after": None, "change": [-0.6, -0.2]}}
    assert InputRange.from_json(found.to_json()).to_json() == found.to_json()
    assert found.about() == {"mesh": "coarse", "varied": ["a", "b"]}


@pytest.mark.slow
def test_a_real_case(monkeypatch, caplog):
    """A softer filler moves more, and every run has the numbers of its case alone."""
    case = Case.preset("sif-unilateral").with_(
        **{"mesh.reference": "tiny", "mesh.order": 1, "cement.in_gap": "none", "fracture.aperture_mm": 2.0}
    )
    monkeypatch.setattr(inputs, "_wanted", lambda case: iter([
        ("filler 0.2 MPa", {"fracture.filler_modulus_mpa": 0.2}), ("aperture 0.5 mm", {"fracture.aperture_mm": 0.5}),
    ]))  # fmt: skip
    with caplog.at_level(logging.INFO, logger="sacrofem"):
        found = input_range(case)
    assert caplog.messages == ["tiny: as it is", "tiny: filler 0.2 MPa", "tiny: aperture 0.5 mm"]
    key = "micromotion_mean_um"
    own, soft, narrow = (run.before[key] for run in found.runs)
    assert narrow < own < soft
    alone = compare(case.with_(**found.runs[2].changes))
    assert found.runs[2].to_json() == {
        "name": "aperture 0.5 mm", "changes": {"fracture.aperture_mm": 0.5}, "before": alone.before,
        "after": alone.after, "change": alone.change,
    }  # fmt: skip
    base = found.runs[0]
    ranges = found.ranges(base.before, base.after, base.change)
    assert ranges[key]["before"] == [narrow, soft]
