"""Tables of the documentation that the package itself makes: keys, defaults, measures, commands, laws."""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _cell(text):
    # Two marks side by side, [A] [K], would be a link; in code no entity is read.
    parts = str(text).replace("|", "\\|").replace("\n", " ").split("`")
    return "`".join(part if k % 2 else part.replace("[", "&#91;") for k, part in enumerate(parts))


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows])


def _name(key):
    """A key in code that may be broken after an underscore and nowhere else."""
    return f"<code>{key.replace('_', '_<wbr>')}</code>"


def _value(value):
    if value is None or value == () or value == {}:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value!r}`".replace("'", '"')


def _number(value):
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else f"{value:g}"


# ---------------------------------------------------------------------- sections of a file
def _range(info):
    """Bounds of a field in words and where they come from: `from 0.5 to 20 (a voxel)`."""
    from sacrofem.case.fields import numbers

    return next((str(bounds) for bounds in numbers(info)), "")


def _kind(annotation):
    """What may be written: its choices, or its type in the words of TOML."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(one) for one in arguments if one is not type(None))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return "list" if typing.get_origin(arguments[0]) is dict else f"list: {_kind(arguments[0])}"
        return f"{len(arguments)} numbers"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        words = typing.get_args(arguments[0])
        known = ", ".join(f"`{word}`" for word in words[1].words) if len(words) > 1 else ""
        return f"table with {known}" if known else "table"
    names = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`", typing.Any: "anything"}
    return names.get(annotation, "table")


def _inner(annotation):
    """The section that a field holds, and whether in a list; None for plain values."""
    if hasattr(annotation, "model_fields"):
        return annotation, False
    for one in typing.get_args(annotation):
        found, many = _inner(one)
        if found is not None:
            return found, many or typing.get_origin(annotation) is tuple
    return None, False


def _section(model, name):
    """A section and those inside it: headings and tables."""
    plain = name.strip("[]")
    rows, inside = [], []
    for key, info in model.model_fields.items():
        inner, many = _inner(info.annotation)
        shown = info.alias or key
        if inner is not None:
            path = f"{plain}.{shown}" if plain else shown
            inside.append((inner, f"[[{path}]]" if many else f"[{path}]"))
            continue
        default = "required" if info.is_required() else _value(info.get_default(call_default_factory=True))
        may = " ".join(part for part in (_kind(info.annotation), _range(info)) if part)
        rows.append((_name(shown), may, default, info.description or ""))
    parts = []
    if name:
        about = (model.__doc__ or "").split(": ", 1)[-1].strip().split("\n\n")[0]
        parts += [f"### `{name}`", about[:1].upper() + about[1:]]
    if name.startswith("[["):
        parts.append("One table for each; there may be several.")
    if rows:
        parts.append(_table(("key", "what may stand there", "default", "what it is"), rows))
    return "\n\n".join(parts + [_section(inner, path) for inner, path in inside])


def case_tables():
    """Every section of the case file with its keys, choices, ranges, defaults and descriptions."""
    from sacrofem.case.case import Case

    return _section(Case, "")


def study_tables():
    """The same of the study file."""
    from sacrofem.study.studyfile import StudyFile

    return _section(StudyFile, "")


def presets():
    """The presets, what each of them is and what it sets."""
    from sacrofem.case.presets import PRESETS

    rows = []
    for name, preset in PRESETS.items():
        keys = [f"`{section}.{key}`" for section, content in preset.data.items() for key in content]
        rows.append((f"`{name}`", f"{preset.title}; {preset.source}", ", ".join(keys) or "–"))
    return _table(("preset", "what it is, and its source", "keys that it sets"), rows)


# ---------------------------------------------------------------------- defaults that are no keys
def loads():
    """Every kind of load with its source."""
    from sacrofem.mechanics.parts.loads import LOADS

    rows = []
    for load in LOADS.values():
        angle = "vertical at the slope of the case" if load.angle_deg is None else f"{load.angle_deg:g}°"
        force = f"{load.force_n:g} N" if load.force_n else "as given"
        moment = ", ".join(f"{component / 1e3:g}" for component in load.moment_nmm) if any(load.moment_nmm) else "–"
        rows.append((f"`{load.kind}`", force, angle, moment, load.source))
    return _table(("kind", "force", "to the endplate normal", "moment about x, y, z, N m", "source"), rows)


def density_laws():
    """Every law from density to modulus with its range and its source."""
    from sacrofem.bone.laws import CONVERSION_SOURCE, CONVERSIONS, LAWS

    rows = []
    for law in LAWS.values():
        span = "{:g} to {:g}".format(*law.range_g_cm3)
        rows.append((f"`{law.name}`", law.formula, law.density, span, law.range_source, law.cited))
    laws = _table(("law", "ρ in g/cm³", "density ρ that is meant", "range, g/cm³", "of the range", "source"), rows)
    conversions = [(f"`{kind}`", formula, CONVERSION_SOURCE) for kind, formula in CONVERSIONS.items()]
    head = ("density", "of calibrated QCT density `qct`, g/cm³", "source")
    return f"{laws}\n\n{_table(head, conversions)}"


def bones():
    """Density map and cortex of each named bone."""
    from sacrofem.bone.density import QUALITIES
    from sacrofem.mechanics.parts.materials import CORTICES

    density = [
        (
            f"`{name}`", _number(bone.bodies), f"{bone.void:g}",
            f"joint +{bone.joint:g}, endplate +{bone.endplate:g}, arch +{bone.arch:g}", bone.source,
        )
        for name, bone in QUALITIES.items()
    ]  # fmt: skip
    cortex = [
        (
            f"`{name}`", f"{shell.thickness_mm:g} / {shell.modulus_mpa:g}",
            f"{shell.endplate_thickness_mm:g} / {shell.endplate_modulus_mpa:g}",
            f"{shell.auricular_thickness_mm:g} / {shell.auricular_modulus_mpa:g}", shell.source,
        )
        for name, shell in CORTICES.items()
    ]  # fmt: skip
    head = ("cortex", "shell, mm / MPa", "endplate, mm / MPa", "auricular faces, mm / MPa", "source")
    first = _table(("density", "bodies S1 to S5, HU", "alar void, HU", "rises, HU", "source"), density)
    return f"{first}\n\n{_table(head, cortex)}"


def cements():
    """Every cement with its range and source."""
    from sacrofem.cement.mixture import CEMENTS

    rows = []
    for cement in CEMENTS.values():
        span = "{:g} to {:g}".format(*cement.range_mpa)
        source = f"{cement.source} {cement.mark}"
        rows.append((f"`{cement.name}`", f"{cement.modulus_mpa:g}", span, f"{cement.poisson:g}", source))
    return _table(("cement", "E, MPa", "published", "ν", "source"), rows)


def permeabilities():
    """Every law from pores to permeability."""
    from sacrofem.bone.permeability import LAWS

    head = ("law", "permeability over that of the reference bone, and its source")
    return _table(head, [(f"`{law.name}`", law.source) for law in LAWS.values()])


def supports():
    """Constants of the elastic joint and of the ligaments."""
    from sacrofem.mechanics.parts.joint import CALIBRATED_JOINT
    from sacrofem.mechanics.parts.ligaments import LIGAMENT_STIFFNESS

    calibrated = "calibrated once on the intact sacrum [D], study 14"
    known = {
        "modulus_mpa": ("layer, modulus", "MPa", calibrated),
        "poisson": ("layer, ν", "", "cartilage in a lumbosacral model (10.1186/s12891-021-04856-8 [T])"),
        "thickness_mm": ("layer, thickness", "mm", "sacral cartilage 1.1-3.0 mm (musculoskeletalkey, chapter 3 [T])"),
        "ligament_factor": ("factor on all ligaments", "", calibrated),
    }
    rows = []
    for field in dataclasses.fields(CALIBRATED_JOINT):
        name, unit, source = known[field.name]
        rows.append((name, f"{getattr(CALIBRATED_JOINT, field.name):g} {unit}".strip(), source))
    table = "table 1 of 10.1186/s12891-021-04856-8 [T], taken per ligament and side; acts times the factor"
    rows += [(f"ligament, {name.replace('_', ' ')}", f"{k:g} N/mm", table) for name, k in LIGAMENT_STIFFNESS.items()]
    return _table(("what", "value", "source"), rows)


def parameters():
    """Dimensions of the built-in sacrum with their sources, from its docstring."""
    from inspect import cleandoc

    from sacrofem.anatomy.builtin.parameters import SacrumParameters

    text = cleandoc(SacrumParameters.__doc__).split("----------\n", 1)[1]
    female, male = SacrumParameters.preset("female"), SacrumParameters.preset("male")
    rows = []
    for names, words in re.findall(r"^([a-z0-9_, ]+)\n((?:    .*\n?)+)", text + "\n", re.MULTILINE):
        for name in names.split(", "):
            values = (_number(getattr(bone, name)) for bone in (female, male))
            rows.append((_name(name), *values, " ".join(words.split())))
    return _table(("dimension", "women", "men", "source"), rows)


# ---------------------------------------------------------------------- results and commands
def measures():
    """Every measure with unit, definition, and what a change of it is small against."""
    from sacrofem.mechanics.measures.catalogue import MEASURES

    rows = []
    for key, measure in MEASURES.items():
        scale = MEASURES[measure.scale].label if isinstance(measure.scale, str) else f"{measure.scale:g}"
        scale = "itself" if measure.scale == key else scale
        each = "yes" if measure.per_fracture else "–"
        rows.append((_name(key), measure.unit or "–", measure.definition, scale, each))
    return _table(("key", "unit", "definition", "scale", "per fracture"), rows)


def fields():
    """Every field of a solved state with unit, place, shape and meaning."""
    from sacrofem.mechanics.measures.statefields import FIELDS

    where = {"node": "nodes", "tet": "tets", "face": "faces", "gap": "fracture"}
    what = {1: "number", 3: "vector", 6: "tensor"}
    rows = [
        (_name(field.name), "–" if field.unit == "1" else field.unit, where[field.place], what[field.components],
         field.meaning)
        for field in FIELDS.values()
    ]  # fmt: skip
    return _table(("field", "unit", "where", "shape", "what it is"), rows)


def validity():
    """The checks of validity with their bounds and where these are from."""
    from sacrofem.mechanics.measures.validity import CHECKS

    def bound(check, value):
        return f"{100 * value:g} %" if check.unit == "%" else f"{value:g}{'' if check.unit == '°' else ' '}{check.unit}"

    rows = [
        (_name(key), check.words, bound(check, check.amber), bound(check, check.outside), check.source)
        for key, check in CHECKS.items()
    ]
    return _table(("check", "what it is", "amber above", "outside above", "source"), rows)


def commands():
    """The help of every command, as the command line itself has it."""
    import sacrofem.cli

    text = sacrofem.cli.app.generate_docs(output_format="markdown")
    return text[text.index("\n## sacrofem") :].replace(" *[default: False]*", "").replace("```console", "```text")


def limits():
    """The limits, from the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.split("## Limits\n", 1)[1].split("\n## ", 1)[0].strip()


MAKERS = {
    "bones": bones,
    "case-tables": case_tables,
    "cements": cements,
    "commands": commands,
    "density-laws": density_laws,
    "fields": fields,
    "limits": limits,
    "loads": loads,
    "measures": measures,
    "parameters": parameters,
    "permeabilities": permeabilities,
    "presets": presets,
    "study-tables": study_tables,
    "supports": supports,
    "validity": validity,
}
