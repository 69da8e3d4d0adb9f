"""Figures look as they did, within what fonts and rasters of another version change."""

import matplotlib.image
import numpy as np
import pytest
from reference_figures import FIGURES, FOLDER, draw

ROOT_MEAN_SQUARE = 0.06


@pytest.mark.parametrize("name", FIGURES)
def test_figure(name, tmp_path):
    draw(name, tmp_path / "now.png")
    now, then = (matplotlib.image.imread(path)[..., :3] for path in (tmp_path / "now.png", FOLDER / f"{name}.png"))
    # A pixel more or less in the layout is no other figure.
    assert np.abs(np.array(now.shape) - then.shape).max() <= 2
    height, width = min(now.shape[0], then.shape[0]), min(now.shape[1], then.shape[1])
    difference = now[:height, :width] - then[:height, :width]
    assert np.sqrt(np.mean(difference**2)) < ROOT_MEAN_SQUARE


def test_another_figure_is_noticed():
    one, other = (matplotlib.image.imread(FOLDER / f"{name}.png")[..., :3] for name in ("anatomy", "landmarks"))
    height, width = min(one.shape[0], other.shape[0]), min(one.shape[1], other.shape[1])
    assert np.sqrt(np.mean((one[:height, :width] - other[:height, :width]) ** 2)) > 2 * ROOT_MEAN_SQUARE


@pytest.mark.parametrize("name", FIGURES)
def test_stored_figures_are_small(name):
    assert (FOLDER / f"{name}.png").stat().st_size < 60_000
