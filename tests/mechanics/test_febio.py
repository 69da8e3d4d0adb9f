"""FEBio files name only what they define, their wedges are sound, and solved they give what we give."""

import numpy as np
import pytest
from blocks_of_tets import box, opened, split_box
from elasticity import at, bone_of, faces_at, gap_of, held, system, traction_force
from febfile import FebFile

from sacrofem.mechanics.decks.febio import LAYER_MM, layer_moduli, write_febio
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.interface import Filler
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.parts.part import total_fixed
from sacrofem.mechanics.space.space import Space

SIZE = (6.0, 5.0, 8.0)


def model(order, mesh=None, *, elastic=True):
    space = Space(split_box((2, 2, 4), SIZE, 4.0, 0.2) if mesh is None else mesh, order)
    if elastic:
        base = faces_at(space.mesh, 2, 0.0)
        corner = np.array([len(space.mesh.points) - 1])
        supports = [
            ElasticLayer(base, np.full(len(base), 40.0), np.full(len(base), 9.0)),
            Ligaments(corner, np.array([[0.6, 0.0, 0.8]]), np.array([30.0]), ("band",)),
        ]
    else:
        supports = [HeldNodes(held(space, (at(space, 2, 0.0), [0, 1, 2])))]
    random = np.random.default_rng(1)
    youngs = np.exp(random.normal(5.0, 0.5, len(space.mesh.tets)))
    poisson = np.where(space.mesh.centroids[:, 0] > 3.0, 0.2, 0.3)
    top = faces_at(space.mesh, 2, SIZE[2])
    force = traction_force(space, top, lambda x, n: np.array([0.02, 0.03, -0.2])[:, None, None] + 0 * x)
    return space, youngs, poisson, force, supports


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("elastic", [False, True])
def test_the_file_solved_by_another_program_gives_our_answer(tmp_path, order, elastic):
    space, youngs, poisson, force, supports = model(order, elastic=elastic)
    k_n, k_t = Filler(1.0).stiffness(1.0)
    gap = gap_of(space, k_n, k_t)
    write_febio(tmp_path / "a.feb", space, bone_of(space, youngs, poisson), [*supports, gap, NodalForces(force)])
    written = FebFile(tmp_path / "a.feb")
    for name in written.blocks:
        assert (written.jacobians(name) > 0).all()
    found, applied = written.solve()
    np.testing.assert_allclose(applied[: space.n_nodes], force, rtol=1e-10, atol=1e-13)
    fixed = total_fixed(supports, space)
    ours = system(space, youngs, poisson, fixed, parts=supports, gap=gap).solve(force).displacement
    energy, theirs = np.sum(ours * force), np.sum(found * applied)
    assert theirs == pytest.approx(energy, rel=0.02)
    jump, other = (np.linalg.norm(space.jump(u), axis=2).mean() for u in (ours, found[: space.n_nodes]))
    assert jump > 0.05
    assert other == pytest.approx(jump, rel=0.02)


@pytest.mark.parametrize("order", [1, 2])
def test_wedges_at_a_front_are_sound_and_faces_are_a_layer_apart(tmp_path, order):
    mesh = opened(box((4, 2, 4), SIZE), 4.0, lambda x: x[..., 0] < 3.1)
    space, youngs, poisson, force, supports = model(order, mesh)
    bone = bone_of(space, youngs, poisson)
    made = write_febio(tmp_path / "a.feb", space, bone, [*supports, gap_of(space, 1.0, 0.4), NodalForces(force)])
    written = FebFile(tmp_path / "a.feb")
    for name in ("bone", "gap", "layer"):
        assert (written.jacobians(name) > 0).all()
    wedges = made.layers["gap"].nodes
    height = (made.nodes[wedges[:, 3:6]] - made.nodes[wedges[:, :3]])[..., 2]
    front = wedges[:, 3:6] == wedges[:, :3]
    assert front.any()
    np.testing.assert_allclose(height[~front], LAYER_MM, rtol=1e-9)
    np.testing.assert_allclose(made.layers["layer"].youngs[0], layer_moduli(np.array([40.0]), np.array([9.0]))[0])


@pytest.mark.parametrize("order", [1, 2])
def test_cortex_is_shells_of_its_thickness(tmp_path, order):
    space, youngs, poisson, force, supports = model(order)
    sides = np.abs(space.mesh.face_normals[:, 2]) < 0.5
    thick = np.where(sides, np.where(space.mesh.face_normals[:, 0] > 0.5, 0.7, 0.5), 0.0)
    membrane = Membrane(np.where(sides, 8e3, 0.0), thick, 0.25)
    write_febio(tmp_path / "a.feb", space, bone_of(space, youngs, poisson), [*supports, membrane, NodalForces(force)])
    written = FebFile(tmp_path / "a.feb")
    shells = {name: domain for name, domain in written.domains.items() if domain.tag == "ShellDomain"}
    assert sorted(float(domain.find("shell_thickness").text) for domain in shells.values()) == [0.5, 0.7]
    assert sum(len(written.blocks[name][1]) for name in shells) == np.count_nonzero(sides)
    assert {written.blocks[name][0] for name in shells} == {"tri3" if order == 1 else "tri6"}
    assert "gap" not in written.blocks


def test_a_layer_resists_as_its_stiffness_says():
    k_n, k_t = np.array([1.07, 40.0, 5.0]), np.array([0.43, 9.0, 4.9])
    youngs, nu = layer_moduli(k_n, k_t)
    np.testing.assert_allclose(youngs * (1 - nu) / (1 + nu) / (1 - 2 * nu), k_n * LAYER_MM)
    shear = youngs / 2 / (1 + nu) / LAYER_MM
    np.testing.assert_allclose(shear[:2], k_t[:2])
    # No Poisson's ratio from 0 up gives as much across as along: the most that one gives is half.
    assert shear[2] == pytest.approx(2.5)
