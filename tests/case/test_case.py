import tomllib
from pathlib import Path
from typing import get_args

import pytest

from sacrofem.bone.laws import LAWS, DensityKind, DensityLaw
from sacrofem.case.case import Case
from sacrofem.case.cement import Cement
from sacrofem.case.presets import DEFAULT_PRESET, PRESETS
from sacrofem.case.problems import CaseError, nearest
from sacrofem.case.sections import LoadCase, Materials, OwnLaw
from sacrofem.cement.mixture import CEMENTS, MIXTURES
from sacrofem.errors import InputError
from sacrofem.mechanics.parts.loads import LOADS

LAW = {"coefficient": 4730.0, "exponent": 1.56, "density": "apparent", "source": "Morgan 2003"}
INJECTION = {"entry_mm": [30.0, 40.0, -10.0], "target_mm": [30.0, 5.0, -10.0], "volume_ml": 2.0}


def choices(section, key):
    found = get_args(section.model_fields[key].annotation)
    # A key that may be without a value holds its choices one level deeper.
    return set(found if all(isinstance(name, str) for name in found) else get_args(found[0]))


def test_default_is_the_typical_patient():
    case = Case()
    assert case == Case.preset() == Case.preset(DEFAULT_PRESET)
    assert case.name == "sif-bilateral"
    assert (case.fracture.zone, case.fracture.side, case.fracture.filler) == ("zone1", "both", "granulation")
    assert (case.cement.volume_ml, case.cement.needles, case.treated_sides) == (4.1, 1, ("left", "right"))
    assert (case.load.kind, case.materials.bone, case.anatomy.sex) == ("standing", "osteoporotic", "female")


def test_names_offered_are_those_that_exist():
    assert choices(Materials, "density_law") == set(LAWS)
    assert choices(OwnLaw, "density") == set(get_args(DensityKind))
    assert choices(Cement, "mixture") == set(MIXTURES)
    assert choices(Cement, "material") == set(CEMENTS)
    assert choices(LoadCase, "kind") == set(LOADS)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("comments", [False, True])
def test_complete_toml_reads_back_equal(name, comments):
    case = Case.preset(name)
    assert case.name == name
    assert Case.from_dict(tomllib.loads(case.to_toml(comments=comments))) == case


def test_toml_of_own_tables_reads_back_equal():
    case = Case().with_(
        cement__injections=[INJECTION, {**INJECTION, "gauge": 13}],
        fracture__surfaces=[{"name": "own", "point": [0.0, 1.0, 2.0], "normal": [1.0, 0.0, 0.0]}],
        name='a "quoted" \\ name with ° and µ',
    )
    again = Case.from_dict(tomllib.loads(case.to_toml()))
    assert again == case
    assert again.cement.volume_ml == 4.0


def test_a_law_of_ones_own_reads_back_equal_and_stands_in_place_of_a_named_one():
    case = Case().with_(materials__law={**LAW, "name": "mine", "range_g_cm3": [0.1, 0.4]})
    assert Case.from_dict(tomllib.loads(case.to_toml(comments=True))) == case
    assert (case.materials.law.coefficient, case.materials.law.range_g_cm3) == (4730.0, (0.1, 0.4))
    assert (case.materials.density_law, case.materials.floor_mpa) == (None, 10.0)
    assert "density_law" not in case.to_dict()["materials"]
    assert case.with_(materials__law__exponent=1.5).materials.law.exponent == 1.5
    assert case.with_(materials__law=None) == Case()


def test_a_law_of_python_is_that_of_a_file():
    law = DensityLaw("mine", 4730.0, 1.56, "apparent", "Morgan 2003")
    assert Case().with_(materials__law=law) == Case().with_(materials__law={**LAW, "name": "mine"})


def test_a_case_with_moduli_states_no_law_and_no_floor():
    case = Case().with_(materials__moduli="own.csv")
    assert not {"density_law", "law", "floor_mpa"} & set(case.to_dict()["materials"])
    # Complete cases, which hold every key at its default, stay what they are.
    assert (
        Case.from_dict({**Case().to_dict(), "materials": {**Case().to_dict()["materials"], "moduli": "own.csv"}})
        == case
    )
    assert case.with_(materials__moduli=None) == Case()


@pytest.mark.parametrize(
    ("materials", "text"),
    [
        (
            {"law": LAW, "moduli": "e.csv"},
            "materials.moduli = 'e.csv': materials.law and materials.moduli are both given",
        ),
        ({"density_law": "crawford2003", "moduli": "e.csv"}, "density_law = 'crawford2003'.*beside materials.moduli"),
        ({"density_law": "crawford2003", "law": LAW}, "density_law = 'crawford2003'.*beside materials.law"),
        ({"floor_mpa": 5.0, "moduli": "e.csv"}, "floor_mpa = 5.0: does not count beside materials.moduli"),
        ({"law": {**LAW, "name": "crawford2003"}}, "law.name = 'crawford2003'.*built in.*density_law"),
        ({"law": {**LAW, "coefficient": 4.73}}, "law.coefficient = 4.73: must be at least 20; give a value from 20"),
        ({"law": {**LAW, "exponent": 0.0}}, "law.exponent = 0.0: must be at least 0.05"),
        ({"law": {**LAW, "density": "wet"}}, "law.density = 'wet': not one of qct, ash, apparent"),
        ({"law": {key: LAW[key] for key in LAW if key != "density"}}, "law.density: is missing"),
        ({"law": {key: LAW[key] for key in LAW if key != "source"}}, "law.source: is missing"),
        ({"law": {**LAW, "source": "a\nb"}}, "law.source.*one line"),
        ({"law": {**LAW, "range_g_cm3": [0.4, 0.1]}}, "law.range_g_cm3 = .0.4, 0.1.: is no range"),
        ({"law": {**LAW, "coeficient": 1.0}}, "law.coeficient.*unknown key; did you mean coefficient"),
        ({"law": "kopperdahl2002"}, "materials.law = 'kopperdahl2002': must be a table"),
    ],
)
def test_one_thing_makes_the_moduli(materials, text):
    with pytest.raises(CaseError, match=text):
        Case().with_(**{f"materials.{key}": value for key, value in materials.items()})


def test_nothing_optional_has_a_default():
    # What is None is left out of a complete file, so reading it must give None again. The law and the floor are None
    # where the file has a law or moduli of its own, and only there.
    ruled_out = {"density_law", "floor_mpa"}
    for section in Case.model_fields.values():
        for name, info in getattr(section.annotation, "model_fields", {}).items():
            optional = type(None) in getattr(info.annotation, "__args__", ())
            assert not optional or info.default is None or name in ruled_out
    for own in ({"law": LAW}, {"moduli": "own.csv"}):
        case = Case().with_(materials=own)
        assert Case.from_dict(tomllib.loads(case.to_toml())) == case


def test_file_overrides_its_preset_and_option_replaces_it(tmp_path):
    path = tmp_path / "case.toml"
    path.write_text('preset = "sif-unilateral"\n[cement]\nvolume_ml = 3\n[load]\nforce_n = 500')
    case = Case.from_toml(path)
    assert (case.name, case.fracture.side, case.cement.volume_ml) == ("sif-unilateral", "left", 3.0)
    other = Case.from_toml(path, preset="lytic-focal")
    assert (other.name, other.lesion.kind, other.cement.volume_ml) == ("lytic-focal", "focal", 3.0)


def test_path_is_taken_from_the_folder_of_the_case(tmp_path):
    path = tmp_path / "case.toml"
    path.write_text('[anatomy]\nkind = "mesh"\npath = "bone.vtu"')
    assert Path(Case.from_toml(path).anatomy.path) == tmp_path / "bone.vtu"


def test_with_changes_a_copy():
    case = Case()
    other = case.with_(cement__volume_ml=6.0, **{"load.force_n": 1000.0})
    assert (other.cement.volume_ml, other.load.force_n) == (6.0, 1000.0)
    assert case.cement.volume_ml == 4.1
    with pytest.raises(InputError, match=r"^cement\.volume_ml = 1\.0: a case is frozen; make another: case\.with_"):
        case.cement.volume_ml = 1.0


def test_own_injections_bring_their_total():
    case = Case().with_(cement__injections=[INJECTION])
    assert case.cement.volume_ml == 2.0
    with pytest.raises(CaseError, match="sum to 2 ml"):
        case.with_(cement__volume_ml=3.0)


def test_own_injections_drop_the_total_of_the_preset():
    data = {"preset": "lytic-infiltrative", "cement": {"injections": [INJECTION]}}
    assert Case.from_dict(data).cement.volume_ml == 2.0


@pytest.mark.parametrize("side", ["left", "right"])
def test_side_moves_fracture_lesion_half_and_treatment(side):
    sign = 1 if side == "left" else -1
    assert Case.preset("sif-unilateral").on_side(side).treated_sides == (side,)
    focal = Case.preset("lytic-focal").on_side(side)
    assert focal.lesion.centre_mm[0] * sign > 0
    assert focal.treated_sides == (side,)
    half = Case.preset("hemisacrum-one-legged").on_side(side)
    assert (half.anatomy.half, half.fracture.side, half.treated_sides) == (side, side, (side,))


def test_side_of_a_bilateral_case_is_refused():
    with pytest.raises(InputError, match="bilateral"):
        Case().on_side("left")


def test_all_problems_are_kept_and_the_first_leads():
    with pytest.raises(CaseError) as caught:
        Case.from_dict({"load": {"force_n": -1}, "cement": {"volum_ml": 3, "material": "PMAA"}}, file="x.toml")
    problems = {p.field: p for p in caught.value.problems}
    assert set(problems) == {"cement.volum_ml", "load.force_n", "cement.material"}
    assert problems["cement.material"].value == "PMAA"
    assert "'pmma'" in problems["cement.material"].mend
    assert str(caught.value).startswith("x.toml: cement.volum_ml = 3: unknown key; did you mean volume_ml?")
    assert "and 2 more" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_of_another_section_is_sent_there():
    with pytest.raises(CaseError, match=r"volume_ml belongs in \[cement\]"):
        Case.from_dict({"fracture": {"volume_ml": 3}})


def test_byte_order_mark_is_accepted(tmp_path):
    path = tmp_path / "case.toml"
    path.write_bytes(b"\xef\xbb\xbf[load]\nforce_n = 500\n")
    assert Case.from_toml(path).load.force_n == 500.0


@pytest.mark.parametrize(
    ("word", "expected"), [("sif_bilateral", "sif-bilateral"), ("HEMISACRUM", "hemisacrum-one-legged")]
)
def test_nearest_preset(word, expected):
    assert nearest(word, PRESETS) == expected


def test_filler_modulus_follows_the_filler():
    assert Case().fracture.modulus_mpa == 1.0
    assert Case().with_(fracture__filler="callus").fracture.modulus_mpa == 500.0
    assert Case().with_(fracture__filler_modulus_mpa=0.2).fracture.modulus_mpa == 0.2
    assert Case().with_(fracture__filler="open").fracture.modulus_mpa is None


def test_dimensions_of_several_levels_come_from_a_file(tmp_path):
    path = tmp_path / "case.toml"
    path.write_text("[anatomy.parameters]\nbody_depths_mm = [19, 15.0, 12.5, 10.5, 8.5]\nalar_breadth_mm = 104\n")
    case = Case.from_toml(path)
    assert case.anatomy.parameters == {"body_depths_mm": (19.0, 15.0, 12.5, 10.5, 8.5), "alar_breadth_mm": 104}
    assert Case.from_dict(tomllib.loads(case.to_toml())) == case

    from sacrofem.specimen.anatomy import _parameters

    assert _parameters(case).body_depths_mm == (19.0, 15.0, 12.5, 10.5, 8.5)


def test_a_fresh_gap_is_narrow_empty_and_in_contact():
    fresh = Case.from_dict({"fracture": {"state": "fresh"}}).fracture
    assert (fresh.aperture_mm, fresh.filler, fresh.closure, fresh.friction_coefficient) == (
        0.05,
        "open",
        "contact",
        0.4,
    )
    again = Case().with_(fracture__state="fresh", fracture__friction=0.3)
    assert (again.fracture.filler, again.fracture.friction_coefficient) == ("open", 0.3)
    assert Case.from_dict(tomllib.loads(again.to_toml())) == again
    assert again.with_(fracture__state="subacute", fracture__closure="contact").fracture.aperture_mm == 1.0


def test_friction_belongs_to_what_touches():
    with pytest.raises(CaseError, match="a bonded gap has no friction"):
        Case().with_(fracture__friction=0.3)
    assert Case().with_(fracture__friction=0.3, cement__in_gap="contact").fracture.friction == 0.3


@pytest.mark.parametrize(
    ("load", "words"),
    [
        ({"kind": "standing", "force_vector_n": (0.0, 0.0, -700.0)}, "only a free load has it"),
        ({"kind": "free", "force_n": 5.0, "force_vector_n": (0.0, 0.0, -700.0)}, "beside load.force_n"),
        ({"kind": "free", "force_vector_n": (0.0, 0.0, 0.5)}, "less than a unit load"),
        ({"kind": "free"}, "load.force_vector_n in N, or load.moment_n_m"),
        ({"kind": "free", "force_vector_n": (0.0, 0.0)}, "load.force_vector_n"),
        ({"kind": "free", "force_vector_n": (0.0, 0.0, -1e6)}, "lumbar spine"),
    ],
)
def test_loads_that_contradict_themselves_are_refused(load, words):
    with pytest.raises(CaseError, match=words):
        Case(load=load)


def test_loads_of_a_side_are_not_mirrored():
    for load in ({"kind": "torsion"}, {"kind": "free", "force_vector_n": (50.0, 0.0, -700.0)}):
        with pytest.raises(InputError, match=r"load\..* has coordinates of its own"):
            Case.preset("sif-unilateral", load=load).on_side("right")
    straight = Case.preset("sif-unilateral", load={"kind": "free", "force_vector_n": (0.0, 10.0, -700.0)})
    assert straight.on_side("right").fracture.side == "right"
