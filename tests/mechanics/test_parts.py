"""A part is one class: one that is made up here is seen in matrix, restraint, reactions and deck without more."""

from dataclasses import dataclass

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import at, bone_of, faces_at, gap_of, held, traction_force
from inpfile import cards_of, equations

from sacrofem.errors import InputError
from sacrofem.mechanics.decks.calculix import write_calculix
from sacrofem.mechanics.decks.febio import write_febio
from sacrofem.mechanics.equilibrium.statics import Statics
from sacrofem.mechanics.forms import FormAssembler
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.fragments import check_held
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.parts.part import Part, Springs
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.quadrature import triangle_rule
from sacrofem.mechanics.space.space import Space

SIZE, CUT, PULL = (6.0, 5.0, 8.0), 4.0, np.array([0.3, -0.1, 0.8])
ORDERS = [1, 2]


@dataclass(frozen=True, eq=False)
class Cushion(Part):
    """Faces that lean on something soft without rubbing on it: springs along the normal alone."""

    faces: np.ndarray
    stiffness: float
    name: str = "cushion"

    def elements(self, space):
        mesh, faces = space.mesh, self.faces
        barycentric, weights = triangle_rule()
        yield Springs(
            space.face_nodes[faces],
            space.face_shape(barycentric)[..., None],
            mesh.face_normals[faces][:, None, None],
            (self.stiffness * mesh.face_areas[faces][:, None] * weights)[..., None],
            np.einsum("qc,fcx->fqx", barycentric, mesh.points[mesh.faces[faces]]),
            names=("wall",),
        )


@dataclass(frozen=True, eq=False)
class Wires(Part):
    """Straight wires between points of the mesh, which no tet joins."""

    ends: np.ndarray
    stiffness: float
    name: str = "wires"

    def elements(self, space):
        line = space.nodes[self.ends[:, 1]] - space.nodes[self.ends[:, 0]]
        length = np.linalg.norm(line, axis=1, keepdims=True)
        yield Springs(
            self.ends,
            np.array([[[-1.0], [1.0]]]),
            (line / length)[:, None, None],
            np.full((len(line), 1, 1), self.stiffness),
            space.nodes[self.ends].mean(axis=1, keepdims=True),
        )


def cut_block(order):
    return Space(split_box((3, 3, 4), SIZE, CUT, 0.25), order)


def wires(space):
    """Six of them across the cut, that together hold whatever is above it."""
    rng = np.random.default_rng(4)
    low, high = (np.flatnonzero(at(space, 2, z)[: len(space.mesh.points)]) for z in (0.0, SIZE[2]))
    return Wires(np.column_stack([rng.choice(low, 6, replace=False), rng.choice(high, 6, replace=False)]), 70.0)


def every_part(space):
    rng = np.random.default_rng(0)
    mesh = space.mesh
    free = np.flatnonzero(mesh.pair_side == 0)
    some = free[::3]
    youngs = np.where(mesh.pair_side == 0, rng.uniform(1e3, 17e3, len(mesh.faces)), 0.0)
    directions = rng.normal(size=(4, 3))
    return {
        "cortex": Membrane(youngs, np.full(len(youngs), 0.4), 0.28),
        "gap": GapStiffness(*rng.uniform(0.1, 9.0, (2, *space.gap.areas.shape))),
        "layer": ElasticLayer(some, rng.uniform(1.0, 50.0, len(some)), rng.uniform(0.0, 9.0, len(some))),
        "ligaments": Ligaments(
            np.array([0, 7, 7, 3]),
            directions / np.linalg.norm(directions, axis=1, keepdims=True),
            rng.uniform(1.0, 90.0, 4),
        ),
        "cushion": Cushion(some, 3.0),
        "wires": wires(space),
    }


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["cortex", "gap", "layer", "ligaments", "cushion", "wires"])
def test_matrix_forces_and_rows_of_springs_are_of_one_energy(name, order):
    space = cut_block(order)
    (springs,) = every_part(space)[name].elements(space)
    u = np.random.default_rng(1).normal(size=(space.n_nodes, 3))
    along = springs.rows(space.n_nodes) @ u.ravel()
    np.testing.assert_allclose(springs.elongations(u).ravel(), along, rtol=0, atol=1e-12 * np.abs(along).max())
    energy = np.sum(springs.stiffness.ravel() * along**2)
    local = u[springs.nodes].reshape(len(springs.nodes), -1)
    assert np.einsum("ed,edf,ef->", local, springs.matrices, local) == pytest.approx(energy, rel=1e-12)
    pull = -np.einsum("edf,ef->ed", springs.matrices, local).reshape(*springs.nodes.shape, 3)
    np.testing.assert_allclose(springs.forces(u), pull, rtol=0, atol=1e-12 * np.abs(pull).max())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [Assembler, FormAssembler])
def test_a_made_up_part_is_in_the_matrix(kind, order):
    """Energy of a uniform motion d: area times k (d·n)² on a cushion; k times the square of what a wire stretches."""
    space = cut_block(order)
    base, bone = faces_at(space.mesh, 2, 0.0), bone_of(space, 1.0)
    d = np.array([0.3, -0.4, 0.5])
    moved = np.broadcast_to(d, (space.n_nodes, 3)).copy()
    cushion = kind(space, [Cushion(base, 7.0)]).matrix(bone)
    assert np.sum(moved * cushion.dot(moved)) == pytest.approx(30.0 * 7.0 * 0.5**2, rel=1e-10)
    across = wires(space)
    upper = np.zeros((space.n_nodes, 1), bool)
    upper[space.connectivity[space.mesh.centroids[:, 2] > CUT]] = True
    parted = np.where(upper, d, 0.0)
    line = space.nodes[across.ends[:, 1]] - space.nodes[across.ends[:, 0]]
    stretch = (line @ d) / np.linalg.norm(line, axis=1)
    wired = kind(space, [across]).matrix(bone)
    assert np.sum(parted * wired.dot(parted)) == pytest.approx(70.0 * np.sum(stretch**2), rel=1e-10)


def test_a_made_up_part_holds_what_floats():
    space = Space(box((2, 2, 2), SIZE), 2)
    walls = [faces_at(space.mesh, axis, 0.0) for axis in range(3)]
    check_held(space, [Cushion(np.concatenate(walls), 2.0)])
    with pytest.raises(InputError, match="1 of its motions"):
        check_held(space, [Cushion(np.concatenate(walls[:2]), 2.0)])
    cut = cut_block(1)
    clamp, empty = HeldNodes(held(cut, (at(cut, 2, 0.0), [0, 1, 2]))), gap_of(cut, 0.0)
    with pytest.raises(InputError, match=r"a piece of .* floats: 6 of its motions"):
        check_held(cut, [clamp, empty])
    check_held(cut, [clamp, empty, wires(cut)])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["intact", "before"])
def test_a_made_up_part_is_in_the_balance(name, order):
    """Of force, moment, energy and of both sides of the fracture, in the bone with its twin faces tied too."""
    space = cut_block(order)
    mesh = space.mesh
    walls = np.concatenate([faces_at(mesh, axis, 0.0) for axis in range(3)])
    force = traction_force(space, faces_at(mesh, 2, SIZE[2]), lambda x, n: PULL[:, None, None] + 0 * x)
    bone = bone_of(space, np.exp(5.0 + np.sin(3.0 * mesh.centroids).sum(axis=1)))
    parts = [Cushion(walls, 5.0), wires(space), NodalForces(force)]
    statics = Statics(space, parts, SolverSettings("direct", 1e-12))
    solved = statics.solve(name, bone, gap_of(space, 7.0, 3.0) if name == "before" else None)
    assert max(solved.checks.values()) < 1e-9
    load = PULL * SIZE[0] * SIZE[1]
    np.testing.assert_allclose(solved.reactions.forces["wall"], -load, rtol=1e-9)
    assert set(solved.reactions.forces) == {"wall"}
    assert solved.reactions.parts == {"wall": "cushion"}


def test_a_made_up_part_is_in_a_deck_of_calculix(tmp_path):
    """Its equations hold its energy; what no springs are, or no elements of FEBio, is refused."""
    space = cut_block(2)
    parts, bone = [Cushion(faces_at(space.mesh, 2, 0.0), 5.0), wires(space)], bone_of(space, 300.0)
    deck = write_calculix(tmp_path / "job.inp", space, bone, parts)
    assert set(deck.springs) == {"cushion", "wires"}
    u = np.random.default_rng(2).normal(size=(space.n_nodes, 3))
    found = dict.fromkeys(deck.springs, 0.0)
    for (auxiliary, _, _), *terms in equations(cards_of(tmp_path / "job.inp")):
        (name,) = (name for name, numbers in deck.auxiliary.items() if auxiliary in numbers)
        found[name] += sum(factor * u[node - 1, axis - 1] for node, axis, factor in terms) ** 2
    for part in parts:
        (springs,) = part.elements(space)
        energy = np.sum(springs.stiffness * springs.elongations(u) ** 2)
        assert found[part.name] == pytest.approx(energy, rel=1e-10)
    with pytest.raises(InputError, match=r"parts = 'cushion'.*FEBio"):
        write_febio(tmp_path / "job.feb", space, bone, parts)


def test_two_parts_of_one_name_are_refused():
    space = cut_block(1)
    base = faces_at(space.mesh, 2, 0.0)
    with pytest.raises(InputError, match="two parts are called cushion"):
        Statics(space, [Cushion(base, 1.0), Cushion(base, 2.0)])
    Statics(space, [Cushion(base, 1.0), Cushion(base, 2.0, name="second")])
