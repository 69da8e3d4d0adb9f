"""What all sections of a case share: frozen, typed, strict, refused in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sacrofem.case.fields import within
from sacrofem.case.problems import CaseError, refused
from sacrofem.case.tomlfile import Whole
from sacrofem.errors import InputError
from sacrofem.system.htmltable import table

Side = Literal["left", "right"]
_ROOM = within(-500, 500, "a pelvis is less than 400 mm wide [K]")


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise refused("must be a whole number", "write a whole number", "", value)
    return value


not_true = BeforeValidator(_no_truth)
"""In an annotation of a choice of whole numbers, of which Python takes `true` and 1.0 for 1."""
as_tuple = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
Point = Annotated[tuple[Annotated[float, _ROOM], Annotated[float, _ROOM], Annotated[float, _ROOM]], as_tuple]
"""A point in mm, in the anatomical frame."""


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise refused("is no path", "name a file", "", text)
    return text


FilePath = Annotated[str, Field(max_length=4096), AfterValidator(_path)]
"""The path of a file, as text."""


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class _Refusing(ModelMetaclass):
    """Lets a section that somebody writes in Python be refused as one in a file is: by one line."""

    if not TYPE_CHECKING:

        def __call__(self, /, **given):
            try:
                return super().__call__(**self._arguments(given))
            except ValidationError as error:
                raise CaseError.of(error, self, inside=self._place()) from None


class Section(BaseModel, metaclass=_Refusing):
    """What all sections share: frozen, no unknown keys, no silent conversion.

    Raises
    ------
    CaseError
        Naming the key, the value found and the mend.
    """

    # Strict: `true` is not 1 and "1e3" is not 1000; NaN and infinity never enter.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}

    @classmethod
    def _arguments(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What it is made of, from what was written in Python."""
        return given

    @classmethod
    def _place(cls) -> str:
        """Where its table stands in a case file."""
        about = cls.__doc__ or ""
        return about.split("]")[0].strip("[") if about.startswith("[") else ""

    @property
    def model_fields_set(self) -> set[str]:
        """Names of the keys that were given; a copy."""
        return set(super().model_fields_set)

    def complete(self) -> Self:
        """The same with every key counted as given: laid over another section it replaces all of it."""
        values = {
            name: value.complete() if isinstance(value, Section) else value for name, value in self.__dict__.items()
        }
        return self.model_construct(_fields_set=set(values), **values)

    def __setattr__(self, name: str, value: Any) -> None:
        path = "__".join([*self._place().split("."), name]) if self._place() else name
        mend = f"make another: case.with_({path}=...)"
        raise InputError("a case is frozen", field=path.replace("__", "."), value=value, mend=mend)

    def __repr_args__(self) -> Any:
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if info.is_required() or value != info.get_default(call_default_factory=True):
                yield name, value

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        rows = [(key, getattr(self, name), info.description or "") for key, (name, info) in _named(type(self)).items()]
        return table(("key", "value", "what it is"), rows, self._place())


def _named(model: type[BaseModel]) -> dict[str, tuple[str, Any]]:
    return {info.alias or name: (name, info) for name, info in model.model_fields.items()}


def written(value: Any) -> Any:
    """Nested plain data of what was written: of a section those keys only that it was given.

    A section with every key given replaces what it is laid over.
    """
    if isinstance(value, Section):
        given, named = value.model_fields_set, _named(type(value))
        found = {key: written(getattr(value, name)) for key, (name, _) in named.items() if name in given}
        return Whole(found) if len(found) == len(named) else found
    if isinstance(value, Whole):
        return Whole({key: written(item) for key, item in value.items()})
    if isinstance(value, Mapping):
        return {key: written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [written(item) for item in value]
    return value
