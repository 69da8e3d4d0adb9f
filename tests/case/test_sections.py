"""Every key of every section says what it is: its unit, its range and the reason for it, what it may be."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

import sacrofem
from sacrofem import Case, InputError
from sacrofem.anatomy.builtin.parameters import SacrumParameters
from sacrofem.anatomy.landmarkfile import override_names
from sacrofem.case.anatomy import DIMENSIONS, LANDMARKS
from sacrofem.case.fields import choices, keys, numbers, section_in
from sacrofem.case.presets import PRESETS
from sacrofem.case.section import Section
from sacrofem.study.design import read_study
from sacrofem.study.studyfile import StudyFile

ROOT = Path(__file__).resolve().parents[2]


def sections(model):
    """A section and all that lie in it."""
    yield model
    for info in model.model_fields.values():
        inner = section_in(info.annotation)
        if inner is not None:
            yield from sections(inner)


SECTIONS = [*sections(Case), *sections(StudyFile)]
FIELDS = [
    pytest.param(model, key, info, id=f"{model.__name__}.{key}")
    for model in SECTIONS
    for key, info in keys(model).items()
    if section_in(info.annotation) is None
]
# What a number may be in; a count and what has no unit say so.
UNIT = re.compile(
    r"\b(mm|ml|MPa|N|N mm|N/mm³|GiB|HU|G|degrees|g/cm³|count|no unit|in the unit of the key)\b", re.UNICODE
)


def is_number(info):
    return bool(list(numbers(info))) or any(isinstance(choice, int) for choice in choices(info.annotation))


def test_all_sections_are_looked_at():
    names = {model.__name__ for model in SECTIONS}
    assert {"Case", "FracturePlane", "InjectionSection", "Spot", "FlowSection", "Factor", "Design"} <= names
    assert len(FIELDS) > 90
    assert sum(is_number(param.values[2]) for param in FIELDS) > 50


@pytest.mark.parametrize(("model", "key", "info"), FIELDS)
def test_every_key_is_described_and_every_number_has_unit_range_and_reason(model, key, info):
    assert info.description, "no description"
    if is_number(info):
        assert UNIT.search(info.description), f"no unit in {info.description!r}"
    for bounds in numbers(info):
        assert bounds.low is not None
        assert bounds.high is not None
        assert bounds.low < bounds.high
        assert bounds.why, "no reason for the range"
        assert len(str(bounds)) < 110


@pytest.mark.parametrize(("model", "key", "info"), FIELDS)
def test_a_commented_case_names_unit_range_and_choices(model, key, info):
    if model not in list(sections(Case)):
        return
    place = model._place() or "Case"
    text = Case().to_toml(comments=True)
    # The comment that belongs to a table: from its heading, which may itself be a comment, to the next one.
    heads = [m for m in re.finditer(r"^(?:# )?\[+([\w.]+)\]+", text, re.MULTILINE)]
    spans = {"Case": text[: heads[0].start()]}
    ends = [head.start() for head in heads[1:]] + [len(text)]
    spans |= {head[1]: text[head.start() : end] for head, end in zip(heads, ends, strict=True)}
    table = spans.get(f"{place}.{key}") or spans[place]
    said = " ".join(table.replace("\n#", " ").split())
    assert f"{key} = " in said or f"[{place}.{key}]" in said
    assert " ".join(info.description.split()) in said
    allowed = choices(info.annotation)
    if len(allowed) > 1:
        assert f"one of {', '.join(map(str, allowed))}" in said
    for bounds in list(numbers(info))[:1]:
        assert str(bounds) in said


def test_names_of_dimensions_and_landmarks_are_those_that_exist():
    assert tuple(SacrumParameters.__dataclass_fields__) == DIMENSIONS
    assert override_names() == LANDMARKS


@pytest.mark.parametrize("sex", ["female", "male"])
def test_dimensions_of_the_built_in_sacra_are_within_their_range(sex):
    preset = SacrumParameters.preset(sex)
    given = {name: getattr(preset, name) for name in DIMENSIONS}
    assert Case(anatomy={"sex": sex, "parameters": given}).anatomy.parameters == given


PLANE = {"name": "own", "point": [0, 0, 0], "normal": [0, 0, 1]}
NEEDLE = {"entry_mm": [30, 40, -10], "target_mm": [30, 5, -10], "volume_ml": 2.0}
OUTSIDE = {
    "load.moment_n_m": [1e9, 0, 0],
    "load.force_n": 1e-300,
    "load.point_mm": [0, 1e6, 0],
    "materials.density_factor": 1e-12,
    "solver.threads": 1024,
    "cement.volume_ml": 1e-300,
    "cement.injections": [{**NEEDLE, "target_mm": [0, 0, -600]}],
    "fracture.filler_modulus_mpa": 1e-9,
    "fracture.surfaces": [{**PLANE, "normal": [0, 0, 1e-300]}],
    "lesion.centre_mm": [1e6, 0, 0],
    "anatomy.parameters": {"alar_breadth_mm": 1e4},
    "anatomy.labels": [0],
    "materials.calibration_hu": [1e9],
    "solver.memory_gib": 1e-9,
}


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_no_bone_and_no_machine_has_is_refused(path):
    with pytest.raises(InputError) as caught:
        Case().with_(**{path: OUTSIDE[path]})
    assert path in str(caught.value)


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("studies/*/*.toml")), ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_presets_and_studies_stay_within(file):
    if "[[" in (text := file.read_text(encoding="utf-8")) or "[design]" in text:
        assert read_study(file).scenarios
    else:
        Case.from_toml(file)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_stay_within(name):
    Case.preset(name)


def mutable(annotation):
    """Containers in an annotation that could be changed."""
    if annotation in (dict, list, set, bytearray):
        yield annotation
    for inner in (getattr(annotation, "__origin__", None), *get_args(annotation)):
        if inner is not None and not isinstance(inner, str):
            yield from mutable(inner)


@pytest.mark.parametrize(("model", "key", "info"), FIELDS)
def test_no_key_holds_what_could_be_changed(model, key, info):
    assert list(mutable(info.annotation)) == []


def classes():
    """Every class of the package by its name, with the rooms that have one of that name."""
    found = {}
    package = Path(sacrofem.__file__).parent
    for file in package.rglob("*.py"):
        room = file.relative_to(package).parts[0]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).add(room)
    return found


def test_no_section_bears_the_name_of_an_object_of_the_physics():
    rooms = classes()
    names = {model.__name__ for model in sections(Case)}
    assert {"Mesh", "LoadCase", "LesionSection"} <= names
    assert {name: rooms[name] for name in names if rooms[name] != {"case"}} == {}
    assert {"Lesion", "Safety", "ElasticLayer", "Injection", "Flow", "Needle"} <= set(rooms) - names


def test_sections_are_sections():
    assert all(issubclass(model, Section) and issubclass(model, BaseModel) for model in SECTIONS)
