"""VP-08: a closed penny crack under compression changes nothing; nor does it with shear that friction can hold.

Uniform stress to 1e-6 and penetration below 1e-8 of the largest displacement: remote pressure p without friction, and
p with shear tau < mu p. Under tension the same crack opens as Sneddon's does (VP-13), which shows that it is there.
"""

import numpy as np
import pytest
from closed_crack import ClosedCrack

PRESSURE = -np.diag([0.0, 0.0, 1.0])
SHEAR = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])


@pytest.fixture(scope="module", params=[1, 2], ids=["P1", "P2"])
def crack(request):
    return ClosedCrack(5.0, 25.0, request.param)


@pytest.mark.parametrize(("stress", "friction"), [(PRESSURE, 0.0), (PRESSURE + 0.25 * SHEAR, 0.3)], ids=["p", "stick"])
def test_closed_crack_is_invisible(crack, stress, friction):
    solution, contact = crack.solve(stress, friction, tolerance=1e-12)
    assert np.abs(crack.stresses(solution.displacement) - stress).max() < 1e-6
    assert contact.penetration_mm < 1e-8 * np.abs(crack.remote).max()
    assert contact.closed.all()
    assert np.abs(crack.space.jump(solution.displacement)).max() < 1e-8 * np.abs(crack.remote).max()
    if friction:
        assert not contact.slipping.any()
        np.testing.assert_allclose(
            (contact.friction[..., 0] * contact.areas).sum() / (contact.pressure * contact.areas).sum(), 0.25, rtol=1e-6
        )


def test_the_crack_is_there(crack):
    solution, contact = crack.solve(-PRESSURE, 0.3)
    assert not contact.closed.any()
    opening = crack.space.gap.normal_part(crack.space.jump(solution.displacement))
    assert opening.min() > 0.0
    exact = 16 * (1 - crack.nu**2) * crack.a**3 / (3 * crack.E) / 2
    assert 0.5 * exact < (opening * crack.space.gap.areas).sum() < exact
