"""The main job on the tiny mesh: identities that hold whatever the mesh, and the shape of the result.

P1 elements, because an identity of linear elasticity does not depend on the order and P1 is quick.
"""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from setups import compared, solved, with_parts

from sacrofem import Case, Comparison, InputError, SacrofemWarning, Specimen, compare, reference_mesh
from sacrofem.anatomy.regions import alar_plane
from sacrofem.mechanics.measures.catalogue import MEASURES
from sacrofem.mechanics.parts.gaplaw import GapCement
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.report.figures import comparison as figures
from sacrofem.specimen.build import build_gap_law
from sacrofem.specimen.cement import cement_of
from sacrofem.specimen.check import summary
from sacrofem.specimen.compare import compare_specimen
from sacrofem.specimen.comparison import comparison_of
from sacrofem.specimen.plan import cement_filler

TINY = {"mesh.reference": "tiny", "mesh.order": 1, "solver.tolerance": 1e-12}


def tiny(preset="sif-bilateral", **changes):
    return Case.preset(preset).with_(**TINY).with_(**changes)


@pytest.fixture(scope="module")
def bilateral() -> Comparison:
    return compare(tiny(), intact=True)


@pytest.fixture(scope="module")
def unilateral():
    return Specimen(tiny("sif-unilateral"))


def close(a, b, relative):
    for key, value in a.items():
        if value is None:
            assert b[key] is None, key
        else:
            assert b[key] == pytest.approx(value, rel=relative, abs=relative * 1e-3), key


# ------------------------------------------------------------------ what comes out
def test_every_measure_is_there_in_every_state(bilateral):
    for values in (bilateral.before, bilateral.after, bilateral.change, bilateral.intact):
        assert set(values) == set(MEASURES)
    for key, value in bilateral.after.items():
        assert value is not None or key in bilateral.reasons, key


def test_json_has_the_schema_and_no_nan(bilateral):
    content = json.loads(json.dumps(bilateral.to_json(), allow_nan=False))
    assert set(content) >= {
        "schema", "case", "before", "after", "change", "intact", "fractures", "mesh_band", "input_range",
        "bands", "cement", "mesh", "solver", "checks", "safety", "validity", "warnings",
    }  # fmt: skip
    assert set(content["fractures"]) == {"zone1_left", "zone1_right"}
    assert set(content["mesh"]) == {"nodes", "tets", "dofs", "volume_ml", "min_quality", "origin"}
    assert Case.from_dict(content["case"]) == bilateral.case


def test_every_solve_balances(bilateral):
    for record in bilateral.records.values():
        assert record.checks["residual"] <= 1e-11
        assert record.checks["force"] <= 1e-9
        assert record.checks["moment"] <= 1e-9
        assert record.checks["energy"] <= 1e-9
        assert record.checks["fracture"] <= 1e-9


def test_volume_is_placed_and_split(bilateral):
    cement = bilateral.cement
    assert cement["placed_ml"] == pytest.approx(4.1, rel=1e-6)
    assert cement["in_bone_ml"] + cement["in_gap_ml"] + cement["in_lesion_ml"] == pytest.approx(cement["placed_ml"])
    assert cement["requested_ml"] == pytest.approx(cement["placed_ml"] + cement["withheld_ml"], rel=1e-6)
    assert cement["in_gap_ml"] > 0


def test_cement_cannot_raise_the_energy_and_fracture_cannot_lower_it(bilateral):
    """Minimum of potential energy: stiffer anywhere means less compliance."""
    key = "strain_energy_nmm"
    assert bilateral.intact[key] < bilateral.before[key]
    assert bilateral.after[key] < bilateral.before[key]
    assert bilateral.change["micromotion_mean_um"] < 0


def test_symmetric_case_gives_symmetric_answers(bilateral):
    for state in ("before", "after"):
        close(bilateral.fractures["zone1_left"][state], bilateral.fractures["zone1_right"][state], 1e-8)
        values = getattr(bilateral, state)
        assert values["reaction_share_left"] == pytest.approx(values["reaction_share_right"], rel=1e-8)
    shares = [bilateral.before[f"reaction_share_{part}"] for part in ("left", "right", "ligaments")]
    assert sum(shares) == pytest.approx(1.0, rel=1e-9)


def test_intact_state_has_no_micromotion(bilateral):
    assert bilateral.intact["micromotion_max_um"] == pytest.approx(0.0, abs=1e-9)
    assert 0 < bilateral.intact["fragment_motion_um"] < bilateral.before["fragment_motion_um"]


# ------------------------------------------------------------------ identities
def test_left_and_right_mirror(unilateral):
    """The mirrored mesh and case give the mirrored answer (1e-8)."""
    left = compare_specimen(unilateral)
    right = compare(tiny("sif-unilateral").on_side("right"))
    swapped = {"reaction_share_left": "reaction_share_right", "reaction_share_right": "reaction_share_left"}
    for state in ("before", "after"):
        a, b = getattr(left, state), getattr(right, state)
        close({swapped.get(key, key): value for key, value in a.items()}, b, 1e-8)


def test_twice_the_load_doubles_everything(unilateral):
    one = compare_specimen(unilateral)
    loading = replace(unilateral.loading, force=2 * unilateral.loading.force)
    two = compared(with_parts(unilateral, loading=loading), unilateral.plan())
    u, doubled = (found.solutions["after"].state.displacement for found in (one, two))
    np.testing.assert_allclose(doubled, 2 * u, rtol=0, atol=1e-9)
    assert two.after["strain_energy_nmm"] == pytest.approx(4 * one.after["strain_energy_nmm"], rel=1e-9)
    assert two.change["micromotion_mean_um"] == pytest.approx(one.change["micromotion_mean_um"], rel=1e-8)


def test_every_modulus_times_c_divides_displacement_by_c(unilateral):
    c = 3.0
    one, plan = compare_specimen(unilateral), unilateral.plan()
    bone, cortex = unilateral.bone.elasticity, unilateral.bone.cortex
    (layer, bands), law = unilateral.supports, unilateral.gap_law
    scaled = with_parts(
        unilateral,
        bone=replace(
            unilateral.bone,
            elasticity=replace(bone, youngs=c * bone.youngs),
            cortex=replace(cortex, youngs=c * cortex.youngs),
        ),
        supports=(
            replace(layer, normal=c * layer.normal, tangential=c * layer.tangential),
            replace(bands, stiffness=c * bands.stiffness),
        ),
        gap_law=replace(law, filler=replace(law.filler, modulus_mpa=c * law.filler.modulus_mpa)),
    )
    material = replace(plan.material, modulus_mpa=c * plan.material.modulus_mpa)
    two = compared(scaled, replace(plan, material=material))
    assert two.before["micromotion_mean_um"] * c == pytest.approx(one.before["micromotion_mean_um"], rel=1e-9)
    assert two.after["micromotion_mean_um"] * c == pytest.approx(one.after["micromotion_mean_um"], rel=1e-9)
    assert two.after["fracture_von_mises_p95_mpa"] == pytest.approx(one.after["fracture_von_mises_p95_mpa"], rel=1e-8)


def test_cement_like_the_bone_and_the_filler_changes_nothing(unilateral):
    """Cement with the bone's E and ν in bone and the filler's own law in the gap is no treatment (1e-10)."""
    plan, bone, law = unilateral.plan(), unilateral.bone.elasticity, unilateral.gap_law
    assert plan.region.fraction.max() > 0.9
    assert plan.coverage.max() > 0.9
    gap = law.stiffness(unilateral.space, bone, plan.coverage, GapCement(law.filler))
    null = replace(unilateral.recipe(plan), bone=bone, gap=gap)
    result = comparison_of(unilateral.solve(), solved(unilateral, plan, null))
    close(result.before, result.after, 1e-10)


def test_a_very_stiff_gap_is_no_fracture(unilateral):
    """Splitting and gluing with a very stiff law reproduces the intact solution to 1e-6 (the error falls as 1/k)."""
    tied = unilateral.solve(intact=True).state.displacement
    stiff = np.full(unilateral.space.gap.areas.shape, 3e7)
    recipe = replace(unilateral.recipe(), gap=GapStiffness(stiff, stiff))
    glued = solved(unilateral, recipe=recipe).state.displacement
    assert np.abs(glued - tied).max() < 1e-6 * np.abs(tied).max()


# ------------------------------------------------------------------ other cases
def test_without_cement_in_the_gap_micromotion_falls_less():
    bonded = compare(tiny("sif-unilateral"))
    none = compare(tiny("sif-unilateral", **{"cement.in_gap": "none"}))
    assert none.cement["in_gap_ml"] == 0
    assert none.solutions["after"].state.coverage.max() == 0
    # Stiffer bone beside an untouched gap hardly moves the gap, in either direction.
    assert bonded.change["micromotion_mean_um"] < -0.1
    assert abs(none.change["micromotion_mean_um"]) < 0.05
    assert none.after["strain_energy_nmm"] < none.before["strain_energy_nmm"]


@pytest.mark.parametrize("preset", ["lytic-focal", "lytic-infiltrative"])
def test_a_lesion_is_cemented_and_compared(preset):
    result = compare(tiny(preset))
    assert result.before["micromotion_mean_um"] is None
    assert "no fracture" in result.reasons["micromotion_mean_um"]
    assert result.cement["in_lesion_ml"] > 0.3 * result.cement["placed_ml"]
    assert result.after["strain_energy_nmm"] < result.before["strain_energy_nmm"]
    assert result.before["lesion_von_mises_p95_mpa"] > 0


def test_hemisacrum_with_a_front_and_a_spot():
    result = compare(tiny("hemisacrum-one-legged"))
    mesh = result.mesh
    assert mesh.points[:, 0].min() >= 0
    assert mesh.face_sets["cut"].any()
    assert not result.specimen.bone.cortex.thickness[mesh.face_sets["cut"]].any()
    assert result.before["front_max_principal_p95_mpa"] > 0
    assert result.region.fraction.max() == 0
    assert result.solutions["after"].state.coverage.max() == 1
    assert result.change["micromotion_mean_um"] < 0
    assert result.before["reaction_share_left"] == pytest.approx(1.0, rel=1e-8)


def test_a_fracture_turned_to_the_joint_is_cut_and_treated_there():
    result = compare(tiny(fracture__tilt_deg=8.0))
    middle = result.space.gap.points.reshape(-1, 3)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        point, normal = alar_plane(result.specimen.landmarks, side, 12.0, 8.0)
        # The cut goes to nodes that lie near it already.
        assert np.abs((middle[sign * middle[:, 0] > 0] - point) @ normal).max() < 0.2
    assert result.region.in_gap_ml > 0.1
    assert result.change["micromotion_mean_um"] < -0.3


def test_an_open_gap_that_frees_a_fragment_is_refused():
    case = tiny(**{"fracture.filler": "open", "supports.ligaments": False})
    with pytest.raises(InputError, match=r"ml around .* floats"):
        Specimen(case)


def test_preview_and_assumptions_are_said(bilateral, monkeypatch):
    text = " ".join(bilateral.warnings)
    assert "P1 is a preview" in text
    # What `sacrofem check` prints.
    assert any("P1 is a preview" in note for note in summary(bilateral.specimen, bilateral.plan)["warnings"].values())
    titles = []
    for name in ("anatomy", "section", "micromotion", "changes"):
        monkeypatch.setattr(figures, f"{name}_figure", lambda *_, title, **__: titles.append(title))
    figures.comparison_figures(bilateral)
    assert len(titles) == 4
    assert all("P1, a preview" in title for title in titles)
    assert "bonded" in text
    assert "on the modulus floor" in text


# ------------------------------------------------------------------ what a reader has to know
def test_zones_say_what_the_cement_takes_out_of_them(bilateral):
    assert 0.0 < bilateral.to_json()["left_out"]["fracture"] < 0.5


@pytest.mark.slow
def test_a_solve_that_misses_its_tolerance_says_so(bilateral):
    def warned(tolerance):
        texts = compare(bilateral.case.with_(**{"solver.tolerance": tolerance})).warnings
        return [text for text in texts if "solver.tolerance" in text]

    assert warned(1e-10) == []
    before, after = warned(1e-14)
    assert before.startswith("the before solve stopped at a relative residual of")
    assert after.endswith("above solver.tolerance = 1e-14")


def test_a_slope_that_does_not_count_is_named():
    note = "load.slope_deg = 30 does not count: standing-muscle acts at 15°"
    assert any(note in text for text in Specimen(tiny(load__kind="standing-muscle", load__slope_deg=30.0)).notes)
    assert not any("slope" in text for text in Specimen(tiny(load__slope_deg=30.0)).notes)


def test_a_filler_of_cement_takes_a_modulus_of_its_own():
    def filler(**changes):
        case = tiny(**{"fracture.filler": "cement"}, **changes)
        return build_gap_law(case, cement_filler(cement_of(case))).filler

    assert filler().modulus_mpa == 2000.0
    assert filler(**{"fracture.filler_modulus_mpa": 500.0}).modulus_mpa == 500.0


def test_a_filler_that_is_stiff_beside_the_bone_at_the_fracture_is_named(bilateral):
    stiff = compare(tiny(fracture__filler_modulus_mpa=2.0))
    assert any("not soft beside the bone at the fracture (median 10 MPa)" in text for text in stiff.warnings)
    assert not any("not soft" in text for text in bilateral.warnings)


def test_own_mesh_without_foramina_or_landmarks(unilateral):
    bare = replace(unilateral.landmarks, foramina={})
    result = compare(unilateral.case, mesh=unilateral.mesh, landmarks=bare)
    key = "contralateral_max_principal_p95_mpa"
    assert result.before[key] is None
    assert "foramina" in result.reasons[key]
    assert not any("landmarks" in text for text in result.warnings)
    specimen = Specimen(unilateral.case, mesh=unilateral.mesh)
    assert any("landmarks are those of the built-in sacrum" in text for text in specimen.notes)


def test_warnings_of_the_mesher_are_kept(monkeypatch):
    def case_mesh(case, solid, landmarks):
        warnings.warn("cutting left 3 tets", SacrofemWarning, stacklevel=2)
        return reference_mesh("sacrum-tiny-bilateral"), ()

    monkeypatch.setattr("sacrofem.specimen.build.case_mesh", case_mesh)
    with pytest.warns(SacrofemWarning, match="3 tets"):
        specimen = Specimen(tiny())
    assert "cutting left 3 tets" in specimen.notes


def test_pores_of_a_blastic_lesion_follow_its_density():
    def pores(factor):
        bone = Specimen(tiny("lytic-focal", lesion__density_factor=factor)).bone
        return bone.pores[bone.lesion_fraction > 0.99]

    assert pores(0.1).min() > 0.99
    assert pores(5.0).max() < 0.95


def test_the_side_of_a_cut_fracture_changes_nothing():
    """Partial fractures are cut when they are asked for; Mmg does not cut mirror images alike."""
    left, right = (compare(tiny("hemisacrum-one-legged").on_side(side)) for side in ("left", "right"))
    sides = {"reaction_share_left": "reaction_share_right", "reaction_share_right": "reaction_share_left"}
    close(left.before, {key: right.before[sides.get(key, key)] for key in right.before}, 1e-8)
    close(left.after, {key: right.after[sides.get(key, key)] for key in right.after}, 1e-8)


def test_half_a_sacrum_under_the_whole_load_is_noted():
    standing = tiny("hemisacrum-one-legged", load__kind="standing")
    assert not any("whole load" in text for text in Specimen(standing).notes)
    assert any("whole load (700 N)" in text for text in Specimen(standing.with_(load__force_n=None)).notes)


def test_the_load_of_a_case_reaches_the_endplate():
    case = tiny("sif-unilateral", mesh__order=1)
    given = {"kind": "free", "force_vector_n": (30.0, -40.0, -500.0), "point_mm": (1.0, 2.0, 3.0)}
    own = Specimen(case.with_(load={**given, "moment_n_m": (1.0, 2.0, -3.0)})).loading
    assert own.resultant.force.tolist() == [30.0, -40.0, -500.0]
    assert own.resultant.moment.tolist() == [1000.0, 2000.0, -3000.0]
    np.testing.assert_allclose(own.force.sum(axis=0), own.resultant.force, atol=1e-9)
    bent = Specimen(case.with_(load={"kind": "lateral-bending", "moment_n_m": (0.0, 1.0, 0.0)})).loading
    assert bent.resultant.moment.tolist() == [0.0, 8500.0, 0.0]
    alone = Specimen(case.with_(load={"kind": "free", "moment_n_m": (0.0, 0.0, 5.0)}))
    assert alone.loading.resultant.magnitude == 0.0
    assert alone.solve().measures["stiffness_n_per_mm"] is None


def test_a_jump_beyond_the_linear_law_is_named(bilateral):
    assert bilateral.before["gap_strain_p95"] > 0.3
    assert bilateral.validity.checks["gap_strain"].state == "amber"
    assert any("at the edge of the model: gap strain" in text for text in bilateral.warnings)
    stiff = compare(bilateral.case.with_(fracture__filler_modulus_mpa=20.0))
    assert stiff.before["gap_strain_p95"] < 0.3
    assert stiff.validity.checks["gap_strain"].state == "inside"
    assert not any("gap strain" in text for text in stiff.warnings)


# ------------------------------------------------------------------ contact
def test_contact_that_nothing_closes_is_the_bonded_answer(bilateral):
    """With an aperture of 1 mm no faces meet: the same numbers, and the result says so."""
    result = compare(tiny(fracture__closure="contact"))
    close(bilateral.before, result.before, 1e-9)
    close(bilateral.after, result.after, 1e-9)
    assert not result.closure.mattered
    assert any("nothing in the gap touches" in text for text in result.warnings)
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))["contact"]
    assert content["before"]["steps"][-1]["open"] > 0 == content["before"]["closed_mm2"]
    assert bilateral.to_json()["contact"] is None


def test_faces_that_close_stop_at_one_another():
    """A hair's breadth apart they meet, and overlap by far less than they are apart."""
    case = tiny(
        "sif-unilateral", fracture__closure="contact", fracture__aperture_mm=0.02, fracture__friction=0.0
    ).with_(fracture__filler_modulus_mpa=0.01)
    result = compare(case.with_(solver__tolerance=1e-10))
    assert result.closure.mattered
    for name in ("before", "after"):
        state = result.solutions[name].state
        contact = state.contact
        assert contact.closed.any()
        assert contact.penetration_mm < 0.01 * 0.02
        closing = -result.space.gap.normal_part(result.space.jump(state.displacement))
        bonded = result.closure.bonded[name]
        assert closing[state.coverage < 0.5].max() < 0.02 * 1.01
        assert getattr(result, name)["strain_energy_nmm"] <= bonded["strain_energy_nmm"]
        assert getattr(result, name)["yield_load_n"] is None
    assert result.closure.shift["before"]["micromotion_mean_um"] is not None
    assert result.checks["energy"] < 1e-7
    assert any("bone touches on" in text for text in result.warnings)


def test_cement_that_only_touches_holds_less_than_bonded():
    bonded, touching = (compare(tiny("sif-unilateral", cement__in_gap=how)) for how in ("bonded", "contact"))
    assert touching.after["micromotion_mean_um"] > bonded.after["micromotion_mean_um"]
    assert touching.closure.bonded["after"]["micromotion_mean_um"] == pytest.approx(
        bonded.after["micromotion_mean_um"], rel=1e-9
    )
    close(bonded.before, touching.before, 1e-9)


@pytest.mark.slow
def test_a_fresh_gap_with_friction_is_solved():
    """0.05 mm, nothing in it, Coulomb friction: closes beside the bridge of cement, slips, balances."""
    changes = {"mesh.reference": "tiny", "mesh.order": 1, "fracture.state": "fresh"}
    found = compare(Case.preset("sif-bilateral").with_(**changes))
    assert found.checks["residual"] < 1e-8
    assert found.checks["energy"] < 1e-6
    before, after = (found.solutions[name].state for name in ("before", "after"))
    assert found.change["micromotion_mean_um"] < -0.8
    assert np.abs(before.displacement).max() > np.abs(after.displacement).max()
