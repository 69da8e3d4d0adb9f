"""The site of the documentation: built without a warning, complete, and nothing of it lies elsewhere."""

import html
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sacrofem
import sacrofem.cli

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="only in a checkout")


def loaded(name):
    specification = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def makers():
    return loaded("makers")


@pytest.fixture(scope="module")
def hooks(makers):
    before = list(sys.path)
    sys.path.insert(0, str(DOCS))
    yield loaded("hooks")
    sys.path[:] = before


def keys(table):
    """First column of the tables of a page."""
    return {re.sub(r"</?code>|<wbr>|`", "", row) for row in re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)}


def test_every_mark_has_a_maker_and_every_maker_a_mark(hooks):
    used = {mark for path in DOCS.rglob("*.md") for mark in hooks.MARK.findall(path.read_text(encoding="utf-8"))}
    assert used == set(hooks.MAKERS)
    assert "<!--" not in hooks.filled((DOCS / "theory" / "defaults.md").read_text(encoding="utf-8"))


def fields_of(model, makers):
    for key, info in model.model_fields.items():
        inner, _ = makers._inner(info.annotation)
        if inner is None:
            yield info.alias or key, info
        else:
            yield from fields_of(inner, makers)


def test_every_key_of_a_case_is_on_its_page_with_its_words(makers):
    from sacrofem.case.case import Case

    text = html.unescape(makers.case_tables())
    known = dict(fields_of(Case, makers))
    assert {"volume_ml", "entry_mm", "radius_mm", "permeability", "schema"} <= set(known) <= keys(text)
    for key, info in known.items():
        assert info.description, f"{key} has no description"
        assert info.description.replace("|", "\\|") in text
    row = next(line for line in text.splitlines() if line.startswith("| <code>floor_<wbr>mpa</code>"))
    assert "number from 0.1 to 5000" in row
    assert "| `10.0` |" in row


def test_every_key_of_a_study_is_described(makers):
    from sacrofem.study.studyfile import StudyFile

    known = dict(fields_of(StudyFile, makers))
    assert set(known) <= keys(makers.study_tables())
    assert [key for key, info in known.items() if not info.description] == []


def test_every_name_has_its_row(makers):
    from sacrofem.bone.density import QUALITIES
    from sacrofem.bone.laws import LAWS
    from sacrofem.case.presets import PRESETS
    from sacrofem.cement.mixture import CEMENTS
    from sacrofem.mechanics.measures.catalogue import MEASURES
    from sacrofem.mechanics.measures.statefields import FIELDS
    from sacrofem.mechanics.parts.ligaments import LIGAMENT_STIFFNESS
    from sacrofem.mechanics.parts.loads import LOADS

    assert set(MEASURES) <= keys(makers.measures())
    assert set(FIELDS) <= keys(makers.fields())
    assert set(LOADS) <= keys(makers.loads())
    assert set(LAWS) <= keys(makers.density_laws())
    assert set(QUALITIES) <= keys(makers.bones())
    assert set(CEMENTS) <= keys(makers.cements())
    assert set(PRESETS) <= keys(makers.presets())
    assert {f"ligament, {name.replace('_', ' ')}" for name in LIGAMENT_STIFFNESS} <= keys(makers.supports())
    assert {"straight_length_mm", "canal_widths_mm"} <= keys(makers.parameters())
    # A number of the package that a page of prose would have wrong one day.
    assert "| factor on all ligaments | 0.036 |" in makers.supports()


def test_every_command_has_its_help(makers):
    text = makers.commands()
    commands = [name for name in sacrofem.cli.app if not name.startswith("-")]
    assert len(commands) > 8
    for name in commands:
        assert f"## sacrofem {name}\n" in text
    for option in ("--stop-at-encroachment", "--retry-failed", "--memory-gib", "--overwrite"):
        assert f"`{option}" in text


def test_every_public_name_is_on_a_page():
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    shown = {line.rpartition(".")[2] for line in text.splitlines() if line.startswith("::: ")}
    assert shown == set(sacrofem.__all__) - {"__version__"}


def test_equations_become_mathml(hooks):
    inline = hooks.with_mathml(r'<p>a <span class="arithmatex">\(k_n &lt; \boldsymbol{u}\)</span> b</p>')
    assert inline.startswith("<p>a <math")
    assert "<msub><mi>k</mi><mi>n</mi></msub>" in inline
    assert "<mi>\U0001d496</mi>" in inline  # bold italic u
    display = hooks.with_mathml('<div class="arithmatex">\\[\\frac{1}{\\boldsymbol{\\sigma}}\\]</div>')
    assert 'display="block"' in display
    assert "<mfrac>" in display
    assert "\U0001d748" in display  # bold italic sigma


def test_reasons_are_for_tests_only(hooks):
    assert hooks.filled("```console no-run: needs a scan\n$ x\n```\n") == "```console\n$ x\n```\n"


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)], cwd=ROOT,
        capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert {"index.html", "changes.html", "studies/08_dose/index.html", "howto/own-mesh.html"} <= set(pages)
    assert (site / "studies" / "08_dose" / "figure.png").is_file()
    assert pages["theory/mechanics.html"].count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"') > 8
    for name, text in pages.items():
        # Nothing of a page lies elsewhere but links to be clicked.
        assert not re.search(r'<(?:script|img|iframe|source)[^>]+src="(?:https?:)?//', text), name
        assert not re.search(r'<link[^>]+rel="(?:stylesheet|preconnect|preload)"[^>]+href="(?:https?:)?//', text), name
        for left in ("arithmatex", r"\boldsymbol", r"\frac", "merror", "no-run", "<!-- sacrofem"):
            assert left not in text, f"{left} in {name}"
    styles = " ".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\([\"']?(?:https?:)?//", styles)
