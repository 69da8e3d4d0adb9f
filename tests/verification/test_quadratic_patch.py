"""VP-02 Quadratic patch test.

Three solutions of elasticity that are quadratic and therefore exact in straight-sided Tet10:
bending, curvature k:  u = (-k x z, nu k y z, k (x² + nu (z² - y²)) / 2),  s_xx = -E k z
torsion (Saint-Venant): u = (0, -t x z, t x y),  s_xy = -G t z,  s_xz = G t y
own weight g along x, hung at x = 0: u_x = (g/E)(L x - x²/2 - nu (y² + z²)/2),
u_y = -nu (g/E)(L - x) y,  u_z = -nu (g/E)(L - x) z,  s_xx = g (L - x)
(Timoshenko & Goodier, Theory of Elasticity, chapters 10 and 11).
On the split mesh the twins are held together by a gap 1e9 times stiffer than any stress in it.
"""

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import body_force, gap_of, uniform
from patches import NU, SIZE, E, solved

from sacrofem.mechanics.space.space import Space


def bending(x, k=0.01):
    x, y, z = np.moveaxis(x - 0.5 * np.array(SIZE), -1, 0)
    zero = np.zeros_like(x)
    u = np.stack([-k * x * z, NU * k * y * z, k / 2 * (x**2 + NU * (z**2 - y**2))], axis=-1)
    return u, np.stack([-E * k * z, zero, zero, zero, zero, zero], axis=-1)


def torsion(x, t=0.01):
    x, y, z = np.moveaxis(x - 0.5 * np.array(SIZE), -1, 0)
    g, zero = E / (2 * (1 + NU)) * t, np.zeros_like(x)
    return np.stack([zero, -t * x * z, t * x * y], axis=-1), np.stack([zero, zero, zero, zero, g * y, -g * z], axis=-1)


def own_weight(x, g=0.7):
    length = SIZE[0]
    x, y, z = np.moveaxis(x, -1, 0)
    zero = np.zeros_like(x)
    u = np.stack(
        [length * x - x**2 / 2 - NU * (y**2 + z**2) / 2, -NU * (length - x) * y, -NU * (length - x) * z], axis=-1
    )
    return g / E * u, np.stack([g * (length - x), zero, zero, zero, zero, zero], axis=-1)


@pytest.mark.parametrize("field", [bending, torsion, own_weight])
@pytest.mark.parametrize("split", [False, True])
def test_quadratic_patch(field, split, record):
    mesh = split_box((3, 3, 4), SIZE, 2.0, 0.3) if split else box((3, 3, 3), SIZE, 0.3)
    space = Space(mesh, 2)
    exact, _ = field(space.nodes)
    _, stress = field(space.integration()[0])
    force = body_force(space, lambda x: np.stack([0.7 + 0 * x[0], 0 * x[0], 0 * x[0]])) if field is own_weight else None
    found = solved(space, exact, force, **({"gap": gap_of(space, 1e9)} if split else {}))
    computed = space.stresses(found, uniform(space, E), uniform(space, NU))
    what, on = field.__name__.replace("_", " "), f"Tet10, {'stiff gap' if split else f'{len(mesh.tets)} tets'}"
    record(quantity=f"{what}: displacement", computed=found, exact=exact, tolerance=1e-6 if split else 1e-9, mesh=on)
    record(quantity=f"{what}: stress", computed=computed, exact=stress, tolerance=1e-5 if split else 1e-9, mesh=on)
