"""VP-11 Cement sphere in bone (Goodier): the bolus.

An elastic sphere bonded into an infinite body under remote stress holds a uniform strain: with
alpha = (1 + nu)/(3 (1 - nu)) and beta = 2 (4 - 5 nu)/(15 (1 - nu)) of the body,
tr e = tr e0 / (1 + alpha (K_i/K - 1)),  dev e = dev e0 / (1 + beta (G_i/G - 1));
outside it is the field of the equivalent eigenstrain (Goodier 1933, J Appl Mech 1:39; Eshelby 1957, Proc R Soc A
241:376; Mura, Micromechanics of Defects in Solids, ch. 2). Cement of 2500 in bone of 300 MPa, nu = 0.3, 1 MPa along z:
the stress inside is diag(-0.116942, -0.116942, 1.738182) MPa. One octant of a ball of 3 a whose faces follow the
sphere (straight, so inside it); its outer shell follows the exact field.
"""

import numpy as np
import pytest
from blocks_of_tets import ball_octant, graded
from bolus import BONE, CEMENT, GOODIER, REACH, A, bolus
from patches import ELEMENT
from spheres import nodes_on


def conforming(n, order=2):
    """The bolus on shells of a/n inside and a little beyond, growing outwards."""
    h = A / n
    mesh = ball_octant(np.concatenate([np.linspace(0.0, A, n + 1), A + graded(h, h, REACH - A, 1.25)[1:]]))
    youngs = np.where(np.linalg.norm(mesh.centroids, axis=1) < A, CEMENT[0], BONE[0])
    return bolus(mesh, lambda space: nodes_on(space, REACH), youngs, order)


def test_closed_form():
    np.testing.assert_allclose(np.diag(GOODIER.inner_stress), [-0.116942, -0.116942, 1.738182], atol=1e-6)
    n = np.array([[0.6, 0.48, 0.64]])
    just = [GOODIER.displacement(n * A * s) for s in (1 - 1e-9, 1 + 1e-9)]
    np.testing.assert_allclose(*just, rtol=1e-7)
    tractions = [GOODIER.stress(n * A * s) @ n[0] for s in (1 - 1e-3, 1 + 1e-3)]
    np.testing.assert_allclose(*tractions, atol=5e-3)
    far = np.array([[0.0, 0.0, 1e5]])
    np.testing.assert_allclose(GOODIER.displacement(far)[0, 2], 1e5 / 300.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("n", "order", "displacement", "mean", "whole"),
    [
        (4, 1, 0.02, 0.09, 0.10),
        (4, 2, 0.005, 0.005, 0.02),
        pytest.param(2, 2, 0.02, 0.02, 0.05, marks=pytest.mark.slow),
        pytest.param(8, 2, 0.002, 0.001, 0.01, marks=pytest.mark.slow),
    ],
)
def test_conforming_bolus(n, order, displacement, mean, whole, record):
    found, mesh = conforming(n, order), f"{ELEMENT[order]}, h/a {1 / n:.3g}"
    record(quantity="displacement", error=found.displacement, tolerance=displacement, mesh=mesh, size=1 / n)
    exact = GOODIER.inner_stress[2, 2]
    record(
        quantity="mean stress in the sphere", computed=found.mean(A), exact=exact, tolerance=mean, mesh=mesh, size=1 / n
    )
    record(quantity="stress in L2, everywhere", error=found.error(), tolerance=whole, mesh=mesh, size=1 / n)
