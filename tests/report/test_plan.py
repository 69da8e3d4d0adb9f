import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sacrofem import Case
from sacrofem.report.figures.plan import plan_figure
from sacrofem.specimen.specimen import Specimen


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param(
            {"fracture.zone": "none", "lesion.kind": "focal", "cement.spread": "column"}, marks=pytest.mark.slow
        ),
    ],
)
def test_needle_cement_and_corridors_are_drawn(changes):
    specimen = Specimen(Case.preset("sif-unilateral").with_(**{"mesh.reference": "tiny", "mesh.order": 1, **changes}))
    figure = plan_figure(specimen, specimen.plan())
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    for colour in ("#4db8ff", "#ffe066", "#b58cff"):
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        assert (np.abs(pixels - wanted).max(axis=-1) < 40).sum() > 60, colour
    grey = figure.axes[0].images[0].get_array()
    assert 0.1 < (np.asarray(grey) > 0).mean() < 0.95
