"""What a result says of its bone is what supplied it, in words and in plain data."""

import json
import pickle
from dataclasses import replace

import pytest

from sacrofem.bone.laws import LAWS, DensityLaw
from sacrofem.bone.provenance import CortexProvenance, DensityProvenance, LesionProvenance, ModulusProvenance

OWN = DensityLaw("mine", 4730.0, 1.56, "apparent", "Morgan 2003", "[C]")
MODULI = {
    "law": ModulusProvenance.from_law(LAWS["kopperdahl2002"], 10.0, applied=True),
    "own law": ModulusProvenance.from_law(OWN, 5.0, applied=False),
    "table": ModulusProvenance.from_table("/somewhere/own.csv", "ab12"),
    "python": ModulusProvenance.given("twice as stiff"),
}
MAP = DensityProvenance("map", bone="osteopenic", alar_void=True, source="a survey [A]")
CT = DensityProvenance("ct", file="/somewhere/ct.nii.gz", line=(0.8e-3, 1e-3), rim="membrane", source="phantom: a line")
FACES = (("shell", 0.65, 11390.0), ("endplate", 0.65, 670.0))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "law",
            "kopperdahl2002: E = 2980 ρ^1.05 MPa, ρ in g/cm³ of calibrated QCT density; Kopperdahl 2002, vertebra [C]; "
            "floor 10 MPa, on which some tets lie",
        ),
        (
            "own law",
            "mine: E = 4730 ρ^1.56 MPa, ρ in g/cm³ of apparent density; Morgan 2003 [C]; "
            "ρ_app = (0.877 ρ_QCT + 0.079) / 0.6 (Schileo 2008 [K]); floor 5 MPa, on which no tet lies",
        ),
        ("table", "moduli of own.csv, sha256 ab12; no law and no floor"),
        ("python", "given in Python: twice as stiff; no law and no floor of ours"),
    ],
)
def test_moduli_say_where_they_come_from(name, text):
    assert MODULI[name].text == text


def test_only_what_was_used_has_a_value():
    found = {name: one.to_json() for name, one in MODULI.items()}
    assert len({tuple(content) for content in found.values()}) == 1
    assert (found["law"]["law"], found["law"]["floor_mpa"], found["law"]["floor_applied"]) == (
        "kopperdahl2002",
        10.0,
        True,
    )
    assert (found["own law"]["density"], found["own law"]["floor_applied"]) == ("apparent", False)
    assert found["own law"]["conversion"] == "ρ_app = (0.877 ρ_QCT + 0.079) / 0.6"
    for name in ("table", "python"):
        left = {key for key, value in found[name].items() if value is not None}
        assert left == {"kind", "text"} | ({"file", "sha256"} if name == "table" else {"word"})


@pytest.mark.parametrize(
    ("density", "text"),
    [
        (MAP, "generic map of osteopenic bone, with its alar void (a survey [A])"),
        (
            replace(MAP, alar_void=False, factor=0.8, lesion=LesionProvenance("focal", 0.1)),
            "generic map of osteopenic bone, without its alar void (a survey [A]); all of it times 0.8; "
            "times 0.1 in the middle of the focal lesion",
        ),
        (CT, "CT ct.nii.gz, without its rim, for which the membrane stands (phantom: a line)"),
        (replace(CT, rim="ct"), "CT ct.nii.gz, its rim included (phantom: a line)"),
    ],
)
def test_density_says_where_it_comes_from(density, text):
    assert density.text == text
    assert set(density.to_json()) == set(MAP.to_json())
    if density.kind == "ct":
        assert (density.to_json()["bone"], density.to_json()["alar_void"]) == (None, None)


@pytest.mark.parametrize(
    ("cortex", "text"),
    [
        (
            CortexProvenance("membrane", FACES, 0.3, "thin"),
            "plane-stress membrane: shell 0.65 mm of 11390 MPa, endplate 0.65 mm of 670 MPa, "
            "Poisson's ratio 0.3 (thin)",
        ),
        (CortexProvenance.none("the CT stands for it"), "none: the CT stands for it"),
        (CortexProvenance("python"), "plane-stress membrane, given in Python"),
    ],
)
def test_cortex_says_where_it_comes_from(cortex, text):
    assert cortex.text == text
    assert set(cortex.to_json()) == {"kind", "text", "thickness_mm", "modulus_mpa", "poisson", "source"}
    assert (cortex.to_json()["thickness_mm"] is None) == (cortex.kind != "membrane")


@pytest.mark.parametrize("one", [*MODULI.values(), MAP, CT, CortexProvenance("membrane", FACES, 0.3, "thin")])
def test_provenance_is_plain_data_that_can_be_sent(one):
    assert pickle.loads(pickle.dumps(one)) == one
    assert json.loads(json.dumps(one.to_json(), allow_nan=False)) == one.to_json()


def test_a_word_cannot_begin_a_line_of_its_own():
    assert ModulusProvenance.given("a\nb").word == "a b"
