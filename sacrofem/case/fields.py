"""What the fields of a section may hold, read off their annotations: sections, choices, bounds and their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema


def within(low: float, high: float, why: str) -> Any:
    """Bounds of a number for an annotation, and in a word where they come from.

    Parameters
    ----------
    low, high
        Both are allowed.
    why
        Shown in refusals, in commented case files and in the tables of the documentation.
    """
    return Field(ge=low, le=high, json_schema_extra={"why": why})


@dataclass(frozen=True)
class OneOf:
    """In an annotation of text: which words it may be."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.words))


@dataclass(frozen=True)
class Bounds:
    """Bounds of a number and the reason for them; None where there is none."""

    low: float | None
    high: float | None
    why: str | None

    def __str__(self) -> str:
        text = " ".join(
            f"{word} {limit:g}" for word, limit in (("from", self.low), ("to", self.high)) if limit is not None
        )
        return f"{text} ({self.why})" if text and self.why else text


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section under the names of a file."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that an annotation holds, be it optional or in a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for model in map(section_in, get_args(annotation)) if model is not None), None)


def table_of(annotation: Any) -> tuple[Any, Any] | None:
    """Key and value of a mapping, None of anything else."""
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = get_args(annotation)
        return key, value
    return next((found for found in map(table_of, get_args(annotation)) if found is not None), None)


def choices(annotation: Any) -> tuple[Any, ...]:
    """What may stand there, where only certain values may; nothing else."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, OneOf):
        return annotation.words
    if table_of(annotation) is not None:
        return ()
    return tuple(value for inner in get_args(annotation) for value in choices(inner))


def numbers(info: FieldInfo) -> Iterator[Bounds]:
    """Bounds of each number that a field holds, itself or in a list or table."""
    yield from _numbers(info.annotation, [info])


def _numbers(annotation: Any, notes: list[Any]) -> Iterator[Bounds]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        yield from _numbers(inner, [*notes, *more])
    elif origin in (Union, UnionType):
        for inner in get_args(annotation):
            yield from _numbers(inner, notes)
    elif annotation in (int, float):
        yield _bounds(notes)
    elif origin is not Literal:
        for inner in get_args(annotation):
            yield from _numbers(inner, [])


def _bounds(notes: list[Any]) -> Bounds:
    low = high = why = None
    for note in notes:
        limits = note.metadata if isinstance(note, FieldInfo) else [note]
        for limit in limits:
            low = getattr(limit, "ge", getattr(limit, "gt", low))
            high = getattr(limit, "le", getattr(limit, "lt", high))
        extra = getattr(note, "json_schema_extra", None)
        if isinstance(extra, dict):
            why = extra.get("why", why)
    return Bounds(low, high, why)
