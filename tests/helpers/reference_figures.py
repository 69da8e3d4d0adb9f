"""Figures whose looks are kept: python tests/helpers/reference_figures.py writes them anew."""

from pathlib import Path

import matplotlib

FOLDER = Path(__file__).resolve().parents[1] / "report" / "references"
# What keeps each of the stored files below 60 kB.
DPI = {"anatomy": 45, "landmarks": 32, "response": 45}


def anatomy():
    from sacrofem import reference_mesh
    from sacrofem.report.figures.comparison import anatomy_figure

    return anatomy_figure(reference_mesh("sacrum-tiny-bilateral"), title="tiny")


def landmarks():
    from sacrofem import reference_mesh
    from sacrofem.anatomy.builtin.sacrum import ParametricSacrum
    from sacrofem.report.figures.landmarks import landmarks_figure

    return landmarks_figure(reference_mesh("sacrum-tiny-intact"), ParametricSacrum().landmarks)


def response():
    from sacrofem.report.figures.studyfigures import response_figure

    volumes = (1.0, 2.0, 3.0, 5.0)
    rows = [{"scenario": n, "cement.volume_ml": v, "a": -0.1 * v, "b": 0.02 * v**2} for n, v in enumerate(volumes, 1)]
    bands = {(n, "a"): 0.03 for n in (1, 2, 3, 4)}
    return response_figure(rows, "cement.volume_ml", {"a": "micromotion", "b": "stiffness"}, bands=bands)


FIGURES = {"anatomy": anatomy, "landmarks": landmarks, "response": response}


def draw(name, path):
    """Render one of them."""
    with matplotlib.rc_context(matplotlib.rcParamsDefault | {"backend": "agg", "svg.hashsalt": "0"}):
        FIGURES[name]().savefig(path, dpi=DPI[name], metadata={"Software": None})


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in FIGURES:
        draw(each, FOLDER / f"{each}.png")
