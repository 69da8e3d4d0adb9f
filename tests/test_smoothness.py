"""Micromotion is a smooth function of the cement volume: nothing jumps when an element or a face fills.

On the default bilateral case (P2, tiny mesh), needles where the preset puts them, and then columns 5 mm
medial of the fractures, so that the boluses first reach the gap at some volume on the way.
"""

import numpy as np
import pytest

from sacrofem import Case, Specimen, compare_plans
from sacrofem.system.threads import threads


def cases(volumes, offset_mm=0.0):
    """One case a volume; with an offset, by needles that far medial of the preset's."""
    plain = Case.preset("sif-bilateral").with_(**{"mesh.reference": "tiny", "solver.tolerance": 1e-9})
    if offset_mm == 0.0:
        return [plain.with_(cement__volume_ml=float(volume)) for volume in volumes]
    specimen = Specimen(plain)
    needles = []
    for placed, side in zip(specimen.plan().region.injections, plain.treated_sides, strict=True):
        shift = -offset_mm * specimen.landmarks.auricular[side].normal
        needle = placed.injection.needle
        ends = (("entry_mm", needle.entry_mm), ("target_mm", needle.target_mm))
        needles.append({key: tuple(float(x) for x in np.add(end, shift)) for key, end in ends})
    return [
        plain.with_(
            cement__injections=tuple(needle | {"volume_ml": float(volume) / 2} for needle in needles),
            cement__volume_ml=float(volume), cement__spread="column",
        )
        for volume in volumes
    ]  # fmt: skip


def sweep(volumes, offset_mm=0.0):
    """Micromotion after cement over that before, and the cement in the gap (ml), at each volume."""
    micromotion, in_gap = [], []
    with threads(None):
        for volume, found in zip(volumes, compare_plans(cases(volumes, offset_mm)), strict=True):
            assert found.region.placed_ml == pytest.approx(volume, rel=1e-3)
            micromotion.append(1.0 + found.change["micromotion_mean_um"])
            in_gap.append(found.region.in_gap_ml)
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
