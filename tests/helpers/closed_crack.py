"""A penny crack with contact between its faces, under a remote stress."""

import numpy as np
from blocks_of_tets import graded, opened, oriented, quarter_cylinder
from elasticity import at, bone_of, gap_of, held, stiffness, stress_tensors, uniform

from sacrofem.mechanics.equilibrium.active_set import solve_contact
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.contact import face_closure
from sacrofem.mechanics.space.space import Space


def half_cylinder(radii, z):
    """y >= 0, from `quarter_cylinder` and its mirror image."""
    mesh = quarter_cylinder(radii, z)
    n, on_plane = len(mesh.points), np.isclose(mesh.points[:, 0], 0.0)
    number = np.where(on_plane, np.arange(n), n + np.cumsum(~on_plane) - 1)
    points = np.concatenate([mesh.points, mesh.points[~on_plane] * [-1, 1, 1]])
    return oriented(points, np.concatenate([mesh.tets, number[mesh.tets]]))


class ClosedCrack:
    """Half of a cylinder (y >= 0) with a crack of radius a in z = 0; its hull follows the field of a uniform stress.

    ``tip`` is the size at the front, ``end`` the radius and half the height of the cylinder.
    """

    a, E, nu = 10.0, 1000.0, 0.3

    def __init__(self, tip, end, order=2, inward=1.5, outward=2.0):
        fine, coarse = graded(tip, tip, self.a, inward), graded(tip, tip, end - self.a, outward)
        radii = np.concatenate([[0.0], self.a - fine[-2::-1], self.a + coarse[1:]])
        z = graded(tip, tip, end, outward)
        mesh = half_cylinder(radii, np.concatenate([-z[:0:-1], z]))
        mesh = opened(mesh, 0.0, lambda centres: np.hypot(centres[:, 0], centres[:, 1]) < self.a * 0.999)
        self.space = space = Space(mesh, order)
        self.coarse = Space(mesh, 1)
        from_axis = np.hypot(mesh.points[:, 0], mesh.points[:, 1])[mesh.faces]
        hull = np.isclose(np.abs(space.nodes[:, 2]), end)
        hull[space.face_nodes[(from_axis > end * (1 - 1e-9)).all(axis=1)]] = True
        self.fixed = held(space, (hull, [0, 1, 2]), (at(space, 1, 0.0), 1))
        self.radius = np.hypot(space.gap.points[..., 0], space.gap.points[..., 1])

    def solve(self, stress, friction, *, aperture=0.0, method="auto", tolerance=1e-11, accuracy=1e-6, steps=1):
        """Solution and contact under a uniform remote stress (3, 3)."""
        space, bone = self.space, bone_of(self.space, self.E, self.nu)
        strain = (1 + self.nu) / self.E * stress - self.nu / self.E * np.trace(stress) * np.eye(3)
        self.remote = space.nodes @ strain
        none = np.zeros(space.gap.areas.shape)
        contact = face_closure(space, bone, none, aperture, gap_of(space, 0.0), friction)
        return solve_contact(
            space, stiffness(space, self.E, self.nu), self.fixed, contact, np.zeros_like(space.nodes),
            prescribed=self.remote, coarse=lambda: stiffness(self.coarse, self.E, self.nu),
            settings=SolverSettings(method, tolerance), accuracy=accuracy, steps=steps,
        )  # fmt: skip

    def stresses(self, displacement):
        space = self.space
        return stress_tensors(space.stresses(displacement, uniform(space, self.E), uniform(space, self.nu)))
