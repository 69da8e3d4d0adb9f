"""Contact between two blocks: its limits, friction on a slope, cement on a part, and what it refuses."""

import numpy as np
import pytest
from blocks_of_tets import split_box
from elasticity import at, bone_of, faces_at, gap_of, held, stiffness, system, traction_force

from sacrofem.errors import EnvironmentFailure, SolverError
from sacrofem.mechanics.equilibrium import active_set
from sacrofem.mechanics.equilibrium.active_set import solve_contact
from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.parts.contact import cement_contact, face_closure, joined
from sacrofem.mechanics.parts.interface import Filler, gap_stiffness
from sacrofem.mechanics.space.space import Space

SIZE, CUT, AREA, E, NU = (6.0, 5.0, 8.0), 4.0, 30.0, 300.0, 0.3
CEMENT = Filler(2500.0, 0.3)


def blocks(order=1):
    return Space(split_box((2, 2, 4), SIZE, CUT, 0.2), order)


def top_force(space, traction):
    return traction_force(space, faces_at(space.mesh, 2, SIZE[2]), lambda x, n: traction[:, None, None] + 0 * x)


def bottom(space):
    return held(space, (at(space, 2, 0.0), [0, 1, 2]))


def closing(space, aperture=0.0, friction=0.0, coverage=None, filler=0.0):
    coverage = np.zeros(space.gap.areas.shape) if coverage is None else coverage
    return face_closure(space, bone_of(space, E, NU), coverage, aperture, gap_of(space, filler), friction)


def solve(space, force, contact, gap=None, fixed=None, **options):
    parts = {} if gap is None else {"gap": gap}
    coarse = Space(space.mesh, 1)
    given = {key: options.pop(key) for key in ("method", "factorisation", "memory_gib") if key in options}
    options = {"accuracy": 1e-8, "steps": 1, "settings": SolverSettings(tolerance=1e-11, **given)} | options
    return solve_contact(
        space, stiffness(space, E, NU, **parts), bottom(space) if fixed is None else fixed, contact, force,
        coarse=(lambda: stiffness(coarse, E, NU, **parts)) if space.order == 2 else None, **options,
    )  # fmt: skip


def test_pressed_together_is_tied():
    """Pressure and a shear within friction: as one block."""
    space = blocks()
    force = top_force(space, np.array([0.2, 0.0, -1.0]))
    found, contact = solve(space, force, closing(space, friction=0.9))
    tied = system(space, E, NU, bottom(space), gap=gap_of(space, 1e9)).solve(force).displacement
    assert np.abs(found.displacement - tied).max() < 1e-5 * np.abs(tied).max()
    np.testing.assert_allclose((contact.pressure * contact.areas).sum(), AREA, rtol=1e-8)


def test_pulled_apart_is_the_filler_alone():
    space = blocks()
    force, gap = top_force(space, np.array([0.0, 0.0, 0.5])), gap_of(space, 2.0)
    found, contact = solve(space, force, closing(space, filler=2.0), gap)
    free = system(space, E, NU, bottom(space), gap=gap).solve(force).displacement
    assert np.abs(found.displacement - free).max() < 1e-8 * np.abs(free).max()
    assert not contact.closed.any()
    assert contact.steps[-1].open == contact.closed.size


@pytest.mark.parametrize("slope", [0.25, 0.45])
def test_block_on_a_slope_sticks_up_to_the_angle_of_friction(slope):
    """On an inclined plane of angle a the load is N (-tan a, -1): it slides where tan a > mu, held by (tan a - mu) N.

    A soft spring in the gap (the filler, k_t) takes what friction cannot: mean slip (tan a - mu) p / k_t.
    """
    space, friction, k_t = blocks(), 0.35, 3.0
    gap = gap_of(space, 0.0, k_t)
    fixed = bottom(space) | held(space, (np.ones(space.n_nodes, bool), [1]))
    force = top_force(space, np.array([-slope, 0.0, -1.0]))
    # The shear on the top turns the block about the gap: a couple on the top takes that away.
    arm = (space.nodes[:, 0] - SIZE[0] / 2) * at(space, 2, SIZE[2])
    force[:, 2] -= slope * AREA * (SIZE[2] - CUT) * arm / (arm @ arm)
    found, contact = solve(space, force, closing(space, friction=friction), gap, fixed)
    jump, areas = space.jump(found.displacement), space.gap.areas
    pressed, rubbed = (contact.pressure * areas).sum(), (contact.friction[..., 0] * areas).sum()
    assert pressed == pytest.approx(AREA, rel=1e-7)
    slip = (jump[..., 0] * areas).sum() / AREA
    if slope < friction:
        assert np.abs(jump[..., :2]).max() < 1e-6
        assert rubbed == pytest.approx(slope * AREA, rel=1e-6)
    else:
        assert contact.slipping[contact.closed].all()
        assert rubbed == pytest.approx(friction * AREA, rel=1e-4)
        assert slip == pytest.approx(-(slope - friction) / k_t, rel=1e-3)
        assert contact.dissipated_nmm > 0.0


def test_cement_on_part_bonds_there_and_the_rest_opens():
    """Pulled: only the cemented part holds; pushed past the aperture the rest touches too."""
    space = blocks()
    covered = (space.gap.points[..., 0] < 3.0).astype(float)
    aperture = 0.02
    gap = gap_stiffness(covered, aperture, Filler(0.0), Filler(5.0, 0.0))
    pull, _ = solve(space, top_force(space, np.array([0.0, 0.0, 0.1])), closing(space, aperture, 0.0, covered), gap)
    opening = space.gap.normal_part(space.jump(pull.displacement))
    assert opening[covered == 0].max() > opening[covered == 1].min() > -1.0
    push, contact = solve(
        space, top_force(space, np.array([0.0, 0.0, -20.0])), closing(space, aperture, 0.0, covered), gap
    )
    assert contact.closed.any()
    assert not contact.closed[covered == 1].any()
    opening = space.gap.normal_part(space.jump(push.displacement))
    assert opening[covered == 0].min() > -aperture * (1 + 1e-6)


def test_cement_that_only_touches_carries_pressure_and_no_tension():
    """Pressed: a layer in series; pulled: nothing but the filler beside it."""
    space = blocks()
    everywhere = np.ones(space.gap.areas.shape)
    layer = cement_contact(space, bone_of(space, E, NU), everywhere, 0.5, CEMENT, 0.4)
    both = joined([closing(space, 0.5, 0.4, everywhere), layer])
    filler = gap_of(space, 0.5)
    push = top_force(space, np.array([0.0, 0.0, -1.0]))
    pressed, contact = solve(space, push, both, filler)
    k_n, k_t = CEMENT.stiffness(0.5)
    bonded = system(space, E, NU, bottom(space), gap=gap_of(space, k_n + 0.5, k_t + 0.5)).solve(push).displacement
    assert np.abs(pressed.displacement - bonded).max() < 1e-3 * np.abs(bonded).max()
    assert contact.cement_closed_mm2 == pytest.approx(AREA)
    assert contact.closed_mm2 == 0.0
    pulled, contact = solve(space, -push, both, filler)
    free = system(space, E, NU, bottom(space), gap=filler).solve(-push).displacement
    assert np.abs(pulled.displacement - free).max() < 1e-7 * np.abs(free).max()
    assert not contact.closed.any()


def test_direct_and_multigrid_agree():
    space = blocks(2)
    force = top_force(space, np.array([0.3, 0.1, -1.0]))
    results = [
        solve(space, force, closing(space, 0.002, 0.2, filler=1.0), gap_of(space, 1.0), method=method, accuracy=1e-4)
        for method in ("direct", "multigrid")
    ]
    (one, first), (two, second) = results
    assert first.closed.any()
    assert np.abs(one.displacement - two.displacement).max() < 1e-3 * np.abs(one.displacement).max()
    assert first.closed_mm2 == pytest.approx(second.closed_mm2, abs=1.0)


def test_the_solver_of_the_case_solves_contact_too():
    space = blocks(2)
    force, law = top_force(space, np.array([0.0, 0.0, -1.0])), closing(space)
    assert solve(space, force, law, factorisation="superlu", method="direct")[0].method == "SuperLU"
    with pytest.raises(EnvironmentFailure, match="memory"):
        solve(space, force, law, method="multigrid", memory_gib=0.01)


def test_counts_add_up_at_every_step():
    space = blocks()
    _, contact = solve(
        space, top_force(space, np.array([0.3, 0.0, -1.0])), closing(space, 0.001, 0.2), gap_of(space, 1.0), steps=3
    )
    assert [step.load_share for step in contact.steps] == [1 / 3, 2 / 3, 1.0]
    assert all(step.open + step.stick + step.slip == contact.closed.size for step in contact.steps)


def test_a_piece_that_is_pulled_off_is_named():
    space = blocks()
    with pytest.raises(SolverError, match=r"drifts away.*pulls it off"):
        solve(space, top_force(space, np.array([0.0, 0.0, 1.0])), closing(space, 0.0, 0.4))


def test_what_does_not_settle_is_an_error_and_never_a_result(monkeypatch):
    monkeypatch.setattr(active_set, "MAX_ITERATIONS", 3)
    space = blocks()
    with pytest.raises(SolverError, match=r"contact, load step 1 of 1: .*friction = 0\.3"):
        solve(space, top_force(space, np.array([0.4, 0.0, -1.0])), closing(space, 0.01, 0.3), gap_of(space, 1.0))


def test_a_closed_set_that_cycles_is_named(monkeypatch):
    """With every correction turned round the points flip between open and closed for ever."""
    space, turn = blocks(), [-1.0]

    def flip(self, share, at, way, right, residual):
        turn[0] = -turn[0]
        upper = np.zeros((space.n_nodes, 1), bool)
        upper[space.connectivity[space.mesh.centroids[:, 2] > CUT]] = True
        return turn[0] * np.where(upper, [0.0, 0.0, 0.5], 0.0)

    monkeypatch.setattr(active_set._Loading, "_step", flip)
    with pytest.raises(SolverError, match=r"still change between open, stick and slip.*contact cycles"):
        solve(space, top_force(space, np.array([0.0, 0.0, -1.0])), closing(space, 0.02), gap_of(space, 1.0))
