"""What MkDocs does to the pages beyond Markdown: parts made by the package, studies and changes, equations.

A page holds `<!-- sacrofem: NAME -->`; what NAME makes (makers.py) takes its place, so that it cannot grow old.
Equations are LaTeX between `$` or `$$` and become MathML, which browsers draw without a script or a network.
"""

import html
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [] if str(HERE) in sys.path else [str(HERE)]

import makers  # noqa: E402 - found beside this file only after the line above

MARK = re.compile(r"<!-- sacrofem: ([a-z-]+) -->")
MAKERS = makers.MAKERS
# The tests need the reason why a block is not run; a highlighter takes the whole line for a language.
_NO_RUN = re.compile(r"^(```[a-z]+) no-run: [^\n]*$", re.MULTILINE)
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_DISPLAY = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
_BOLD = re.compile(r'<mi mathvariant="bold-italic">(?:&#x([0-9A-F]+);|([A-Za-z]))</mi>')
# First and last letter of a row, and where the bold italic letters of that row begin.
_ROWS = ((0x41, 0x5A, 0x1D468), (0x61, 0x7A, 0x1D482), (0x391, 0x3A9, 0x1D71C), (0x3B1, 0x3C9, 0x1D736))
_OF_STUDIES = (".md", ".png", ".toml", ".py", ".csv")


def on_files(files, config, **kwargs):
    """Called by MkDocs with all files: the studies and the list of changes lie elsewhere in the repository."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "changes.md", abs_src_path=str(ROOT / "CHANGELOG.md")))
    for path in sorted((ROOT / "studies").rglob("*")):
        place = path.relative_to(ROOT)
        if path.suffix in _OF_STUDIES and len(place.parts) <= 3:
            files.append(File.generated(config, place.as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, **kwargs):
    """Called by MkDocs for every page."""
    return filled(markdown)


def filled(markdown):
    """A page with its marks replaced, and without the notes that are for its tests."""
    return _NO_RUN.sub(r"\1", MARK.sub(lambda match: MAKERS[match[1]](), markdown))


def on_page_content(content, **kwargs):
    """Called by MkDocs with the HTML of every page."""
    return with_mathml(content)


def with_mathml(content):
    """HTML with its equations as MathML."""
    inline = _INLINE.sub(lambda match: _mathml(match[1], "inline"), content)
    return _DISPLAY.sub(lambda match: _mathml(match[1], "block"), inline)


def _mathml(latex, display):
    from latex2mathml.converter import convert

    # Browsers know no bold italic letters but those that are characters of their own.
    return _BOLD.sub(_bold, convert(html.unescape(latex), display=display))


def _bold(match):
    code = int(match[1], 16) if match[1] else ord(match[2])
    start = next(bold - first for first, last, bold in _ROWS if first <= code <= last)
    return f"<mi>{chr(code + start)}</mi>"
