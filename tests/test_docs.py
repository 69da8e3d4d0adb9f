"""The documentation runs: every block of Python and every command line, page by page, in an empty folder."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from sacrofem import cli
from sacrofem.case.case import Case

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Pages that solve nothing and mesh nothing.
QUICK = ("docs/howto/cluster.md", "docs/howto/shell.md")
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="only in a checkout")


def blocks(path):
    return [(info.strip(), body) for info, body in BLOCK.findall(path.read_text(encoding="utf-8"))]


def name(path):
    return path.relative_to(ROOT).as_posix()


def runs(info):
    return info.split(" ")[0] in ("python", "console") and "no-run" not in info


def lines_of_commands(body):
    """Each command line with the lines of output that the page shows of it."""
    found = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(" ".join(line.split()))
    return found


def pages_that_run():
    for path in PAGES:
        if any(runs(info) for info, _ in blocks(path)):
            marks = () if name(path) in QUICK else (pytest.mark.slow,)
            yield pytest.param(path, id=name(path), marks=marks)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_block_is_run_or_says_why_not(path):
    for info, body in blocks(path):
        kind = info.split(" ")[0]
        assert kind in ("python", "console", "toml", "sh", "text", "json"), info
        if "no-run" in info:
            assert re.search(r"^\w+ no-run: \w.{8,}", info), info
        if kind == "console":
            assert body.startswith("$ "), body


@pytest.mark.parametrize("path", list(pages_that_run()))
def test_blocks_run(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # Scripts of one page share their names, as a reader's session does; the README's stand alone (test_readme).
    names = {"__name__": "page"}
    for info, body in blocks(path):
        if title := re.search(r'title="([^"]+)"', info):
            (tmp_path / title[1]).write_text(body, encoding="utf-8")
        if not runs(info):
            continue
        if info.startswith("python"):
            if path.name != "README.md":
                exec(compile(body, name(path), "exec"), names)
            continue
        for command, shown in lines_of_commands(body):
            program, *arguments = shlex.split(command)
            assert program == "sacrofem", command
            capsys.readouterr()
            status = cli.main(arguments)
            out, err = capsys.readouterr()
            assert status == 0, f"{command}\n{out}\n{err}"
            missing = not_in_order(shown, out)
            assert missing is None, f"{command} does not print {missing!r} there:\n{out}"


def not_in_order(shown, out):
    """The first line of a page that the output does not have after those before it; `...` stands for any lines."""
    real = iter([" ".join(line.split()) for line in out.splitlines()])
    return next((line for line in shown if line not in ("...", "") and line not in real), None)


def test_what_is_shown_is_looked_for_in_its_order():
    assert not_in_order(["a", "...", "c d"], "a\nb\n c   d\n") is None
    assert not_in_order(["c", "a"], "a\nb\nc\n") == "a"
    assert not_in_order(["1.5 ml"], "1.6 ml\n") == "1.5 ml"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_case_and_study_files_are_accepted(path, tmp_path):
    for info, body in blocks(path):
        if not info.startswith("toml"):
            continue
        data = tomllib.loads(body)
        if {"factors", "design", "scenarios"} & set(data):
            from sacrofem.study.design import read_study

            (tmp_path / "study.toml").write_text(body, encoding="utf-8")
            assert read_study(tmp_path / "study.toml").scenarios
        else:
            Case.from_dict(data)


def test_refusals_are_shown_as_they_are(capsys):
    _, body = next(block for block in blocks(DOCS / "howto" / "shell.md") if "refused" in block[0])
    for command, shown in lines_of_commands(body):
        assert cli.main(shlex.split(command)[1:]) == 2
        assert [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()] == shown


def test_command_lines_of_pages_are_known(capsys):
    found = set()
    for path in PAGES:
        for info, body in blocks(path):
            for command, _ in lines_of_commands(body) if info.startswith("console") else ():
                words = shlex.split(command, comments=True)
                if words[0] == "sacrofem" and not words[1].startswith("-"):
                    found.add(tuple(words[1:3] if words[1] == "study" else words[1:2]))
    assert len(found) >= 8
    for words in found:
        assert cli.main([*words, "--help"]) == 0, words
    capsys.readouterr()
