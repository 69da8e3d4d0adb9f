"""Votes on what was measured decide what is a sacrum: measurements of bones, and how they are taken."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from scanned_lattice import on_lattice

from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
from sacrofem.anatomy.frame import Frame
from sacrofem.anatomy.scan.landmarks import find_landmarks
from sacrofem.anatomy.scan.likeness import (
    CRITERIA,
    NEEDED,
    Likeness,
    Measured,
    of_landmarks,
    of_solid,
    of_twin,
)
from sacrofem.anatomy.scan.twin import Twin

NAMES = tuple(asdict(Measured()))


def measured(*values):
    return Measured(**dict(zip(NAMES, values, strict=True)))


# In the order of Measured, as an import measures them: the built-in sacrum, that of the Visible Human male, a segmented
# one and a mean shape; halves and L5 are theirs.
SACRA = {
    "built-in-woman": measured(213, 0.916, 0.385, 2.16, 0.00301, 0.607, 106, 93.9, 0.571, 1, 930, 1, 923, 1, 1),
    "built-in-man": measured(228, 0.81, 0.35, 2.16, 0.00406, 0.647, 102, 108, 0.612, 1, 1040, 1, 963, 1, 1),
    "with-coccyx": measured(245, 0.762, 0.311, 2.41, 0.049, 9.08, 115, 128, 0.646, 1, 1400, 0.79, 1290, 0, 0.833),
    "without-coccyx": measured(238, 0.843, 0.312, 2.35, 0.0361, 6.37, 115, 130, 0.646, 1, 1420, 0.76, 1260, 0, 0.833),
    "segmented": measured(205, 0.877, 0.415, 2.12, 0.0502, 8.6, 111, 91.9, 0.675, 0.951, 1510, 0.817, 1380, 0, 1),
    "mean-shape": measured(231, 0.981, 0.372, 1.69, 0.0441, 8.24, 108, 104, 0.704, 0.998, 1480, 0.98, 1410, 0, 0),
    "filled": measured(276, 0.755, 0.315, 1.83, 0.0551, 14.7, 118, 123, 0.683, 1, 1420, 0.758, 1220, 0, 0),
    "filled-segmented": measured(
        228, 0.887, 0.425, 1.76, 0.0532, 8.94, 115, 93.8, 0.687, 0.954, 1630, 0.858, 1360, 0, 0
    ),
    "broken-ala": measured(194, 0.789, 0.382, 2.2, 0.00922, 2.59, 100, 94, 0.69, 0.894, 953, 1, 1260, 1, 1),
    "broken-with-coccyx": measured(
        223, 0.653, 0.304, 2.42, 0.0524, 11.5, 95.4, 130, 0.773, 0.882, 1410, 0.767, 1530, 0, 0.833
    ),
    "warped": measured(239, 0.601, 0.308, 2.37, 0.0627, 14, 98.1, 131, 0.686, 1, 1250, 0.809, 1340, 1, 0.833),
    "warped-segmented": measured(
        201, 0.696, 0.334, 2.17, 0.0526, 8.69, 123, 83.8, 0.609, 0.966, 1350, 0.873, 1310, 0, 0.833
    ),
    "warped-mean-shape": measured(225, 0.819, 0.29, 1.74, 0.0434, 7.66, 122, 104, 0.675, 0.944, 1440, 0.99, 1270, 0, 0),
}
OTHERS = {
    "L5": measured(76.4, 0.965, 0.499, 1.8, 0.072, 10.9, 50.2, 66.3, 0.946, 1, 504, 0.978, 763, 0, 0.5),
    "segmented-L5": measured(68.2, 0.918, 0.432, 1.7, 0.0566, 7.35, 63.6, 69.9, 0.827, 0.958, 414, 0.9, 1010, 0, 0.667),
    "L3-and-L4": measured(133, 0.9, 0.733, 2.14, 0.106, 19.9, 74.5, 54.4, 1.04, 0.618, 981, 0.736, 1780, 0.5, 0.75),
    "T12-and-L1": measured(110, 0.932, 0.67, 1.97, 0.0716, 9.39, 66.1, 53.5, 0.903, 0.566, 752, 0.85, 1530, 0.5, 0.833),
    "left-hip-bone": measured(355, 0.678, 0.343, 2.34, 0.146, 36.9, 132, 126, 0.725, 0.265, 0, 0.143, 633, 0, 0.167),
    "right-hip-bone": measured(351, 0.662, 0.331, 2.34, 0.179, 40.6, 125, 120, 0.775, 0.265, 0, 0, 535, 0, 0),
    "half": measured(107, 0.476, 0.377, 1.95, 0.0355, 4.78, 81.2, 93.1, 0.553, 0.459, 663, 0.881, 1260, 1, 0.583),
    "segmented-half": measured(96, 0.573, 0.423, 1.9, 0.0673, 9.02, 85, 91.1, 0.564, 0.405, 559, 0.89, 1080, 0, 0.333),
    "without-S1-body": measured(158, 0.773, 0.351, 2.13, 0.0592, 8.45, 118, 83.4, 0.671, 0.958, 0, 0, 1750, 0, 1),
    "shell": measured(448, 0.847, 0.8, 4.95, 0.334, 48.2, 147, 116, 0.963, 0.966, 1800, 0.906, 2330, 0, 0),
    "cube": measured(343, 1, 1, 1.22, 0.0706, 15.7, 81.8, 109, 0, 1, 889, 1, 742, 0, 0),
    "ball": measured(268, 1, 0.999, 1.02, 0.0549, 14.2, 80.7, 63.1, 0.538, 1, 869, 0.779, 1290, 0, 0.167),
}


@pytest.mark.parametrize("name", SACRA)
def test_a_sacrum_passes_with_room(name):
    likeness = Likeness(SACRA[name])
    assert likeness.is_sacrum
    assert likeness.score >= NEEDED + 0.05
    assert not any(CRITERIA[key].vital for key, support in likeness.supports.items() if support < 0.5)


@pytest.mark.parametrize("name", OTHERS)
def test_another_bone_is_refused_and_what_speaks_against_it_is_said(name):
    likeness = Likeness(OTHERS[name])
    assert not likeness.is_sacrum
    assert likeness.against


# A vertebra alone comes near in its proportions: there it is the size that decides.
@pytest.mark.parametrize("name", [name for name in OTHERS if not name.endswith("L5")])
def test_as_large_as_a_sacrum_it_is_still_none(name):
    """Size alone does not decide: the same bone of 240 ml has lengths that many times larger."""
    given = OTHERS[name]
    grown = (240.0 / given.volume_ml) ** (1.0 / 3.0)
    likeness = Likeness(
        replace(
            given, volume_ml=240.0, distance_p95_mm=grown * given.distance_p95_mm, breadth_mm=grown * given.breadth_mm,
            length_mm=grown * given.length_mm, endplate_mm2=grown**2 * given.endplate_mm2,
            joint_mm2=grown**2 * given.joint_mm2,
        )
    )  # fmt: skip
    assert not likeness.is_sacrum


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in ("half", "without-S1-body")])
def test_it_would_fail_without_vital_votes_too(name):
    """Of votes that count alike another bone loses enough; what is left of a sacrum that was cut is one in the rest."""
    supports = Likeness(OTHERS[name]).supports
    weights = [CRITERIA[key].weight for key in supports]
    assert np.average(list(supports.values()), weights=weights) < NEEDED


def test_words_name_value_and_bounds():
    against = Likeness(OTHERS["L5"]).against
    assert against[0] == "volume 76.4 ml (110 to 450)"
    assert "breadth 50.2 mm (83 to 124)" in against
    assert Likeness(OTHERS["cube"]).against[0] == "thickness 1 of its length (0.25 to 0.45)"
    assert "open canal 0 (at least 1)" in against


def test_nothing_measured_is_nothing_decided():
    assert not Likeness(Measured()).is_sacrum
    assert Likeness(Measured(volume_ml=66.7)).score == 0.0
    assert Likeness(Measured(volume_ml=213.0)).score == 1.0


@pytest.mark.parametrize("name", CRITERIA)
def test_support_runs_out_steadily(name):
    asked = CRITERIA[name]
    inside = asked.low if asked.low > 0.0 else min(asked.high, 1.0)
    assert asked.support(inside) == 1.0
    below = [asked.support(asked.low - share * asked.slack) for share in (0.0, 0.5, 1.0)]
    assert below == pytest.approx([1.0, 0.5, 0.0] if asked.slack else [1.0, 1.0, 1.0])
    assert asked.support(asked.low - asked.slack - 1e-6) == pytest.approx(0.0, abs=1e-6)
    if np.isfinite(asked.high):
        assert asked.support(asked.high + asked.slack + 1e-6) == pytest.approx(0.0, abs=1e-6)


def test_every_vote_has_its_bounds_and_source_in_json():
    content = Likeness(SACRA["segmented"]).to_json()
    assert content["is_sacrum"]
    assert content["needed"] == NEEDED
    assert set(content["votes"]) == set(NAMES) == set(CRITERIA)
    assert all(vote["source"] for vote in content["votes"].values())
    weights = {name: vote["weight"] for name, vote in content["votes"].items()}
    mean = sum(weights[name] * vote["support"] for name, vote in content["votes"].items()) / sum(weights.values())
    assert content["score"] == pytest.approx(mean, abs=2e-3)


# ------------------------------------------------------------------ how they are measured
@pytest.fixture(scope="module")
def own():
    """The built-in sacrum as its own twin."""
    return Twin(Frame.identity(), ParametricSacrum(), 0.2, 0.6)


def measure(solid, twin):
    return of_landmarks(of_twin(of_solid(solid), solid, twin), solid, twin, find_landmarks(solid, twin))


@pytest.fixture(scope="module")
def whole_measured(whole, own):
    return measure(whole, own)


def test_the_built_in_sacrum_is_measured_as_it_is(whole, own, whole_measured):
    found, parameters = whole_measured, own.sacrum.parameters
    assert found.volume_ml == pytest.approx(whole.volume_mm3 / 1e3)
    assert found.distance == pytest.approx(0.2 / np.cbrt(whole.volume_mm3))
    assert found.breadth_mm == parameters.alar_breadth_mm
    # An ellipse of the endplate's diameters, of which the rim is rounded off.
    ellipse = 0.25 * np.pi * parameters.endplate_transverse_mm * parameters.endplate_ap_mm
    assert found.endplate_mm2 == pytest.approx(ellipse, rel=0.15)
    assert found.canal == found.foramina == 1.0
    assert found.symmetry > 0.98
    assert Likeness(found).score > 0.95


def test_half_of_it_has_no_mirror_image(own):
    half = measure(on_lattice(cut_mm=0.0), own)
    likeness = Likeness(half)
    assert not likeness.is_sacrum
    assert any(words.startswith("symmetry") for words in likeness.against)


@pytest.mark.slow
def test_a_broken_ala_leaves_a_sacrum(own):
    broken = measure(on_lattice(cut_mm=36.0), own)
    assert broken.symmetry < 0.95
    assert Likeness(broken).is_sacrum


def test_what_is_known_early_is_what_is_known_at_the_end(whole, own, whole_measured):
    early = of_solid(whole)
    early, middle = asdict(early), asdict(of_twin(early, whole, own))
    final = asdict(whole_measured)
    for some in (early, middle):
        assert {name: value for name, value in some.items() if value is not None}.items() <= final.items()
