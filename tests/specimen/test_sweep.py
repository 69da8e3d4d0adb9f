"""Many plans on one specimen against comparing them one by one."""

import numpy as np
import pytest

from sacrofem import Case, InputError, Specimen, compare, compare_plans
from sacrofem.mechanics.batch.solver import LANES, METHOD
from sacrofem.specimen.sweep import FEW, Sweep
from sacrofem.system.threads import threads


def tiny(**changes):
    return Case.preset("sif-unilateral").with_(mesh__reference="tiny", **changes)


def sweep(volumes):
    specimen = Specimen(tiny())
    plans = [specimen.plan(volume_ml=float(volume)) for volume in volumes]
    return Sweep(specimen, plans, specimen.solve())


@pytest.fixture(scope="module")
def three():
    changes = ({"cement__volume_ml": 0.5}, {"cement__volume_ml": 4.1}, {"cement__approach": "long-axis"})
    cases = [tiny(mesh__order=1, **change) for change in changes]
    return cases, list(compare_plans(cases, audit=0.5, seed=1))


def check_alone(case, found):
    """Of a linear solve and of a batch, to what their tolerances leave."""
    alone = compare(case)
    for state in ("before", "after", "change"):
        for key in ("micromotion_mean_um", "micromotion_p95_um", "stiffness_n_per_mm", "strain_energy_nmm"):
            assert getattr(found, state)[key] == pytest.approx(getattr(alone, state)[key], rel=1e-7)
    assert found.cement["in_gap_ml"] == pytest.approx(alone.cement["in_gap_ml"])
    assert found.checks["force"] < 1e-8


def test_a_plan_among_others_is_the_plan_alone(three):
    cases, found = three
    check_alone(cases[1], found[1])


@pytest.mark.slow
def test_so_it_is_among_many():
    volumes = [0.5 + 0.5 * number for number in range(FEW + 1)]
    with threads(2):
        plans = sweep(volumes)
        assert plans.engine.method == METHOD
        check_alone(tiny(cement__volume_ml=volumes[3]), list(plans.solve(audit=0.2, seed=1))[3])


def test_a_few_are_solved_afresh():
    assert sweep([1.0, 2.0]).engine.method != METHOD


def test_plans_keep_their_order_and_differ(three):
    cases, found = three
    assert [c.case for c in found] == cases
    assert found[0].after["micromotion_mean_um"] > found[1].after["micromotion_mean_um"]
    # Solved once, and looked at by every plan in zones of its own.
    assert all(c.solutions["before"] is found[0].solutions["before"] for c in found)
    assert all(c.before["slip_mean_um"] == found[0].before["slip_mean_um"] for c in found)
    assert len({c.before["fracture_von_mises_p95_mpa"] for c in found}) == 3
    assert len({c.solver["method"] for c in found}) == 1


@pytest.mark.slow
def test_a_place_of_a_sweep_is_that_plan():
    plans = sweep([1.0, 2.0])
    assert len(plans) == 2
    (found,) = plans.solve([1])
    assert found.plan.volumes_ml["placed_ml"] == pytest.approx(2.0, rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"load__slope_deg": 20.0}, "load"),
        ({"mesh__order": 1}, "mesh"),
        ({"cement__in_gap": "contact"}, "cement.in_gap"),
    ],
)
def test_plans_that_differ_in_more_than_cement_are_refused(changes, field):
    with pytest.raises(InputError) as refused:
        next(compare_plans([tiny(), tiny(**changes)]))
    assert refused.value.field == field


def test_no_plan_is_refused():
    with pytest.raises(InputError, match="no plan"):
        next(compare_plans([]))
    specimen = Specimen(tiny())
    with pytest.raises(InputError, match="no plan"):
        next(specimen.sweep([]))


@pytest.mark.slow
def test_memory_stays_flat_over_many_plans():
    """Two batches in one process: what is held after the first is what is held at the end."""
    import gc

    from sacrofem.system.memory import resident_bytes

    volumes = np.linspace(0.5, 4.0, 2 * LANES)
    held = []
    with threads(2):
        plans = sweep(volumes)
        for number, result in enumerate(plans.solve(audit=0.02)):
            assert result.checks["residual"] < 1e-8
            if number in (LANES, 2 * LANES - 1):
                gc.collect()
                held.append(resident_bytes())
    assert held[1] < held[0] * 1.1
