"""VP-05, VP-09: what must hold for any bone, gap, cortex and support, whatever the mesh.

Linearity, Betti's reciprocity u1·f2 = u2·f1, force and moment balance, work twice the energy (Clapeyron),
modulus scaling, mirror image, rotation, units, cement that is no change (null treatment), stiffer cement
never takes more work, and the force through the fracture from nodal forces: the internal forces of the bone
on one side sum to what is applied beyond it (integrated facet stress would be tens of per cent off).
"""

from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, facet_basis, gap_of, held, stiffness, system

from sacrofem.mechanics.interface import Filler, constriction_compliance, fracture_force, gap_stiffness
from sacrofem.mechanics.space import Space
from sacrofem.mechanics.stiffness import Membrane, membrane_stresses
from sacrofem.mechanics.supports import Supports

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
        compliance = constriction_compliance(space, self.youngs, covered)
        self.gap = gap_stiffness(covered, 1.0 * scale, fill, cement, compliance)
        foundation = np.flatnonzero(self.base)
        k = density / scale
        self.supports = replace(
            Supports.none(space),
            foundation_faces=foundation,
            foundation_normal=np.full(len(foundation), 40.0 * k),
            foundation_tangent=np.full(len(foundation), 9.0 * k),
            spring_nodes=np.array([len(mesh.points) - 1]),
            spring_directions=np.array([[0.6, 0.0, 0.8]]),
            spring_stiffness=np.array([30.0 * density * scale]),
        )
        self.parts = {"gap": self.gap, "membrane": self.membrane, "supports": self.supports}
        self.problem = system(space, self.youngs, self.poisson, np.zeros((space.n_nodes, 3), bool), **self.parts)

    def load(self, seed=0):
        """Forces on the nodes of the top face."""
        force = np.zeros_like(self.space.nodes)
        nodes = np.unique(self.space.face_nodes[self.top])
        order = np.lexsort(np.round(self.space.nodes[nodes], 6).T)
        force[nodes[order]] = np.random.default_rng(seed).normal([0.1, 0.2, -1.0], 0.3, (len(nodes), 3))
        return force

    def solve(self, force):
        return self.problem.solve(force).displacement


@pytest.fixture(scope="module", params=[1, 2])
def model(request):
    return Model(split_box((4, 4, 6), SIZE, CUT, 0.25), request.param)


def close(a, b, tolerance):
    assert np.abs(a - b).max() < tolerance * np.abs(b).max()


def test_linearity(model):
    one, two = model.load(0), model.load(1)
    close(model.solve(3.0 * one - 0.5 * two), 3.0 * model.solve(one) - 0.5 * model.solve(two), 1e-9)


def test_reciprocity(model):
    one, two = model.load(0), model.load(1)
    assert np.sum(model.solve(one) * two) == pytest.approx(np.sum(model.solve(two) * one), rel=1e-10)


def test_reactions_balance_force_and_moment(model):
    """Reactions of layer and spring from their own laws, not from the matrix."""
    space, force = model.space, model.load()
    u = model.solve(force)
    where = facet_basis(space, model.supports.foundation_faces)
    value = np.asarray(where.interpolate(u.ravel()))
    normal = np.asarray(where.normals)
    along = np.einsum("i...,i...", value, normal)
    traction = -(9.0 * value + 31.0 * along * normal)
    position = np.asarray(where.global_coordinates())
    layer = np.sum(traction * where.dx, axis=(1, 2))
    layer_moment = np.sum(np.cross(position, traction, axis=0) * where.dx, axis=(1, 2))
    node, d = model.supports.spring_nodes[0], model.supports.spring_directions[0]
    pull = -30.0 * (u[node] @ d) * d
    total = force.sum(axis=0)
    assert np.linalg.norm(layer + pull + total) < 1e-9 * np.linalg.norm(total)
    moment = layer_moment + np.cross(space.nodes[node], pull) + np.cross(space.nodes, force).sum(axis=0)
    assert np.linalg.norm(moment) < 1e-9 * np.linalg.norm(total) * SIZE[2]


def test_work_is_twice_the_energy(model):
    """Energy of bone, cortex, gap, layer and spring, each from its own stress and strain."""
    space, force = model.space, model.load()
    u = model.solve(force)
    _, weights = space.integration()
    stress = space.stresses(u, model.youngs, model.poisson)
    bone = np.sum(stress * space.strains(u) * weights[..., None])
    faces = model.membrane.faces
    flat, areas = membrane_stresses(space, faces, u, model.membrane.youngs[faces], 0.3)
    s1, s2, s12 = np.moveaxis(flat, -1, 0)
    cortex = np.sum((s1**2 + s2**2 - 0.6 * s1 * s2 + 2.6 * s12**2) / 8e3 * areas * 0.5)
    jump = space.jump(u)
    opening = np.einsum("pqx,px->pq", jump, space.gap.normals)
    k_n, k_t = model.gap
    gap = np.sum((k_t * np.sum(jump**2, axis=2) + (k_n - k_t) * opening**2) * space.gap.areas)
    where = facet_basis(space, model.supports.foundation_faces)
    value = np.asarray(where.interpolate(u.ravel()))
    along = np.einsum("i...,i...", value, np.asarray(where.normals))
    layer = np.sum((9.0 * np.sum(value**2, axis=0) + 31.0 * along**2) * where.dx)
    spring = 30.0 * (u[model.supports.spring_nodes[0]] @ model.supports.spring_directions[0]) ** 2
    assert bone + cortex + gap + layer + spring == pytest.approx(np.sum(u * force), rel=1e-9)
    assert min(bone, cortex, gap, layer, spring) > 0


def test_twice_every_modulus_halves_the_displacement(model):
    double = Model(model.space.mesh, model.space.order, density=2.0)
    force = model.load()
    u, half = model.solve(force), double.solve(force)
    close(2.0 * half, u, 1e-10)
    close(
        double.space.stresses(half, double.youngs, double.poisson),
        model.space.stresses(u, model.youngs, model.poisson),
        1e-9,
    )


def test_metres_and_pascals_give_the_same(model):
    """mm, N, MPa against m, N, Pa."""
    mesh = replace(model.space.mesh, points=model.space.mesh.points / 1000.0)
    metres = Model(mesh, model.space.order, scale=1e-3, density=1e6)
    force = model.load()
    close(metres.solve(force) * 1000.0, model.solve(force), 1e-9)


def test_mirror_image(model):
    """The mirrored mesh under the mirrored load moves in the mirror (1e-8, the promise; measured 1e-12)."""
    space, mesh = model.space, model.space.mesh
    image = Space(mesh.mirrored(), space.order)
    mirror = np.array([-1.0, 1.0, 1.0])
    faces = [image.mesh.face_areas, mesh.face_areas]
    np.testing.assert_allclose(*faces)
    # Corners 1 and 2 of each tet change places, and so do the middles on their edges.
    swap = [0, 2, 1, 3, 6, 5, 4, 7, 9, 8][: space.connectivity.shape[1]]
    number = np.empty(space.n_nodes, np.int64)
    number[space.connectivity[:, swap]] = image.connectivity
    np.testing.assert_allclose(image.nodes[number], space.nodes * mirror, atol=1e-13)
    force, mirrored_force = model.load(), np.empty_like(space.nodes)
    mirrored_force[number] = force * mirror
    supports = replace(
        model.supports,
        spring_nodes=number[model.supports.spring_nodes],
        spring_directions=model.supports.spring_directions * mirror,
    )
    # Gap points follow the corners: the law at a point of the image is that of the nearest point there.
    nearest = np.argmin(
        np.linalg.norm(image.gap.points[:, :, None] * mirror - space.gap.points[:, None], axis=3), axis=2
    )
    gap = tuple(np.take_along_axis(k, nearest, axis=1) for k in model.gap)
    problem = system(
        image,
        model.youngs,
        model.poisson,
        np.zeros_like(force, bool),
        gap=gap,
        membrane=model.membrane,
        supports=supports,
    )
    found = problem.solve(mirrored_force).displacement
    close(found[number] * mirror, model.solve(force), 1e-8)
    opening = [
        np.einsum("pqx,px->pq", s.jump(u), s.gap.normals) for s, u in ((image, found), (space, model.solve(force)))
    ]
    close(opening[0], np.take_along_axis(opening[1], nearest, axis=1), 1e-8)


def test_rotation_and_a_long_way(model):
    """Turned at random and carried off by 1.3 m, everything turns with it."""
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    q *= np.sign(np.linalg.det(q))
    space = model.space
    turned = Space(replace(space.mesh, points=space.mesh.points @ q.T + [500.0, -300.0, 1200.0]), space.order)
    supports = replace(model.supports, spring_directions=model.supports.spring_directions @ q.T)
    problem = system(
        turned,
        model.youngs,
        model.poisson,
        np.zeros((space.n_nodes, 3), bool),
        gap=model.gap,
        membrane=model.membrane,
        supports=supports,
    )
    force = model.load()
    close(problem.solve(force @ q.T).displacement @ q, model.solve(force), 1e-9)


@pytest.mark.parametrize("order", [1, 2])
def test_cement_like_the_bone_and_the_filler_is_no_treatment(order):
    mesh = split_box((4, 4, 6), SIZE, CUT, 0.25)
    before = Model(mesh, order, cemented=False)
    space, force = before.space, before.load()
    covered = np.linalg.norm(space.gap.points - [5.0, 5.0, CUT], axis=2) < 3.5
    assert covered.any()
    compliance = constriction_compliance(space, before.youngs, covered)
    gap = gap_stiffness(covered.astype(float), 1.0, FILLER, FILLER, compliance)
    after = system(
        space, before.youngs.copy(), before.poisson, np.zeros_like(force, bool), **{**before.parts, "gap": gap}
    )
    close(after.solve(force).displacement, before.solve(force), 1e-10)


def test_cement_never_takes_more_work(model):
    soft = Model(model.space.mesh, model.space.order, cemented=False)
    force = model.load()
    before, after = np.sum(soft.solve(force) * force), np.sum(model.solve(force) * force)
    assert 0 < after < before


def test_force_through_the_fracture_is_the_applied_force(model):
    """Nodal forces of the bone above, and the tractions of the gap law, both equal the load beyond the gap."""
    space = model.space
    force = model.load()
    force[model.supports.spring_nodes] = 0.0
    fixed = held(space, (at(space, 2, 0.0), [0, 1, 2]))
    u = system(space, model.youngs, model.poisson, fixed, gap=model.gap).solve(force).displacement
    total = force.sum(axis=0)
    law = fracture_force(space, u, *model.gap).sum(axis=0)
    assert np.linalg.norm(law - total) < 1e-9 * np.linalg.norm(total)
    upper = space.mesh.centroids[:, 2] > CUT
    internal = stiffness(space, np.where(upper, model.youngs, 1e-30), model.poisson).dot(u)
    plus = np.unique(space.face_nodes[space.mesh.paired[0]])
    assert np.linalg.norm(internal[plus].sum(axis=0) + total) < 1e-9 * np.linalg.norm(total)


def test_a_very_stiff_gap_is_intact_bone(model):
    """Split and glued by k = 1e8 N/mm³ (E/h is about 100): the intact solution to 1e-6."""
    space, mesh = model.space, model.space.mesh
    glued, _ = mesh.glued()
    whole = Space(glued, space.order)
    carry = np.empty(space.n_nodes, np.int64)
    carry[space.connectivity] = whole.connectivity
    force = model.load()
    joined = np.zeros_like(whole.nodes)
    np.add.at(joined, carry, force)
    base = [held(s, (at(s, 2, 0.0), [0, 1, 2])) for s in (space, whole)]
    intact = system(whole, model.youngs, model.poisson, base[1]).solve(joined).displacement[carry]
    stiff = system(space, model.youngs, model.poisson, base[0], gap=gap_of(space, 1e8)).solve(force).displacement
    close(stiff, intact, 1e-6)
    soft = system(space, model.youngs, model.poisson, base[0], gap=gap_of(space, 1e3)).solve(force).displacement
    assert np.abs(soft - intact).max() > 1e-4 * np.abs(intact).max()
