"""VP-14 A closed penny crack that slides (Segedin 1951).

Under pressure p and shear tau > mu p: slip 16 (1 - nu²)(tau - mu p) / (pi E (2 - nu)) sqrt(a² - r²) along tau, no
opening, nothing across. The law alone, whatever the mesh: slip with friction over slip without is 1 - mu p / tau.
Half a cylinder of radius 2.5 a or 5 a whose hull follows the uniform field, so that the hull too makes it stiff; the
mean slip is held to 10 % at a size of 0.15 a at the front, where the hull is at 5 a.

Load and displacement grow in proportion, so the work of the load is stored energy and friction, exactly.
"""

import numpy as np
import pytest
from closed_crack import ClosedCrack

TAU, MU = 0.8, 0.3
STRESS = np.array([[0.0, 0.0, TAU], [0.0, 0.0, 0.0], [TAU, 0.0, -1.0]])


def slip(crack, friction):
    """Mean slip along the shear over Segedin's, the whole slip (p, q, 3), and contact."""
    solution, contact = crack.solve(STRESS, friction)
    jump, area = crack.space.jump(solution.displacement), crack.space.gap.areas
    factor = 16 * (1 - crack.nu**2) * (TAU - friction) / (np.pi * crack.E * (2 - crack.nu))
    exact = factor * np.sqrt(np.maximum(crack.a**2 - crack.radius**2, 0.0))
    return (jump[..., 0] * area).sum() / (exact * area).sum(), jump, contact


def check(tip, end, tolerance, record):
    """The law whatever the mesh, and the slip itself; see `ClosedCrack` for ``tip`` and ``end``."""
    crack = ClosedCrack(tip, end, outward=2.2)
    mesh = f"Tet10, h/a {tip / crack.a:g}, hull at {end / crack.a:g} a"
    with_friction, jump, contact = slip(crack, MU)
    free, free_jump, free_contact = slip(crack, 0.0)
    record(quantity="mean slip over Segedin's", computed=with_friction, exact=1.0, tolerance=tolerance, mesh=mesh)
    law = 1 - MU / TAU
    share = with_friction * law / free
    record(quantity="mean slip over that without friction", computed=share, exact=law, tolerance=2e-3, mesh=mesh)
    assert np.abs(jump[..., 0] / law - free_jump[..., 0]).max() < 0.02 * np.abs(free_jump).max()
    for name, found, state in (("friction 0.3", jump, contact), ("no friction", free_jump, free_contact)):
        assert state.closed.all()
        assert state.slipping.all()
        largest, where = np.abs(found[..., 0]).max(), f"{mesh}, {name}"
        across, opening = np.abs(found[..., 1]).max() / largest, np.abs(found[..., 2]).max() / largest
        record(quantity="transverse slip over slip", error=across, tolerance=0.03, mesh=where)
        record(quantity="opening over slip", error=opening, tolerance=1e-6, mesh=where)
        kept = state.stored_nmm + state.dissipated_nmm
        record(quantity="work of the load", computed=state.external_nmm, exact=kept, tolerance=1e-9, mesh=where)
    assert contact.dissipated_nmm > 0.0 == free_contact.dissipated_nmm
    np.testing.assert_allclose(np.linalg.norm(contact.friction, axis=2), MU * contact.pressure, rtol=1e-3)
    return with_friction


def test_friction_scales_the_slip(record):
    """On a coarse mesh: the slip itself is too small by a quarter, its ratio is not."""
    assert check(5.0, 25.0, 0.4, record) < 1.0


@pytest.mark.slow
def test_slip_at_fifteen_hundredths_of_the_radius(record):
    check(1.5, 50.0, 0.1, record)
