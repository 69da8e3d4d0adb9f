"""Micromotion is a smooth function of the cement volume: nothing jumps when an element or a face fills.

On the default bilateral case (P2, tiny mesh), needles where the preset puts them, and then columns 5 mm
medial of the fractures, so that the boluses first reach the gap at some volume on the way.
"""

import numpy as np
import pytest

from sacrofem import Case
from sacrofem.mechanics.statics import Statics
from sacrofem.model import Model, prepare
from sacrofem.threads import threads


def case(volume_ml, offset_mm=0.0):
    plain = Case.preset("sif-bilateral").with_(
        **{"mesh.reference": "tiny", "cement.volume_ml": float(volume_ml), "solver.tolerance": 1e-9}
    )
    if offset_mm == 0.0:
        return plain
    model = prepare(plain)
    injections = []
    for placed, side in zip(model.region.injections, plain.treated_sides, strict=True):
        shift = -offset_mm * model.landmarks.auricular[side].normal
        needle = placed.injection.needle
        injections.append(
            {
                "entry_mm": tuple(float(x) for x in np.add(needle.entry_mm, shift)),
                "target_mm": tuple(float(x) for x in np.add(needle.target_mm, shift)),
                "volume_ml": volume_ml / 2,
            }
        )
    return plain.with_(
        cement__injections=tuple(injections), cement__volume_ml=2 * (volume_ml / 2), cement__spread="column"
    )


def mean_jump(model: Model, displacement):
    gap = model.space.gap
    length = np.linalg.norm(model.space.jump(displacement), axis=2)
    return float((length * gap.areas).sum() / gap.areas.sum())


def sweep(volumes, offset_mm=0.0):
    """Micromotion after cement over that before, and the cement in the gap (ml), at each volume."""
    first = prepare(case(volumes[0], offset_mm))
    statics = Statics(first.space, first.membrane, first.supports, first.force, tolerance=1e-9)
    gap = first.gap(np.zeros_like(first.coverage), first.bone)
    before = mean_jump(first, statics.solve("before", first.bone.youngs, first.bone.poisson, gap).state.displacement)
    micromotion, in_gap = [], []
    with threads(None):
        for volume in volumes:
            model = prepare(case(volume, offset_mm))
            assert model.region.placed_ml == pytest.approx(volume, rel=1e-3)
            treated = model.treated
            after = statics.solve(
                "after", treated.youngs, treated.poisson, model.gap(model.coverage, treated)
            ).state.displacement
            micromotion.append(mean_jump(first, after) / before)
            in_gap.append(model.region.in_gap_ml)
    return np.array(micromotion), np.array(in_gap)


@pytest.mark.slow
def test_micromotion_falls_smoothly_from_1_to_6_ml():
    micromotion, in_gap = sweep(np.linspace(1.0, 6.0, 21))
    step = np.diff(micromotion)
    bend = step[1:-1] - 0.5 * (step[:-2] + step[2:])
    assert step.max() < 0.005
    assert np.abs(bend).max() < 0.03
    assert (np.diff(in_gap) > 0).all()


@pytest.mark.slow
def test_nothing_jumps_when_the_bolus_reaches_the_gap():
    volumes = np.arange(2.8, 3.65, 0.05)
    micromotion, in_gap = sweep(volumes, offset_mm=5.0)
    assert in_gap[0] == 0
    assert in_gap[-1] > 0.05
    step = np.diff(micromotion)
    assert np.abs(step).max() < 0.03
