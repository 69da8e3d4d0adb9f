import numpy as np
import pytest
from blocks_of_tets import box

from sacrofem.report.figures.landmarks import distance_figure, outer_faces


@pytest.mark.parametrize("size_mm", [(120.0, 90.0, 90.0), (120.0, 60.0, 140.0)])
def test_the_title_of_a_twin_stands_above_those_of_its_views(size_mm):
    mesh = box((3, 3, 3), size_mm)
    figure = distance_figure(mesh, np.zeros(len(outer_faces(mesh))), title="2.2 mm on the average")
    figure.draw_without_rendering()
    title = figure._suptitle.get_window_extent()
    below = [ax.title.get_window_extent() for ax in figure.axes if ax.get_title()]
    assert len(below) == 3
    assert title.y0 > max(text.y1 for text in below)
