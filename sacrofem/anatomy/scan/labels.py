"""Which labels of a map make up the sacrum: by the names in the file, or by the numbering of a known tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sacrofem.errors import InputError, listed

NUMBERINGS: dict[str, dict[str, int]] = {
    "TotalSegmentator v2": {"sacrum": 25, "vertebrae_S1": 26, "vertebrae_L5": 27},
    "TotalSegmentator v1": {"sacrum": 92, "vertebrae_L5": 18, "vertebrae_T10": 25, "vertebrae_T9": 26},
    "TotalSegmentator total_mr": {"sacrum": 18, "vertebrae": 19},
    "TotalSegmentator vertebrae_mr": {"sacrum": 1, "vertebrae_L5": 2},
}
"""Numbers of the classes that tell a sacrum from its neighbours (Wasserthal 2023, `map_to_binary.py` of that tool)."""
V1, V2 = NUMBERINGS["TotalSegmentator v1"], NUMBERINGS["TotalSegmentator v2"]
_S1 = "vertebrae_s1"
_MEANT = {"sacrum": "sacrum", "os_sacrum": "sacrum", "s1": _S1, "vertebra_s1": _S1, _S1: _S1}
#: Half of what the smallest sacra measure [D]; two thoracic vertebrae and a first rib stay below.
_LEAST_ML = 80.0
_MOST_NUMBER = 65535

Measure = Callable[[int], tuple[float, float]]
"""Volume in ml and mean height in mm of a label, by its number."""


@dataclass(frozen=True)
class Label:
    """A label of a map: its number, the name that the file or a known numbering gives it, its layer."""

    number: int
    name: str = ""
    layer: int = 0

    @property
    def text(self) -> str:
        """Number and name."""
        return f"{self.number} ({self.name})" if self.name else str(self.number)


@dataclass(frozen=True)
class Chosen:
    """The labels of the sacrum, and in words by whose names they were found."""

    labels: tuple[Label, ...]
    named_by: str

    @property
    def text(self) -> str:
        """Which labels, and who says so."""
        words = "label " if len(self.labels) == 1 else "labels "
        return words + ", ".join(label.text for label in self.labels) + f", {self.named_by}"

    @property
    def lacks_s1(self) -> bool:
        """Whether it may be a sacrum of TotalSegmentator v2 whose first body is a label of its own."""
        return len(self.labels) == 1 and _meaning(self.labels[0].name) in ("", "sacrum")


def choose_labels(asked: Sequence[int | str], present: Sequence[Label], measure: Measure, file: str) -> Chosen:
    """The labels that are asked for; without any those of the sacrum by name, by a known numbering, or the only one.

    Parameters
    ----------
    asked
        Numbers, also as text, or names.
    present
        Labels with voxels, named where the file names them.
    measure
        Tells numberings apart, where there are no names.
    file
        Named in refusals.

    Raises
    ------
    InputError
        Nothing there, unknown, absent, or more than one reading of the numbers.
    """
    if not present:
        raise InputError("holds no label", file=file, mend="give a label map of the sacrum")
    named = any(label.name for label in present)
    if asked:
        found = [_asked(one, present, measure, file) for one in asked]
        return Chosen(tuple(dict.fromkeys(found)), "as asked for")
    if len(present) == 1:
        return Chosen((present[0],), "the only one")
    if named:
        meant = {what: [label for label in present if _meaning(label.name) == what] for what in ("sacrum", _S1)}
        if len(meant["sacrum"]) == 1:
            return Chosen((*meant["sacrum"], *meant[_S1]), "by the names in the file")
    elif (numbering := _numbering(present, measure)) is not None:
        known = NUMBERINGS[numbering]
        names = {known[name]: name for name in ("sacrum", "vertebrae_S1") if name in known}
        parts = tuple(Label(label.number, names[label.number]) for label in present if label.number in names)
        other = " (there 25 and 26 are T10 and T9)" if numbering.endswith("v1") else ""
        return Chosen(parts, f"by the numbers of {numbering}{other}: the file has no names")
    raise InputError(
        f"holds {len(present)} labels: {listed(label.text for label in present)}", file=file, field="anatomy.labels",
        mend="name those of the sacrum" + ("" if named else f"; {_usual()}"),
    )  # fmt: skip


def _asked(asked: int | str, present: Sequence[Label], measure: Measure, file: str) -> Label:
    there = listed(label.text for label in present)
    field, mend = "anatomy.labels", f"name labels that are there: {there}"
    if isinstance(asked, str) and not (asked.isascii() and asked.isdigit() and len(asked) < 10):
        exact = [label for label in present if label.name and label.name == asked]
        found = exact or [
            label for label in present if label.name and (_plain(label.name) == _plain(asked) or _is(label, asked))
        ]
        if not found and not any(label.name for label in present):
            numbering = _numbering(present, measure)
            number = None if numbering is None else NUMBERINGS[numbering].get(asked)
            found = [Label(number, asked) for label in present if number is not None and label.number == number]
            mend = f"give its number: {there}; {_usual()}"
        if len(found) == 1:
            return found[0]
        problem = "several labels have this name" if found else "no such label"
        raise InputError(problem, file=file, field=field, value=asked, mend=mend)
    number = int(asked)
    found = [label for label in present if label.number == number]
    if len(found) == 1:
        return found[0]
    problem = f"the map does not hold label {number}" if 0 < number <= _MOST_NUMBER else "is no label"
    if found:
        problem, mend = f"{len(found)} segments that overlap have this number", f"give a name: {there}"
    raise InputError(problem, file=file, field=field, value=asked, mend=mend)


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.strip().lower())


def _meaning(name: str) -> str:
    return _MEANT.get(_plain(name), _plain(name))


def _is(label: Label, asked: str) -> bool:
    return _plain(asked) in _MEANT and _meaning(label.name) == _MEANT[_plain(asked)]


def _usual() -> str:
    numbers = ("25 and 26 in v2", "92 in v1", "18 in total_mr", "1 in vertebrae_mr")
    return f"TotalSegmentator calls the sacrum {', '.join(numbers)}"


def _numbering(present: Sequence[Label], measure: Measure) -> str | None:
    """The numbering of TotalSegmentator that labels without names can only have; None where it is not clear.

    What v2 calls sacrum and S1 are two thoracic vertebrae in v1, and the sacrum of v1 is the first left rib in v2:
    the sacrum is the lower one and not small.
    """
    there = {label.number for label in present}
    first, second = V1["sacrum"] in there, V2["sacrum"] in there
    if not first and not second:
        return None
    measured = {number: measure(number) for number in {V1["sacrum"], V2["sacrum"], V2["vertebrae_S1"]} & there}
    new_ml = sum(ml for number, (ml, _) in measured.items() if number != V1["sacrum"])
    sound = {
        "TotalSegmentator v1": first and measured[V1["sacrum"]][0] >= _LEAST_ML,
        "TotalSegmentator v2": second and new_ml >= _LEAST_ML,
    }
    if first and second:
        below = measured[V1["sacrum"]][1] < measured[V2["sacrum"]][1]
        sound["TotalSegmentator v1"] &= below
        sound["TotalSegmentator v2"] &= not below
    found = [name for name, holds in sound.items() if holds]
    return found[0] if len(found) == 1 else None
