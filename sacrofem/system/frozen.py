"""Mappings that nobody can change, and that can be copied and pickled all the same."""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


def frozen(mapping: Mapping[K, V]) -> Mapping[K, V]:
    """A read-only view of a copy."""
    return MappingProxyType(dict(mapping))


def _reduced(mapping: MappingProxyType[Any, Any]) -> tuple[Any, tuple[dict[Any, Any]]]:
    return frozen, (dict(mapping),)


# Python can neither copy nor pickle a mapping proxy; all frozen data here is made of them.
copyreg.pickle(MappingProxyType, _reduced)
