"""VP-13 Penny crack under pressure (Sneddon): the fracture gap opens.

A crack of radius a in an infinite body under pressure p opens by 8 (1 - nu²) p / (pi E) sqrt(a² - r²); its volume is
16 (1 - nu²) p a³ / (3 E) (Sneddon 1946, Proc R Soc A 187:229). Split by our own node splitting, both read from the jump
at the gap points as micromotion is. The error is one of stiffness, always from below, and first order in the size h
at the front (r^-1/2 stress, straight front without special tets): coarse meshes under-estimate micromotion.
"""

import numpy as np
import pytest
from penny import NU, OPENING, PRESSURE, SNEDDON, VOLUME, A, Crack, E


def crack(record, n, centre, volume):
    """Hold opening at the centre, volume and the profile at h/a = 1/n; the errors of the first two."""
    model = Crack(A / n)
    middle, content, opening = model.measures(model.open())
    mesh, size = f"Tet10, h/a {1 / n:.3g} at the front", 1 / n
    points, areas = model.space.gap.points, model.space.gap.areas
    exact = OPENING * np.sqrt(np.maximum(1 - (points[..., 0] ** 2 + points[..., 1] ** 2) / A**2, 0.0))
    profile = np.sqrt(np.sum((opening - exact) ** 2 * areas) / np.sum(exact**2 * areas))
    record(quantity="opening in L2", error=profile, tolerance=1.5 * volume, mesh=mesh, size=size)
    assert opening.min() > 0
    one = record(
        quantity="opening at the centre", computed=middle, exact=OPENING, tolerance=centre, mesh=mesh, size=size
    )
    two = record(quantity="volume", computed=content, exact=VOLUME, tolerance=volume, mesh=mesh, size=size)
    assert max(one, two) < 0
    return one, two


def test_exact_field_has_the_stress_ahead_of_the_crack():
    """s_zz = (2 p / pi) (a / sqrt(r² - a²) - arcsin(a / r)) and u_z = 0 on the plane of the crack, by differences."""
    source, step = SNEDDON, 1e-3
    x = np.array([[25.0, 0.0, 0.0], [30.0, 10.0, 0.0]])
    up, down = (source.crack(PRESSURE, x + s * np.eye(3)[2]) for s in (step, 2 * step))
    on_plane = source.crack(PRESSURE, x)
    assert np.abs(on_plane[:, 2]).max() < 1e-12 * np.abs(on_plane).max()
    r = np.hypot(x[:, 0], x[:, 1])
    slope = (4 * up[:, 2] - down[:, 2]) / (2 * step)
    radial = (source.crack(PRESSURE, x * (1 + 1e-5)) - source.crack(PRESSURE, x * (1 - 1e-5))) * x / r[:, None]
    lateral = radial.sum(axis=1) / (2e-5 * r) + np.sum(on_plane * x, axis=1) / r**2
    lam, mu = E * NU / ((1 + NU) * (1 - 2 * NU)), E / (2 * (1 + NU))
    stress = (lam + 2 * mu) * slope + lam * lateral
    np.testing.assert_allclose(stress, 2 * PRESSURE / np.pi * (A / np.sqrt(r**2 - A**2) - np.arcsin(A / r)), rtol=1e-4)


def test_opening_and_volume_at_a_tenth_of_the_radius(record):
    crack(record, 10, 0.015, 0.045)


@pytest.mark.slow
def test_the_error_halves_with_the_size_at_the_front(record):
    coarse, middle, fine = crack(record, 5, 0.03, 0.09), crack(record, 10, 0.015, 0.045), crack(record, 20, 0.01, 0.025)
    for (a, b), name in ((coarse, "0.2 to 0.1"), (middle, "0.1 to 0.05")):
        finer = middle if name == "0.2 to 0.1" else fine
        for quantity, ratio in (("opening at the centre", finer[0] / a), ("volume", finer[1] / b)):
            record(
                quantity=f"halving of the error: {quantity}", computed=ratio, exact=0.5, error=ratio - 0.5,
                tolerance=0.1, mesh=f"Tet10, h/a {name}",
            )  # fmt: skip
