"""The page of a study: its numbers are those of the table, and it sorts and filters in a real browser."""

import csv
import html.parser

import pytest
from browser import chromium, opened

from sacrofem import cli
from sacrofem.errors import InputError
from sacrofem.report.study import write_study_report
from sacrofem.study.design import read_study
from sacrofem.study.runner import run_study

FILE = """schema = 1
name = "page <b>&</b>"
preset = "sif-unilateral"
{design}
[[factors]]
path = "cement.volume_ml"
{volume}
[[factors]]
path = "materials.density_factor"
{density}
"""
GRID = FILE.format(design="", volume="values = [1.0, 2.0, 4.0]", density="values = [0.8, 1.0, 1.2]")
ONE = GRID.replace("[[factors]]", '[design]\nkind = "one-at-a-time"\n[[factors]]', 1)
MORRIS = FILE.format(
    design='[design]\nkind = "morris"\nsamples = 4', volume="low = 1.0\nhigh = 4.0", density="low = 0.8\nhigh = 1.2"
)
KEYS = ("micromotion_mean_um", "fracture_von_mises_mean_mpa", "stiffness_n_per_mm")


class Made:
    """Changes by a formula; one scenario fails."""

    def __call__(self, cases, places):
        for place in places:
            volume, factor = cases[place].cement.volume_ml, cases[place].materials.density_factor
            if (volume, factor) == (4.0, 1.2) and len(cases) == 3:
                yield place, {"status": "failed", "error": "SolverError: <i>no</i>", "values": {}}
                continue
            values = {}
            for number, key in enumerate(KEYS, 1):
                change = -0.1 * volume / number + 0.05 * factor
                values |= {f"{key}_before": 100.0 * number, f"{key}_after": 100.0 * number * (1 + change)}
                values[f"{key}_change"] = change
            yield place, {"status": "done", "error": "", "values": values}


def made(folder, text):
    path = folder / "study.toml"
    path.write_text(text)
    study = read_study(path)
    run_study(study, folder / "out", executor="serial", factory=Made)
    return path, study


class Cells(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "data" and "data-column" in attributes:
            self.found.append((int(attributes["data-row"]), attributes["data-column"], attributes["value"]))


@pytest.mark.parametrize("text", [GRID, ONE], ids=["grid", "one-at-a-time"])
def test_every_number_is_that_of_the_table(tmp_path, text):
    path, study = made(tmp_path, text)
    assert write_study_report(tmp_path / "out", study) == ["report.html"]
    page = (tmp_path / "out" / "report.html").read_text()
    parser = Cells()
    parser.feed(page)
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert len(parser.found) >= 9 * len(rows) - 20
    for row, column, value in parser.found:
        assert float(rows[row][column]) == float(value)
    assert "page &lt;b&gt;" in page
    if text is GRID:
        assert "SolverError: &lt;i&gt;no" in page
    assert cli.main(["study", "report", str(path), "--out", str(tmp_path / "out"), "--json"]) == 0


def test_a_design_of_sensitivity_leaves_its_indices(tmp_path):
    pytest.importorskip("SALib")
    _, study = made(tmp_path, MORRIS)
    assert write_study_report(tmp_path / "out", study, ["micromotion_mean_um"]) == ["report.html", "sensitivity.csv"]
    rows = list(csv.DictReader((tmp_path / "out" / "sensitivity.csv").read_text().splitlines()))
    effect = {row["factor"]: float(row["value"]) for row in rows if row["index"] == "mu"}
    assert effect == {"cement.volume_ml": pytest.approx(-0.3), "materials.density_factor": pytest.approx(0.02)}


def test_a_wrong_measure_or_study_is_refused(tmp_path):
    _, study = made(tmp_path, GRID)
    with pytest.raises(InputError, match="did you mean micromotion_mean_um"):
        write_study_report(tmp_path / "out", study, ["micromotion_men_um"])
    (tmp_path / "other.toml").write_text(GRID.replace("0.8", "0.7"))
    with pytest.raises(InputError, match="belongs to another study file"):
        write_study_report(tmp_path / "out", read_study(tmp_path / "other.toml"))
    with pytest.raises(InputError, match="is no study"):
        write_study_report(tmp_path / "nowhere", study)


@pytest.mark.slow
def test_it_sorts_and_filters_and_is_accessible(tmp_path):
    chromium()
    from axe_core_python.sync_playwright import Axe

    _, study = made(tmp_path, GRID)
    write_study_report(tmp_path / "out", study)
    with opened(tmp_path / "out" / "report.html") as page:
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        for image in page.query_selector_all("img"):
            assert len(image.get_attribute("alt")) > 20
        page.click("#results thead th:nth-child(2) button")
        first = page.inner_text("#results tbody tr:first-child td:nth-child(2)")
        page.click("#results thead th:nth-child(2) button")
        assert (first, page.inner_text("#results tbody tr:first-child td:nth-child(2)")) == ("1", "4")
        page.fill("#filter", "failed")
        assert page.inner_text("#count") == "1 of 9"
        assert page.locator("#results tbody tr:visible").count() == 1
        serious = [v for v in Axe().run(page)["violations"] if v["impact"] in ("serious", "critical")]
        assert serious == []
