"""Tables for notebooks: the numbers of the result, escaped, without scripts."""

import html.parser

import pytest

from sacrofem import Case, compare
from sacrofem.study.design import read_study


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.cells, self._inside = set(), [], False

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self._inside = tag == "td"

    def handle_data(self, data):
        if self._inside:
            self.cells.append(data)


def read(text):
    reader = Reader()
    reader.feed(text)
    assert reader.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    return reader.cells


def test_a_case_shows_what_differs():
    assert read(Case.preset()._repr_html_()) == ["–", "nothing: preset sif-bilateral as it is", "–"]
    case = Case.preset().with_(name="<b>x</b>", cement__volume_ml=3.0)
    assert read(case._repr_html_()) == ["cement.volume_ml", "3", "4.1"]
    assert "&lt;b&gt;" in case._repr_html_()


def test_a_study_shows_its_scenarios(tmp_path):
    path = tmp_path / "study.toml"
    values = ", ".join(f"{1 + 0.1 * k:.1f}" for k in range(25))
    path.write_text(f'schema = 1\nname = "s"\n[[factors]]\npath = "cement.volume_ml"\nvalues = [{values}]\n')
    text = read_study(path)._repr_html_()
    assert read(text)[:4] == ["1", "1", "2", "1.1"]
    assert "25 scenarios, 5 more" in text


def test_a_comparison_shows_its_headlines():
    result = compare(Case.preset("sif-unilateral").with_(mesh__reference="tiny", mesh__order=1))
    cells = read(result._repr_html_())
    place = cells.index("micromotion_mean_um")
    assert float(cells[place + 1]) == pytest.approx(result.before["micromotion_mean_um"], rel=1e-3)
    assert cells[place + 3] == f"{100 * result.change['micromotion_mean_um']:+.1f} %"
