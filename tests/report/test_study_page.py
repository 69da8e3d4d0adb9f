"""The page of a study: its numbers are those of the table, and it sorts and filters in a real browser."""

import csv
import html.parser
import json

import pytest
from browser import chromium, opened

from sacrofem import cli
from sacrofem.errors import InputError
from sacrofem.report.page import study as study_page
from sacrofem.report.page.page import Picture
from sacrofem.report.page.study import write_study_report
from sacrofem.report.text.studywords import BANDED, NOT_BANDED
from sacrofem.study.bands import read_shipped
from sacrofem.study.design import read_study
from sacrofem.study.runner import keys_of, run_study, write_table
from sacrofem.study.store import Store

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
    made(tmp_path, text)
    assert write_study_report(tmp_path / "out") == ["report.html"]
    page = (tmp_path / "out" / "report.html").read_text()
    parser = Cells()
    parser.feed(page)
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    wanted = {"scenario", "cement.volume_ml", "materials.density_factor"} | {
        f"{key}_{part}" for key in KEYS for part in ("before", "after", "change")
    }
    shown = {(row, column): value for row, column, value in parser.found}
    assert set(shown) == {(k, c) for k, row in enumerate(rows) for c in wanted if row[c] != ""}
    for (row, column), value in shown.items():
        assert float(rows[row][column]) == float(value)
    assert "page &lt;b&gt;" in page
    assert NOT_BANDED in page
    assert ("SolverError: &lt;i&gt;no" in page) == (text is GRID)
    assert json.loads((tmp_path / "out" / "study.json").read_text())["digest"] in page
    for title in ("Maps", "Curves") if text is GRID else ("What decides", "Curves"):
        assert f">{title}</h2>" in page
    assert len(page) < 2e6


class Scattered:
    """Changes of 10 % a millilitre, off by the number of the mesh."""

    def __call__(self, cases, places):
        for place in places:
            volume, number = cases[place].cement.volume_ml, cases[place].mesh.replicate
            values = {f"{KEYS[0]}_change": -0.1 * volume + 0.01 * volume * number}
            yield place, {"status": "done", "error": "", "values": values}


def test_scatter_over_meshes_stands_on_the_page(tmp_path):
    """1 and 3 ml on two meshes: deviations of 1/√2 and 3/√2 points, pooled √(10/4); the widest is 3."""
    path = tmp_path / "study.toml"
    path.write_text(
        'schema = 1\nname = "scatter"\n[case.mesh]\nsize_mm = 8.0\n[design]\nreplicates = 2\n'
        '[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 3.0]\n'
    )
    run_study(read_study(path), tmp_path / "out", executor="serial", factory=Scattered)
    write_study_report(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    table = page.partition('<table id="scatter">')[2].partition("</table>")[0]
    values = [float(part.partition('"')[0]) for part in table.split('<data value="')[1:]]
    assert values == pytest.approx([2.5**0.5, 3.0])
    assert "<td>2</td>" in table
    assert "Change by cement over mesh" not in page


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out what takes nearly all of the time, where a test looks at something else."""
    monkeypatch.setattr(study_page, "_picture", lambda figure, title, alt: Picture(title, alt, ""))


@pytest.mark.usefixtures("no_pictures")
def test_the_folder_is_enough(tmp_path, capsys):
    """Moved elsewhere, without the study file, by the command line."""
    path, _ = made(tmp_path, GRID)
    path.unlink()
    (tmp_path / "out").rename(tmp_path / "moved")
    folder = str(tmp_path / "moved")
    assert cli.main(["study", "report", folder, "--measure", "stiffness_n_per_mm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": folder, "files": ["report.html"], "missing": 0}
    page = (tmp_path / "moved" / "report.html").read_text()
    assert "Stiffness, after / N/mm" in page
    assert "Micromotion" not in page
    assert not list((tmp_path / "moved").glob(".*partial"))


def test_a_design_of_sensitivity_leaves_its_indices(tmp_path):
    pytest.importorskip("SALib")
    made(tmp_path, MORRIS)
    assert write_study_report(tmp_path / "out", ["micromotion_mean_um"]) == ["report.html", "sensitivity.csv"]
    text = (tmp_path / "out" / "sensitivity.csv").read_text()
    assert str(tmp_path) not in text
    rows = list(csv.DictReader(text.splitlines()))
    effect = {row["factor"]: float(row["value"]) for row in rows if row["index"] == "mu"}
    assert effect == {"cement.volume_ml": pytest.approx(-0.3), "materials.density_factor": pytest.approx(0.02)}
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(f'<data value="{float(row["value"])}">' in page for row in rows)
    assert ">What decides</h2>" in page
    assert "SALib" in page


@pytest.mark.usefixtures("no_pictures")
def test_a_failed_scenario_leaves_no_indices_and_is_named(tmp_path):
    pytest.importorskip("SALib")
    made(tmp_path, MORRIS)
    study, _ = study_page.read_folder(tmp_path / "out")
    store, number = Store(tmp_path / "out"), 5
    key = keys_of(study)[number]
    store.publish(key, {"status": "failed", "error": "SolverError: no", "values": {}})
    write_table(study, store)
    assert write_study_report(tmp_path / "out") == ["report.html"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"1 scenarios have no micromotion_mean_um_change: {number}; run the study again with --retry-failed" in page
    assert f"<li>{number}: SolverError: no</li>" in page
    assert not (tmp_path / "out" / "sensitivity.csv").exists()


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("same", [True, False], ids=["its numbers", "other numbers"])
def test_a_band_stands_on_the_default_case_alone_and_on_its_numbers_alone(tmp_path, same):
    level = next(level for level in read_shipped()["levels"] if level["name"] == "coarse")

    class Shipped:
        def __call__(self, cases, places):
            for place in places:
                parts = ("before", "after", "change")
                values = {f"{key}_{part}": level[part][key] for key in level["before"] for part in parts}
                if not same:
                    values["micromotion_mean_um_after"] *= 1.001
                yield place, {"status": "done", "error": "", "values": values}

    (tmp_path / "study.toml").write_text(
        'schema = 1\nname = "t"\n[case.mesh]\nreference = "coarse"\n'
        '[[factors]]\npath = "cement.volume_ml"\nvalues = [1.0, 4.1]\n'
    )
    run_study(read_study(tmp_path / "study.toml"), tmp_path / "out", executor="serial", factory=Shipped)
    study, _ = study_page.read_folder(tmp_path / "out")
    rows = study_page.read_rows(tmp_path / "out")
    found = study_page._bands(study_page._Content(study, rows, rows, ["micromotion_mean_um", "stiffness_n_per_mm"]))
    assert {number for number, _ in found} == {2}
    assert (2, "stiffness_n_per_mm_change") in found
    assert ((2, "micromotion_mean_um_change") in found) == same
    assert all(0.0 < half < 0.5 for half in found.values())
    write_study_report(tmp_path / "out")
    assert BANDED in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.usefixtures("no_pictures")
def test_a_long_table_is_cut_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(study_page, "MOST_ROWS", 4)
    made(tmp_path, GRID)
    write_study_report(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "The first 4 of 9 scenarios; all are in results.csv." in page
    parser = Cells()
    parser.feed(page)
    assert {row for row, _, _ in parser.found} == {0, 1, 2, 3}


@pytest.mark.usefixtures("no_pictures")
def test_what_is_refused(tmp_path):
    made(tmp_path, GRID)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="did you mean micromotion_mean_um"):
        write_study_report(out, ["micromotion_men_um"])
    with pytest.raises(InputError, match=r"study\.json: is no study; name a folder"):
        write_study_report(tmp_path / "nowhere")
    table = (out / "results.csv").read_text()
    (out / "results.csv").write_text("\n".join(table.splitlines()[:-2]) + "\n")
    # Without the files of scenarios the table cannot be written anew.
    (out / "scenarios").rename(out / "kept")
    with pytest.raises(InputError, match="has 7 rows for 9 scenarios; run the study to its end"):
        write_study_report(out)
    (out / "results.csv").unlink()
    with pytest.raises(InputError, match="is no table of a study"):
        write_study_report(out)
    (out / "kept").rename(out / "scenarios")
    write_study_report(out)
    assert (out / "results.csv").read_text() == table
    about = json.loads((out / "study.json").read_text())
    for change, said in (
        ({"study": about["study"] | {"factors": about["study"]["factors"][:1]}}, "describes other cases than were run"),
        ({"study": {}}, "describes no study that this version can read"),
        ({"digest": None, "study": None}, "is no study"),
    ):
        (out / "study.json").write_text(json.dumps({k: v for k, v in (about | change).items() if v is not None}))
        with pytest.raises(InputError, match=said):
            write_study_report(out)


@pytest.fixture(scope="module")
def grid_page(tmp_path_factory):
    chromium()
    folder = tmp_path_factory.mktemp("grid")
    made(folder, GRID)
    write_study_report(folder / "out")
    return folder / "out" / "report.html"


def column(page, place):
    return page.locator(f"#results tbody tr > :nth-child({place})").all_inner_texts()


@pytest.mark.slow
def test_it_sorts_and_filters_offline_and_in_silence(grid_page):
    with opened(grid_page) as page:
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        images = page.query_selector_all("img")
        assert len(images) == 3
        for image in images:
            assert len(image.get_attribute("alt")) > 60
            assert image.evaluate("image => image.complete && image.naturalWidth > 300")
        page.click("#results thead th:nth-child(2) button")
        assert column(page, 2) == ["1"] * 3 + ["2"] * 3 + ["4"] * 3
        assert page.get_attribute("#results thead th:nth-child(2)", "aria-sort") == "ascending"
        page.focus("#results thead th:nth-child(2) button")
        page.keyboard.press("Enter")
        assert column(page, 2) == ["4"] * 3 + ["2"] * 3 + ["1"] * 3
        # By number, not by letter; the scenario without a value comes last both ways.
        for _ in range(2):
            page.click("#results thead th:nth-child(7) button")
            assert column(page, 7)[-1] == "–"
            changes = [float(text.removesuffix(" %")) for text in column(page, 7)[:-1]]
            assert changes in (sorted(changes), sorted(changes, reverse=True))
            assert len(set(changes)) > 4
        page.fill("#filter", "failed")
        assert page.inner_text("#count") == "1 of 9"
        assert page.locator("#results tbody tr:visible").count() == 1
        page.fill("#filter", "")
        assert page.locator("#results tbody tr:visible").count() == 9


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation_in_a_study(grid_page, scheme):
    from axe_core_python.sync_playwright import Axe

    with opened(grid_page, color_scheme=scheme, bypass_csp=True) as page:
        found = Axe().run(page)["violations"]
        serious = [(v["id"], v["nodes"][0]["html"][:80]) for v in found if v["impact"] in ("serious", "critical")]
        assert serious == []


@pytest.mark.slow
def test_the_table_reads_without_javascript_prints_and_fits_a_telephone(grid_page):
    with opened(grid_page, java_script_enabled=False, viewport={"width": 400, "height": 800}) as page:
        assert page.is_visible("text=Research use, not a medical device.")
        assert page.locator("#results tbody tr:visible").count() == 9
        assert not page.is_visible("#filter")
        page.emulate_media(media="print")
        assert len(page.pdf()) > 50_000
        assert not page.is_visible("nav")
    with opened(grid_page, viewport={"width": 400, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
