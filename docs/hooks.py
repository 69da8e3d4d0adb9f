"""Parts of the documentation that come from the package itself, so that they cannot grow old.

A page holds `<!-- sacrofem: NAME -->`; what NAME makes takes its place.
"""

import io
import re
from contextlib import redirect_stdout, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = re.compile(r"<!-- sacrofem: ([a-z-]+) -->")
COMMANDS = (
    "compare", "check", "mesh", "import", "converge", "deck", "verify", "view", "init", "info", "study run",
    "study status", "study report",
)  # fmt: skip


def on_page_markdown(markdown, **kwargs):
    """Called by MkDocs for every page."""
    return filled(markdown)


def filled(markdown):
    """A page with its marks replaced."""
    return MARK.sub(lambda match: MAKERS[match[1]](), markdown)


def _cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def _value(value):
    if value is None:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value!r}`".replace("'", '"')


def case_tables():
    """Every section of the case file with its keys, defaults and descriptions."""
    from pydantic import BaseModel

    from sacrofem.case import Case

    parts = []
    for name, field in Case.model_fields.items():
        section = field.annotation
        if not hasattr(section, "model_fields"):
            continue
        parts.append(f"### [{name}]\n\n{(section.__doc__ or '').split(': ', 1)[-1].strip()}\n")
        parts.append("| key | default | what it is |\n|---|---|---|")
        for key, info in section.model_fields.items():
            default = info.get_default(call_default_factory=True)
            shown = "–" if isinstance(default, BaseModel) or default in ((), {}) else _value(default)
            parts.append(f"| `{key}` | {_cell(shown)} | {_cell(info.description or '')} |")
        parts.append("")
    return "\n".join(parts)


def presets():
    """The presets and what each of them sets."""
    from sacrofem.presets import PRESETS

    rows = ["| preset | what it is |", "|---|---|"]
    rows += [f"| `{name}` | {_cell(preset.title)}; {_cell(preset.source)} |" for name, preset in PRESETS.items()]
    return "\n".join(rows)


def info():
    """What `sacrofem info` prints of laws, loads and presets, with their sources."""
    return "```text\n" + _printed(["info"]) + "```"


def commands():
    """The help of every command."""
    parts = []
    for name in COMMANDS:
        parts.append(f"## sacrofem {name}\n\n```text\n{_printed([*name.split(), '--help'])}```\n")
    return "\n".join(parts)


def _printed(arguments):
    from sacrofem import cli

    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        cli.main(arguments)
    # Versions and cores of the machine are no part of a manual.
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    return "\n".join(line for line in lines if not line.startswith(("python", "threads", "blas"))) + "\n"


def measures():
    """The table of measures, from the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.split("## Measures\n", 1)[1].split("\n## ", 1)[0].strip()


def limits():
    """The limits, from the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.split("## Limits\n", 1)[1].split("\n## ", 1)[0].strip()


def claims():
    """The page of the studies; its links lead into the repository, and are left out here."""
    text = (ROOT / "studies" / "README.md").read_text(encoding="utf-8").split("\n## [", 1)[0]
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"`\1`", text)


def changes():
    """CHANGELOG.md."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def parameters():
    """Dimensions of the built-in sacrum with their sources, from its docstring."""
    from inspect import cleandoc

    from sacrofem.anatomy.parameters import SacrumParameters

    text = cleandoc(SacrumParameters.__doc__).split("----------\n", 1)[1]
    rows = ["| dimension | women | men | source |", "|---|---|---|---|"]
    female, male = SacrumParameters.preset("female"), SacrumParameters.preset("male")
    for name, words in re.findall(r"^([a-z0-9_, ]+)\n((?:    .*\n?)+)", text + "\n", re.MULTILINE):
        for one in name.split(", "):
            about = _cell(" ".join(words.split()))
            rows.append(f"| `{one}` | {_number(getattr(female, one))} | {_number(getattr(male, one))} | {about} |")
    return "\n".join(rows)


def _number(value):
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else f"{value:g}"


MAKERS = {
    "case-tables": case_tables,
    "presets": presets,
    "info": info,
    "commands": commands,
    "measures": measures,
    "limits": limits,
    "claims": claims,
    "changes": changes,
    "parameters": parameters,
}
