import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import bone_of, fracture_force, gap_of
from hypothesis import given
from hypothesis import strategies as st

from sacrofem.errors import InputError
from sacrofem.mechanics.parts.interface import (
    LARGEST_POISSON,
    Filler,
    closed_area_fraction,
    constriction_compliance,
    gap_stiffness,
)
from sacrofem.mechanics.space.space import Space

GRANULATION, PMMA = Filler(0.5), Filler(2500.0, 0.3)


@pytest.fixture(scope="module")
def space():
    return Space(split_box((4, 4, 4), (8.0, 8.0, 8.0), 4.0), 2)


def above(space, jump):
    """A rigid jump of the upper half."""
    upper = np.zeros(space.n_nodes, bool)
    upper[space.connectivity[space.mesh.centroids[:, 2] > 4.0]] = True
    return np.where(upper[:, None], jump, 0.0)


def test_a_layer_has_constrained_modulus_and_shear_modulus_over_its_thickness():
    """E' = E (1 - nu) / ((1 + nu)(1 - 2 nu)), G = E / (2 (1 + nu)); at nu = 0 E' = E and G = E / 2."""
    assert Filler(8.0, 0.0).stiffness(2.0) == (4.0, 2.0)
    normal, tangential = Filler(1.0, 0.25).stiffness(0.5)
    assert (normal, tangential) == (pytest.approx(2 * 1.2), pytest.approx(2 * 0.4))


@pytest.mark.parametrize("poisson", [-0.01, 0.4501, 0.5, np.nan])
def test_poisson_of_a_filler_stays_below_0_45(poisson):
    with pytest.raises(InputError, match=r"filler_poisson = .*use 0 to 0\.45"):
        Filler(1.0, poisson)
    assert Filler(1.0, LARGEST_POISSON).stiffness(1.0)[0] > 0


def test_coverage_shares_the_gap_by_area():
    coverage = np.array([[0.0, 0.25, 1.0]])
    found = gap_stiffness(coverage, 0.8, GRANULATION, PMMA)
    for k, i in ((found.normal, 0), (found.tangential, 1)):
        filler, cement = GRANULATION.stiffness(0.8)[i], PMMA.stiffness(0.8)[i]
        np.testing.assert_allclose(k, [[filler, 0.75 * filler + 0.25 * cement, cement]], rtol=1e-14)


@given(st.floats(0, 1), st.floats(0.1, 2.0), st.floats(0, 0.45), st.floats(0, 1e-2))
def test_cement_like_the_filler_changes_no_bit(coverage, aperture, poisson, constriction):
    filler = Filler(3.7, poisson)
    found = gap_stiffness(np.array([[coverage]]), aperture, filler, filler, np.array([constriction]))
    assert (float(found.normal[0, 0]), float(found.tangential[0, 0])) == filler.stiffness(aperture)


def test_no_cement_changes_no_bit():
    found = gap_stiffness(np.zeros((2, 3)), 0.8, GRANULATION, PMMA, np.array([1e-3, 0.0]))
    assert np.all(found.normal == GRANULATION.stiffness(0.8)[0])
    assert np.all(found.tangential == GRANULATION.stiffness(0.8)[1])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2), st.floats(0, 1))
def test_more_cement_is_never_softer(two, constriction):
    less, more = sorted(two)
    soft, stiff = (
        gap_stiffness(np.array([[c]]), 1.0, GRANULATION, PMMA, np.array([constriction * (1 - c)])) for c in (less, more)
    )
    assert stiff.normal >= soft.normal * (1 - 1e-12)
    assert stiff.tangential >= soft.tangential * (1 - 1e-12)


def test_constriction_is_in_series_with_cement_of_partly_covered_faces(space):
    """1 / k = 1 / k_cement + (1 - c) h / E: a face of 2 x 2 mm halves, c = 1/2, E = 100."""
    coverage = np.zeros(space.gap.areas.shape)
    coverage[0] = 1.0
    coverage[1] = 0.5
    compliance = constriction_compliance(space, bone_of(space, 100.0), coverage)
    assert compliance[0] == pytest.approx(0.0, abs=1e-17)
    assert compliance[1] == pytest.approx(0.5 * 2.0 / 100.0)
    rigid = Filler(1e12, 0.0)
    k_n = gap_stiffness(coverage, 1.0, Filler(0.0), rigid, compliance).normal
    np.testing.assert_allclose(k_n[1], 0.5 / compliance[1], rtol=1e-6)
    np.testing.assert_array_equal(k_n[2:], 0.0)


def test_the_softer_side_rules_the_constriction(space):
    coverage = np.full(space.gap.areas.shape, 0.5)
    youngs = np.where(space.mesh.centroids[:, 2] > 4.0, 1e9, 100.0)
    np.testing.assert_allclose(
        constriction_compliance(space, bone_of(space, youngs), coverage), 0.25 * 2.0 / 100.0, rtol=1e-5
    )


def test_a_mesh_without_fracture_has_no_gap():
    whole = Space(box(), 2)
    nothing = np.zeros(whole.gap.areas.shape)
    assert closed_area_fraction(whole, np.ones_like(whole.nodes), 0.0) == 0.0
    assert constriction_compliance(whole, bone_of(whole, 1.0), nothing).shape == (0,)


def test_area_that_closes_by_more_than_the_aperture(space):
    """Upper half turned about y: closing passes 0.5 mm where x < 2, a quarter of the face."""
    tilt = above(space, 1.0) * np.column_stack([np.zeros((space.n_nodes, 2)), 0.25 * (space.nodes[:, 0] - 4.0)])
    assert closed_area_fraction(space, tilt, 0.5) == pytest.approx(0.25, abs=0.01)
    assert closed_area_fraction(space, tilt, 1.01) == 0.0
    assert closed_area_fraction(space, above(space, [3.0, 3.0, -0.4999]), 0.5) == 0.0
    assert closed_area_fraction(space, above(space, [0.0, 0.0, -0.5001]), 0.5) == pytest.approx(1.0)
    assert closed_area_fraction(space, above(space, [0.0, 0.0, 9.0]), 0.0) == 0.0


def test_force_of_the_gap_is_traction_times_area(space):
    force = fracture_force(space, above(space, [0.1, -0.2, 0.3]), gap_of(space, 7.0, 2.0))
    assert force.shape == (32, 3)
    np.testing.assert_allclose(force.sum(axis=0), 64.0 * np.array([0.2, -0.4, 2.1]), rtol=1e-12)


def test_a_compliant_interface_is_in_series_on_either_face():
    """1/k = w/E' + 2/k_i where cement covers all, and granulation alone where it covers nothing."""
    coverage, interface = np.array([[0.0, 1.0]]), 1000.0
    with_layer = gap_stiffness(coverage, 0.8, GRANULATION, PMMA, interface=interface)
    bare = gap_stiffness(coverage, 0.8, GRANULATION, PMMA)
    for soft, stiff in ((with_layer.normal, bare.normal), (with_layer.tangential, bare.tangential)):
        assert soft[0, 0] == stiff[0, 0]
        assert 1.0 / soft[0, 1] == pytest.approx(1.0 / stiff[0, 1] + 2.0 / interface, rel=1e-12)
    stiffest = gap_stiffness(coverage, 0.8, GRANULATION, PMMA, interface=1e12)
    np.testing.assert_allclose(stiffest.normal, bare.normal, rtol=1e-8)
    np.testing.assert_allclose(stiffest.tangential, bare.tangential, rtol=1e-8)
