import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sacrofem.cement.mixture import CEMENTS, MIXTURES, cement_material, mixture
from sacrofem.errors import InputError

MODULUS = st.floats(1.0, 30000.0)
POISSON = st.floats(0.0, 0.45)
SHARE = np.linspace(0.0, 1.0, 41)


def bulk_shear(youngs, poisson):
    return youngs / (3 * (1 - 2 * poisson)), youngs / (2 * (1 + poisson))


@settings(derandomize=True, max_examples=80, deadline=None)
@given(MODULUS, POISSON, MODULUS, POISSON, st.sampled_from(sorted(MIXTURES)))
def test_bounds(bone, bone_poisson, cement, cement_poisson, law):
    youngs, poisson = mixture(np.full(41, bone), bone_poisson, SHARE, cement, cement_poisson, law)
    assert youngs[0] == bone
    assert poisson[0] == bone_poisson
    assert (youngs >= bone).all()
    assert (youngs <= np.maximum(bone, cement)).all()
    assert (youngs <= bone + SHARE * max(cement - bone, 0.0)).all()
    assert ((poisson > -1) & (poisson < 0.5)).all()
    assert (np.diff(youngs) >= -1e-9 * youngs[1:]).all()


@settings(derandomize=True, max_examples=40, deadline=None)
@given(MODULUS, POISSON, st.sampled_from(sorted(MIXTURES)))
def test_cement_with_the_constants_of_bone_changes_no_bit(bone, bone_poisson, law):
    youngs, poisson = mixture(np.full(41, bone), np.full(41, bone_poisson), SHARE, bone, bone_poisson, law)
    assert (youngs == bone).all()
    assert (poisson == bone_poisson).all()


def test_full_element_is_cement_and_softer_cement_never_weakens():
    youngs, poisson = mixture(np.array([50.0, 17000.0]), 0.3, np.ones(2), 2000.0, 0.35)
    assert youngs == pytest.approx([2000.0, 17000.0], rel=1e-12)
    assert poisson == pytest.approx([0.35, 0.3], rel=1e-12)


def test_laws_are_ordered_and_hashin_shtrikman_is_its_closed_form():
    f = SHARE[1:-1]
    moduli = {law: mixture(np.full(39, 50.0), 0.3, f, 2000.0, 0.35, law) for law in MIXTURES}
    assert (moduli["reuss"][0] < moduli["hashin-shtrikman"][0]).all()
    assert (moduli["hashin-shtrikman"][0] < moduli["hill"][0]).all()
    assert (moduli["hill"][0] < moduli["voigt"][0]).all()
    kb, gb = bulk_shear(50.0, 0.3)
    kc, gc = bulk_shear(2000.0, 0.35)
    bulk = kb + f / (1 / (kc - kb) + 3 * (1 - f) / (3 * kb + 4 * gb))
    shear = gb + f / (1 / (gc - gb) + 6 * (1 - f) * (kb + 2 * gb) / (5 * gb * (3 * kb + 4 * gb)))
    k, g = bulk_shear(*moduli["hashin-shtrikman"])
    assert k == pytest.approx(bulk, rel=1e-10)
    assert g == pytest.approx(shear, rel=1e-10)


def test_table_of_bounds_at_cement_in_dense_tissue():
    # By arithmetic: tissue 18 GPa at BV/TV 0.10, here the stiff phase, in cement of 2.5 GPa.
    reuss, _ = mixture(np.array([2500.0]), 0.3, np.array([0.1]), 18000.0, 0.3, "reuss")
    voigt, _ = mixture(np.array([2500.0]), 0.3, np.array([0.1]), 18000.0, 0.3, "voigt")
    lower, _ = mixture(np.array([2500.0]), 0.3, np.array([0.1]), 18000.0, 0.3, "hashin-shtrikman")
    assert [reuss[0], lower[0], voigt[0]] == pytest.approx([2740, 2920, 4050], abs=15)


def test_presets_lie_in_their_ranges_and_have_sources():
    assert set(CEMENTS) == {"pmma", "calcium-phosphate", "cortoss-like"}
    assert cement_material("bioceramic") is CEMENTS["calcium-phosphate"]
    assert (cement_material("pmma").modulus_mpa, cement_material("pmma").poisson) == (2000.0, 0.35)
    for cement in CEMENTS.values():
        assert cement.range_mpa[0] <= cement.modulus_mpa <= cement.range_mpa[1]
        assert cement.source
        assert cement.mark


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"law": "mean"}, "cement.mixture = 'mean'"),
        ({"cement_youngs": -1.0}, "cement.modulus_mpa = -1.0"),
        ({"cement_poisson": 0.5}, "cement.poisson = 0.5"),
    ],
)
def test_refusals(change, text):
    good = {"youngs": np.array([50.0]), "poisson": 0.3, "fraction": np.array([0.5])}
    with pytest.raises(InputError, match=text):
        mixture(**{**good, "cement_youngs": 2000.0, "cement_poisson": 0.35, **change})
    with pytest.raises(InputError, match=r"cement\.material = 'glue'"):
        cement_material("glue")
