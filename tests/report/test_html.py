import html
import json
import re
from html.parser import HTMLParser

import pytest

from sacrofem.case.case import Case
from sacrofem.case.presets import PRESETS
from sacrofem.report.page.html import render, sentence
from sacrofem.report.results import write_comparison
from sacrofem.specimen.compare import compare


def content(case):
    before = {"micromotion_mean_um": 100.0, "stiffness_n_per_mm": 200.0, "front_max_principal_p95_mpa": None}
    after = {"micromotion_mean_um": 60.0, "stiffness_n_per_mm": 210.0, "front_max_principal_p95_mpa": None}
    change = {"micromotion_mean_um": -0.4, "stiffness_n_per_mm": 0.05, "front_max_principal_p95_mpa": None}
    return {
        "schema": 1, "case": case.to_dict(), "before": before, "after": after, "change": change, "intact": None,
        "mesh_band": None, "input_range": None, "cement": {"placed_ml": 4.1, "leaked_ml": {}},
        "mesh": {"tets": 7, "volume_ml": 201.25}, "solver": {"method": "multigrid"}, "checks": {"residual": 1e-11},
        "warnings": ["a <b> warning"],
    }  # fmt: skip


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.sources, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_page_is_self_contained_and_says_the_main_things(tmp_path):
    picture = tmp_path / "anatomy.png"
    picture.write_bytes(b"\x89PNG not really")
    # As read back from comparison.json
    data = json.loads(json.dumps(content(Case())))
    page = Page()
    page.feed(render(data, {"anatomy": picture}))
    outside = [source for source in page.sources if not source.startswith("#")]
    assert len(outside) == 1
    assert outside[0].startswith("data:image/png;base64,")
    assert not {"script", "link", "iframe"} & set(page.tags)
    for text in ("Research use, not a medical device.", "-40.0 %", "100.0 → 60.00 µm", "a <b> warning", "not computed",
                 "Osteoporotic female sacrum with bilateral zone1 fracture", "[cement]", "201.2"):  # fmt: skip
        assert text in page.text, text
    assert "b" not in page.tags


def test_bands_stand_beside_the_numbers_and_what_does_not_converge_leads_nothing():
    data = content(Case())
    data["mesh_band"] = {
        "micromotion_mean_um": {"before": [90, 110], "after": [55, 65], "change": [-0.44, -0.36], "unconverged": []},
        "stiffness_n_per_mm": {"before": [1, 399], "after": [1, 419], "change": [-1, 1.1], "unconverged": ["change"]},
    }
    data["input_range"] = {"micromotion_mean_um": {"before": None, "after": None, "change": [-0.8, 0.01]}}
    data["bands"] = {"mesh_band": {"source": "computed", "meshes": [{"name": "tiny", "size_mm": 4.36}]}}
    page = render(data, {})
    start = page.index('class="headlines"')
    leading = Page()
    leading.feed(page[start : page.index("</ul>", start)])
    leading = leading.text
    assert "-40.0 % (±4.0)" in leading
    assert "-80 to +1 %" in leading
    assert "Stiffness" not in leading
    text = Page()
    text.feed(page)
    assert "Mesh band (±): from the meshes tiny (4.4 mm), computed in this run. Input range: not computed." in text.text
    assert "not among the headlines: Stiffness." in text.text
    assert "+5.0 % not converged" in text.text
    assert "100.0 ±10" in text.text


def test_a_preview_is_called_one():
    assert "A preview" in render(content(Case().with_(mesh__order=1)), {})
    assert "preview" not in render(content(Case()), {}).split("<h3>Case</h3>")[0]


def resolve(sources, path):
    value = sources
    for part in path.split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


@pytest.mark.parametrize("preset", ["sif-unilateral", pytest.param("lytic-focal", marks=pytest.mark.slow)])
def test_every_number_of_the_page_is_that_of_the_result(tmp_path, preset):
    """A written folder: what the page shows, digit by digit where it is marked, is what comparison.json holds."""
    result = compare(Case.preset(preset).with_(mesh__reference="tiny", mesh__order=1))
    write_comparison(tmp_path / "out", result, seconds=1.5, inputs={})
    data = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert len(page) < 15e6
    shown = re.findall(r'<data value="([^"]*)" data-path="([^"]*)">([^<]*)</data>', page)
    assert len(shown) > 100
    kinds = set()
    for digits, path, text in shown:
        source, _, rest = path.partition("/")
        kinds.add(source)
        value = json.loads(html.unescape(digits))
        if source == "comparison":
            assert value == resolve(data, rest), path
        elif source == "difference":
            assert value == pytest.approx(data["after"][rest] - data["before"][rest], rel=1e-12), path
        if isinstance(value, float) and (
            number := re.match(
                r"[-+−]?[\d.]+(e[-+]\d+)?", text.replace("\u202f", "").replace("\xa0", "").replace(" ", "")
            )
        ):
            # What is read beside it is the same number, rounded, in per cent or in another unit.
            read = float(number[0].replace("−", "-"))
            ratio = read / value if value else 1.0
            assert any(ratio == pytest.approx(factor, rel=0.06) for factor in (1.0, 100.0, 1e3, 1e-3, 1e6)) or (
                abs(read) < 0.06
            ), (path, text, value)
    assert {"comparison", "run"} <= kinds
    for key, value in data["before"].items():
        assert value is None or f'data-path="comparison/before/{key}"' in page, key


@pytest.mark.parametrize("name", PRESETS)
def test_sentence_of_every_preset(name):
    case = Case.preset(name)
    text = sentence(case, content(case))
    assert text.endswith("pmma.") or "disc of 5 mm" in text
    assert ("fracture" in text) == (case.fracture.zone != "none" or "no fracture" in text)
    assert ("lytic" in text) == (case.lesion.kind != "none")
    assert ("left half" in text) == (case.anatomy.half == "left")
