"""A fractured, cemented, supported block with everything in it that a sacrum has."""

import numpy as np
from elasticity import bone_of, system

from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.interface import Filler, constriction_compliance, gap_stiffness
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.space.space import Space

SIZE, CUT = (12.0, 10.0, 16.0), 8.0
FILLER, CEMENT = Filler(0.5), Filler(2500.0, 0.3)


class Model:
    """A fractured block with cortex on its sides, a bolus across the gap, on an elastic layer with a spring."""

    def __init__(self, mesh, order, *, scale=1.0, cemented=True, density=1.0):
        self.space = space = Space(mesh, order)
        x = mesh.centroids / scale
        self.youngs = np.exp(5.0 + 0.8 * np.sin(x[:, 0]) * np.cos(x[:, 2] / 2)) * density
        self.poisson = 0.3 + 0.05 * np.cos(x[:, 1])
        centre = np.array([5.0, 5.0, CUT])
        if cemented:
            self.youngs = np.where(np.linalg.norm(x - centre, axis=1) < 3.5, 2500.0 * density, self.youngs)
        faces = mesh.points[mesh.faces] / scale
        self.base = np.isclose(faces[..., 2], 0.0).all(axis=1)
        self.top = np.isclose(faces[..., 2], SIZE[2]).all(axis=1)
        sides = (mesh.pair_side == 0) & ~self.base & ~self.top
        self.membrane = Membrane(np.where(sides, 8e3, 0.0) * density, np.where(sides, 0.5, 0.0) * scale, 0.3)
        covered = (np.linalg.norm(space.gap.points / scale - centre, axis=2) < 3.5) * float(cemented)
        fill, cement = (Filler(f.modulus_mpa * density, f.poisson) for f in (FILLER, CEMENT))
        self.bone = bone_of(space, self.youngs, self.poisson)
        compliance = constriction_compliance(space, self.bone, covered)
        self.gap = gap_stiffness(covered, 1.0 * scale, fill, cement, compliance)
        ground = np.flatnonzero(self.base)
        k = np.full(len(ground), density / scale)
        self.layer = ElasticLayer(ground, 40.0 * k, 9.0 * k)
        self.spring = Ligaments(
            np.array([len(mesh.points) - 1]), np.array([[0.6, 0.0, 0.8]]), np.array([30.0 * density * scale])
        )
        self.parts = (self.membrane, self.layer, self.spring)
        nothing = np.zeros((space.n_nodes, 3), bool)
        self.problem = system(space, self.youngs, self.poisson, nothing, parts=self.parts, gap=self.gap)

    def load(self, seed=0):
        """Forces on the nodes of the top face."""
        force = np.zeros_like(self.space.nodes)
        nodes = np.unique(self.space.face_nodes[self.top])
        order = np.lexsort(np.round(self.space.nodes[nodes], 6).T)
        force[nodes[order]] = np.random.default_rng(seed).normal([0.1, 0.2, -1.0], 0.3, (len(nodes), 3))
        return force

    def solve(self, force):
        return self.problem.solve(force).displacement
