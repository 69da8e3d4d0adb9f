"""VP-04: manufactured solution on a distorted cube; theory gives order p + 1 in L2 and p in H1.

u1 = sin(pi x) sin(pi y) sin(pi z) + y exp(x) / 5,  u2 = cos(pi x) sin(pi y) z²,  u3 = exp(x y) sin(pi z) / 2,
body force -((lam + mu) grad div u + mu lap u), u prescribed on the hull. Lower bounds: 1.8 / 0.9 for P1,
2.8 / 1.85 for P2 (Roache 2002, J Fluids Eng 124:4, for the method).
"""

import numpy as np
import pytest
from blocks_of_tets import box
from elasticity import basis, body_force, held, system

from sacrofem.mechanics.space import Space, lame

E, NU, PI = 300.0, 0.3, np.pi


def _parts(x):
    x, y, z = x
    return (
        (x, y, z, np.exp(x), np.exp(x * y)),
        (np.sin(PI * x), np.sin(PI * y), np.sin(PI * z)),
        (np.cos(PI * x), np.cos(PI * y), np.cos(PI * z)),
    )


def exact(x):
    (x, y, z, ex, exy), (sx, sy, sz), (cx, _, _) = _parts(x)
    return np.stack([sx * sy * sz + ex * y / 5, cx * sy * z**2, exy * sz / 2])


def gradient(x):
    """[i, j] = d u_i / d x_j."""
    (x, y, z, ex, exy), (sx, sy, sz), (cx, cy, cz) = _parts(x)
    return np.stack(
        [
            np.stack([PI * cx * sy * sz + ex * y / 5, PI * sx * cy * sz + ex / 5, PI * sx * sy * cz]),
            np.stack([-PI * sx * sy * z**2, PI * cx * cy * z**2, 2 * cx * sy * z]),
            np.stack([y * exy * sz / 2, x * exy * sz / 2, PI * exy * cz / 2]),
        ]
    )


def force(x):
    (x, y, z, ex, exy), (sx, sy, sz), (cx, cy, cz) = _parts(x)
    s, u2, u3 = sx * sy * sz, cx * sy * z**2, exy * sz / 2
    laplace = np.stack([-3 * PI**2 * s + ex * y / 5, -2 * PI**2 * u2 + 2 * cx * sy, (x**2 + y**2 - PI**2) * u3])
    divergence = np.stack(
        [
            -(PI**2) * s + ex * y / 5 - PI**2 * sx * cy * z**2 + y * PI * exy * cz / 2,
            PI**2 * cx * cy * sz + ex / 5 - PI**2 * u2 + x * PI * exy * cz / 2,
            PI**2 * cx * sy * cz + 2 * PI * cx * cy * z - PI**2 * u3,
        ]
    )
    lam, mu = lame(E, NU)
    return -((lam + mu) * divergence + mu * laplace)


def errors(n, order):
    """Relative errors in L2 and the H1 seminorm."""
    space = Space(box((n, n, n), distort=0.15, seed=n), order)
    hull = (np.isclose(space.nodes, 0) | np.isclose(space.nodes, 1)).any(axis=1)
    values = exact(space.nodes.T).T
    problem = system(space, E, NU, held(space, (hull, [0, 1, 2])), method="auto")
    found = problem.solve(body_force(space, force, 6), values).displacement
    where = basis(space, 6)
    field = where.interpolate(found.ravel())
    x = np.asarray(where.global_coordinates())
    return tuple(
        float(np.sqrt(np.sum((ours - theirs) ** 2 * where.dx) / np.sum(theirs**2 * where.dx)))
        for ours, theirs in ((np.asarray(field), exact(x)), (field.grad, gradient(x)))
    )


def rates(coarse, fine, order):
    one, two = errors(coarse, order), errors(fine, order)
    return [np.log(a / b) / np.log(fine / coarse) for a, b in zip(one, two, strict=True)], two


def test_the_force_is_that_of_the_field():
    """By differences of the gradient, so that a slip in the derivation cannot hide in the rates."""
    x, step = np.random.default_rng(0).uniform(0.1, 0.9, (3, 20)), 1e-5
    lam, mu = lame(E, NU)

    def stress(x):
        g = gradient(x)
        return mu * (g + np.swapaxes(g, 0, 1)) + lam * np.einsum("iin->n", g) * np.eye(3)[:, :, None]

    found = np.zeros((3, 20))
    for j in range(3):
        d = step * np.eye(3)[:, j, None]
        found -= (stress(x + d)[:, j] - stress(x - d)[:, j]) / (2 * step)
    np.testing.assert_allclose(found, force(x), rtol=1e-6, atol=1e-4 * np.abs(found).max())


def test_rates_on_small_meshes():
    """Not yet asymptotic: a tenth and more below the bounds of the large meshes."""
    (l2, h1), last = rates(4, 8, 1)
    assert l2 > 1.6
    assert h1 > 0.8
    assert last[0] < 0.05
    (l2, h1), last = rates(3, 6, 2)
    assert l2 > 2.6
    assert h1 > 1.7
    assert last[0] < 3e-3


@pytest.mark.slow
def test_rates():
    (l2, h1), _ = rates(8, 16, 1)
    assert l2 > 1.8
    assert h1 > 0.9
    (l2, h1), _ = rates(6, 12, 2)
    assert l2 > 2.8
    assert h1 > 1.85
