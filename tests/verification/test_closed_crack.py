"""VP-08 A closed penny crack.

Under compression it changes nothing; nor does it with shear that friction can hold. Uniform stress to 1e-6 and
penetration below 1e-8 of the largest displacement: remote pressure p without friction, and p with shear tau < mu p.
Under tension the same crack opens as Sneddon's does (VP-13), which shows that it is there.
"""

import numpy as np
import pytest
from closed_crack import ClosedCrack

PRESSURE = -np.diag([0.0, 0.0, 1.0])
SHEAR = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])


@pytest.fixture(scope="module")
def cracks():
    return {order: ClosedCrack(5.0, 25.0, order) for order in (1, 2)}


CASES = [
    pytest.param(1, PRESSURE, 0.0, id="P1-p"),
    pytest.param(2, PRESSURE, 0.0, id="P2-p"),
    pytest.param(1, PRESSURE + 0.25 * SHEAR, 0.3, id="P1-stick"),
    pytest.param(2, PRESSURE + 0.25 * SHEAR, 0.3, id="P2-stick", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("order", "stress", "friction"), CASES)
def test_closed_crack_is_invisible(cracks, order, stress, friction, record):
    crack = cracks[order]
    solution, contact = crack.solve(stress, friction, tolerance=1e-12, accuracy=1e-9)
    largest = np.abs(crack.remote).max()
    mesh = f"P{order}, {'friction 0.3 and shear' if friction else 'no friction'}"
    off, jump = np.abs(crack.stresses(solution.displacement) - stress), np.abs(crack.space.jump(solution.displacement))
    record(quantity="stress over p", error=off.max(), tolerance=1e-6, mesh=mesh)
    record(quantity="penetration over motion", error=contact.penetration_mm / largest, tolerance=1e-8, mesh=mesh)
    record(quantity="jump over motion", error=jump.max() / largest, tolerance=1e-8, mesh=mesh)
    assert contact.closed.all()
    # What friction carries shows where it acts; at the front the nodes are whole and carry it themselves.
    inner = crack.radius.max(axis=1) < 0.6 * crack.a
    rubbed = (contact.friction[inner, :, 0] * contact.areas[inner]).sum()
    if friction:
        assert rubbed < -0.1 * contact.areas[inner].sum()
    else:
        assert rubbed == 0.0


def test_the_crack_is_there(cracks):
    crack = cracks[1]
    solution, contact = crack.solve(-PRESSURE, 0.3)
    assert not contact.closed.any()
    opening = crack.space.gap.normal_part(crack.space.jump(solution.displacement))
    assert opening.min() > 0.0
    exact = 16 * (1 - crack.nu**2) * crack.a**3 / (3 * crack.E) / 2
    assert 0.4 * exact < (opening * crack.space.gap.areas).sum() < exact
