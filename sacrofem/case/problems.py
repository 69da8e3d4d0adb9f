"""What is wrong with a case, in words: the field, the value found, the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from sacrofem.case.fields import choices, keys, numbers, section_in, table_of
from sacrofem.case.schema import RENAMED
from sacrofem.errors import InputError, cut, listed, shown

MOST_DESCRIBED = 50
"""Problems of one case that are put into words; the rest is counted."""
# Of what the file or the caller says, in a line that is to be read; without the name of the file.
_LONGEST_FIELD, _LONGEST_LINE = 60, 330


@dataclass(frozen=True)
class Problem:
    """One refused value of a case: its dotted field, what was found, what is wrong, and the mend."""

    field: str
    value: object
    problem: str
    mend: str


class CaseError(InputError):
    """A case that is refused.

    Attributes
    ----------
    problems : tuple of Problem
        What was found, at most 50; the message leads with the first.
    count : int
        How many there are.
    """

    def __init__(self, problems: Sequence[Problem], *, file: object = None, count: int | None = None) -> None:
        self.problems = tuple(problems)
        self.count = len(self.problems) if count is None else count
        first = self.problems[0]
        field = cut(first.field, _LONGEST_FIELD)
        mend = first.mend
        if self.count > 1:
            more = f" (and {self.count - 1} more"
            named = ", ".join(cut(problem.field, _LONGEST_FIELD // 2) for problem in self.problems[1:4])
            whole = f"{more}: {named}{', ...' if self.count > 4 else ''})"
            alone = InputError(first.problem, field=field, value=first.value, mend=mend + whole)
            mend += whole if len(str(alone)) <= _LONGEST_LINE else f"{more})"
        super().__init__(first.problem, file=file, field=field, value=first.value, mend=mend)
        self.field = first.field

    @classmethod
    def single(cls, field: str, value: object, problem: str, mend: str, file: object = None) -> CaseError:
        """An error of one problem."""
        return cls([Problem(field, value, problem, mend)], file=file)

    @classmethod
    def of(cls, error: ValidationError, model: type[BaseModel], *, file: object = None, inside: str = "") -> CaseError:
        """What pydantic says of a section, which lies in ``inside``, in our words."""
        return cls(case_problems(error, model, inside), file=file, count=error.error_count())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._again, (self.problems, self.file, self.count)

    @classmethod
    def _again(cls, problems: Sequence[Problem], file: object, count: int) -> CaseError:
        return cls(problems, file=file, count=count)


class _Found:
    """Keeps a value from being written out by pydantic, which would take any time and fail on some."""

    def __init__(self, value: object) -> None:
        self.value = value


def refused(problem: str, mend: str, at: str, value: object = None) -> PydanticCustomError:
    """An error for a validator of a whole section to raise, which cannot otherwise say that it means the key ``at``."""
    return PydanticCustomError(
        "refused", "{problem}", {"problem": problem, "mend": mend, "at": at, "found": _Found(value)}
    )


def nearest(word: str, known: Iterable[str], cutoff: float = 0.0) -> str | None:
    """The known word nearest to a mistyped one."""
    folded = {name.lower().replace("_", "-"): name for name in known}
    # Whoever mistypes a name does not write a page.
    found = difflib.get_close_matches(word[:100].lower().replace("_", "-"), folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def unknown(word: str, known: Sequence[str]) -> str:
    """The mend of a name that is none of those known."""
    close = nearest(word, known, 0.5)
    return f"did you mean {close}?" if close else f"known here are {listed(known)}"


def case_problems(error: ValidationError, model: type[BaseModel], inside: str = "") -> list[Problem]:
    """The first problems of a pydantic error, unknown keys first: they often cause the others."""
    details = error.errors(include_url=False)
    ordered = [d for d in details if _is_unknown(d)] + [d for d in details if not _is_unknown(d)]
    return [_problem(detail, model, inside) for detail in ordered[:MOST_DESCRIBED]]


def _is_unknown(detail: Mapping[str, Any]) -> bool:
    return bool(detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",))


_WANTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "string_type": 'text in "quotes"',
    "bool_type": "true or false",
    "tuple_type": "a list of values",
    "model_type": "a table",
    "dict_type": "a table",
    "string_pattern_mismatch": "a name of small letters, digits and _",
    "int_parsing_size": "a whole number of at most 18 digits",
}


def _problem(detail: Mapping[str, Any], model: type[BaseModel], inside: str) -> Problem:
    # A key of a table that is refused comes with a last part of its own.
    path = [str(part) for part in detail["loc"] if part != "[key]"]
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    field = ".".join([inside] * bool(inside) + path)
    if kind == "refused":
        at = context["at"]
        where = ".".join(part for part in (field, at) if part)
        return Problem(where, context["found"].value, context["problem"], context["mend"])
    if kind == "extra_forbidden":
        return Problem(
            field, None if isinstance(value, Mapping) else value, "unknown key", _unknown(field, path, model)
        )
    if detail["loc"][-1:] == ("[key]",):
        table = table_of(_annotation(path[:-1], model))
        return Problem(field, None, "unknown key", unknown(path[-1], choices(table[0]) if table else ()))
    if kind == "missing" and path[-1].isdigit():
        count = int(path[-1])
        return Problem(field.rpartition(".")[0], list(value), f"has only {count} values", "give as many as are due")
    if kind == "missing":
        return Problem(field, None, "is missing", f"add {path[-1]}")
    if kind == "literal_error":
        allowed = choices(_annotation(path, model))
        return Problem(field, value, f"not one of {listed(allowed)}", _did_you_mean(value, allowed))
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        text = {"greater_than": "must be above", "greater_than_equal": "must be at least"}.get(kind, "must be at most")
        limit = next(context[key] for key in ("gt", "ge", "lt", "le") if key in context)
        text = "must be below" if kind == "less_than" else text
        return Problem(field, value, f"{text} {limit:g}", _range(path, model))
    if kind == "finite_number":
        return Problem(field, str(value), "not a finite number", "give a number")
    wanted = _WANTED.get(kind)
    if kind in ("too_long", "too_short"):
        most = context.get("max_length")
        wanted = f"{context.get('min_length', most)} values" if kind == "too_short" else f"at most {most} values"
        value = list(value)
    if kind in ("string_too_short", "string_too_long"):
        wanted = "a short text that is not empty"
    if kind == "invalid_key":
        return Problem(field, None, "a key must be text", "write names as keys")
    if wanted:
        return Problem(field, value, f"must be {wanted}", f"write {wanted}")
    said = cut(detail["msg"], 100)
    return Problem(field, value, said[:1].lower() + said[1:], "see `sacrofem init` for an example")


def _unknown(field: str, path: Sequence[str], model: type[BaseModel]) -> str:
    if (new := RENAMED.get(field)) is not None:
        return f"it is {new.key} now ({new.words}); a file with schema = 1 is still read"
    key, section = path[-1], _section_at(path[:-1], model)
    siblings = list(keys(section)) if section else []
    if not siblings:
        return "leave it out: nothing can be set here"
    for name, info in keys(model).items():
        other = section_in(info.annotation)
        if other is not None and other is not section and key in keys(other):
            return f"{key} belongs in [{name}]"
    return unknown(key, siblings)


def _section_at(path: Sequence[str], model: type[BaseModel]) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for part in path:
        if here is None or part.isdigit():
            continue
        info = keys(here).get(part)
        here = section_in(info.annotation) if info else None
    return here


def _field(path: Sequence[str], model: type[BaseModel]) -> Any:
    """The field that a value belongs to, itself or in a list or table."""
    names = [part for part in path if not part.isdigit()]
    for end in range(len(names), 0, -1):
        section = _section_at(names[: end - 1], model)
        if section is not None and names[end - 1] in keys(section):
            return keys(section)[names[end - 1]]
    return None


def _annotation(path: Sequence[str], model: type[BaseModel]) -> Any:
    info = _field(path, model)
    return info.annotation if info else None


def _did_you_mean(value: object, allowed: Sequence[object]) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        whole = [a for a in allowed if isinstance(a, int)]
        if whole:
            return f"nearest is {min(whole, key=lambda a: abs(a - value))}"
    return f"nearest is {nearest(value if isinstance(value, str) else shown(value), map(str, allowed))!r}"


def _range(path: Sequence[str], model: type[BaseModel]) -> str:
    info = _field(path, model)
    bounds = next(numbers(info), None) if info else None
    if bounds is not None and bounds.low is not None and bounds.high is not None:
        return f"give a value {bounds}"
    return "give a value within that limit"
