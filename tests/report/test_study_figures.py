"""Pictures and words of a study: what is drawn is what stands in the rows."""

import numpy as np
import pytest

from sacrofem.report.figures.studyfigures import (
    Effect,
    index_figure,
    map_figure,
    maps,
    numeric,
    response_figure,
    tornado_figure,
)
from sacrofem.report.text.studywords import factor_label, factor_name, heading, sentence
from sacrofem.study.design import read_study
from sacrofem.study.sensitivity import Index


def rows(volumes=(1.0, 2.0, 4.0), others=("bonded", "none"), factor=(1.0,)):
    return [
        {"scenario": k, "cement.volume_ml": v, "cement.in_gap": o, "f": f, "x_change": -0.1 * v * f * (o == "bonded")}
        for k, (v, o, f) in enumerate(((v, o, f) for v in volumes for o in others for f in factor), 1)
    ]


def test_a_line_for_every_combination_of_the_other_factors():
    figure = response_figure(rows(), "cement.volume_ml", {"x_change": "X"}, others=["cement.in_gap"])
    drawn = {line.get_label(): line.get_xydata() for line in figure.axes[0].lines if "cement" in line.get_label()}
    assert set(drawn) == {"cement in gap: bonded", "cement in gap: none"}
    np.testing.assert_allclose(drawn["cement in gap: bonded"], [[1, -10], [2, -20], [4, -40]])
    np.testing.assert_allclose(drawn["cement in gap: none"], [[1, 0], [2, 0], [4, 0]])
    assert figure.axes[0].get_xlabel() == "cement volume / ml"
    assert figure.axes[0].get_xscale() == "linear"


def test_many_combinations_are_thin_lines_with_their_mean():
    made = rows(others=("bonded",), factor=tuple(range(1, 9)))
    figure = response_figure(made, "cement.volume_ml", {"x_change": "X"}, others=["cement.in_gap", "f"])
    mean = next(line for line in figure.axes[0].lines if line.get_label() == "mean of 8 curves")
    np.testing.assert_allclose(mean.get_xydata(), [[1, -45], [2, -90], [4, -180]])


def test_bands_stand_on_their_scenario_and_decades_on_a_logarithm():
    made = rows(volumes=(0.1, 1.0, 10.0), others=("bonded",))
    figure = response_figure(made, "cement.volume_ml", {"x_change": "X"}, bands={(2, "x_change"): 0.03})
    bars = [container for container in figure.axes[0].containers if container.has_yerr]
    assert len(bars) == 1
    np.testing.assert_allclose(bars[0][2][0].get_segments()[0], [[1.0, -13.0], [1.0, -7.0]])
    assert figure.axes[0].get_xscale() == "log"


def test_points_of_a_sample():
    figure = response_figure(rows(), "cement.volume_ml", {"x_change": "X"}, lines=False, colour="f")
    wanted = [[row["cement.volume_ml"], 100 * row["x_change"]] for row in rows()]
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets(), wanted)


def test_a_map_holds_the_means_of_its_cells():
    made = rows(volumes=(1.0, 2.0), factor=(1.0, 3.0))
    made[0]["x_change"] = None
    figure = map_figure(made, "cement.volume_ml", "f", {"x_change": "X"})
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.0, -10.0], [-15.0, -30.0]])
    assert [text.get_text() for text in figure.axes[0].texts] == ["+0", "-10", "-15", "-30"]
    assert maps(["cement.volume_ml", "cement.in_gap", "f"], made) == [("cement.volume_ml", "f")]
    assert not numeric(made, "cement.in_gap")


def test_a_tornado_has_its_widest_bar_on_top():
    effects = {"a.b_mm": Effect(-10.0, -12.0, -9.0, "1", "3"), "c": Effect(-10.0, -40.0, -5.0, "none", "bonded")}
    ax = tornado_figure(effects, "X").axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a b / mm", "c"]
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(spans, [(-12, -9), (-40, -5)])
    assert [text.get_text() for text in ax.texts] == ["1", "3", "none", "bonded"]
    low, high = ax.get_xlim()
    assert low < -43
    assert high > -3


@pytest.mark.parametrize("kinds", [("mu_star", "mu", "sigma"), ("S1", "ST")])
def test_bars_are_the_indices(kinds):
    found = [
        Index("x_change", factor, kind, value / (1 + k), None if kind in ("mu", "sigma") else 0.05)
        for k, kind in enumerate(kinds)
        for factor, value in (("a", 0.6), ("b", 0.2))
    ]
    ax = index_figure(found, "x_change", "X").axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "a"]
    widths = [bar.get_width() for bar in ax.patches]
    if kinds[0] == "mu_star":
        np.testing.assert_allclose(widths, [20.0, 60.0])
        np.testing.assert_allclose(next(line for line in ax.lines if len(line.get_xdata()) == 2
                                        and line.get_marker() == "D").get_xdata(), [100 * 0.2 / 3, 20.0])  # fmt: skip
    else:
        np.testing.assert_allclose(widths, [0.2, 0.6, 0.1, 0.3])


@pytest.mark.parametrize(
    ("column", "name", "shown"),
    [
        ("cement.volume_ml", "cement volume", "cement volume / ml"),
        ("fracture.filler_modulus_mpa", "fracture filler modulus", "fracture filler modulus / MPa"),
        ("load.slope_deg", "load slope", "load slope / °"),
        ("cement.interface_n_per_mm3", "cement interface", "cement interface / N/mm³"),
        ("load.force_n", "load force", "load force / N"),
        ("materials.density_factor", "materials density factor", "materials density factor"),
        ("my_way", "my way", "my way"),
    ],
)
def test_names_of_factors(column, name, shown):
    assert (factor_name(column), factor_label(column)) == (name, shown)
    assert heading(column, ["stiffness_n_per_mm"]) == shown


def test_headings_of_measures():
    assert heading("stiffness_n_per_mm_after", ["stiffness_n_per_mm"]) == "Stiffness, after / N/mm"
    assert heading("stiffness_n_per_mm_change", ["stiffness_n_per_mm"]) == "Stiffness, change"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n[[factors]]\n'
         'path = "cement.in_gap"\nvalues = ["bonded", "none"]\n',
         "12 scenarios: every combination of cement volume (1 to 6 ml, 6 values); cement in gap (bonded, none). "
         "11 solved, 1 without a result."),
        ('[design]\nkind = "latin-hypercube"\nsamples = 12\n[[factors]]\npath = "fracture.filler_modulus_mpa"\n'
         "low = 0.2\nhigh = 10.0\nlog = true\n",
         "12 scenarios: a Latin hypercube over fracture filler modulus (0.2 to 10 MPa, logarithmic). 11 solved, 1 "
         "without a result."),
        ('[design]\nkind = "list"\n' + "".join(f'[[scenarios]]\n"cement.volume_ml" = {k}.0\n' for k in range(1, 13)),
         "12 scenarios: a list over cement volume (1 to 12 ml, 12 values). 11 solved, 1 without a result."),
    ],
    ids=["grid", "sampled", "list"],
)  # fmt: skip
def test_what_was_varied_in_a_sentence(tmp_path, text, said):
    (tmp_path / "study.toml").write_text('schema = 1\nname = "t"\n' + text)
    study = read_study(tmp_path / "study.toml")
    assert sentence(study, [s.factors for s in study.scenarios], 11) == said
