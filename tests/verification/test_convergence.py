"""VP-04 Manufactured solution: the order of convergence.

On a distorted cube u1 = sin(pi x) sin(pi y) sin(pi z) + y exp(x) / 5,  u2 = cos(pi x) sin(pi y) z²,
u3 = exp(x y) sin(pi z) / 2 under the body force -((lam + mu) grad div u + mu lap u), prescribed on the hull. Theory
gives the order p + 1 in L2 and p in H1 (method: Roache 2002, J Fluids Eng 124:4); bounds 1.8 and 0.9 for Tet4, 2.8 and
1.85 for Tet10.
"""

import numpy as np
import pytest
from blocks_of_tets import box
from elasticity import basis, body_force, held, system
from patches import ELEMENT

from sacrofem.mechanics.space.space import Space, lame

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


def hold_rates(record, coarse, fine, order, allowed):
    """Keep both errors of both meshes and the orders; ``allowed`` is what each order may stay below theory."""
    found = [errors(n, order) for n in (coarse, fine)]
    for where, name in enumerate(("L2", "H1")):
        for n, error in zip((coarse, fine), found, strict=True):
            record(
                quantity=f"displacement in {name}, {ELEMENT[order]}", error=error[where], tolerance=0.5,
                mesh=f"{ELEMENT[order]}, {n}³ cells", size=1 / n,
            )  # fmt: skip
        rate, theory = np.log(found[0][where] / found[1][where]) / np.log(fine / coarse), order + 1 - where
        record(
            quantity=f"order in {name}, {ELEMENT[order]}", computed=rate, exact=theory, error=max(theory - rate, 0.0),
            tolerance=allowed[where], mesh=f"{coarse}³ to {fine}³ cells",
        )  # fmt: skip
    return found[1]


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


def test_rates_on_small_meshes(record):
    """Not yet asymptotic: a tenth and more below the bounds of the large meshes."""
    assert hold_rates(record, 4, 8, 1, (0.4, 0.2))[0] < 0.05
    assert hold_rates(record, 3, 6, 2, (0.4, 0.3))[0] < 3e-3


@pytest.mark.slow
def test_rates(record):
    hold_rates(record, 8, 16, 1, (0.2, 0.1))
    hold_rates(record, 6, 12, 2, (0.2, 0.15))
