import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from modulitable import write_moduli

from sacrofem.bone.laws import LAWS
from sacrofem.bone.provenance import CortexProvenance, DensityProvenance, LesionProvenance, ModulusProvenance
from sacrofem.case.case import Case
from sacrofem.case.presets import PRESETS
from sacrofem.report.page.html import render, sentence
from sacrofem.report.results import write_comparison
from sacrofem.specimen.compare import compare, compare_specimen
from sacrofem.specimen.provenance import BoneProvenance, Given
from sacrofem.specimen.specimen import Specimen

LAW = ModulusProvenance.from_law(LAWS["kopperdahl2002"], 10.0, applied=True)
MAP = DensityProvenance("map", bone="osteoporotic", alar_void=True, source="a survey")
CORTEX = CortexProvenance("membrane", (("shell", 0.65, 11390.0),), 0.3, "thin")


def content(case, modulus=LAW, density=MAP, cortex=CORTEX, *, mesh=False):
    found = BoneProvenance(modulus, (0.3, 0.3), density, cortex)
    given = Given.of(found, mesh=mesh, forms=())
    before = {"micromotion_mean_um": 100.0, "stiffness_n_per_mm": 200.0, "front_max_principal_p95_mpa": None}
    after = {"micromotion_mean_um": 60.0, "stiffness_n_per_mm": 210.0, "front_max_principal_p95_mpa": None}
    change = {"micromotion_mean_um": -0.4, "stiffness_n_per_mm": 0.05, "front_max_principal_p95_mpa": None}
    return {
        "schema": 1, "case": given.case_as_solved(case), "given_in_python": list(given.what), "bone": found.to_json(),
        "before": before, "after": after, "change": change, "intact": None, "mesh_band": None, "input_range": None,
        "cement": {"placed_ml": 4.1, "leaked_ml": {}}, "mesh": {"tets": 7, "volume_ml": 201.25, "origin": "shipped"},
        "solver": {"method": "multigrid"}, "checks": {"residual": 1e-11}, "warnings": ["a <b> warning"],
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


def method(data):
    """The text of the page but for its complete case."""
    page = Page()
    page.feed(re.sub("</d[td]>", " ", render(data, {}).split("<h3>Case</h3>")[0]))
    return " ".join(page.text.split())


def test_the_method_is_that_of_the_bone_and_not_of_the_case():
    case = Case()
    text = method(content(case))
    assert f"modulus of bone {LAW.text} least modulus of bone 10 MPa Poisson's ratio of bone 0.3" in text
    assert f"density of bone {MAP.text} cortex {CORTEX.text}" in text
    for modulus, start in (
        (ModulusProvenance.from_table("/x/own.csv", "ab12"), "Female sacrum (moduli of own.csv) with bilateral"),
        (ModulusProvenance.given("stiffer"), "Female sacrum (moduli given in Python) with bilateral"),
    ):
        text = method(content(case, modulus))
        assert f"modulus of bone {modulus.text} Poisson's ratio" in text
        assert start in text
        for word in ("kopperdahl", "Kopperdahl", "least modulus", "floor 10", "2980"):
            assert word not in text, word


def test_a_ct_and_a_cortex_that_is_not_there_are_said():
    case = Case().with_(**{"anatomy.kind": "labels", "anatomy.path": "/x/l.nii", "anatomy.ct": "/x/c.nii"})
    ct = DensityProvenance("ct", file="/x/c.nii", line=(1e-3, 0.0), rim="ct", source="phantom: a line", factor=0.5)
    text = method(content(case, LAW, ct, CortexProvenance.none("the voxels of the CT stand for it")))
    assert "Sacrum of l.nii (density of its CT, density times 0.5) with bilateral" in text
    assert "density of bone CT c.nii, its rim included (phantom: a line); all of it times 0.5 cortex none" in text
    for word in ("osteoporotic", "Osteoporotic", "membrane", "female", "alar void"):
        assert word not in text, word
    assert "a membrane: it resists stretch, not bending" in method(content(case))


def test_a_mesh_that_was_given_is_not_called_the_shipped_one():
    data = content(Case(), mesh=True)
    data["mesh"]["origin"], data["fractures"] = "given in Python", {"crack": {"before": {}}}
    assert not {"reference", "size_mm"} & set(data["case"]["mesh"])
    text = method(data)
    assert "Osteoporotic sacrum of a mesh given in Python with fracture crack, standing" in text
    assert "bone a mesh given in Python volume" in text
    assert "fractures of the mesh crack; gap of 1 mm, subacute" in text
    assert "origin given in Python" in text
    for word in ("built-in", "female", "zone1", "shipped mesh"):
        assert word not in text, word


def test_only_what_counted_is_said_of_cement_gap_and_load():
    injection = {"entry_mm": [30.0, 40.0, -10.0], "target_mm": [30.0, 5.0, -10.0], "volume_ml": 2.0}
    own = method(content(Case().with_(**{"cement.injections": [injection], "cement.modulus_mpa": 900.0})))
    assert "approach 1 needles of one's own, flow, permeability kozeny-carman; cement in the gap bonded" in own
    assert "pmma: 900 MPa; as the case gives it" in own
    assert "short-axis" not in own
    spot = method(content(Case().with_(**{"cement.volume_ml": 0.0, "cement.spot": {"radius_mm": 5.0}})))
    assert "approach a cemented disc of 5 mm radius; cement in the gap bonded" in spot
    assert "mixture" not in spot
    lesion = DensityProvenance("map", bone="osteoporotic", alar_void=True, lesion=LesionProvenance("focal", 0.1))
    sound = method(content(Case.preset("lytic-focal"), density=lesion))
    assert "lesion focal, density factor 0.1" in sound
    assert "cement in the gap" not in sound
    opened = method(content(Case().with_(fracture__filler="open", fracture__closure="contact")))
    assert "gap open; law: contact" in opened
    assert "0.17" not in opened
    walking = method(content(Case().with_(load__kind="walking", load__force_n=900.0)))
    assert "direction of the load 15° to the endplate normal" in walking
    assert "sacral slope" not in walking
    assert "force as the case gives it; its direction: middle of the peaks" in walking
    assert "sacral slope 40 °" in method(content(Case()))


@pytest.fixture(scope="module")
def own_bones(tmp_path_factory):
    """Folders of results with moduli of a file, and with a bone given in Python."""
    folder = tmp_path_factory.mktemp("own")
    case = Case.preset("sif-unilateral").with_(**{"mesh.reference": "tiny", "mesh.order": 1})
    specimen = Specimen(case)
    youngs = 2.0 * specimen.bone.elasticity.youngs
    write_moduli(folder / "own.csv", youngs)
    results = {
        "table": compare(case.with_(materials__moduli=str(folder / "own.csv"))),
        "python": compare_specimen(specimen.with_moduli(youngs, word="twice as stiff")),
    }
    for name, result in results.items():
        write_comparison(folder / name, result, seconds=1.0, inputs={})
    assert results["table"].after == results["python"].after
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"), [("table", "moduli of own.csv, sha256"), ("python", "given in Python: twice as stiff; no law")]
)
def test_no_file_of_a_result_states_a_law_or_a_floor_that_was_not_used(own_bones, name, words):
    data = json.loads((own_bones / name / "comparison.json").read_text(encoding="utf-8"))
    assert data["bone"]["modulus"]["text"].startswith(words)
    texts = {file.name: file.read_text(encoding="utf-8") for file in (own_bones / name).glob("*.[jth][sto][omn]*")}
    assert set(texts) == {"comparison.json", "manifest.json", "case.toml", "report.html"}
    for file, text in texts.items():
        for word in ("kopperdahl", "Kopperdahl", "density_law =", "floor_mpa =", "modulus floor of"):
            assert word not in text, (file, word)
    assert words in html.unescape(texts["report.html"])
    told = "given in Python (twice as stiff): moduli; the case alone does not give these numbers again"
    assert (told in data["warnings"]) == ("# Given in Python: moduli." in texts["case.toml"]) == (name == "python")
    assert data["given_in_python"] == (["moduli"] if name == "python" else [])
    assert Case.from_toml(own_bones / name / "case.toml").fracture.side == "left"


def test_every_key_of_a_result_is_on_its_page(own_bones):
    page = Path(__file__).parents[2] / "docs" / "reference" / "results.md"
    text = page.read_text(encoding="utf-8")
    data = json.loads((own_bones / "table" / "comparison.json").read_text(encoding="utf-8"))
    parts = (f"{part}.{key}" for part in ("modulus", "density", "cortex") for key in data["bone"][part])
    assert [key for key in (*data, *parts, "poisson") if f"`{key}`" not in text] == []


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
