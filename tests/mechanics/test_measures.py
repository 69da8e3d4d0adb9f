from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from elasticity import bone_of
from named_box import landmarks, whole_box
from zoning import build_zones

from sacrofem.mechanics.equilibrium.state import State
from sacrofem.mechanics.measures.catalogue import FRACTURE_MEASURES, MEASURES, changes
from sacrofem.mechanics.measures.measures import (
    measure,
    weighted_percentile,
)
from sacrofem.mechanics.measures.zones import ReferencePlan
from sacrofem.mechanics.parts.cortex import Membrane
from sacrofem.mechanics.parts.loads import Resultant
from sacrofem.mechanics.parts.part import total_fixed
from sacrofem.mechanics.parts.reactions import reactions as support_reactions
from sacrofem.mechanics.parts.supports import elastic_supports, fixed_supports
from sacrofem.mechanics.space.principal import principal_strains, principal_stresses, principal_values, von_mises
from sacrofem.mechanics.space.space import Space

NONE = np.empty(0, dtype=int)


def test_principal_values_are_those_of_lapack_even_where_they_coincide():
    rng = np.random.default_rng(0)
    values = np.sort(rng.normal(size=(200, 3)), axis=1)
    values[:40, 1] = values[:40, 0]
    values[40:60] = values[40:60, :1]
    values[60:80] *= [1.0, 1e-6, 1e-9]
    turn = np.linalg.qr(rng.normal(size=(200, 3, 3)))[0]
    tensor = np.einsum("nik,nk,njk->nij", turn, values, turn)
    voigt = tensor[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    found = principal_values(voigt)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(tensor), rtol=0, atol=1e-14 * np.abs(values).max())
    assert (np.diff(found, axis=1) >= 0).all()


@pytest.mark.parametrize("percent", [1.0, 5.0, 50.0, 95.0, 98.0, 99.9])
@pytest.mark.parametrize("heavy", ["low", "high", "even"])
def test_percentile_sorts_no_more_than_it_needs_and_is_the_same(percent, heavy):
    rng = np.random.default_rng(3)
    values = np.round(rng.normal(size=4001), 2)
    weights = (
        rng.uniform(0.1, 1.0, len(values))
        * {"low": np.exp(-3 * values), "high": np.exp(3 * values), "even": 1.0}[heavy]
    )
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order]) - 0.5 * weights[order]
    expected = np.interp(percent / 100 * weights.sum(), cumulated, values[order])
    assert weighted_percentile(values, weights, percent) == pytest.approx(expected, rel=1e-12, abs=1e-12)


YOUNGS, POISSON = 200.0, 0.25
DOWN = Resultant(np.array([0.0, 0.0, -100.0]), np.zeros(3), np.zeros(3))


def state_of(space, displacement, force=None, cortex_mpa=1000.0, name="before"):
    m, mesh = len(space.mesh.tets), space.mesh
    outer = (mesh.pair_side == 0).astype(float)
    return State(
        name,
        displacement,
        bone_of(space, YOUNGS, POISSON),
        None,
        np.zeros(m),
        np.zeros(space.gap.areas.shape),
        Membrane(cortex_mpa * outer, outer),
        np.zeros_like(displacement) if force is None else force,
    )


def with_endplate(mesh):
    return mesh.with_sets(face_sets={"endplate": (mesh.pair_side == 0) & (mesh.face_normals[:, 2] > 0.9)})


@pytest.fixture(scope="module")
def cut():
    """A column 20 x 20 x 40 cut at half its height."""
    return Space(with_endplate(split_box((4, 4, 8), (20.0, 20.0, 40.0), 20.0)), 2)


def measured(
    space, displacement, *, aperture_mm=1.0, resultant=DOWN, supports=None, plan=None, reactions=None, **given
):
    zones = build_zones(space, supports=NONE, plan=plan, **given)
    state = state_of(space, displacement)
    held = () if supports is None else supports
    lost = total_fixed(held, space).any() and reactions is None
    kept = None if lost else support_reactions(space, held, displacement, reactions)
    return measure(space, state, zones, resultant=resultant, reactions=kept, aperture_mm=aperture_mm)


def upper(space):
    """Nodes of the half above the fracture, found by connectivity because twins coincide."""
    above = space.mesh.centroids[:, 2] > 20.0
    nodes = np.zeros(space.n_nodes, dtype=bool)
    nodes[space.connectivity[above]] = True
    return nodes


def uniform(space, gradient):
    return space.nodes @ np.asarray(gradient, dtype=float).T


def test_uniform_strain_gives_the_stress_of_hookes_law(cut):
    gradient = np.array([[1e-3, 4e-4, 0.0], [0.0, -5e-4, 2e-4], [0.0, 0.0, 3e-4]])
    values = measured(cut, uniform(cut, gradient)).values
    strain = 0.5 * (gradient + gradient.T)
    lam, mu = YOUNGS * POISSON / ((1 + POISSON) * (1 - 2 * POISSON)), YOUNGS / (2 * (1 + POISSON))
    stress = 2 * mu * strain + lam * np.trace(strain) * np.eye(3)
    deviator = stress - np.trace(stress) / 3 * np.eye(3)
    for stat in ("mean", "p95"):
        expected = np.sqrt(1.5 * (deviator**2).sum())
        assert values[f"fracture_von_mises_{stat}_mpa"] == pytest.approx(expected, rel=1e-10)
        expected = np.linalg.eigvalsh(stress)[-1]
        assert values[f"fracture_max_principal_{stat}_mpa"] == pytest.approx(expected, rel=1e-10)


def test_principal_stresses_are_those_of_the_stress_tensor(cut):
    u = 1e-3 * np.random.default_rng(3).normal(size=(cut.n_nodes, 3))
    strain = principal_strains(cut, u)
    m = len(cut.mesh.tets)
    direct = principal_values(cut.stresses(u, np.full(m, YOUNGS), np.full(m, POISSON)).reshape(-1, 6))
    youngs, poisson = np.full(len(strain), YOUNGS), np.full(len(strain), POISSON)
    np.testing.assert_allclose(principal_stresses(strain, youngs, poisson), direct, atol=1e-10)


def test_uniform_membrane_strain_gives_plane_stress_in_the_cortex():
    space = Space(with_endplate(split_box((4, 4, 8), (20.0, 20.0, 40.0), 20.0)), 2)
    values = measured(space, uniform(space, np.diag([0.0, 0.0, 2e-4]))).values
    # strain along z with none across: the same on all four sides
    s1, s2 = 1000.0 * 2e-4 / (1 - 0.09), 0.3 * 1000.0 * 2e-4 / (1 - 0.09)
    assert values["fracture_cortex_max_principal_p95_mpa"] == pytest.approx(s1, rel=1e-9)
    assert values["fracture_cortex_von_mises_p95_mpa"] == pytest.approx(np.sqrt(s1**2 - s1 * s2 + s2**2), rel=1e-9)


def test_known_jump_gives_known_micromotion(cut):
    u = np.zeros((cut.n_nodes, 3))
    u[upper(cut)] = [0.003, 0.0, 0.004]
    values = measured(cut, u, aperture_mm=0.5).values
    for stat in ("mean", "p95", "max"):
        assert values[f"micromotion_{stat}_um"] == pytest.approx(5.0)
    assert values["opening_mean_um"] == pytest.approx(4.0)
    assert values["closing_mean_um"] == 0.0
    assert values["slip_mean_um"] == pytest.approx(3.0)
    assert values["gap_strain_p95"] == pytest.approx(0.01)
    assert values["fragment_motion_um"] == pytest.approx(5.0)
    assert values["fracture_von_mises_p95_mpa"] == pytest.approx(0.0, abs=1e-12)


def test_tilting_jump_opens_on_one_half_and_closes_on_the_other(cut):
    u = np.zeros((cut.n_nodes, 3))
    tilt = 1e-3
    u[upper(cut), 2] = tilt * (cut.nodes[upper(cut), 0] - 10.0)
    u[upper(cut), 0] = -tilt * (cut.nodes[upper(cut), 2] - 20.0)
    values = measured(cut, u).values
    # |x - 10| averages 5 mm over 0..20, its 95th percentile is 9.5 mm
    assert values["micromotion_mean_um"] == pytest.approx(5.0, rel=1e-3)
    assert values["opening_mean_um"] == pytest.approx(2.5, rel=1e-3)
    assert values["closing_mean_um"] == pytest.approx(2.5, rel=1e-3)
    assert values["micromotion_p95_um"] == pytest.approx(9.5, rel=0.03)  # points stand for strips of 1 mm
    assert values["fragment_motion_um"] == pytest.approx(values["micromotion_mean_um"], rel=1e-3)


def test_closing_by_more_than_the_aperture_is_reported(cut):
    u = np.zeros((cut.n_nodes, 3))
    u[upper(cut), 2] = 0.01 * (cut.nodes[upper(cut), 0] - 10.0)
    assert measured(cut, u, aperture_mm=0.2).closed_share == 0.0
    result = measured(cut, u, aperture_mm=0.05)
    assert result.closed_share == pytest.approx(0.25, abs=0.03)
    assert result.values["yield_load_n"] is None
    assert "closes" in result.reasons["yield_load_n"]


def test_no_yield_load_beyond_the_load_at_which_the_gap_closes(cut):
    squeezed = np.array([[0.0, 0.0, -1e-3]])
    u = cut.nodes * squeezed
    u[upper(cut), 2] -= 0.01
    # Yields at eight times the load; by then 0.01 mm of closing are 0.08 mm.
    assert measured(cut, u, aperture_mm=0.1).values["yield_load_n"] == pytest.approx(800.0)
    result = measured(cut, u, aperture_mm=0.07)
    assert result.closed_share == 0.0
    assert result.values["yield_load_n"] is None


def test_rigid_motion_of_the_whole_moves_nothing(cut):
    spin = np.array([2e-3, -1e-3, 3e-3])
    u = np.array([0.5, -0.2, 0.1]) + np.cross(spin, cut.nodes)
    values = measured(cut, u).values
    for key in ("fragment_motion_um", "micromotion_max_um", "fracture_von_mises_p95_mpa", "gap_strain_p95"):
        assert values[key] == pytest.approx(0.0, abs=1e-9)


def test_fragment_motion_of_intact_bone_is_its_own_stretch(cut):
    values = measured(cut, uniform(cut, np.diag([0.0, 0.0, 1e-3]))).values
    # layers 5..10 mm on either side: their means are 15 mm apart
    assert values["fragment_motion_um"] == pytest.approx(15.0, rel=0.02)
    assert values["micromotion_max_um"] == pytest.approx(0.0, abs=1e-9)


def test_rigid_motion_does_not_change_fragment_motion(cut):
    u = np.zeros((cut.n_nodes, 3))
    u[upper(cut)] = [0.003, 0.001, 0.004]
    u += uniform(cut, np.diag([1e-4, 0.0, -2e-4]))
    moved = u + np.array([1.0, 2.0, 3.0]) + np.cross([1e-3, 2e-3, -1e-3], cut.nodes)
    before, after = measured(cut, u).values, measured(cut, moved).values
    assert after["fragment_motion_um"] == pytest.approx(before["fragment_motion_um"], rel=1e-9)


def test_pericement_strains_of_a_known_field():
    mesh = with_endplate(box((8, 8, 8), (40.0, 40.0, 40.0)))
    space = Space(mesh, 2)
    cement = (np.abs(mesh.centroids - 20.0) < 5.0).all(axis=1).astype(float)
    values = measured(space, uniform(space, np.diag([1e-3, 0.0, -2e-3])), plan=ReferencePlan(cement, 1.0)).values
    for zone in ("inside", "shell", "both"):
        for stat in ("mean", "p95"):
            assert values[f"pericement_{zone}_max_principal_strain_{stat}"] == pytest.approx(1e-3)
            assert values[f"pericement_{zone}_min_principal_strain_{stat}"] == pytest.approx(-2e-3)


def test_compressive_percentile_is_at_the_compressive_end():
    mesh = with_endplate(box((2, 2, 10), (20.0, 20.0, 40.0)))
    space = Space(mesh, 2)
    u = np.zeros((space.n_nodes, 3))
    u[:, 2] = -0.5e-4 * space.nodes[:, 2] ** 2  # strain zz = -1e-4 z
    cement = ReferencePlan(np.ones(len(mesh.tets)), 1.0)
    values = measured(space, u, plan=cement).values
    assert values["pericement_inside_min_principal_strain_p95"] == pytest.approx(-0.95 * 4e-3, rel=0.02)
    assert values["pericement_inside_min_principal_strain_mean"] == pytest.approx(-2e-3, rel=1e-6)


def test_lesion_measures_of_a_known_field():
    space = Space(with_endplate(box((8, 8, 8), (40.0, 40.0, 40.0))), 1)
    border = partial(lambda p, r: np.linalg.norm(p - 20.0, axis=1) - r, r=8.0)
    values = measured(space, uniform(space, np.diag([1e-3, 0.0, -2e-3])), lesion_distance=border).values
    assert values["lesion_min_principal_strain_p95"] == pytest.approx(-2e-3)
    lam, mu = 80.0, 80.0
    s = 2 * mu * np.array([1e-3, 0.0, -2e-3]) + lam * -1e-3
    assert values["lesion_max_principal_p95_mpa"] == pytest.approx(s.max())
    assert values["lesion_von_mises_p95_mpa"] == pytest.approx(von_mises(s[None])[0])


def test_yield_load_scales_the_worst_two_percent():
    mesh = with_endplate(box((2, 2, 25), (20.0, 20.0, 40.0)))
    space = Space(mesh, 2)
    u = np.zeros((space.n_nodes, 3))
    u[:, 2] = -0.5e-4 * space.nodes[:, 2] ** 2
    expected = 100.0 * 0.008 / (0.98 * 4e-3)
    assert measured(space, u).values["yield_load_n"] == pytest.approx(expected, rel=0.01)
    assert measured(space, -u).values["yield_load_n"] == pytest.approx(expected * 7 / 8, rel=0.01)
    assert measured(space, 2 * u).values["yield_load_n"] == pytest.approx(expected / 2, rel=0.01)


def test_stiffness_and_energy():
    space = Space(with_endplate(box((2, 2, 2), (20.0, 20.0, 40.0))), 2)
    u = uniform(space, np.diag([0.0, 0.0, 1e-3])) * -1.0
    force = np.zeros_like(u)
    force[0] = [0.0, 0.0, -7.0]
    top = int(np.argmax(space.nodes[:, 2]))
    force[top] = [0.0, 0.0, -100.0]
    state = state_of(space, u, force)
    zones = build_zones(space, supports=NONE)
    nothing = support_reactions(space, (), state.displacement)
    values = measure(space, state, zones, resultant=DOWN, reactions=nothing).values
    assert values["stiffness_n_per_mm"] == pytest.approx(100.0 / 0.04)
    assert values["strain_energy_nmm"] == pytest.approx(0.5 * 100.0 * 0.04)


def test_reaction_shares_of_layer_ligaments_and_fixed_faces():
    space = Space(whole_box(), 1)
    u = np.tile([0.0, 0.0, -0.01], (space.n_nodes, 1))
    values = measured(space, u, supports=elastic_supports(space, landmarks())).values
    assert values["reaction_share_left"] == pytest.approx(values["reaction_share_right"], rel=1e-12)
    assert values["reaction_share_left"] > 0
    assert values["reaction_share_ligaments"] > 0
    fixed = fixed_supports(space)
    lost = measured(space, u, supports=fixed)
    assert lost.values["reaction_share_left"] is None
    assert "not kept" in lost.reasons["reaction_share_left"]
    held = np.zeros_like(u)
    still = total_fixed(fixed, space)[:, 0]
    held[still, 2] = 1.0
    kept = measured(space, u, supports=fixed, reactions=held).values
    assert kept["reaction_share_left"] == pytest.approx(still.sum() / 2 / 100.0)


def test_every_key_is_there_and_every_null_has_its_reason(cut):
    for space, aperture in ((cut, 1.0), (cut, None), (Space(with_endplate(box()), 2), None)):
        result = measured(space, uniform(space, np.diag([1e-4, 0.0, -2e-4])), aperture_mm=aperture)
        assert list(result.values) == list(MEASURES)
        missing = {key for key, value in result.values.items() if value is None}
        assert missing == set(result.reasons)
        assert all(result.reasons.values())
        for values in result.fractures.values():
            assert list(values) == list(FRACTURE_MEASURES)
    assert result.values["micromotion_mean_um"] is None
    assert result.reasons["micromotion_mean_um"] == "no fracture"


def test_single_fracture_pooled_is_that_fracture(cut):
    u = 1e-3 * np.random.default_rng(0).normal(size=(cut.n_nodes, 3))
    result = measured(cut, u)
    (name, values), *_ = result.fractures.items()
    assert name == "plane"
    for key in FRACTURE_MEASURES:
        assert values[key] == pytest.approx(result.values[key]), key


def test_gap_without_aperture_has_no_strain(cut):
    result = measured(cut, np.zeros((cut.n_nodes, 3)), aperture_mm=0.0)
    assert result.values["gap_strain_p95"] is None
    assert result.reasons["gap_strain_p95"] == "the gap has no aperture"


def test_moment_alone_has_no_stiffness(cut):
    moment = replace(DOWN, force=np.zeros(3), moment=np.array([1e3, 0.0, 0.0]))
    result = measured(cut, np.zeros((cut.n_nodes, 3)), resultant=moment)
    assert result.reasons["stiffness_n_per_mm"] == "the load is a moment only"
    assert result.values["yield_load_n"] is None


def test_percentiles_of_known_values():
    values = np.linspace(0.0, 1.0, 2001)
    assert weighted_percentile(values, np.ones(2001), 95.0) == pytest.approx(0.95, abs=1e-3)
    # density 2x on [0, 1]: the median is 1/sqrt(2)
    assert weighted_percentile(values, values, 50.0) == pytest.approx(np.sqrt(0.5), abs=1e-3)
    assert weighted_percentile(np.array([3.0]), np.array([2.0]), 95.0) == 3.0
    shuffled = np.random.default_rng(0).permutation(2001)
    assert weighted_percentile(values[shuffled], values[shuffled], 50.0) == weighted_percentile(values, values, 50.0)


# ------------------------------------------------------------------ changes
def test_change_is_relative_to_before():
    change = changes({"micromotion_mean_um": 50.0}, {"micromotion_mean_um": 30.0})
    assert change.relative["micromotion_mean_um"] == pytest.approx(-0.4)
    assert change.absolute["micromotion_mean_um"] == pytest.approx(-20.0)
    assert not change.reasons


def test_change_of_a_negative_strain_keeps_its_meaning():
    key = "pericement_both_min_principal_strain_mean"
    assert changes({key: -2e-3}, {key: -1e-3}).relative[key] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (
            {"micromotion_mean_um": 50.0, "opening_mean_um": 0.4},
            {"micromotion_mean_um": 50.0, "opening_mean_um": 4.0},
            "scale",
        ),
        ({"opening_mean_um": None}, {"opening_mean_um": 1.0}, "no value before"),
        ({"opening_mean_um": 1.0}, {"opening_mean_um": None}, "no value after"),
        ({"opening_mean_um": 1.0}, {}, "no value after"),
        ({"opening_mean_um": 0.0}, {"opening_mean_um": 1.0}, "scale"),
        ({"fracture_max_principal_mean_mpa": 1.0}, {"fracture_max_principal_mean_mpa": -1.0}, "sign"),
        ({"reaction_share_ligaments": 0.009}, {"reaction_share_ligaments": 0.02}, "scale"),
    ],
)
def test_meaningless_changes_are_null(before, after, reason):
    change = changes(before, after)
    key = list(before)[-1]
    assert change.relative[key] is None
    assert reason in change.reasons[key]


def test_scales_are_measures_of_the_same_unit():
    for key, info in MEASURES.items():
        if isinstance(info.scale, str):
            assert MEASURES[info.scale].unit == info.unit, key
