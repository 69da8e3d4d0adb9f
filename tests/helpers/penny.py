"""Quarter model (x, y >= 0) of a penny crack of radius a, split and paired, with its front inside the bone."""

import numpy as np
from blocks_of_tets import graded, opened, quarter_cylinder
from closed_forms import DiscSource
from elasticity import at, gap_of, held, system, traction_force

from sacrofem.mechanics.space.space import Space

A, E, NU, PRESSURE = 10.0, 1000.0, 0.3, 2.0
SNEDDON = DiscSource(A, E, NU)
# Opening at the centre, and volume.
OPENING = 8 * (1 - NU**2) * PRESSURE * A / (np.pi * E)
VOLUME = 16 * (1 - NU**2) * PRESSURE * A**3 / (3 * E)


def radii(tip, end):
    """Fine on both sides of the front."""
    inward, outward = graded(tip, tip, A, 1.25), graded(tip, tip, end - A, 1.6)
    return np.concatenate([[0.0], A - inward[-2::-1], A + outward[1:]])


class Crack:
    """Pressure on the faces, Sneddon's far field on r = |z| = 4 a."""

    def __init__(self, tip, order=2):
        end = 4.0 * A
        z = graded(tip, tip, end, 1.6)
        mesh = quarter_cylinder(radii(tip, end), np.concatenate([-z[:0:-1], z]))
        mesh = opened(mesh, 0.0, lambda centres: np.hypot(centres[:, 0], centres[:, 1]) < A * 0.999)
        self.space = space = Space(mesh, order)
        # Hull of the quarter cylinder; the middles of its edges lie a little inside the circle.
        from_axis = np.hypot(mesh.points[:, 0], mesh.points[:, 1])[mesh.faces]
        outer = np.isclose(np.abs(space.nodes[:, 2]), end)
        outer[space.face_nodes[(from_axis > end * (1 - 1e-9)).all(axis=1)]] = True
        self.fixed = held(space, (outer, [0, 1, 2]), (at(space, 0, 0.0), 0), (at(space, 1, 0.0), 1))
        self.far = np.zeros_like(space.nodes)
        self.far[outer] = SNEDDON.crack(PRESSURE, space.nodes[outer])
        self.far[at(space, 0, 0.0), 0] = self.far[at(space, 1, 0.0), 1] = 0.0
        both = np.flatnonzero(mesh.pair_side != 0)
        self.force = traction_force(space, both, lambda x, n: -PRESSURE * n)
        self.centre = np.flatnonzero(np.isclose(space.nodes, 0.0, atol=1e-9).all(axis=1))
        assert len(self.centre) == 2

    def _system(self, stiffness):
        gap = gap_of(self.space, stiffness)
        return system(self.space, E, NU, self.fixed, gap=gap, method="auto", tolerance=1e-9)

    def open(self):
        """Displacement of the empty crack."""
        return self._system(0.0).solve(self.force, self.far).displacement

    def filled(self, stiffness):
        """Displacement with a filler, and the far field of as much of Sneddon's crack as its volume makes."""
        problem = self._system(stiffness)
        pressed = problem.solve(self.force).displacement
        far = problem.solve(np.zeros_like(self.force), self.far).displacement
        return pressed + self.measures(pressed)[1] / (VOLUME - self.measures(far)[1]) * far

    def measures(self, displacement):
        """Opening at the centre, volume, and opening at the gap points (p, q), read as micromotion is."""
        opening = self.space.gap.normal_part(self.space.jump(displacement))
        middle = np.ptp(displacement[self.centre, 2])
        return middle, 4.0 * np.sum(opening * self.space.gap.areas), opening
