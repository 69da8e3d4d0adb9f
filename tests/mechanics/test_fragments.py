from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import box, opened, split_box
from elasticity import at, faces_at, gap_of, held

from sacrofem.errors import InputError
from sacrofem.mechanics.parts.fragments import check_held
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.quality import components


@pytest.fixture(scope="module")
def halves():
    """A 20 x 20 x 40 mm block cut at z = 20; the upper piece is the first in no particular order."""
    return Space(split_box((2, 2, 4), (20.0, 20.0, 40.0), 20.0), 2)


def clamped(space):
    return HeldNodes(held(space, (at(space, 2, 0.0), [0, 1, 2])))


def message(space, *parts):
    with pytest.raises(InputError) as error:
        check_held(space, parts)
    return str(error.value)


def test_pieces_are_separated_by_gaps(halves):
    piece = components(halves.mesh)
    upper = halves.mesh.centroids[:, 2] > 20.0
    assert len(np.unique(piece[upper])) == len(np.unique(piece[~upper])) == 1
    assert piece[upper][0] != piece[~upper][0]


def test_a_partial_cut_leaves_one_piece():
    mesh = opened(box((4, 2, 4), (20.0, 20.0, 40.0)), 20.0, lambda centres: centres[:, 0] < 10.0)
    assert len(mesh.paired[0])
    assert components(mesh).max() == 0
    space = Space(mesh, 2)
    check_held(space, [clamped(space), gap_of(space, 0.0)])


def test_a_whole_block_that_is_clamped_is_held():
    space = Space(box((2, 2, 2), (20.0, 20.0, 20.0)), 2)
    check_held(space, [clamped(space)])


def test_a_block_without_supports_floats_in_six_ways():
    space = Space(box((2, 2, 2), (20.0, 20.0, 20.0)), 2)
    text = message(space)
    assert "the bone floats: 6 of its motions" in text
    assert text.startswith("supports")
    assert "auricular" in text


def test_a_fragment_is_named_with_volume_and_place(halves):
    text = message(halves, clamped(halves), gap_of(halves, 0.0))
    assert "a piece of 8.00 ml around (10, 10, 30) mm floats: 6 of its motions" in text
    assert text.startswith("fracture.filler")
    assert "cement" in text


@pytest.mark.parametrize("stiffness", [1e-3, 0.5, 3e4])
def test_a_filled_gap_holds_the_fragment(halves, stiffness):
    check_held(halves, [clamped(halves), gap_of(halves, stiffness)])


def test_a_gap_without_friction_lets_the_fragment_slide_and_spin(halves):
    assert "3 of its motions" in message(halves, clamped(halves), gap_of(halves, 5.0, 0.0))


def test_a_cement_bridge_on_one_face_holds_the_fragment(halves):
    gap = gap_of(halves, 0.0)
    gap.normal[0] = gap.tangential[0] = 3e3
    check_held(halves, [clamped(halves), gap])


def test_two_fixed_nodes_leave_one_rotation():
    space = Space(box((2, 2, 2), (20.0, 20.0, 20.0)), 2)
    fixed = np.zeros((space.n_nodes, 3), bool)
    corner, other, third = (int(np.flatnonzero((space.nodes == p).all(axis=1))[0]) for p in np.eye(3) * 20.0)
    fixed[[corner, other]] = True
    assert "1 of its motions" in message(space, HeldNodes(fixed))
    fixed[third] = True
    check_held(space, [HeldNodes(fixed)])


def test_an_elastic_layer_holds_and_a_frictionless_one_does_not():
    space = Space(box((2, 2, 2), (20.0, 20.0, 20.0)), 2)
    faces = faces_at(space.mesh, 2, 0.0)
    layer = ElasticLayer(faces, np.full(len(faces), 3.0), np.full(len(faces), 0.5))
    check_held(space, [layer])
    slippery = replace(layer, tangential=np.zeros(len(faces)))
    assert "3 of its motions" in message(space, slippery)


def test_six_springs_hold_and_five_do_not():
    space = Space(box((2, 2, 2), (20.0, 20.0, 20.0)), 2)
    a, b, c = (int(np.flatnonzero((space.nodes == p).all(axis=1))[0]) for p in np.eye(3) * 20.0)
    nodes, axes = np.array([a, a, a, b, b, c]), np.array([0, 1, 2, 0, 2, 1])
    check_held(space, [Ligaments(nodes, np.eye(3)[axes], np.full(6, 40.0))])
    five = Ligaments(nodes[:5], np.eye(3)[axes][:5], np.full(5, 40.0))
    assert "1 of its motions" in message(space, five)


def test_the_upper_of_three_pieces_is_the_one_that_is_named():
    mesh = opened(split_box((2, 2, 6), (20.0, 20.0, 60.0), 20.0), 40.0)
    space = Space(mesh, 2)
    gap = gap_of(space, 5.0)
    upper = space.gap.points[:, 0, 2] > 30.0
    gap.normal[upper] = gap.tangential[upper] = 0.0
    assert "a piece of 8.00 ml around (10, 10, 50) mm" in message(space, clamped(space), gap)
    assert "a piece of 8.00 ml around (10, 10, 30) mm" not in message(space, clamped(space), gap)
