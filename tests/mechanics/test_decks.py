"""Decks hold the energy of the assembled stiffness, and nothing that CalculiX would misread; it need not be there."""

import numpy as np
import pytest
from blocks_of_tets import box, opened, split_box
from elasticity import at, bone_of, faces_at, gap_of, held
from inpfile import cards_of, equations

from sacrofem.mechanics.decks.calculix import write_calculix
from sacrofem.mechanics.decks.compact import binned, condensed
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.space.space import Space

SIZE = (6.0, 5.0, 8.0)


def model(order=2, mesh=None):
    space = Space(split_box((2, 2, 2), SIZE, 4.0, 0.2) if mesh is None else mesh, order)
    base = faces_at(space.mesh, 2, 0.0)
    layer = ElasticLayer(base, np.linspace(20.0, 40.0, len(base)), np.linspace(9.0, 5.0, len(base)))
    bands = Ligaments(np.array([0, 7]), np.array([[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]]), np.array([30.0, 0.5]))
    sides = np.where(np.abs(space.mesh.face_normals[:, 2]) < 0.5, 1.0, 0.0)
    return space, [layer, bands, Membrane(8e3 * sides, 0.5 * sides, 0.25)]


def written(tmp_path, space, parts, **options):
    youngs = np.where(space.mesh.centroids[:, 0] < 3.0, 100.0, 1.0 / 3.0)
    force = np.full((space.n_nodes, 3), 0.1)
    path = tmp_path / "job.inp"
    deck = write_calculix(path, space, bone_of(space, youngs), [*parts, NodalForces(force)], **options)
    return deck, cards_of(path)


def test_numbers_fit_the_fields_and_equal_moduli_share_a_material(tmp_path):
    space, parts = model()
    deck, cards = written(tmp_path, space, [*parts, gap_of(space, 0.7, 0.3)], printed=True)
    fields = [entry for card, data in cards if card != "*HEADING" for line in data for entry in line.split(",")]
    assert max(map(len, fields)) <= 20
    assert sum(card.startswith("*MATERIAL") for card, _ in cards) == 2
    assert np.array_equal(deck.node, np.arange(1, space.n_nodes + 1))
    assert set(deck.auxiliary) == {"gap", "layer", "cortex", "ligaments"}
    (elements,) = (data for card, data in cards if card.startswith("*ELEMENT, TYPE=C3D10"))
    assert np.array_equal([[int(n) for n in line.split(",")[1:]] for line in elements], space.connectivity + 1)


def test_every_equation_ties_one_auxiliary_freedom_and_the_others_are_held(tmp_path):
    space, parts = model()
    deck, cards = written(tmp_path, space, [*parts, gap_of(space, 0.7, 0.3)])
    tied = []
    for terms in equations(cards):
        assert terms[0][2] == -1.0
        tied.append(terms[0][:2])
        assert len({term[:2] for term in terms}) == len(terms)
    idle = [tuple(map(int, line.split(",")[:2])) for card, data in cards if card == "*BOUNDARY" for line in data]
    everything = {(n, axis) for numbers in deck.auxiliary.values() for n in numbers.tolist() for axis in (1, 2, 3)}
    assert len(set(tied)) == len(tied)
    assert set(tied) | set(idle) == everything
    assert not set(tied) & set(idle)


def test_nodes_that_both_sides_share_at_a_front_drop_out_of_its_jumps(tmp_path):
    mesh = opened(box((4, 2, 2), SIZE), 4.0, lambda centre: centre[:, 0] < 3.0)
    space, parts = model(mesh=mesh)
    plus, minus = mesh.paired
    shared = np.intersect1d(space.face_nodes[plus], space.face_nodes[minus])
    assert len(shared)
    deck, cards = written(tmp_path, space, [*parts[:2], gap_of(space, 0.7, 0.3)])
    of_gap = [terms for terms in equations(cards) if terms[0][0] in deck.auxiliary["gap"]]
    assert len(of_gap) == 3 * space.gap.areas.size
    assert not np.isin([node for terms in of_gap for node, _, _ in terms], shared + 1).any()


def test_tied_twins_have_one_number_and_their_loads_add_up(tmp_path):
    space, parts = model()
    base = HeldNodes(held(space, (at(space, 2, 0.0), [0, 2])))
    deck, cards = written(tmp_path, space, [*parts, base], tie=True)
    plus, minus = space.mesh.paired
    assert np.array_equal(deck.node[space.face_nodes[plus]], deck.node[space.face_nodes[minus]])
    assert "gap" not in deck.springs
    (loads,) = (data for card, data in cards if card == "*CLOAD")
    assert sum(float(line.split(",")[2]) for line in loads) == pytest.approx(3 * 0.1 * space.n_nodes, rel=1e-12)
    (step,) = (i for i, (card, _) in enumerate(cards) if card == "*STEP")
    (boundary,) = (data for card, data in cards[step:] if card == "*BOUNDARY")
    assert len(boundary) == 2 * at(space, 2, 0.0).sum()


@pytest.mark.parametrize("order", [1, 2])
def test_condensed_springs_have_the_same_energy_and_are_few(order):
    space, parts = model(order)
    for part in [*parts, gap_of(space, 0.7, 0.3)]:
        for many in part.elements(space):
            few = condensed(many)
            np.testing.assert_allclose(few.matrices, many.matrices, rtol=0, atol=1e-12 * np.abs(many.matrices).max())
            assert few.stiffness.size <= many.stiffness.size
            rank = np.linalg.matrix_rank(many.matrices[0])
            assert (few.stiffness[0] > 0).sum() == rank
    assert few.stiffness[0].size < many.stiffness[0].size


def test_a_compact_deck_has_the_energy_of_the_whole_one(tmp_path):
    space, parts = model()
    gap = gap_of(space, 0.7, 0.3)
    motion = np.random.default_rng(1).normal(size=(space.n_nodes, 3))
    _, cards = written(tmp_path, space, [*parts, gap], compact=True)
    energy = sum(
        0.5 * sum(factor * motion[node - 1, axis - 1] for node, axis, factor in terms[1:]) ** 2
        for terms in equations(cards)
    )
    springs = [elements for part in (*parts, gap) for elements in part.elements(space)]
    expected = sum(0.5 * float((s.stiffness * s.elongations(motion) ** 2).sum()) for s in springs)
    assert energy == pytest.approx(expected, rel=1e-7)


def test_bins_are_few_and_their_error_is_the_one_that_is_stated():
    random = np.random.default_rng(0)
    youngs = np.exp(random.uniform(np.log(10.0), np.log(2000.0), 5000))
    ratios = np.where(random.random(5000) < 0.1, random.uniform(0.3, 0.35, 5000), 0.3)
    bone, volumes = Elasticity.given(youngs, ratios), random.uniform(1.0, 2.0, 5000)
    few = binned(bone, volumes, 100)
    pairs = np.unique(np.column_stack([few.bone.youngs, few.bone.poisson]), axis=0)
    assert len(pairs) == few.materials <= 100
    wrong = np.abs(few.bone.youngs / youngs - 1.0)
    assert few.error == pytest.approx(wrong.max())
    assert few.mean_error == pytest.approx(np.average(wrong, weights=volumes))
    assert few.ratio_error == pytest.approx(np.abs(few.bone.poisson - ratios).max())
    assert few.error < binned(bone, volumes, 50).error < 0.4
    assert few.ratio_error < 0.01
    assert binned(bone, volumes, 5000).bone is bone
    assert str(binned(bone, volumes, 5000)) == "5000 materials, exact"
