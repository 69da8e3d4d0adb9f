"""Plain data that cannot be changed: mappings and tuples all the way down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Annotated, Any, NoReturn, TypeVar, get_args

from pydantic import AfterValidator, GetCoreSchemaHandler, PlainSerializer
from pydantic_core import CoreSchema, core_schema

K = TypeVar("K")
V = TypeVar("V")


class FrozenMapping(Mapping[K, V]):
    """A mapping that never changes, nor does anything in it; equal to a dict of the same content.

    Unlike a `types.MappingProxyType` it can be hashed, copied and pickled, and nobody else holds what it looks at.
    """

    __slots__ = ("_table",)
    _table: Mapping[K, V]

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        table = {key: frozen(value) for key, value in dict(items).items()}
        object.__setattr__(self, "_table", MappingProxyType(table))

    def __getitem__(self, key: K) -> V:
        return self._table[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __hash__(self) -> int:
        return hash(frozenset(self._table.items()))

    def __repr__(self) -> str:
        return repr(dict(self._table))

    def __reduce__(self) -> tuple[type[FrozenMapping[K, V]], tuple[dict[K, V]]]:
        return type(self), (dict(self._table),)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a frozen mapping cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a frozen mapping cannot be changed")


def frozen(value: Any) -> Any:
    """The same content as mappings, tuples and frozen sets that cannot be changed."""
    if isinstance(value, FrozenMapping):
        return value
    if isinstance(value, Mapping):
        return FrozenMapping(value)
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    if isinstance(value, AbstractSet):
        return frozenset(frozen(item) for item in value)
    return value


def plain(value: Any) -> Any:
    """Frozen content as dicts and tuples again."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return value


def deeper_than(value: Any, most: int) -> bool:
    """Whether tables and lists lie in one another more than ``most`` deep; a table that holds itself does."""
    here = [value]
    for _ in range(most):
        inside: list[Any] = []
        for item in here:
            if isinstance(item, Mapping):
                inside.extend(item.values())
            elif isinstance(item, list | tuple):
                inside.extend(item)
        if not inside:
            return False
        # One of each is enough: what lies in it twice is no deeper.
        here = list({id(item): item for item in inside if isinstance(item, Mapping | list | tuple)}.values())
        if not here:
            return False
    return True


Anything = Annotated[Any, AfterValidator(frozen), PlainSerializer(plain)]
"""Any plain data, frozen."""


class _AsFrozen:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        key, value = get_args(source)
        table = handler.generate_schema(dict[key, value])  # type: ignore[valid-type]
        given = core_schema.no_info_before_validator_function(
            lambda data: dict(data) if isinstance(data, Mapping) else data, table
        )
        return core_schema.no_info_after_validator_function(
            FrozenMapping,
            given,
            serialization=core_schema.wrap_serializer_function_ser_schema(
                lambda data, emit: emit(plain(data)), schema=table
            ),
        )


as_frozen = _AsFrozen()
"""In an annotation of a mapping: what is given is kept as a `FrozenMapping`, and written as a dict."""
