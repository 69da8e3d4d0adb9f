"""Case and study files by chance: valid key by key, and damaged ones. Hypothesis draws, a seed decides."""

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Literal

from hypothesis import strategies as st

from sacrofem.case.case import Case
from sacrofem.case.fields import OneOf, choices, keys, numbers, section_in, table_of
from sacrofem.case.presets import PRESETS
from sacrofem.case.tomlfile import emit_toml

# Beside what is drawn: a mesh that is quick, and memory and threads that every machine has.
QUICK = {
    "mesh": {"reference": st.just("tiny"), "order": st.just(1), "size_mm": st.floats(7, 9), "fracture_size_mm": None},
    "solver": {"threads": st.just(1), "memory_gib": st.floats(4, 64)},
    "anatomy": {"kind": st.just("parametric"), "path": None, "landmarks_file": None},
    # Each costs seconds.
    "fracture": {"surfaces": None},
}
STUDY = """schema = 1
name = "volume and bone"
preset = "sif-unilateral"
[design]
kind = "latin-hypercube"
samples = 6
seed = 1
[zones]
common = true
[case.mesh]
reference = "tiny"
[[factors]]
path = "cement.volume_ml"
low = 1.0
high = 6.0
log = true
[[factors]]
name = "approach"
levels = [{ label = "short", "cement.approach" = "short-axis" }, { label = "long", "cement.approach" = "long-axis" }]
"""
_PIECES = [
    "1e308", "-1", "0", "nan", "-inf", "true", "1979-05-27", '""', "[]", "{}", "[[]]", "{ a = 1 }", '"\\u0000"', "'''",
    '"""', '"\\u001b[31m"', "1" * 5000, "[" * 1200, '"' + "x" * 5000 + '"', "²", "\ud7ff", "=", "\n[cement]\n", "\r",
    "\n[[factors]]\n", '"=1+1"', '"status"', "0x10", "1_000", "-0.0", '"../../etc/passwd"', '"/dev/zero"', "\x00",
    "#", "]", ",",
]  # fmt: skip


def drawn(annotation, bounds=None):
    """Values of a field; None for what is not drawn here, such as paths."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return section(annotation)
    if pair := _mapping(annotation):
        inner = drawn(pair[1])
        names = choices(pair[0])
        return None if not names or inner is None else st.dictionaries(st.sampled_from(names), inner, max_size=2)
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        inner, *notes = typing.get_args(annotation)
        words = next((note.words for note in notes if isinstance(note, OneOf)), None)
        return st.sampled_from(words) if words else drawn(inner, bounds or _limits(annotation))
    if origin is Literal:
        return st.sampled_from(typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        found = [drawn(inner, bounds) for inner in typing.get_args(annotation) if inner is not type(None)]
        found = [strategy for strategy in found if strategy is not None]
        return st.one_of(found) if found else None
    if origin is tuple:
        parts = typing.get_args(annotation)
        if parts[-1] is Ellipsis:
            inner = drawn(parts[0])
            return None if inner is None else st.lists(inner, max_size=2)
        inner = [drawn(part) for part in parts]
        return st.tuples(*inner).map(list) if all(strategy is not None for strategy in inner) else None
    if annotation is bool:
        return st.booleans()
    low, high = bounds or (None, None)
    if annotation is int:
        return st.integers(int(low), int(high)) if low is not None else None
    if annotation is float:
        return st.floats(low, high, allow_nan=False) if low is not None else None
    return (
        st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=20) if annotation is str else None
    )


def _mapping(annotation):
    origin = typing.get_origin(annotation)
    return table_of(annotation) if isinstance(origin, type) and issubclass(origin, Mapping) else None


def _limits(annotation):
    from pydantic.fields import FieldInfo

    bounds = next(numbers(FieldInfo.from_annotation(annotation)), None)
    return (bounds.low, bounds.high) if bounds is not None and bounds.low is not None else None


def section(model):
    """Tables of a section: those keys that it needs, and some of the others."""
    fields, required = {}, {}
    for key, info in keys(model).items():
        if (strategy := _field(info)) is not None:
            (required if info.is_required() else fields)[key] = strategy
    return st.fixed_dictionaries(required, optional=fields)


def _field(info):
    bounds = next(numbers(info), None)
    limits = (bounds.low, bounds.high) if bounds is not None and bounds.low is not None else None
    return drawn(info.annotation, limits)


def fields():
    """What values of every key of a case are drawn from, by section and key."""
    found = {}
    for name, info in keys(Case).items():
        if model := section_in(info.annotation):
            for key, inner in keys(model).items():
                strategy = QUICK.get(name, {}).get(key, ...)
                strategy = _field(inner) if strategy is ... else strategy
                if strategy is not None:
                    found[name, key] = strategy
    return found


FIELDS = fields()


@st.composite
def case_texts(draw):
    """A case file: a preset, and a few keys of any section, each valid by itself."""
    data = {"preset": draw(st.sampled_from(list(PRESETS)))}
    for name, key in draw(st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=5, unique=True)):
        data.setdefault(name, {})[key] = draw(FIELDS[name, key])
    data.setdefault("mesh", {}).setdefault("reference", "tiny")
    data["mesh"]["order"] = 1
    data.setdefault("solver", {})["threads"] = 1
    return emit_toml(data)


@st.composite
def damaged(draw, text):
    """The text with one to three places changed: cut, doubled, swapped, or overwritten by what fits nowhere."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        line, kind = lines[place], draw(st.integers(0, 6))
        piece = draw(st.sampled_from(_PIECES))
        if kind == 0 and len(lines) > 1:
            del lines[place]
        elif kind == 1:
            lines.insert(draw(st.integers(0, len(lines))), line)
        elif kind == 2:
            lines[place] = line.partition("=")[0] + "= " + piece
        elif kind == 3:
            at = draw(st.integers(0, len(line)))
            lines[place] = line[:at] + piece + line[at:]
        elif kind == 4:
            at = draw(st.integers(0, len(line)))
            lines[place] = line[:at]
        elif kind == 5:
            lines[place] = piece + " =" + line.partition("=")[2]
        else:
            other = draw(st.integers(0, len(lines) - 1))
            lines[place], lines[other] = lines[other], lines[place]
    return "\n".join(lines) + "\n"


def seeds_of_damage():
    """Texts to be damaged: (kind of file, text)."""
    cases = [Case.preset(name, mesh__reference="tiny", mesh__order=1) for name in PRESETS]
    return [("study", STUDY), *(("case", case.to_toml()) for case in cases)]
