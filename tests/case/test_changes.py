"""Cases made of sections, tables and single keys."""

import inspect

import pytest

import sacrofem as sf
from sacrofem.case.presets import PRESETS
from sacrofem.case.section import Section

INJECTION = {"entry_mm": (30.0, 40.0, -10.0), "target_mm": (30.0, 5.0, -10.0), "volume_ml": 2.0}


def test_a_section_that_is_written_changes_what_it_names():
    case = sf.Case.preset("sif-bilateral", mesh=sf.Mesh(reference="coarse"), cement__volume_ml=4)
    assert (case.mesh.reference, case.cement.volume_ml) == ("coarse", 4.0)
    other = case.with_(cement=sf.Cement(needles=2), mesh={"order": 1})
    assert (other.cement.volume_ml, other.cement.needles) == (4.0, 2)
    assert (other.mesh.reference, other.mesh.order) == ("coarse", 1)
    # A value that is written counts, be it the default.
    assert other.with_(cement=sf.Cement(volume_ml=4.1)).cement.volume_ml == 4.1


def test_sections_in_sections_change_what_they_name():
    case = sf.Case(cement=sf.Cement(flow=sf.FlowSection(gap=5.0)))
    other = case.with_(cement=sf.Cement(flow=sf.FlowSection(tissue=1.0)))
    assert (other.cement.flow.gap, other.cement.flow.tissue) == (5.0, 1.0)
    focal = sf.Case.preset("lytic-focal", cement=sf.Cement(volume_ml=3.0))
    assert (focal.cement.spread, focal.cement.volume_ml) == ("ellipsoid", 3.0)


def test_a_section_of_another_case_replaces_the_whole():
    flow, focal = sf.Case(cement__needles=2), sf.Case.preset("lytic-focal")
    taken = flow.with_(cement=focal.cement)
    assert taken.cement == focal.cement
    assert focal.with_(cement=flow.cement).cement == flow.cement
    # A key without value is taken over too.
    stiff = sf.Case(cement__modulus_mpa=3000.0)
    assert stiff.with_(cement=flow.cement).cement.modulus_mpa is None


def test_a_single_key_counts_over_its_section_in_any_order():
    for changes in (
        {"cement": sf.Cement(volume_ml=2.0, needles=2), "cement__volume_ml": 5.0},
        {"cement__volume_ml": 5.0, "cement": {"volume_ml": 2.0, "needles": 2}},
    ):
        case = sf.Case(**changes)
        assert (case.cement.volume_ml, case.cement.needles) == (5.0, 2)


def test_tables_and_paths_are_left_as_they_were():
    table = {"flow": {"gap": 5.0}}
    sf.Case(cement=table, cement__flow__tissue=1.0)
    assert table == {"flow": {"gap": 5.0}}


def test_lists_are_replaced_and_none_takes_back():
    case = sf.Case(cement=sf.Cement(injections=(sf.InjectionSection(**INJECTION),)))
    assert case.cement.volume_ml == 2.0
    two = case.with_(cement=sf.Cement(injections=[INJECTION, {**INJECTION, "gauge": 13}]))
    assert (len(two.cement.injections), two.cement.volume_ml) == (2, 4.0)
    spot = sf.Case(cement=sf.Cement(volume_ml=0.0, spot=sf.Spot(radius_mm=4.0)))
    assert spot.cement.spot == sf.Spot(radius_mm=4.0)
    assert spot.with_(cement__spot=None, cement__volume_ml=1.0).cement.spot is None


def test_a_state_of_the_gap_brings_its_own():
    fresh = sf.Case(fracture=sf.Fracture(state="fresh"))
    assert fresh.fracture.filler == "open"
    again = fresh.with_(fracture=sf.Fracture(state="subacute"))
    assert (again.fracture.filler, again.fracture.aperture_mm) == ("granulation", 1.0)


def test_every_section_is_public_and_known_to_the_case():
    sections = [value for _, value in sf.Case() if isinstance(value, Section)]
    assert len(sections) == 10
    for section in map(type, sections):
        assert getattr(sf, section.__name__) is section
        assert section.__name__ in sf.__all__
        assert set(inspect.signature(section).parameters) == set(section.model_fields)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: sf.Cement(volume_ml=-1), "cement.volume_ml = -1: must be at least 0; give a value from 0 to 60"),
        (lambda: sf.Cement(volum_ml=1), "cement.volum_ml = 1: unknown key; did you mean volume_ml?"),
        (lambda: sf.InjectionSection(volume_ml=1.0), "cement.injections.entry_mm: is missing; add entry_mm"),
        (lambda: sf.Case(cement__volum_ml=1), "cement.volum_ml = 1: unknown key; did you mean volume_ml?"),
        (lambda: sf.Case(cemment=sf.Cement()), "cemment: unknown key; did you mean cement?"),
        (lambda: sf.Case(cement=sf.Mesh(order=1)), "cement.order = 1: unknown key; order belongs in [mesh]"),
        (lambda: sf.Case(cement=3, cement__volume_ml=3), "cement.volume_ml = 3: is given beside a value"),
        (lambda: sf.Case(cement__volume_ml__x=3), "cement.volume_ml = {'x': 3}: must be a number"),
        (lambda: sf.Case().with_(self=3, cls=4), "self = 3: unknown key"),
        (lambda: sf.Case.preset("sif", mesh=None), "preset = 'sif': no such preset; nearest is 'sif-"),
        (lambda: sf.Case(preset="lytic-focal"), "preset = 'lytic-focal': unknown key"),
    ],
)  # fmt: skip
def test_what_is_refused_says_so_in_one_line(make, said):
    with pytest.raises(sf.CaseError if "beside" not in said else sf.InputError) as caught:
        make()
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_the_name_of_a_preset_is_only_the_first_name():
    assert sf.Case.preset("sif-unilateral", name="mine").name == "mine"
    assert {sf.Case.preset(name).name for name in PRESETS} == set(PRESETS)


def test_tables_are_laid_over_and_replaced_with_their_section():
    wide = sf.Case(anatomy=sf.Anatomy(parameters={"alar_breadth_mm": 105.0}))
    both = wide.with_(anatomy=sf.Anatomy(parameters={"hiatus_mm": 12.0}))
    assert both.anatomy.parameters == {"alar_breadth_mm": 105.0, "hiatus_mm": 12.0}
    other = sf.Case(anatomy=sf.Anatomy(parameters={"hiatus_mm": 12.0}))
    assert wide.with_(anatomy=other.anatomy).anatomy == other.anatomy
    assert wide.with_anatomy({"parameters": {"hiatus_mm": 12.0}}).anatomy == other.anatomy
    assert wide.with_(anatomy=other.anatomy, anatomy__sex="male").anatomy.parameters == {"hiatus_mm": 12.0}
    fresh = sf.Case(fracture__state="fresh", fracture__friction=0.3)
    assert sf.Case(cement__in_gap="contact").with_(fracture=fresh.fracture).fracture == fresh.fracture
    assert fresh.with_(fracture=sf.Case().fracture).fracture == sf.Case().fracture
