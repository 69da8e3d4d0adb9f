"""Table and figure of a ladder, on the shipped one."""

import pytest

from sacrofem.case.case import Case
from sacrofem.report.page.convergence import convergence_figure, table_rows, terminal_table
from sacrofem.report.text.table import HEADLINES
from sacrofem.study.bands import read_shipped, shipped_convergence


@pytest.fixture(scope="module")
def result():
    return shipped_convergence(read_shipped(), Case.preset())


def test_every_line_has_a_value_for_each_mesh_an_order_and_a_band(result):
    lines = table_rows(result)
    assert {len(line) for line in lines} == {3 + 3 + 2}
    micromotion = [line for line in lines if line[0] == "Micromotion of the gap, mean"]
    assert [line[2] for line in micromotion] == ["before", "after", "change"]
    assert micromotion[2][1] == "%"
    marked = [line for line in lines if line[-1] == "not converged"]
    wanted = sum(len(result.mesh_band()[key]["unconverged"]) for key in result.estimates if key in HEADLINES)
    assert len(marked) == wanted


def test_the_table_names_a_measure_once(result):
    from rich.console import Console

    page = Console(width=120, force_terminal=False)
    with page.capture() as text:
        page.print(terminal_table(result))
    assert text.get().count("Micromotion of the gap, mean") == 1
    assert "…" not in text.get()


def test_the_figure_shows_the_band_and_what_does_not_converge(result):
    figure = convergence_figure(result)
    assert figure.get_suptitle() == "Convergence — sif-bilateral"
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    drawn = (
        "micromotion_mean_um",
        "fracture_von_mises_mean_mpa",
        "fracture_cortex_von_mises_p95_mpa",
        "stiffness_n_per_mm",
    )
    assert len(texts) == sum(len(result.mesh_band()[key]["unconverged"]) for key in drawn)
    assert all(text.endswith("not converged") for text in texts)
    change = figure.axes[len(drawn)]
    low, high = (100 * x for x in result.mesh_band()["micromotion_mean_um"]["change"])
    assert change.get_ylim()[0] <= low < high <= change.get_ylim()[1]


def test_the_figure_of_a_preview_says_so(result):
    preview = shipped_convergence(read_shipped(), Case.preset().with_(mesh__order=1))
    assert convergence_figure(preview).get_suptitle().endswith("(P1, a preview)")
