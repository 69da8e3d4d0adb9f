"""The compiled assembly is the model of `sacrofem.mechanics.forms`, part by part and as a whole."""

import numpy as np
import pytest
from blocks_of_tets import box, renumbered, split_box, tilted
from elasticity import bone_of

from sacrofem.mechanics import forms
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.loads import Resultant, load_vector
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.space import Space

ORDERS = [1, 2]
SIZE = (3.0, 2.5, 2.0)


def cut_block():
    return renumbered(tilted(split_box((3, 3, 4), SIZE, 1.0, 0.3)))


class Model:
    """Every part on a block, each number drawn."""

    def __init__(self, space, seed=0):
        self.space, mesh = space, space.mesh
        rng = np.random.default_rng(seed)
        m, k, free = len(mesh.tets), len(mesh.faces), mesh.pair_side == 0
        self.bone = Elasticity.given(rng.uniform(10.0, 20e3, m), rng.uniform(0.0, 0.45, m))
        covered = free & (rng.random(k) < 0.7)
        self.membrane = Membrane(rng.uniform(1e3, 17e3, k), np.where(covered, rng.uniform(0.3, 2.0, k), 0.0), 0.28)
        shape = space.gap.areas.shape
        self.gap = GapStiffness(np.exp(rng.normal(0.0, 3.0, shape)), np.exp(rng.normal(0.0, 3.0, shape)))
        faces = np.flatnonzero(free & (rng.random(k) < 0.3))
        directions = rng.normal(size=(4, 3))
        self.layer = ElasticLayer(faces, rng.uniform(1.0, 50.0, len(faces)), rng.uniform(0.0, 9.0, len(faces)))
        self.ligaments = Ligaments(
            np.array([0, 7, 7, len(mesh.points) - 1]),
            directions / np.linalg.norm(directions, axis=1, keepdims=True),
            rng.uniform(1.0, 90.0, 4),
        )
        self.parts = (self.membrane, self.gap, self.layer, self.ligaments)


def gathered(space, bone, parts):
    return Assembler(space, parts).matrix(bone).to_scipy()


def difference(ours, theirs):
    """Largest entry of the difference over the largest entry."""
    return abs(ours - theirs).max() / abs(theirs).max()


SOFT = 1e-3


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("part", ["bone", "membrane", "gap", "layer", "ligaments"])
def test_every_part_is_its_form(part, order):
    space = Space(cut_block(), order)
    model = Model(space)
    bone = model.bone if part == "bone" else bone_of(space, SOFT, 0.3)
    parts = [] if part == "bone" else [getattr(model, part)]
    theirs = forms.stiffness(space, bone, parts)
    assert difference(gathered(space, bone, parts), theirs) < 1e-12
    # What the part adds is not lost beside the bone.
    assert abs(theirs).max() > 100 * SOFT


@pytest.mark.parametrize("order", ORDERS)
def test_the_whole_model_is_its_forms(order):
    space = Space(cut_block(), order)
    model = Model(space)
    theirs = forms.stiffness(space, model.bone, model.parts)
    assert difference(gathered(space, model.bone, model.parts), theirs) < 1e-12


def test_bone_in_pieces_is_bone_at_once(monkeypatch):
    space = Space(tilted(box((3, 3, 3), SIZE, 0.3)), 2)
    bone = Model(space).bone
    at_once = forms.bone_stiffness(space, bone)
    monkeypatch.setattr("sacrofem.mechanics.space.space._AT_ONCE", 50)
    assert len(list(space.cell_bases())) == 4
    assert difference(forms.bone_stiffness(space, bone), at_once) < 1e-15


@pytest.mark.parametrize("order", ORDERS)
def test_load_has_its_force_and_moment_and_is_that_of_the_package(order):
    space = Space(tilted(box((3, 3, 2), SIZE, 0.3)), order)
    faces = np.flatnonzero(np.arange(len(space.mesh.faces)) % 3 == 0)
    resultant = Resultant(np.array([30.0, -20.0, -700.0]), np.array([0.3, -0.2, 2.5]), np.array([40.0, 9.0, -5.0]))
    theirs = forms.load_vector(space, faces, resultant)
    np.testing.assert_allclose(theirs.sum(axis=0), resultant.force, rtol=1e-12)
    turning = np.cross(space.nodes - resultant.point, theirs).sum(axis=0)
    np.testing.assert_allclose(turning, resultant.moment, rtol=1e-11)
    ours = load_vector(space, faces, resultant)
    assert np.abs(ours - theirs).max() < 1e-12 * np.abs(theirs).max()
