import io
from dataclasses import replace

import numpy as np
import pytest
from blocks_of_tets import box, split_box
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.image import imread

from sacrofem.report.figures import comparison as figures
from sacrofem.report.text.table import HEADLINES

# Turned so that the fracture faces front and back.
MESH = split_box((4, 4, 4), (20.0, 20.0, 20.0), 10.0)
MESH = replace(MESH, points=MESH.points[:, [0, 2, 1]] * [1, -1, 1] + [0, 20, 0])
PAIRS = len(MESH.paired[0])
FRACTION = np.clip(1.5 - np.linalg.norm(MESH.centroids - 10.0, axis=1) / 5.0, 0, 1)


def pixels(figure):
    page = io.BytesIO()
    figure.savefig(page, dpi=60)
    page.seek(0)
    return imread(page)[..., :3]


def test_anatomy_shows_bone_fracture_and_cement():
    image = pixels(figures.anatomy_figure(MESH, fraction=FRACTION, needles=[((10, 30, 10), (10, 10, 10))]))
    blueish = (image[..., 2] > image[..., 0] + 0.15).sum()
    reddish = (image[..., 0] > image[..., 2] + 0.3).sum()
    legend = 150
    assert blueish > 500 + legend
    assert reddish > 5000 + legend


def test_anatomy_without_fracture_or_cement_names_neither():
    figure = figures.anatomy_figure(box((2, 2, 2), (20.0, 20.0, 20.0)), title="sound")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["bone"]
    image = pixels(figure)
    assert (image[..., 2] > image[..., 0] + 0.15).sum() == 0


def test_covered_faces_are_cement():
    figure = figures.anatomy_figure(MESH, coverage=np.ones(PAIRS))
    assert "cement" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_section_shares_one_scale_of_bone_and_draws_both_outlines():
    before = np.linspace(0.0, 1.0, len(MESH.tets))
    after = np.where(FRACTION >= 0.5, 50.0, 0.5 * before)
    figure = figures.section_figure(MESH, before, after, fraction=FRACTION)
    panels = figure.axes[:6]
    scales = [c.norm for ax in panels for c in ax.collections if isinstance(c, PolyCollection)]
    top = scales[0].vmax
    assert 0.5 < top <= 1.0
    assert [(norm.vmin, norm.vmax) for norm in scales] == [(0.0, top), (0.0, top), (-top, top)] * 2
    lines = [sum(isinstance(c, LineCollection) for c in ax.collections) for ax in panels]
    assert lines == [1, 2, 2, 1, 2, 2]
    labels = [ax.get_xlabel() for ax in figure.axes[6:]]
    assert labels == ["von Mises stress / MPa", "difference of von Mises stress / MPa"]
    assert all("/ mm" in ax.get_xlabel() for ax in panels)
    assert pixels(figure).std() > 0.05


def test_section_shows_the_difference():
    before = np.full(len(MESH.tets), 2.0)
    figure = figures.section_figure(MESH, before, before - 0.5)
    shown = [next(c for c in ax.collections if isinstance(c, PolyCollection)).get_array() for ax in figure.axes[:3]]
    assert [set(values.tolist()) for values in shown] == [{2.0}, {1.5}, {-0.5}]


def test_section_counts_from_the_midline_wherever_it_looks():
    values = np.ones(len(MESH.tets))
    figure = figures.section_figure(MESH, values, values, point=np.array([17.0, 10.0, 10.0]))
    low, high = figure.axes[0].get_xlim()
    assert (low, high) == pytest.approx((-3.0, 23.0))


def test_section_of_a_bone_without_fracture():
    mesh = box((3, 3, 3), (20.0, 20.0, 20.0))
    values = np.ones(len(mesh.tets))
    figure = figures.section_figure(mesh, values, values)
    assert not figure.legends
    assert pixels(figure).std() > 0.02


def test_micromotion_has_a_row_for_each_fracture_and_one_scale():
    before, after = np.linspace(10, 100, PAIRS), np.linspace(5, 50, PAIRS)
    coverage = np.zeros(PAIRS)
    coverage[:8] = 1.0
    halves = MESH.points[MESH.faces].mean(axis=1)[:, 0] < 10
    paired = MESH.pair > 0
    named = {"fracture_gap": np.zeros(len(MESH.faces), bool)}
    two = MESH.with_sets(face_sets={**named, "fracture_left": paired & halves, "fracture_right": paired & ~halves})
    figure = figures.micromotion_figure(two, before, after, coverage=coverage)
    titles = [ax.get_title() for ax in figure.axes[:-1]]
    assert "left, before" in titles
    assert "right, after" in titles
    shown = [c for ax in figure.axes[:-1] for c in ax.collections if isinstance(c, PolyCollection)]
    assert len({(c.norm.vmin, c.norm.vmax) for c in shown}) == 1
    assert figure.axes[-1].get_xlabel() == "micromotion / µm"
    assert pixels(figure).std() > 0.05


def test_micromotion_needs_a_fracture():
    mesh = box()
    with pytest.raises(ValueError, match="no fracture"):
        figures.micromotion_figure(mesh, np.zeros(0), np.zeros(0))


def test_opening_is_signed_about_zero_and_slip_counts_from_it():
    opening = {"before": np.linspace(-40, 100, PAIRS), "after": np.linspace(-20, 50, PAIRS)}
    slip = {"before": np.linspace(0, 300, PAIRS), "after": np.linspace(0, 150, PAIRS)}
    figure = figures.gap_parts_figure(MESH, opening, slip)
    shown = [next(c for c in ax.collections if isinstance(c, PolyCollection)) for ax in figure.axes[:4]]
    assert [c.get_array().max() for c in shown] == [100, 50, 300, 150]
    low, high = shown[0].norm.vmin, shown[0].norm.vmax
    assert low == -high
    assert 90 < high <= 100
    assert (shown[1].norm.vmin, shown[1].norm.vmax) == (low, high)
    assert shown[2].norm.vmin == 0
    assert shown[2].norm.vmax == shown[3].norm.vmax > 290
    labels = [ax.get_xlabel() for ax in figure.axes[4:]]
    assert labels == ["opening (closing below zero) / µm", "slip / µm"]
    with pytest.raises(ValueError, match="no fracture"):
        figures.gap_parts_figure(box(), opening, slip)


def test_histogram_counts_all_bone_and_no_cement():
    volumes = np.full(100, 1000.0)
    fraction = np.where(np.arange(100) < 30, 1.0, 0.0)
    before, after = np.geomspace(0.1, 10, 100), np.geomspace(0.05, 5, 100)
    near = np.arange(100) >= 80
    figure = figures.histogram_figure(before, after, volumes, near=near, fraction=fraction)
    totals = [[patch.get_data().values.sum() for patch in ax.patches] for ax in figure.axes]
    assert totals == [pytest.approx([70.0, 70.0]), pytest.approx([20.0, 20.0])]
    edges = figure.axes[0].patches[0].get_data().edges
    assert edges[-1] == pytest.approx(10.0)
    assert "/ MPa" in figure.axes[0].get_xlabel()
    assert "/ ml" in figure.axes[0].get_ylabel()


def test_vector_files_keep_their_text(tmp_path):
    figure = figures.changes_figure({}, {}, {}, title="Kept as text")
    figures.save_figure(figure, tmp_path / "f.svg")
    figures.save_figure(figure, tmp_path / "f.pdf")
    assert "Kept as text" in (tmp_path / "f.svg").read_text()
    assert b"/TrueType" in (tmp_path / "f.pdf").read_bytes() or b"/CIDFontType2" in (tmp_path / "f.pdf").read_bytes()


def test_changes_shows_every_headline_that_has_one():
    before = dict.fromkeys(HEADLINES, 2.0)
    after = dict.fromkeys(HEADLINES, 1.0)
    change = dict.fromkeys(HEADLINES, -0.5)
    change["stiffness_n_per_mm"] = 0.3
    change["gap_strain_p95"] = None
    figure = figures.changes_figure(before, after, change)
    ax = figure.axes[0]
    shown = [key for key in HEADLINES if key != "gap_strain_p95" and not key.startswith("reaction_share")]
    assert [label.get_text() for label in ax.get_yticklabels()] == [HEADLINES[key] for key in shown]
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == [30.0 if key == "stiffness_n_per_mm" else -50.0 for key in shown]
    pixels(figure)


def test_changes_carry_their_mesh_band_and_leave_out_what_does_not_converge():
    keys = ("slip_mean_um", "stiffness_n_per_mm")
    before, after, change = dict.fromkeys(keys, 2.0), dict.fromkeys(keys, 1.0), dict.fromkeys(keys, -0.5)
    band = {
        "slip_mean_um": {"change": [-0.6, -0.4], "unconverged": []},
        "stiffness_n_per_mm": {"change": [-0.9, -0.1], "unconverged": ["change"]},
    }
    ax = figures.changes_figure(before, after, change, mesh_band=band).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [HEADLINES["slip_mean_um"]]
    (bar,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert bar.get_segments()[0][:, 0] == pytest.approx([-60.0, -40.0])
    assert "mesh band" in ax.get_xlabel()


def test_changes_without_any_is_an_empty_page():
    assert pixels(figures.changes_figure({}, {}, {})).shape[2] == 3
