"""A headless Chromium without a network, for pages that have to work from a file."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ARGUMENTS = ["--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"]


def chromium() -> str:
    """The program; skips where it is missing, fails where SACROFEM_REQUIRE asks for chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        reason = "no chromium on the path (Debian: chromium)"
        if "chromium" in os.environ.get("SACROFEM_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@contextmanager
def opened(path, **context) -> Iterator:
    """A page of the file, offline; ``page.complaints`` and ``page.requests`` keep what it said and asked for."""
    from playwright.sync_api import sync_playwright

    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        page = browser.new_context(offline=True, **context).new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(path.as_uri())
        yield page
        browser.close()
