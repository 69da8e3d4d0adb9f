"""What is wrong with a case, in words: the field, the value found, the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sacrofem.errors import InputError


@dataclass(frozen=True)
class Problem:
    """One refused value of a case: its dotted field, what was found, what is wrong, and the mend."""

    field: str
    value: object
    problem: str
    mend: str


class CaseError(InputError):
    """A case that is refused; ``problems`` holds all that was found, the message leads with the first."""

    def __init__(self, problems: Sequence[Problem], *, file: object = None) -> None:
        self.problems = tuple(problems)
        first, others = self.problems[0], self.problems[1:]
        mend = first.mend
        if others:
            mend += f" (and {len(others)} more: {', '.join(p.field for p in others)})"
        super().__init__(first.problem, file=file, field=first.field, value=first.value, mend=mend)

    @classmethod
    def single(cls, field: str, value: object, problem: str, mend: str, file: object = None) -> CaseError:
        """An error of one problem."""
        return cls([Problem(field, value, problem, mend)], file=file)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to a mistyped one."""
    folded = {name.lower().replace("_", "-"): name for name in known}
    found = difflib.get_close_matches(word.lower().replace("_", "-"), folded, n=1, cutoff=0.0)
    return folded[found[0]] if found else None


def case_problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """The problems of a pydantic error, unknown keys first: they often cause the others."""
    found = [_problem(detail, model) for detail in error.errors(include_url=False)]
    unknown = [p for p in found if p.problem.startswith("unknown")]
    return unknown + [p for p in found if p not in unknown]


def _problem(detail: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    path = [str(part) for part in detail["loc"]]
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    field = ".".join(path)
    if kind == "refused":
        at = context["at"]
        return Problem(f"{field}.{at}" if field else at, context["found"], context["problem"], context["mend"])
    if kind == "extra_forbidden":
        return Problem(field, None if isinstance(value, Mapping) else value, "unknown key", _unknown(path, model))
    if kind == "missing" and path[-1].isdigit():
        count = int(path[-1])
        return Problem(field.rpartition(".")[0], list(value), f"has only {count} values", "give as many as are due")
    if kind == "missing":
        return Problem(field, None, "is missing", f"add {path[-1]}")
    if kind == "literal_error":
        allowed = _literals(path, model)
        return Problem(field, value, "not one of " + ", ".join(map(str, allowed)), _did_you_mean(value, allowed))
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        text = {"greater_than": "must be above", "greater_than_equal": "must be at least"}.get(kind, "must be at most")
        limit = next(context[key] for key in ("gt", "ge", "lt", "le") if key in context)
        text = "must be below" if kind == "less_than" else text
        return Problem(field, value, f"{text} {limit:g}", _range(path, model))
    if kind == "finite_number":
        return Problem(field, str(value), "not a finite number", "give a number")
    wanted = {
        "float_type": "a number",
        "int_type": "a whole number",
        "string_type": 'text in "quotes"',
        "bool_type": "true or false",
        "tuple_type": "a list of values",
        "model_type": "a table",
        "dict_type": "a table",
        "string_pattern_mismatch": "a name of small letters, digits and _",
    }.get(kind)
    if kind in ("too_long", "too_short"):
        value, wanted = list(value), f"{context.get('min_length', context.get('max_length'))} values"
    if kind in ("string_too_short", "string_too_long"):
        wanted = "a short text that is not empty"
    if wanted:
        return Problem(field, value, f"must be {wanted}", f"write {wanted}")
    return Problem(field, value, detail["msg"][:1].lower() + detail["msg"][1:], "see `sacrofem init` for an example")


def _unknown(path: list[str], model: type[BaseModel]) -> str:
    key, section = path[-1], _model_at(path[:-1], model)
    siblings = _keys(section) if section else []
    if not siblings:
        return "leave it out: nothing can be set here yet"
    for name, info in model.model_fields.items():
        kind = _model_in(info.annotation)
        if kind is not None and kind is not section and key in _keys(kind):
            return f"{key} belongs in [{name}]"
    close = difflib.get_close_matches(key.lower(), siblings, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "known here are " + ", ".join(siblings)


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)


def _model_at(path: Sequence[str], model: type[BaseModel]) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for part in path:
        if here is None or part.isdigit():
            continue
        info = here.model_fields.get(part)
        here = _model_in(info.annotation) if info else None
    return here


def _info(path: list[str], model: type[BaseModel]) -> Any:
    names = [part for part in path if not part.isdigit()]
    section = _model_at(names[:-1], model)
    if section is None:
        return None
    return next((info for name, info in section.model_fields.items() if (info.alias or name) == names[-1]), None)


def _literals(path: list[str], model: type[BaseModel]) -> list[object]:
    def collect(annotation: Any) -> list[object]:
        inner = get_args(annotation)
        if not inner:
            return []
        if all(isinstance(item, str | int) for item in inner):
            return list(inner)
        return [value for item in inner for value in collect(item)]

    info = _info(path, model)
    return collect(info.annotation) if info else []


def _did_you_mean(value: object, allowed: Sequence[object]) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        numbers = [a for a in allowed if isinstance(a, int)]
        if numbers:
            return f"nearest is {min(numbers, key=lambda a: abs(a - value))}"
    guess = nearest(str(value), map(str, allowed))
    return f"nearest is {guess!r}"


def _range(path: list[str], model: type[BaseModel]) -> str:
    info = _info(path, model)
    low = high = None
    for limit in info.metadata if info else ():
        low = getattr(limit, "ge", getattr(limit, "gt", low))
        high = getattr(limit, "le", getattr(limit, "lt", high))
    if low is not None and high is not None:
        return f"give a value from {low:g} to {high:g}"
    return "give a value within that limit"
