"""The way of the public names: specimen, plan, solutions, comparison, fields, words, files."""

import copy
import pickle

import numpy as np
import pytest

import sacrofem as sf
from sacrofem.mechanics.measures.catalogue import MEASURES


@pytest.fixture(scope="module")
def specimen():
    return sf.Specimen(sf.Case.preset("sif-bilateral").with_(mesh__reference="tiny"))


@pytest.fixture(scope="module")
def solutions(specimen):
    return specimen.solve(), specimen.solve(specimen.plan(volume_ml=4.1, approach="short-axis"))


@pytest.fixture(scope="module")
def result(solutions):
    return sf.compare(*solutions)


def test_two_solutions_are_the_case_compared(specimen, result):
    whole = sf.compare(specimen.asked)
    for key in MEASURES:
        for part in ("before", "after", "change"):
            assert getattr(whole[key], part) == getattr(result[key], part), key


def test_fields_are_one_line_away(specimen, solutions):
    before, after = solutions
    tets = len(specimen.mesh.tets)
    assert after.displacement.shape == (specimen.space.n_nodes, 3)
    assert after.stress.shape == after.strain.shape == (tets, 6)
    assert after.von_mises.shape == after.max_principal.shape == after.density.shape == (tets,)
    assert after.gap.jump.shape == (*specimen.space.gap.areas.shape, 3)
    assert (after.gap.opening >= 0.0).all()
    assert (after.gap.slip >= 0.0).all()
    # Where there is no cement the traction is that of the filler alone.
    bare = after.gap.coverage == 0.0
    k_n, k_t = specimen.gap_law.filler.stiffness(specimen.gap_law.aperture_mm)
    normal = specimen.space.gap.normals[:, None]
    along = np.einsum("pqx,pqx->pq", after.gap.jump, np.broadcast_to(normal, after.gap.jump.shape))[..., None] * normal
    assert after.gap.traction[bare] == pytest.approx((k_n * along + k_t * (after.gap.jump - along))[bare], rel=1e-9)
    assert after.cement_fraction.max() > 0.5
    assert (before.cement_fraction == 0.0).all()


def test_a_field_at_points(specimen, solutions):
    _, after = solutions
    inside = specimen.mesh.centroids[:5]
    assert np.isfinite(after.at(inside, "von_mises")).all()
    assert np.isnan(after.at(np.array([[500.0, 0.0, 0.0]]), "von_mises")).all()


def test_a_solution_alone_has_what_needs_no_plan(solutions, result):
    before, after = solutions
    for solution, part in ((before, "before"), (after, "after")):
        assert "micromotion_mean_um" in solution.measures
        assert not [key for key in solution.measures if key.startswith(("fracture_", "pericement_", "yield"))]
        for key, value in solution.measures.items():
            assert value == getattr(result[key], part)
    assert before.provenance["state"] == "before"
    assert before.checks["residual"] <= 1e-9


def test_a_measure_has_all_that_belongs_to_it(result):
    one = result["micromotion_mean_um"]
    assert one.unit == "µm"
    assert one.change == pytest.approx((one.after - one.before) / one.before)
    assert one.band is None
    assert "µm" in str(one)
    with pytest.raises(sf.InputError, match="no such measure"):
        result["micromotion"]
    assert len(list(result)) == len(result) == len(MEASURES)


def test_words_are_short(result):
    assert 5 < len(str(result).splitlines()) <= 40
    assert "Micromotion" in result.table()
    assert repr(result) == "Comparison('sif-bilateral')"


def test_a_frame_has_a_row_a_measure(result):
    pytest.importorskip("pandas")
    frame = result.to_frame()
    assert list(frame.index) == list(MEASURES)
    assert frame.loc["micromotion_mean_um", "before"] == result["micromotion_mean_um"].before


@pytest.mark.parametrize("name", ["changes", "von_mises", "max_principal", "modulus"])
def test_pictures_are_drawn(result, name):
    figure = result.plot(name)
    assert figure.axes
    with pytest.raises(sf.InputError, match="use one of"):
        result.plot("stress_of_mind")


def test_a_solution_draws_its_fields(solutions):
    assert solutions[1].plot("max_principal").axes
    with pytest.raises(sf.InputError, match="use one of"):
        solutions[1].plot("jump")


def test_plans_are_laid_and_refused(specimen):
    less = specimen.plan(volume_ml=1.0)
    assert less.volumes_ml["placed_ml"] == pytest.approx(1.0, abs=0.2)
    assert specimen.plan() is specimen.plan()
    with pytest.raises(sf.InputError, match="volume_ml"):
        specimen.plan(volume_ml=-1.0)
    other = sf.Specimen(sf.Case.preset("sif-unilateral").with_(mesh__reference="coarse"))
    with pytest.raises(sf.InputError, match="another specimen"):
        specimen.solve(other.plan(volume_ml=1.0))


def test_what_does_not_belong_together_is_not_compared(specimen, solutions):
    before, after = solutions
    with pytest.raises(sf.InputError, match="has no cement"):
        sf.compare(after, before)
    with pytest.raises(sf.InputError, match="has cement in it"):
        sf.compare(after, after)
    with pytest.raises(sf.InputError, match="one solution is given"):
        sf.compare(before)


def test_everything_can_be_copied(specimen, result):
    for thing in (specimen, result):
        twin = pickle.loads(pickle.dumps(thing))
        assert repr(twin) == repr(thing)
        assert repr(copy.deepcopy(thing)) == repr(thing)
    twin = pickle.loads(pickle.dumps(result))
    assert twin.to_json() == result.to_json()
    # A copy of a specimen goes on: it lays the same plan.
    again = pickle.loads(pickle.dumps(specimen)).plan(volume_ml=1.0)
    assert again.region.placed_ml == pytest.approx(specimen.plan(volume_ml=1.0).region.placed_ml, rel=1e-12)
    assert not twin.mesh.points.flags.writeable


@pytest.mark.slow
def test_a_sweep_is_one_comparison_a_plan(specimen):
    sections = [specimen.case.cement.model_copy(update={"volume_ml": volume}) for volume in (1.0, 2.0)]
    swept = list(specimen.sweep(sections))
    assert [round(c.case.cement.volume_ml, 3) for c in swept] == [1.0, 2.0]
    assert swept[1]["micromotion_mean_um"].change < swept[0]["micromotion_mean_um"].change < 0.0
    assert all(c.common_zones is None for c in swept)


@pytest.mark.slow
def test_a_result_is_saved_once(result, tmp_path):
    result.save(tmp_path / "out")
    assert {"comparison.json", "report.html", "manifest.json", "case.toml"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
