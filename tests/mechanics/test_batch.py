"""States solved in lanes against fresh solves, and the pieces that make them up against the assembler."""

from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, held

from sacrofem.errors import InputError, SolverError
from sacrofem.mechanics.batch.candidates import CandidateZone, LaneZone
from sacrofem.mechanics.batch.lanegrid import LaneLevels
from sacrofem.mechanics.batch.lanes import LANES
from sacrofem.mechanics.batch.solver import METHOD, BatchSolver, MaterialState, touched
from sacrofem.mechanics.linear.direct import MultifrontalCholesky
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.held import HeldNodes
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.loads import NodalForces
from sacrofem.mechanics.parts.part import total_fixed, total_force
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.space import Space
from sacrofem.system.threads import Crew


@pytest.fixture(scope="module")
def block():
    """A split block of P2 tets with a bolus across the gap as the candidate zone."""
    mesh = split_box((8, 8, 8), (20.0, 20.0, 20.0), 10.0, distort=0.15)
    space = Space(mesh, 2)
    rng = np.random.default_rng(0)
    membrane = Membrane(np.where(mesh.pair_side == 0, 12e3, 0.0), np.where(mesh.pair_side == 0, 0.3, 0.0))
    base = HeldNodes(held(space, (at(space, 2, 0.0), [0, 1, 2])))
    force = np.zeros((space.n_nodes, 3))
    force[at(space, 2, 20.0)] = [0.2, -0.1, -1.0]
    tets = np.linalg.norm(mesh.centroids - [12.0, 10.0, 10.0], axis=1) < 6.0
    pairs = np.linalg.norm(space.gap.points.mean(axis=1) - [12.0, 10.0, 10.0], axis=1) < 5.0
    shape = space.gap.areas.shape
    baseline = MaterialState(
        Elasticity.given(rng.uniform(20.0, 400.0, len(mesh.tets)), 0.3),
        GapStiffness(np.full(shape, 2.0), np.full(shape, 1.0)),
    )
    return space, (membrane, base, NodalForces(force)), baseline, tets, pairs


def state_of(block, seed):
    *_, baseline, tets, pairs = block
    rng = np.random.default_rng(seed)
    inside = tets & (rng.random(len(tets)) < 0.8)
    filled = pairs & (rng.random(len(pairs)) < 0.8)
    cement = rng.uniform(500.0, 3000.0)
    return MaterialState(
        Elasticity.given(np.where(inside, cement, baseline.bone.youngs), np.where(inside, 0.35, 0.3)),
        GapStiffness(
            np.where(filled[:, None], cement, baseline.gap.normal),
            np.where(filled[:, None], 0.4 * cement, baseline.gap.tangential),
        ),
    )


def solver_of(block, method="lanes", **options):
    return BatchSolver(*block, method=method, **options)


def matrix(block, state, order=2):
    space, parts, *_ = block
    return Assembler(space if order == 2 else Space(space.mesh, 1), parts).matrix(state.bone, state.gap)


def filled(zone, states):
    gaps = [(s.gap.normal, s.gap.tangential) for s in states]
    return LaneZone(zone, Crew(), [s.bone.youngs for s in states], [s.bone.poisson for s in states], gaps)


def levels_of(block):
    """Both levels outside the zone, with one displacement more that is fixed, inside the zone."""
    space, (membrane, base, load), baseline, tets, pairs = block
    fixed = base.fixed.copy()
    fixed[space.connectivity[np.flatnonzero(tets)[0], 0], 1] = True
    block = (space, (membrane, HeldNodes(fixed), load), baseline, tets, pairs)
    gap = GapStiffness(*(k * ~pairs[:, None] for k in (baseline.gap.normal, baseline.gap.tangential)))
    bone = replace(baseline.bone, youngs=np.where(tets, 0.0, baseline.bone.youngs))
    rest = replace(baseline, bone=bone, gap=gap)
    return block, LaneLevels(matrix(block, rest), matrix(block, rest, 1), space, tets, pairs, fixed)


def test_zone_forces_are_those_of_the_assembled_matrix(block):
    space, *_, tets, pairs = block
    zone = CandidateZone(space, tets, pairs)
    states = [state_of(block, seed) for seed in range(LANES)]
    x = np.random.default_rng(1).normal(size=(space.n_nodes, 3, LANES))
    found = np.zeros_like(x)
    np.add.at(found, np.concatenate([zone.nodes.ravel(), zone.pair_nodes.ravel()]), filled(zone, states).forces(x))
    for lane in (0, 7, LANES - 1):
        state = states[lane]
        only = Assembler(space).matrix(
            replace(state.bone, youngs=np.where(tets, state.bone.youngs, 0.0)),
            gap=GapStiffness(state.gap.normal * pairs[:, None], state.gap.tangential * pairs[:, None]),
        )
        expected = only.dot(np.ascontiguousarray(x[..., lane]))
        np.testing.assert_allclose(found[..., lane], expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("count", [1, 3, LANES + 2])
def test_every_state_equals_a_fresh_solve(block, count):
    states = [state_of(block, seed) for seed in range(count)]
    solver = solver_of(block)
    assert solver.method == METHOD
    found = list(solver.solve(iter(states)))
    assert len(found) == count
    # A few lanes of each batch: the exact answer is factorised anew for each.
    for state, one in list(zip(states, found, strict=True))[:: LANES // 2 - 1]:
        # Factorised, not iterated.
        k = matrix(block, state)
        fixed = total_fixed(block[1], block[0])
        force = np.where(fixed, 0.0, total_force(block[1], block[0]))
        exact = MultifrontalCholesky(k.constrained(fixed), block[0].nodes).solve(force)
        difference = one.solution.displacement - exact
        error = np.sqrt(np.sum(difference * k.dot(difference)) / np.sum(exact * k.dot(exact)))
        assert error < 1e-8
        assert one.solution.residual <= 1e-10
        np.testing.assert_allclose(one.internal, k.dot(one.solution.displacement), rtol=0, atol=1e-9)


def test_the_answer_does_not_depend_on_neighbours_in_the_batch(block):
    alone = next(solver_of(block).solve([state_of(block, 3)])).solution.displacement
    among = list(solver_of(block).solve([state_of(block, seed) for seed in range(6)]))[3].solution.displacement
    np.testing.assert_allclose(among, alone, rtol=0, atol=1e-7 * np.abs(alone).max())


def test_a_start_changes_the_way_not_the_answer(block):
    state = state_of(block, 1)
    cold = next(solver_of(block).solve([state])).solution
    warm = next(solver_of(block, start=cold.displacement).solve([state])).solution
    assert warm.iterations <= 1
    np.testing.assert_allclose(warm.displacement, cold.displacement, rtol=0, atol=1e-9)


def test_the_zone_is_what_states_touch(block):
    *_, baseline, tets, pairs = block
    found = touched(baseline, (state_of(block, seed) for seed in range(40)))
    assert (found[0] == tets).all()
    assert (found[1] == pairs).all()


def test_a_change_outside_the_zone_is_refused(block):
    state = state_of(block, 0)
    youngs = state.bone.youngs.copy()
    youngs[np.flatnonzero(~block[3])[0]] += 1.0
    with pytest.raises(InputError, match="1 tets outside the candidate zone"):
        list(solver_of(block).solve([replace(state, bone=replace(state.bone, youngs=youngs))]))


def test_states_are_taken_a_batch_at_a_time(block):
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield state_of(block, len(asked))

    next(solver_of(block).solve(endless()))
    assert len(asked) == LANES


def test_an_audited_state_carries_its_error(block):
    found = list(solver_of(block).solve((state_of(block, seed) for seed in range(20)), audit=0.1, seed=3))
    audited = [one.audit for one in found if one.audit is not None]
    assert 0 < len(audited) < 10
    assert max(audited) < 1e-8


def test_an_audit_that_finds_an_error_raises(block, monkeypatch):
    march = BatchSolver._march

    def off(self, levels, batch):
        first, *others = march(self, levels, batch)
        shifted = replace(first.solution, displacement=first.solution.displacement * 1.0001)
        return [replace(first, solution=shifted), *others]

    monkeypatch.setattr(BatchSolver, "_march", off)
    with pytest.raises(SolverError, match="audited state is off by 1"):
        list(solver_of(block).solve([state_of(block, 0)], audit=1.0))


def test_a_small_model_is_solved_afresh(block):
    solver = solver_of(block, method="auto")
    assert solver.method == "a fresh solve each"
    found = next(solver.solve([state_of(block, 0)])).solution
    assert found.method == "multifrontal Cholesky"
    other = next(solver_of(block).solve([state_of(block, 0)])).solution.displacement
    np.testing.assert_allclose(found.displacement, other, rtol=0, atol=1e-8 * np.abs(other).max())


def test_clusters_of_the_zone_have_an_inverse_for_every_lane(block):
    block, levels = levels_of(block)
    levels_fixed = total_fixed(block[1], block[0])
    states = [state_of(block, seed) for seed in range(3)]
    found = levels.own.inverses(filled(levels.zone, states).parameters(2), Crew())
    clusters = np.flatnonzero(levels.own.of >= 0)
    sizes = np.diff(levels.starts)[clusters]
    fixed = levels_fixed[levels.order]
    whole = [matrix(block, state).constrained(levels_fixed).to_scipy().tocsr() for state in states]
    # Nodes alone, twins across the gap, and one with the displacement that is fixed.
    held = next(c for c in clusters if fixed[levels.members[levels.starts[c] : levels.starts[c + 1]]].any())
    for c in (clusters[sizes == 1][0], clusters[sizes > 1][0], held):
        nodes = levels.order[levels.members[levels.starts[c] : levels.starts[c + 1]]]
        rows = (3 * nodes[:, None] + np.arange(3)).ravel()
        begin = levels.own.offsets[levels.own.of[c]]
        for lane, state in ((0, 0), (2, 2), (LANES - 1, 0)):
            inverse = found[begin : begin + len(rows) ** 2, lane].reshape(len(rows), -1)
            free = ~levels_fixed[nodes].ravel()
            expected = np.linalg.inv(whole[state][rows][:, rows].toarray()[free][:, free])
            np.testing.assert_allclose(inverse[free][:, free], expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_the_p1_problem_of_every_lane_is_solved(block):
    block, levels = levels_of(block)
    levels_fixed = total_fixed(block[1], block[0])
    states = [state_of(block, seed) for seed in range(3)]
    levels.coarse.factorise(filled(levels.zone, states))
    n = len(block[0].mesh.points)
    right = np.random.default_rng(0).normal(size=(n, 3, LANES)).astype(np.float32)
    right[levels_fixed[:n]] = 0.0
    found = levels.coarse.solve(right)
    for lane, state in ((0, 0), (2, 2), (LANES - 1, 0)):
        k = matrix(block, states[state], order=1).constrained(levels_fixed[:n])
        expected = MultifrontalCholesky(k, block[0].mesh.points).solve(right[..., lane].astype(float))
        np.testing.assert_allclose(found[..., lane], expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_threads_share_the_lanes_and_change_nothing(block, monkeypatch):
    states = [state_of(block, seed) for seed in range(2)]
    alone = [one.solution.displacement for one in solver_of(block).solve(states)]
    monkeypatch.setattr("numba.get_num_threads", lambda: 3)
    shared = [one.solution.displacement for one in solver_of(block).solve(states)]
    np.testing.assert_allclose(shared, alone, rtol=0, atol=1e-9 * np.abs(alone).max())
