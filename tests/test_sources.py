"""Nothing names pages that the repository does not hold, and docs/theory/sources.md lists every source once."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "theory" / "sources.md"
ROOMS = ("sacrofem", "docs", "studies", "tests", "meshes", "benchmarks")
TEXTS = {".py", ".md", ".toml", ".jinja", ".html", ".js", ".css", ".cff"}

# Pages of notes that readers do not have, and numbers of rows in them.
FORBIDDEN = {
    "a design page": r"\bDESIGN\b",
    "a page of notes": r"\b(?:literature|house|performance|style)\.md\b|\bprototypes/",
    "a section of notes": r"\bliterature,? (?:section|file|table|page|[FCPL]?\d)|\bsections? \d+\b",
    "a row of notes": r"(?<![\w\[])(?:L(?:[6-9]|1[01])|P(?:[3-9]|[12]\d|3[0-4])|C(?:[1-9]|1[0-4]))(?![\w\]])",
    "a row with its mark": r"\b[FCPL]\d{1,2}(?:, [FCPL]\d{1,2})* \[[TACKD]\]",
}
NAME = r"[A-ZÖÄÜ][\w'-]+"
CITED = re.compile(rf"\b({NAME}(?:(?:, {NAME})* & {NAME}| et al\.)?),? \(?((?:18|19|20)\d\d)\b(?!-\d\d)")
NUMBERED = re.compile(r"\bPMC\d+\b|\b10\.\d{4,5}/(?:[^\s,;()\"]|\([^\s()]*\))+[^\s,;().*|\"]")


def texts():
    """Every text that people read, by its path; lines of a paragraph joined."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    for path in sorted([*top, *(p for room in ROOMS for p in (ROOT / room).rglob("*"))]):
        hidden = {"vendor", "results", "__pycache__", "site"} & set(path.relative_to(ROOT).parts)
        if path.suffix in TEXTS and not hidden and path != Path(__file__):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


TEXT = dict(texts())
JOINED = {name: re.sub(r"\s*\n\s*(?:#:?\s|>\s)?\s*", " ", text) for name, text in TEXT.items()}
CODE = {name: text for name, text in JOINED.items() if name != "docs/theory/sources.md"}


def keys():
    """First column of every table of the page behind its anchor."""
    return re.findall(r'^\| <a id="([^"]+)"></a>([^|]+?) \|', PAGE.read_text(encoding="utf-8"), flags=re.M)


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_nothing_names_a_page_that_is_not_there(kind):
    pattern = re.compile(FORBIDDEN[kind])
    # Identifiers of the catalogue of bad input, which stands there.
    own = {"tests/bad_input/catalogue.toml", "tests/bad_input/test_catalogue.py"}
    found = [
        f"{name}: …{text[max(m.start() - 40, 0) : m.end() + 20]}…"
        for name, text in JOINED.items()
        for m in pattern.finditer(text)
        if name not in own
    ]
    assert found == []


def test_each_source_stands_once():
    anchors, names = zip(*keys(), strict=True)
    assert len(names) > 80
    assert len(set(anchors)) == len(anchors)
    assert len(set(names)) == len(names)
    # A name that holds another one whole would be found for it.
    assert [n for n in names for other in names if n != other and re.search(rf"\b{re.escape(n)}\b", other)] == []


def test_every_source_that_is_named_is_listed():
    known = PAGE.read_text(encoding="utf-8")
    names = {name for _, name in keys()}
    missing = set()
    for path, text in CODE.items():
        for who, year in CITED.findall(text):
            key = f"{who.removesuffix(' et al.')} {year}"
            if key not in names and not _no_source(who):
                missing.add(f"{path}: {key}")
        missing |= {f"{path}: {number}" for number in NUMBERED.findall(text) if number not in known}
    assert missing == set()


def _no_source(who):
    """Months of dates, and the rules of the linter."""
    months = "January February March April May June July August September October November December"
    return who in months.split()


def test_every_listed_source_is_named_somewhere():
    everything = " ".join(re.sub(r" et al\.", "", text) for text in CODE.values())
    assert [name for _, name in keys() if name not in everything] == []


def test_every_mark_is_explained_and_the_page_uses_no_other():
    page = PAGE.read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| \[([A-Z])\] \|", page, flags=re.M))
    assert explained == set("TACDK")
    used = {mark for text in TEXT.values() for mark in re.findall(r"(?<![\w\"'(\[])\[([A-Z])\](?![\w(\"'])", text)}
    assert used - explained == set()


def test_the_search_finds_what_it_is_for():
    for text in (
        "(DESIGN 5)",
        "literature.md 4.1",
        "literature, section 5",
        "(L11 [D])",
        "(P27, P28 [A])",
        "the C7 row",
    ):
        assert any(re.search(pattern, text) for pattern in FORBIDDEN.values()), text
    for text in ("P2 on S1", "in L2 and H1", "L5-S1", "T = d1 / F1", "pore fraction P1", "[C14]", "_DESIGNS"):
        assert not any(re.search(pattern, text) for pattern in FORBIDDEN.values()), text
    assert CITED.findall("Smith & Gilula 2006 [A], Saltelli et al. 2010 and Nečas, Jarušek & Haslinger 1980") == [
        ("Smith & Gilula", "2006"), ("Saltelli et al.", "2010"), ("Nečas, Jarušek & Haslinger", "1980"),
    ]  # fmt: skip
    assert NUMBERED.findall("(10.1016/s0021-9290(03)00071-x, PMC123).") == ["10.1016/s0021-9290(03)00071-x", "PMC123"]
