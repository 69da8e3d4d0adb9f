"""A case cannot be changed by any hand, however deep it reaches, and travels as before."""

import copy
import json
import pickle
import tomllib
from collections.abc import Mapping, MutableMapping, MutableSequence, MutableSet

import pytest

from sacrofem import Anatomy, Case, Cement
from sacrofem.case.frozen import FrozenMapping, deeper_than, frozen
from sacrofem.case.presets import PRESETS
from sacrofem.study.studyfile import StudyFile

OWN = Case.from_dict(
    {
        "anatomy": {
            "kind": "mesh", "path": "bone.vtu", "sets": {"endplate": "TOP", "outer": "by-geometry"},
            "landmarks": {"promontory": [0.0, -15.0, 2.0]},
        },
        "fracture": {"surfaces": [{"name": "own", "point": [0.0, 20.0, -35.0], "normal": [0.0, 0.3, 1.0]}]},
        "cement": {"injections": [{"entry_mm": [30, 40, -10], "target_mm": [30, 5, -10], "volume_ml": 2.0}]},
    }
)  # fmt: skip
BUILT_IN = Case(anatomy__parameters={"alar_breadth_mm": 105.0, "body_depths_mm": [18.0, 15.0, 12.0, 10.0, 8.0]})


def test_dimensions_of_a_case_cannot_be_changed():
    with pytest.raises(TypeError, match="does not support item assignment"):
        BUILT_IN.anatomy.parameters["alar_breadth_mm"] = 1
    with pytest.raises(AttributeError, match="cannot be changed"):
        BUILT_IN.anatomy.parameters._table = {}
    assert BUILT_IN.anatomy.parameters["body_depths_mm"] == (18.0, 15.0, 12.0, 10.0, 8.0)


def everything(value):
    """A value and all that lies in it."""
    yield value
    if isinstance(value, Mapping):
        for item in value.values():
            yield from everything(item)
    elif isinstance(value, tuple | frozenset):
        for item in value:
            yield from everything(item)
    elif hasattr(type(value), "model_fields"):
        for name in type(value).model_fields:
            yield from everything(getattr(value, name))


STUDY = StudyFile.model_validate(
    {
        "name": "s",
        "case": {"mesh": {"reference": "tiny"}, "lesion": {"radii_mm": [9, 8, 7]}},
        "factors": [{"name": "a", "levels": [{"label": "l", "lesion.radii_mm": [1, [2, {"x": [3]}]]}]}],
        "scenarios": [{"cement.injections": [{"volume_ml": 1.0}]}],
    }
)


@pytest.mark.parametrize("whole", [OWN, BUILT_IN, STUDY, PRESETS], ids=["own", "built-in", "study", "presets"])
def test_nothing_in_it_can_be_changed(whole):
    found = list(everything(whole))
    assert len(found) > 5
    assert not [value for value in found if isinstance(value, MutableMapping | MutableSequence | MutableSet)]
    assert hash(whole) == hash(copy.deepcopy(whole))


def test_what_was_given_may_change_afterwards():
    given = {"alar_breadth_mm": 105.0}
    case = Case(anatomy=Anatomy(parameters=given))
    given["alar_breadth_mm"] = 50.0
    assert case.anatomy.parameters["alar_breadth_mm"] == 105.0
    cement = Cement(volume_ml=3.0)
    cement.model_fields_set.clear()
    assert Case(cement=cement).cement.volume_ml == 3.0


@pytest.mark.parametrize("case", [OWN, BUILT_IN], ids=["own", "built-in"])
def test_it_travels_as_before(case):
    for other in (pickle.loads(pickle.dumps(case)), copy.deepcopy(case), copy.copy(case)):
        assert other == case
        assert hash(other) == hash(case)
    plain = case.to_dict()
    assert Case.from_dict(json.loads(json.dumps(plain))) == case
    assert Case.from_dict(tomllib.loads(case.to_toml())) == case
    assert json.loads(case.model_dump_json(by_alias=True, exclude_none=True)) == json.loads(json.dumps(plain))
    assert type(plain["anatomy"]["parameters"]) is dict
    assert len({case, copy.deepcopy(case), Case()}) == 2


def test_a_frozen_mapping_is_equal_to_a_dict():
    mapping = FrozenMapping({"a": [1, {"b": {2}}]})
    assert mapping == {"a": (1, {"b": frozenset({2})})}
    assert hash(mapping) == hash(frozen({"a": [1, {"b": {2}}]}))
    assert repr(mapping) == "{'a': (1, {'b': frozenset({2})})}"
    with pytest.raises(AttributeError, match="cannot be changed"):
        del mapping._table


def test_depth_is_counted_to_a_limit():
    assert not deeper_than({"a": [1, {"b": [2]}]}, 4)
    assert deeper_than({"a": [1, {"b": [2]}]}, 3)
    endless = []
    endless.append(endless)
    assert deeper_than(endless, 50)
    wide = 1
    for _ in range(40):
        # Two to the fortieth leaves, and forty lists.
        wide = [wide, wide]
    assert deeper_than(wide, 30)
