import math

import pytest

from sacrofem.study.order import FORMAL_ORDER, estimate, observed_order

EQUAL = (4.0, 2.0, 1.0)
UNEQUAL = (4.36, 2.65, 1.57)


def power(sizes, p, limit=10.0, slope=0.3):
    return [limit + slope * h**p for h in sizes]


@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL])
@pytest.mark.parametrize("p", [-1.5, 0.3, 0.5, 1.0, 2.0, 3.7])
def test_the_order_of_a_power_is_found(sizes, p):
    assert observed_order(sizes, power(sizes, p)) == pytest.approx(p, abs=1e-7)


def test_a_logarithm_has_order_zero():
    assert observed_order(UNEQUAL, [math.log(h) for h in UNEQUAL]) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("values", [(1.0, 2.0, 1.5), (1.0, 1.0, 1.0), (1.0, 2.0, 2.0), (2.0, 2.0, 1.0)])
def test_what_is_not_monotone_has_no_order(values):
    assert observed_order(EQUAL, values) is None


def test_orders_beyond_all_reason_stay_finite():
    assert observed_order(EQUAL, (1.0, 2.0, 2.0 + 1e-12)) == 20.0
    assert observed_order(EQUAL, (1.0, 1.0 + 1e-12, 2.0)) == -20.0


@pytest.mark.parametrize("slope", [0.3, -0.3])
def test_the_limit_is_exact_at_the_formal_order_and_inside_the_band(slope):
    found = estimate(UNEQUAL, power(UNEQUAL, FORMAL_ORDER, 10.0, slope))
    assert found.limit == pytest.approx(10.0, rel=1e-12)
    assert found.half_width == pytest.approx(1.25 * 0.3 * UNEQUAL[2], rel=1e-9)
    assert found.band[0] < 10.0 < found.band[1]
    assert found.converged


@pytest.mark.parametrize("p", [0.51, 0.8, 1.6, 2.9])
def test_the_band_holds_the_limit_at_every_believed_order_and_on_every_mesh(p):
    for at in range(3):
        found = estimate(UNEQUAL, power(UNEQUAL, p), at=at)
        low, high = found.band
        assert low < 10.0 < high
        assert found.order == pytest.approx(p, abs=1e-7)
        assert found.value == pytest.approx(power(UNEQUAL, p)[at])


def test_a_high_order_by_chance_does_not_shrink_the_band():
    """A first-order remainder must still fit in: the last step is a lower bound of it on a ratio below 2.25."""
    values = power(UNEQUAL, 2.9)
    assert estimate(UNEQUAL, values).half_width > abs(values[2] - values[1])


@pytest.mark.parametrize("values", [(100.0, 102.0, 101.0), (100.0, 101.0, 103.0)])
def test_without_a_believable_order_the_band_is_three_times_the_range(values):
    found = estimate(EQUAL, values)
    assert found.half_width == pytest.approx(3.0 * (max(values) - min(values)))
    assert found.limit is None
    assert found.converged


def test_what_still_moves_by_more_than_a_twentieth_does_not_converge():
    assert not estimate(EQUAL, (100.0, 120.0, 110.0)).converged
    assert not estimate(EQUAL, (100.0, 110.0, 140.0)).converged
    assert estimate(EQUAL, (100.0, 120.0, 110.0), scale=1000.0).converged


def test_a_number_that_does_not_move_has_no_band():
    found = estimate(EQUAL, (0.5, 0.5, 0.5))
    assert (found.half_width, found.order, found.converged) == (0.0, None, True)


def test_of_four_meshes_the_three_finest_decide():
    sizes = (8.0, *EQUAL)
    found = estimate(sizes, [77.0, *power(EQUAL, 1.0)])
    assert found.order == pytest.approx(1.0)
    assert found.limit == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("sizes", "values"), [((2.0, 1.0), (1.0, 1.1)), ((1.0, 2.0, 4.0), (1.0, 1.1, 1.2)), (EQUAL, (1.0, 2.0))]
)
def test_a_ladder_has_three_meshes_that_get_finer(sizes, values):
    with pytest.raises(ValueError, match=r"meshes|sizes"):
        estimate(sizes, values)
