import numpy as np
import pytest

from sacrofem.bone.laws import (
    DEFAULT_LAW,
    LAWS,
    bone_volume_fraction,
    convert_density,
    modulus,
    modulus_from_density,
)
from sacrofem.errors import InputError

# literature.md 4.1: the table of moduli at densities that each law takes as its own.
TABLE = {
    "L1": {0.033: 23, 0.05: 44, 0.10: 130, 0.20: 384, 0.30: 723},
    "L3": {0.017: 41, 0.033: 83, 0.05: 128, 0.10: 266, 0.20: 550, 0.30: 842},
    "L4": {0.017: 20, 0.033: 72, 0.05: 127, 0.10: 288, 0.20: 611, 0.30: 934},
    "L5": {0.10: 7, 0.15: 19, 0.20: 38, 0.30: 104},
    "L6": {0.05: 11, 0.10: 54, 0.15: 136, 0.20: 263, 0.30: 667},
}


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.key)
def test_law_returns_the_table(law):
    for density, youngs in TABLE.get(law.key, {}).items():
        # The QCT density whose conversion is the tabulated one (L8 backwards).
        ash = {"ash": density, "apparent": 0.6 * density, "qct": None}[law.density]
        qct = density if ash is None else (ash - 0.079) / 0.877
        assert law(np.array([qct]))[0] == pytest.approx(youngs, abs=0.6)


def test_every_law_rises_and_names_its_source():
    density = np.linspace(-0.05, 0.4, 200)
    assert [law.key for law in LAWS.values()] == ["L1", "L2", "L3", "L4", "L5", "L6"]
    for law in LAWS.values():
        values = law(density)
        assert (values >= 0).all()
        assert (np.diff(values) >= 0).all()
        assert law.range_g_cm3[0] < law.range_g_cm3[1]
        assert law.source
        assert law.range_source
        assert law.mark


def test_default_takes_qct_density_as_it_is():
    assert LAWS[DEFAULT_LAW].density == "qct"
    assert convert_density(np.array([0.1]), "ash") == pytest.approx(0.1667)
    assert convert_density(np.array([0.1]), "apparent") == pytest.approx(0.1667 / 0.6)


def test_floor_and_what_sits_on_it():
    density = np.array([-0.01, 0.0, 0.002, 0.05])
    youngs, on_floor = modulus_from_density(density, floor_mpa=10.0)
    assert on_floor.tolist() == [True, True, True, False]
    assert youngs[:3].tolist() == [10.0] * 3
    assert youngs[3] == pytest.approx(128.3, abs=0.1)
    assert (modulus(density) == youngs).all()


def test_bone_volume_fraction():
    assert bone_volume_fraction(np.array([-1.0, 5.0])).tolist() == [0.01, 0.6]
    # Osteoporotic biopsies: 0.057 to 0.138 (Kinzl 2011).
    assert 0.057 < bone_volume_fraction(np.array([0.033]))[0] < 0.138


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"law": "carter"}, "density_law = 'carter'.*kopperdahl2002"),
        ({"floor_mpa": 0.0}, "floor_mpa = 0.0"),
        ({"floor_mpa": float("nan")}, "floor_mpa"),
        ({"density_qct": np.array([np.nan, 0.1])}, "1 densities are not finite"),
    ],
)
def test_refusals(arguments, text):
    with pytest.raises(InputError, match=text):
        modulus_from_density(**{"density_qct": np.array([0.1]), **arguments})
