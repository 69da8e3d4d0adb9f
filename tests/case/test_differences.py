"""What a case shows of itself: that in which it differs from its preset."""

import html

import pytest

import sacrofem as sf
from sacrofem import Case
from sacrofem.case.presets import PRESETS

INJECTION = {"entry_mm": (30.0, 40.0, -10.0), "target_mm": (30.0, 5.0, -10.0), "volume_ml": 2.0}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_differs_in_nothing(name):
    case = Case.preset(name)
    assert str(case) == f"Case {name!r}: nothing differs from preset {name}"
    assert repr(case) == f"Case.preset({name!r})"
    # An equal case says the same, whichever way it came.
    assert str(Case.from_dict(case.to_dict())) == str(case)


def test_what_differs_is_printed_beside_the_preset():
    case = Case.preset("sif-unilateral", mesh=sf.Mesh(reference="tiny"), cement__volume_ml=3, load__force_n=500)
    assert str(case).splitlines() == [
        "Case 'sif-unilateral': 3 keys differ from preset sif-unilateral",
        "  mesh.reference    'tiny'  (preset: 'medium')",
        "  cement.volume_ml  3.0  (preset: 2.05)",
        "  load.force_n      500.0  (preset: not given)",
    ]


def test_a_case_of_another_name_is_measured_at_the_nearest_preset():
    case = Case.preset("hemisacrum-one-legged", name="mine", load__force_n=400.0)
    assert str(case).splitlines()[0] == "Case 'mine': one key differs from preset hemisacrum-one-legged"
    assert repr(case) == "Case.preset('hemisacrum-one-legged', name='mine', load__force_n=400.0)"


CASES = [
    Case(),
    Case.preset("lytic-focal", cement__volume_ml=2.0, anatomy__sex="male"),
    Case.preset("hemisacrum-one-legged", cement__spot=None, cement__volume_ml=1.0),
    Case(fracture__state="fresh", fracture__friction=0.3),
    Case(cement__flow__gap=5.0, anatomy__parameters={"alar_breadth_mm": 105.0, "body_depths_mm": [18, 15, 12, 10, 8]}),
    Case(cement__injections=[INJECTION], name="a 'quoted' name"),
]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_the_representation_makes_the_case_again(case):
    assert eval(repr(case), {"Case": Case}) == case


def test_a_section_shows_what_is_not_its_default():
    assert repr(sf.Cement(volume_ml=2.0)) == "Cement(volume_ml=2.0)"
    assert str(sf.Mesh()) == "Mesh()"
    injection = sf.InjectionSection(**INJECTION)
    assert eval(repr(injection), {"InjectionSection": sf.InjectionSection}) == injection
    assert "<td>volume_ml</td><td>2</td>" in sf.Cement(volume_ml=2.0)._repr_html_()


def test_forty_lines_are_enough_for_any_case():
    names = sf.Anatomy.model_fields
    assert names
    case = Case(
        name="x" * 200,
        anatomy={"parameters": {f"{name}": 20.0 for name in (
            "alar_breadth_mm", "endplate_transverse_mm", "endplate_ap_mm", "slope_deg", "promontory_tilt_deg",
            "ala_slope_deg", "ala_step_mm", "ala_depth_mm", "auricular_height_mm", "auricular_width_mm",
            "auricular_convergence_deg", "lamina_thickness_mm", "crest_height_mm", "facet_offset_mm", "hiatus_mm")}},
        mesh={"size_mm": 5.0, "fracture_size_mm": 2.0, "replicate": 3, "order": 1, "reference": "tiny"},
        fracture={"side": "left", "tilt_deg": 2.0, "extent": 0.5, "extent_from": "inferior", "aperture_mm": 0.5,
                  "filler": "callus", "filler_modulus_mpa": 100.0, "filler_poisson": 0.2, "closure": "contact"},
        materials={"bone": "normal", "density_factor": 1.1, "floor_mpa": 20.0, "poisson": 0.2, "alar_void": False},
        cement={"needles": 2, "volume_ml": 8.0, "approach": "long-axis", "spread": "column", "gauge": 13,
                "mixture": "voigt", "modulus_mpa": 3000.0, "poisson": 0.3, "injections": [INJECTION] * 4},
        load={"kind": "free", "force_n": 5.0, "point_mm": [1.0, 2.0, 3.0], "moment_n_m": [1.0, 2.0, 3.0]},
    )  # fmt: skip
    lines = str(case).splitlines()
    assert len(lines) == 40
    assert lines[-1] == f"  and {len(case.differences.values) - 38} more"
    assert max(map(len, lines)) < 140
    assert len(repr(case)) <= 300
    assert repr(case).endswith(" more)")


def test_a_notebook_shows_a_table():
    text = Case(name="<b>", cement__spot={"radius_mm": 4.0})._repr_html_()
    assert "<td>cement.spot.radius_mm</td><td>4</td><td>not given</td>" in text
    assert html.escape("<b>") in text
    assert "<b>" not in text
