"""VP-21 Penny crack filled with a soft layer: between an open gap and no gap.

A layer of stiffness k (N/mm³) holds the faces of a penny crack together while a pressure p opens it (or a remote
tension p: the same opening). With C = 8 (1 - nu²) / (pi E) and the net pressure p - k w, Sneddon's solution gives
w(r) = C int_r^a phi(s) / sqrt(s² - r²) ds, and phi a Fredholm equation (by Copson's method: Sneddon & Lowengrub, Crack
Problems in the Classical Theory of Elasticity, 3.5):
phi(s) + k C int_0^a phi(t) ln((s + t)/|s - t|) / 2 dt = p s,  w(0) = C int phi/s ds,  volume 2 pi C int s phi ds.
k -> 0 is Sneddon's crack, k -> inf intact bone; everywhere between w < p / k, so that a layer of modulus M and
thickness t opens by less than p t / M: nothing that fills the gap lets it open wider than the layer alone would.
The far field is that of Sneddon's crack, in proportion to the volume.
"""

import numpy as np
import pytest
from penny import NU, OPENING, PRESSURE, VOLUME, A, Crack, E

from sacrofem.mechanics.parts.interface import Filler

C = 8 * (1 - NU**2) / (np.pi * E)


def reference(k, n=400):
    """Opening at the centre and volume of the integral equation, phi linear between n nodes that crowd at the front."""
    s = A * np.sin(np.linspace(0.0, np.pi / 2, n + 1))
    middle, width = 0.5 * (s[1:] + s[:-1]), np.diff(s)

    def antiderivative(x):
        # Of ln|x|; 0 at 0.
        return x * np.log(np.maximum(np.abs(x), 1e-300)) - x

    lower, upper = s[None, :-1], s[None, 1:]
    kernel = 0.5 * (
        antiderivative(middle[:, None] + upper) - antiderivative(middle[:, None] + lower)
        + antiderivative(middle[:, None] - upper) - antiderivative(middle[:, None] - lower)
    )  # fmt: skip
    phi = np.linalg.solve(np.eye(n) + k * C * kernel, PRESSURE * middle)
    return C * np.sum(phi / middle * width), 2 * np.pi * C * np.sum(middle * phi * width)


def test_the_integral_equation_has_its_limits():
    np.testing.assert_allclose(reference(0.0), (OPENING, VOLUME), rtol=1e-4)
    k = 1e4 * E / A
    middle, volume = reference(k)
    assert middle == pytest.approx(PRESSURE / k, rel=1e-3)
    assert volume == pytest.approx(PRESSURE / k * np.pi * A**2, rel=1e-2)


SIZES = [(5, 0.03, 0.09), pytest.param(10, 0.015, 0.045, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("n", "centre", "content"), SIZES)
def test_between_the_two_limits(n, centre, content, record):
    """k a / E from nothing to far stiffer than the bone: monotonic, and on the integral equation all the way."""
    model, last = Crack(A / n), np.inf
    for ratio in (0.0, 0.1, 1.0, 10.0, 1000.0):
        k = ratio * E / A
        middle, volume, _ = model.measures(model.filled(k))
        mesh, exact = f"Tet10, h/a {1 / n:.3g}, k a / E = {ratio:g}", reference(k)
        record(quantity="opening at the centre", computed=middle, exact=exact[0], tolerance=centre, mesh=mesh)
        record(quantity="volume", computed=volume, exact=exact[1], tolerance=content, mesh=mesh)
        assert 0 < middle < last
        assert k * middle < PRESSURE
        last = middle
    assert last < 1e-3 * OPENING


@pytest.mark.parametrize(("n", "centre", "content"), SIZES)
def test_bone_in_the_gap_opens_less_than_the_layer(n, centre, content, record):
    """Filler with the modulus of the bone, 1 mm thick: the mean opening stays below p t / M."""
    model, k = Crack(A / n), Filler(E, NU).stiffness(1.0)[0]
    modulus = E * (1 - NU) / ((1 + NU) * (1 - 2 * NU))
    middle, volume, _ = model.measures(model.filled(k))
    mesh, share, exact = (
        f"Tet10, h/a {1 / n:.3g}, filler = bone",
        volume / (np.pi * A**2) * modulus / PRESSURE,
        reference(k),
    )
    record(
        quantity="mean opening over p t / M, which stays below 1", computed=share, exact=1.0,
        error=max(share - 1.0, 0.0), tolerance=0.0, mesh=mesh,
    )  # fmt: skip
    record(quantity="opening at the centre", computed=middle, exact=exact[0], tolerance=centre, mesh=mesh)
    record(quantity="volume", computed=volume, exact=exact[1], tolerance=content, mesh=mesh)
