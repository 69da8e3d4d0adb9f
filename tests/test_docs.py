"""The documentation runs: every block of Python and every command line, page by page, in an empty folder."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sacrofem import cli
from sacrofem.case import Case

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in [*DOCS.rglob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="only in a checkout")


def blocks(path):
    return [(info.strip(), body) for info, body in BLOCK.findall(path.read_text(encoding="utf-8"))]


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_block_is_run_or_says_why_not(path):
    for info, _ in blocks(path):
        kind = info.split(" ")[0]
        assert kind in ("python", "console", "toml", "sh", "text", "json"), info
        if "no-run" in info:
            assert re.search(r"no-run: \w.{5,}", info), info


def runs(path):
    return any(info.split(" ")[0] in ("python", "console") and "no-run" not in info for info, _ in blocks(path))


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in PAGES if runs(p) and p.name != "README.md"], ids=name)
def test_blocks_run(path, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    for info, body in blocks(path):
        if title := re.search(r'title="([^"]+)"', info):
            (tmp_path / title[1]).write_text(body, encoding="utf-8")
        if "no-run" in info:
            continue
        commands = []
        if info.startswith("python"):
            commands = [[sys.executable, "-c", body]]
        elif info.startswith("console"):
            lines = [line.removeprefix("$ ") for line in body.splitlines() if line.startswith("$ ")]
            assert lines
            commands = [[sys.executable, "-m", *shlex.split(line)] for line in lines]
            assert all(line.startswith("sacrofem ") for line in lines)
        for command in commands:
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_case_files_are_accepted(path, tmp_path):
    import tomllib

    for info, body in blocks(path):
        if not info.startswith("toml"):
            continue
        data = tomllib.loads(body)
        if "factors" in data or "design" in data:
            from sacrofem.study.design import read_study

            (tmp_path / "study.toml").write_text(body)
            assert read_study(tmp_path / "study.toml").scenarios
        else:
            Case.from_dict(data)


def test_command_lines_of_pages_are_known(capsys):
    for path in PAGES:
        for info, body in blocks(path):
            for line in body.splitlines() if info.startswith("console") else ():
                if line.startswith("$ sacrofem ") and "--install-completion" not in line:
                    words = [word for word in shlex.split(line)[2:4] if not word.startswith("-")]
                    command = words[:2] if words and words[0] == "study" else shlex.split(line)[2:3]
                    assert cli.main([*command, "--help"]) == 0, line
    capsys.readouterr()


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")], cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "What does bone cement do" in home
    # Nothing of a page lies elsewhere but links to be clicked.
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|iframe)[^>]+src="https?://', text), page
        assert not re.search(r'<link[^>]+rel="stylesheet"[^>]+href="https?://', text), page


def test_every_mark_has_a_maker():
    specification = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    hooks = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(hooks)
    used = {mark for path in DOCS.rglob("*.md") for mark in hooks.MARK.findall(path.read_text(encoding="utf-8"))}
    assert used == set(hooks.MAKERS)
    assert "| `volume_ml` | `4.1` |" in hooks.case_tables()
    assert "short-axis" in hooks.commands()
