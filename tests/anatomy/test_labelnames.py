"""Which labels are the sacrum: by name, by the numbering of a known tool, or not without a word of the user."""

import pytest

from sacrofem.anatomy.scan.labels import Label, choose_labels
from sacrofem.errors import InputError

# Volume in ml and height in mm of what is there.
BIG, LOW, HIGH = 200.0, 0.0, 100.0


def choose(asked, present, **measured):
    labels = [one if isinstance(one, Label) else Label(one) for one in present]
    return choose_labels(asked, labels, lambda number: measured.get(f"n{number}", (BIG, LOW)), "f")


def numbers(chosen):
    return [label.number for label in chosen.labels]


def test_by_number_by_text_and_as_the_only_one():
    assert numbers(choose((77, "26"), [25, 26, 77])) == [77, 26]
    assert numbers(choose((), [1])) == [1]
    assert choose((), [1]).named_by == "the only one"


def test_by_the_names_in_the_file_whatever_the_numbers():
    v1 = [Label(25, "vertebrae_T10"), Label(26, "vertebrae_T9"), Label(92, "sacrum")]
    mr = [Label(18, "sacrum"), Label(19, "vertebrae")]
    vertebrae = [Label(1, "sacrum"), Label(2, "vertebrae_L5")]
    v2 = [Label(25, "sacrum"), Label(26, "vertebrae_S1"), Label(92, "rib_left_1")]
    for present, wanted in ((v1, [92]), (mr, [18]), (vertebrae, [1]), (v2, [25, 26])):
        assert numbers(choose((), present)) == wanted
        assert numbers(choose(("Sacrum",), present)) == wanted[:1]
    slicer = [Label(3, "Os sacrum"), Label(1, "L5"), Label(2, "S1")]
    assert numbers(choose((), slicer)) == [3, 2]
    assert choose((), v1).text == "label 92 (sacrum), by the names in the file"


def test_numberings_without_names_are_told_apart_by_place_and_size():
    ribs = {"n92": (12.0, HIGH)}
    assert numbers(choose((), [25, 26, 27, 92], **ribs)) == [25, 26]
    thoracic = {"n25": (30.0, HIGH), "n26": (28.0, HIGH)}
    chosen = choose((), [18, 25, 26, 92], **thoracic)
    assert numbers(chosen) == [92]
    assert "TotalSegmentator v1 (there 25 and 26 are T10 and T9)" in chosen.text
    assert numbers(choose(("sacrum",), [25, 26, 92], **thoracic)) == [92]
    assert numbers(choose(("vertebrae_S1",), [25, 26, 77])) == [26]


@pytest.mark.parametrize(
    ("present", "measured"),
    [
        ([25, 26], {"n25": (30.0, HIGH), "n26": (28.0, HIGH)}),
        ([25, 26, 92], {"n92": (12.0, LOW), "n25": (30.0, HIGH), "n26": (28.0, HIGH)}),
        ([18, 92], {"n92": (12.0, LOW)}),
        ([1, 2], {}),
        ([18, 19], {}),
    ],
    ids=["thorax alone", "neither fits", "a rib", "vertebrae of MR", "total of MR"],
)
@pytest.mark.parametrize("asked", [(), ("sacrum",)], ids=["by default", "by name"])
def test_what_is_not_clear_is_asked_for(present, measured, asked):
    with pytest.raises(InputError, match="25 and 26 in v2, 92 in v1, 18 in total_mr, 1 in vertebrae_mr"):
        choose(asked, present, **measured)


@pytest.mark.parametrize("name", ["²", "1²", "٣", "sacrm", "-1", "1.0", "", "9" * 400], ids=repr)
def test_what_is_no_label_is_refused_by_name(name):
    with pytest.raises(InputError, match="no such label") as refused:
        choose((name,), [1, 25])
    assert len(str(refused.value)) < 400


def test_absent_and_ambiguous_labels_are_refused():
    with pytest.raises(InputError, match="holds no label"):
        choose((), [])
    with pytest.raises(InputError, match="does not hold label 9; name labels that are there: 1, 25"):
        choose((9,), [1, 25])
    twice = [Label(1, "sacrum", 0), Label(1, "hip", 1)]
    with pytest.raises(InputError, match="2 segments that overlap have this number"):
        choose((1,), twice)
    assert choose(("hip",), twice).labels == (twice[1],)
    assert choose((), twice).labels == (twice[0],)
