"""The report in a real browser: offline, silent, accessible, and with a picture in its canvas."""

import io

import matplotlib.image
import numpy as np
import pytest
from browser import chromium, opened

from sacrofem.case.case import Case
from sacrofem.report.results import write_comparison
from sacrofem.specimen.compare import compare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    chromium()
    out = tmp_path_factory.mktemp("browser") / "out"
    write_comparison(out, compare(Case.preset().with_(mesh__reference="tiny")), seconds=1.0, inputs={})
    return out / "report.html"


def picture(element):
    return matplotlib.image.imread(io.BytesIO(element.screenshot()))[..., :3]


def test_it_opens_from_a_file_without_network(report):
    with opened(report) as page:
        page.wait_for_selector("canvas[data-ready=yes]")
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        images = page.query_selector_all("img")
        assert len(images) >= 4
        for image in images:
            assert len(image.get_attribute("alt")) > 20
            assert image.evaluate("image => image.complete && image.naturalWidth > 100")


def test_the_canvas_shows_the_states(report):
    with opened(report) as page:
        canvas = page.wait_for_selector("canvas[data-ready=yes]")
        before = picture(canvas)
        colours = np.unique(np.round(before.reshape(-1, 3) * 31).astype(int), axis=0)
        assert len(colours) > 50
        page.check("input[name=state][value=after]")
        page.wait_for_selector("canvas[data-state=after]")
        after = picture(canvas)
        assert (np.abs(before - after).max(axis=-1) > 0.05).mean() > 0.005
        # Same camera: what is neither fracture nor cement has not moved.
        assert (np.abs(before - after).max(axis=-1) < 0.02).mean() > 0.6
        page.uncheck("input[value=bone]")
        assert (np.abs(picture(canvas) - after).max(axis=-1) > 0.02).mean() > 0.02
        page.click("button[value=back]")
        canvas.focus()
        turned = picture(canvas)
        page.keyboard.press("ArrowLeft")
        assert (np.abs(picture(canvas) - turned).max(axis=-1) > 0.02).mean() > 0.01


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(report, scheme):
    from axe_core_python.sync_playwright import Axe

    with opened(report, color_scheme=scheme, bypass_csp=True) as page:
        page.wait_for_selector("canvas[data-ready=yes]")
        found = Axe().run(page)["violations"]
        serious = [(v["id"], v["nodes"][0]["html"][:80]) for v in found if v["impact"] in ("serious", "critical")]
        assert serious == []


def test_it_reads_without_javascript_and_prints(report):
    with opened(report, java_script_enabled=False) as page:
        assert page.is_visible("noscript p") or "needs JavaScript" in page.content()
        assert page.is_visible("text=Research use, not a medical device.")
        assert page.is_visible("#measures")
        page.emulate_media(media="print")
        assert len(page.pdf()) > 50_000
        assert not page.is_visible("nav")


def test_a_narrow_screen_needs_no_sideways_scrolling(report):
    with opened(report, viewport={"width": 400, "height": 800}) as page:
        page.wait_for_selector("canvas[data-ready=yes]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
