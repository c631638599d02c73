"""Decorators and functions that declare the contract.

The docstring of a class is the description of its type, so that each text is written once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform, overload

import strawberry
from strawberry import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import EnumMeta

_Class = TypeVar("_Class", bound=type[Any])
_Enum = TypeVar("_Enum", bound="EnumMeta")


def optional(description: str, *, name: str | None = None, deprecated: str | None = None) -> Any:
    """Declare a field of an input that clients may leave out: it is then UNSET, which differs from null.

    ``deprecated`` is the reason why clients should do without it.
    """
    return strawberry.field(default=UNSET, description=description, name=name, deprecation_reason=deprecated)


def required(description: str) -> Any:
    """Declare a field of an input that clients must give."""
    return strawberry.field(description=description)


def enum_value(stored: str, description: str) -> Any:
    """Declare a value of an enum. ``stored`` is the value in Python and in SQL."""
    return strawberry.enum_value(stored, description=description)


@overload
@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def object_type(cls: _Class) -> _Class: ...


@overload
@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def object_type(*, model: type[Any] | None = None, name: str | None = None) -> Callable[[_Class], _Class]: ...


def object_type(cls: Any = None, *, model: type[Any] | None = None, name: str | None = None) -> Any:
    """Declare a type of object, under the name of its class or another.

    ``model`` is the model of its rows, which the type has as ``__model__``.
    """

    def declare(cls: Any) -> Any:
        if model is not None:
            cls.__model__ = model
        return strawberry.type(cls, name=name, description=_text(cls))

    return declare if cls is None else declare(cls)


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def interface_type(cls: _Class) -> _Class:
    """Declare an interface."""
    return strawberry.interface(cls, description=_text(cls))


# `optional` is not a field specifier: type checkers would then miss that its fields have a default.
@dataclass_transform(kw_only_default=True, field_specifiers=(required, strawberry.field))
def input_type(cls: _Class) -> _Class:
    """Declare an input object."""
    return strawberry.input(cls, description=_text(cls))


def enum_type(cls: _Enum) -> _Enum:
    """Declare an enum."""
    return strawberry.enum(cls, description=_text(cls))


def _text(cls: type[Any]) -> str:
    """Return the docstring of a class as one line."""
    return " ".join((cls.__doc__ or "").split())
