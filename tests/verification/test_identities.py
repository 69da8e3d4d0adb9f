"""VP-05 Identities of a heterogeneous model.

What must hold for any bone, gap, cortex and support, whatever the mesh: linearity, Betti's reciprocity u1·f2 = u2·f1,
force and moment balance, work twice the energy (Clapeyron), modulus scaling, mirror image, rotation, units, cement that
is no change (null treatment), and stiffer cement that never takes more work.
"""

from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, facet_basis, gap_of, held, system
from patches import ELEMENT
from whole_block import CUT, FILLER, SIZE, Model

from sacrofem.mechanics.parts.cortex import membrane_stresses
from sacrofem.mechanics.parts.interface import GapStiffness, constriction_compliance, gap_stiffness
from sacrofem.mechanics.space.space import Space


@pytest.fixture(scope="module", params=[1, 2])
def model(request):
    return Model(split_box((4, 4, 6), SIZE, CUT, 0.25), request.param)


@pytest.fixture
def close(record, model):
    """Keep and hold one identity."""

    def keep(quantity, computed, exact, tolerance=1e-9):
        record(quantity=quantity, computed=computed, exact=exact, tolerance=tolerance, mesh=ELEMENT[model.space.order])

    return keep


def test_linearity(model, close):
    one, two = model.load(0), model.load(1)
    close("linearity", model.solve(3.0 * one - 0.5 * two), 3.0 * model.solve(one) - 0.5 * model.solve(two))


def test_reciprocity(model, close):
    one, two = model.load(0), model.load(1)
    close("reciprocity u1·f2 = u2·f1", np.sum(model.solve(one) * two), np.sum(model.solve(two) * one))


def test_reactions_balance_force_and_moment(model, close):
    """Reactions of layer and spring from their own laws, not from the matrix."""
    space, force = model.space, model.load()
    u = model.solve(force)
    where = facet_basis(space, model.layer.faces)
    value = np.asarray(where.interpolate(u.ravel()))
    normal = np.asarray(where.normals)
    along = np.einsum("i...,i...", value, normal)
    traction = -(9.0 * value + 31.0 * along * normal)
    position = np.asarray(where.global_coordinates())
    layer = np.sum(traction * where.dx, axis=(1, 2))
    layer_moment = np.sum(np.cross(position, traction, axis=0) * where.dx, axis=(1, 2))
    node, d = model.spring.nodes[0], model.spring.directions[0]
    pull = -30.0 * (u[node] @ d) * d
    total = force.sum(axis=0)
    close("force balance", layer + pull, -total)
    moment = layer_moment + np.cross(space.nodes[node], pull)
    close("moment balance", moment, -np.cross(space.nodes, force).sum(axis=0))


def test_work_is_twice_the_energy(model, close):
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
    k_n, k_t = model.gap.normal, model.gap.tangential
    gap = np.sum((k_t * np.sum(jump**2, axis=2) + (k_n - k_t) * opening**2) * space.gap.areas)
    where = facet_basis(space, model.layer.faces)
    value = np.asarray(where.interpolate(u.ravel()))
    along = np.einsum("i...,i...", value, np.asarray(where.normals))
    layer = np.sum((9.0 * np.sum(value**2, axis=0) + 31.0 * along**2) * where.dx)
    spring = 30.0 * (u[model.spring.nodes[0]] @ model.spring.directions[0]) ** 2
    close("2 W = f·u", bone + cortex + gap + layer + spring, np.sum(u * force))
    assert min(bone, cortex, gap, layer, spring) > 0


def test_twice_every_modulus_halves_the_displacement(model, close):
    double = Model(model.space.mesh, model.space.order, density=2.0)
    force = model.load()
    u, half = model.solve(force), double.solve(force)
    close("twice every modulus: displacement", 2.0 * half, u)
    close(
        "twice every modulus: stress",
        double.space.stresses(half, double.youngs, double.poisson),
        model.space.stresses(u, model.youngs, model.poisson),
    )


def test_metres_and_pascals_give_the_same(model, close):
    """mm, N, MPa against m, N, Pa."""
    mesh = replace(model.space.mesh, points=model.space.mesh.points / 1000.0)
    metres = Model(mesh, model.space.order, scale=1e-3, density=1e6)
    force = model.load()
    close("m, N, Pa against mm, N, MPa", metres.solve(force) * 1000.0, model.solve(force))


def test_mirror_image(model, close):
    """The mirrored mesh under the mirrored load moves in the mirror."""
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
    spring = replace(model.spring, nodes=number[model.spring.nodes], directions=model.spring.directions * mirror)
    # Gap points follow the corners: the law at a point of the image is that of the nearest point there.
    nearest = np.argmin(
        np.linalg.norm(image.gap.points[:, :, None] * mirror - space.gap.points[:, None], axis=3), axis=2
    )
    gap = GapStiffness(*(np.take_along_axis(k, nearest, axis=1) for k in (model.gap.normal, model.gap.tangential)))
    problem = system(
        image,
        model.youngs,
        model.poisson,
        np.zeros_like(force, bool),
        gap=gap,
        parts=(model.membrane, model.layer, spring),
    )
    found = problem.solve(mirrored_force).displacement
    close("mirror image: displacement", found[number] * mirror, model.solve(force))
    opening = [
        np.einsum("pqx,px->pq", s.jump(u), s.gap.normals) for s, u in ((image, found), (space, model.solve(force)))
    ]
    close("mirror image: opening", opening[0], np.take_along_axis(opening[1], nearest, axis=1))


def test_rotation_and_a_long_way(model, close):
    """Turned at random and carried off by 1.3 m, everything turns with it."""
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    q *= np.sign(np.linalg.det(q))
    space = model.space
    turned = Space(replace(space.mesh, points=space.mesh.points @ q.T + [500.0, -300.0, 1200.0]), space.order)
    spring = replace(model.spring, directions=model.spring.directions @ q.T)
    problem = system(
        turned,
        model.youngs,
        model.poisson,
        np.zeros((space.n_nodes, 3), bool),
        gap=model.gap,
        parts=(model.membrane, model.layer, spring),
    )
    force = model.load()
    close("rotation and 1.3 m", problem.solve(force @ q.T).displacement @ q, model.solve(force))


def test_cement_like_the_bone_and_the_filler_is_no_treatment(model, close):
    before = Model(model.space.mesh, model.space.order, cemented=False)
    space, force = before.space, before.load()
    covered = np.linalg.norm(space.gap.points - [5.0, 5.0, CUT], axis=2) < 3.5
    assert covered.any()
    compliance = constriction_compliance(space, before.bone, covered)
    gap = gap_stiffness(covered.astype(float), 1.0, FILLER, FILLER, compliance)
    after = system(space, before.youngs.copy(), before.poisson, np.zeros_like(force, bool), parts=before.parts, gap=gap)
    close("null treatment", after.solve(force).displacement, before.solve(force), 1e-12)


def test_cement_never_takes_more_work(model):
    soft = Model(model.space.mesh, model.space.order, cemented=False)
    force = model.load()
    before, after = np.sum(soft.solve(force) * force), np.sum(model.solve(force) * force)
    assert 0 < after < before


def test_a_very_stiff_gap_is_intact_bone(model, close):
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
    close("gap of 1e8 N/mm³ against intact bone", stiff, intact, 1e-6)
    soft = system(space, model.youngs, model.poisson, base[0], gap=gap_of(space, 1e3)).solve(force).displacement
    assert np.abs(soft - intact).max() > 1e-4 * np.abs(intact).max()
