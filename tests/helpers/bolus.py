"""One octant of a ball or cube of bone with a cement sphere in it; its outer faces follow Goodier's field."""

from dataclasses import dataclass

import numpy as np
from closed_forms import Inclusion
from elasticity import held, stress_tensors, system
from spheres import symmetry

from sacrofem.mechanics.space.space import Space

A, REACH = 10.0, 30.0
BONE, CEMENT = (300.0, 0.3), (2500.0, 0.3)
GOODIER = Inclusion(A, BONE, CEMENT, np.diag([0.0, 0.0, 1.0]))


@dataclass(frozen=True, eq=False)
class Bolus:
    """Largest error of displacement; stress (m, q, 3, 3), the exact one, radius and weight at integration points."""

    displacement: float
    stress: np.ndarray
    exact: np.ndarray
    radius: np.ndarray
    weight: np.ndarray

    def mean(self, within):
        """Mean of s_zz where r < ``within``."""
        weight = self.weight * (self.radius < within)
        return np.sum(self.stress[..., 2, 2] * weight) / weight.sum()

    def error(self, beyond=0.0):
        """Relative error of stress in L2 where r > ``beyond``."""
        weight = self.weight * (self.radius > beyond)
        wrong = np.sum((self.stress - self.exact) ** 2, axis=(2, 3))
        return float(np.sqrt(np.sum(wrong * weight) / np.sum(np.sum(self.exact**2, axis=(2, 3)) * weight)))


def bolus(mesh, outer_of, youngs, order=2):
    """Solve it with these moduli; ``outer_of(space)`` are the nodes that follow the exact field."""
    space = Space(mesh, order)
    fixed = held(space, (outer_of(space), [0, 1, 2]), *symmetry(space))
    exact = GOODIER.displacement(space.nodes)
    found = system(space, youngs, 0.3, fixed, method="auto", tolerance=1e-9).solve(np.zeros_like(exact), exact)
    stress = stress_tensors(space.stresses(found.displacement, youngs, np.full(len(youngs), 0.3)))
    points, weight = space.integration()
    return Bolus(
        np.abs(found.displacement - exact).max() / np.abs(exact).max(),
        stress,
        GOODIER.stress(points.reshape(-1, 3)).reshape(stress.shape),
        np.linalg.norm(points, axis=2),
        weight,
    )
