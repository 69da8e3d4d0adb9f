"""CalculiX on the same mesh: C3D10 and C3D4 with gap, layer, cortex and ligaments as springs on tied nodes.

Seven digits are printed to the .dat file and six to the .frd file, so 1e-6 and 1e-5 of a field's largest value are
as good as equal. Stress is compared at integration points, where nothing has been averaged or extrapolated.
"""

import json

import calculix
import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, faces_at, gap_of, held, system, traction_force

from sacrofem.mechanics.measures.catalogue import changes
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.interface import Filler, GapStiffness
from sacrofem.mechanics.parts.joint import ElasticLayer
from sacrofem.mechanics.parts.ligaments import Ligaments
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.parts.part import total_fixed
from sacrofem.mechanics.parts.reactions import reactions
from sacrofem.mechanics.space.space import Space
from sacrofem.mesh.files.files import reference_mesh
from sacrofem.specimen.compare import compare_specimen
from sacrofem.specimen.specimen import Specimen
from sacrofem.study.regression import CASES, baselines_folder

DAT, FRD = 1e-6, 1e-5


class Block:
    """Two blocks with a gap between them: uneven moduli, uneven gap, cortex on the sides, oblique traction on top."""

    def __init__(self, mesh, order, *, elastic=False, tie=False):
        self.space = space = Space(mesh, order)
        random = np.random.default_rng(0)
        self.bone = Elasticity.given(
            np.round(np.exp(random.normal(5.0, 1.0, len(mesh.tets))), 1),
            np.where(mesh.centroids[:, 0] > mesh.centroids[:, 0].mean(), 0.2, 0.3),
        )
        k_n, k_t = Filler(1.0).stiffness(1.0)
        uneven = np.exp(random.normal(0.0, 2.0, space.gap.areas.shape))
        self.gap = None if tie else GapStiffness(k_n * uneven, k_t * uneven)
        level = (np.abs(mesh.face_normals[:, 2]) < 0.5) & (mesh.pair_side == 0)
        self.membrane = Membrane(np.where(level, 8e3, 0.0), np.where(level, 0.5, 0.0), 0.3)
        top = mesh.points[:, 2].max()
        if elastic:
            base = faces_at(mesh, 2, 0.0)
            high = np.flatnonzero(mesh.points[:, 2] == top)[:2]
            directions = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]])
            self.supports = [
                ElasticLayer(base, np.full(len(base), 40.0), np.full(len(base), 9.0)),
                Ligaments(high, directions, np.array([30.0, 7.0]), ("band",)),
            ]
        else:
            self.supports = [HeldNodes(held(space, (at(space, 2, 0.0), [0, 1, 2])))]
        self.fixed = total_fixed(self.supports, space)
        self.force = traction_force(
            space, faces_at(mesh, 2, top), lambda x, n: np.array([0.1, 0.2, -0.7])[:, None, None] + 0 * x
        )

    @property
    def parts(self):
        """All that a deck takes beside the bone."""
        gap = [] if self.gap is None else [self.gap]
        return [self.membrane, *self.supports, *gap, NodalForces(self.force)]

    def solved(self):
        """(N, 3) displacement and nodal forces of fixed nodes."""
        bone = self.bone
        problem = system(self.space, bone.youngs, bone.poisson, self.fixed, parts=self.parts)
        u = problem.solve(self.force).displacement
        return u, np.where(self.fixed, problem.matrix.dot(u) - self.force, 0.0)


def compare_block(agree, case, block, folder):
    space = block.space
    u, reaction = block.solved()
    answer = calculix.solve(folder, space, block.bone, block.parts)
    agree(case, "displacement, mm", u, answer.displacement, DAT)
    agree(case, "displacement (.frd), mm", u, answer.displacement_frd, FRD)
    agree(case, "stress, MPa", space.stresses(u, block.bone.youngs, block.bone.poisson), answer.stress, DAT)
    agree(case, "opening, mm", space.gap.normal_part(space.jump(u)).ravel(), answer.springs["gap"][:, 0], DAT)
    work = 0.5 * np.sum((block.force + reaction) * u)
    agree(case, "energy, N mm", work, answer.energy, DAT)
    if block.fixed.any():
        agree(case, "nodal reaction, N", reaction, answer.reaction, DAT)
        agree(case, "reaction, N", reaction.sum(axis=0), answer.reaction.sum(axis=0), DAT)
    else:
        forces = reactions(space, block.supports, u).forces
        layer = forces["layer"]
        agree(case, "reaction of the layer, N", layer, answer.spring_force["layer"], DAT)
        agree(case, "pull of the springs, N", forces["band"], answer.spring_force["ligaments"], DAT)


def test_block_with_gap(agree, tmp_path):
    compare_block(agree, "block with gap", Block(reference_mesh("block-gap"), 2), tmp_path)


@pytest.mark.parametrize(
    ("case", "order", "options"),
    [
        ("small block, P1", 1, {}),
        ("small block, elastic layer, springs", 2, {"elastic": True}),
    ],
)
def test_small_block(agree, tmp_path, case, order, options):
    compare_block(agree, case, Block(split_box((3, 3, 4), (12.0, 10.0, 16.0), 8.0, 0.25), order, **options), tmp_path)


def test_tied_twins_are_one_node(agree, tmp_path):
    """A deck with twins tied against a gap so stiff that it is closed: 1e-6 of the motion is left to its law."""
    block = Block(split_box((3, 3, 4), (12.0, 10.0, 16.0), 8.0, 0.25), 2, tie=True)
    space = block.space
    answer = calculix.solve(tmp_path, space, block.bone, block.parts, tie=True)
    block.gap = gap_of(space, 1e9)
    agree("small block, twins tied", "displacement, mm", block.solved()[0], answer.displacement, 2 * DAT)
    assert np.array_equal(space.jump(answer.displacement), np.zeros((*space.gap.areas.shape, 3)))


def test_a_softer_gap_is_not_taken_for_the_right_one(tmp_path):
    """The comparison sees a gap that is softer by 0.1 %."""
    block = Block(split_box((3, 3, 4), (12.0, 10.0, 16.0), 8.0, 0.25), 2)
    u, _ = block.solved()
    block.gap = GapStiffness(0.999 * block.gap.normal, 0.999 * block.gap.tangential)
    answer = calculix.solve(tmp_path, block.space, block.bone, block.parts)
    assert np.abs(answer.displacement - u).max() > 10 * DAT * np.abs(u).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny-bilateral", "tiny-unilateral-right"])
def test_sacrum(agree, tmp_path_factory, name):
    """Intact, fractured and cemented on the tiny mesh, what cement changed, and the values stored with the baseline."""
    (reference,) = (case for case in CASES if case.name == name)
    specimen = Specimen(reference.case)
    comparison, plan = compare_specimen(specimen, intact=True), specimen.plan()
    space, zones, found = specimen.space, specimen.zones(plan), {}
    load = np.linalg.norm(specimen.loading.resultant.force)
    recipes = {"intact": specimen.recipe(intact=True), "before": specimen.recipe(), "after": specimen.recipe(plan)}
    # The second one has other supports, and they are all in one state.
    states = comparison.records if name == "tiny-bilateral" else {"after": comparison.records["after"]}
    for state, solved in states.items():
        answer = calculix.solve_state(tmp_path_factory.mktemp(state), specimen, recipes[state])
        case, ours = f"{name}, {state}", solved.state
        u = ours.displacement
        agree(case, "displacement, mm", u, answer.displacement, DAT)
        agree(case, "displacement (.frd), mm", u, answer.displacement_frd, FRD)
        agree(case, "stress, MPa", space.stresses(u, ours.bone.youngs, ours.bone.poisson), answer.stress, DAT)
        agree(case, "energy, N mm", 0.5 * np.sum(specimen.loading.force * u), answer.energy, DAT)
        theirs = reactions(space, specimen.supports, answer.displacement, answer.reaction)
        for part, force in solved.reactions.forces.items():
            if part.startswith("joint"):
                agree(case, f"reaction of {part}, N", force, theirs.forces[part], DAT, scale=load)
        if state != "intact":
            opening = space.gap.normal_part(space.jump(u)).ravel()
            agree(case, "opening, mm", opening, answer.springs["gap"][:, 0], DAT)
        found[state] = calculix.measured(specimen, recipes[state], answer, zones)
    stored = json.loads((baselines_folder() / f"{name}.json").read_text(encoding="utf-8"))["calculix"]["values"]
    for key, value in stored.items():
        state, measure = key.split(".", 1)
        if state not in found:
            continue
        assert found[state][measure] == pytest.approx(value, rel=FRD, abs=1e-9), key
    if len(found) == 1:
        return
    change = changes(found["before"], found["after"]).relative
    for key, value in comparison.change.items():
        assert (value is None) == (change[key] is None), key
        if value is not None:
            agree(f"{name}, change", key, value, change[key], FRD, scale=max(abs(value), 0.1))
