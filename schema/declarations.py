"""Decorators and functions that declare the contract.

The docstring of a class is the description of its type, so that each text is written once.
"""

from __future__ import annotations

import sys
from functools import cache
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform, overload

import strawberry
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.field import StrawberryField

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
        _share_annotations(cls)
        return strawberry.type(cls, name=name, description=_text(cls))

    return declare if cls is None else declare(cls)


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def interface_type(cls: _Class) -> _Class:
    """Declare an interface."""
    _share_annotations(cls)
    return strawberry.interface(cls, description=_text(cls))


# `optional` is not a field specifier: type checkers would then miss that its fields have a default.
@dataclass_transform(kw_only_default=True, field_specifiers=(required, strawberry.field))
def input_type(cls: _Class) -> _Class:
    """Declare an input object."""
    _share_annotations(cls)
    return strawberry.input(cls, description=_text(cls))


def enum_type(cls: _Enum) -> _Enum:
    """Declare an enum."""
    return strawberry.enum(cls, description=_text(cls))


def _share_annotations(cls: type[Any]) -> None:
    """Replace the annotations of a class by objects that all classes with the same annotations share.

    Strawberry keeps its results in these objects. Otherwise it would parse, evaluate and resolve the text of
    each annotation several times, which is half of the work of a start.
    """
    names = vars(sys.modules[cls.__module__])
    annotations = get_annotations(cls)
    for name, annotation in annotations.items():
        # Where annotations are not put off, they are no texts.
        if isinstance(annotation, str) and isinstance(vars(cls).get(name), StrawberryField):
            annotations[name] = _annotation(annotation, names)
    cls.__annotations__ = annotations


def _annotation(text: str, names: dict[str, Any]) -> StrawberryAnnotation:
    try:
        return _evaluated(text, names)
    except NameError:
        return _Forward(text, namespace=names)


def _evaluated(text: str, names: dict[str, Any] | None) -> StrawberryAnnotation:
    return _shared(eval(text, names))  # noqa: S307 - the text of our own code


@cache
def _shared(annotation: Any) -> StrawberryAnnotation:
    # Strawberry forgets what it has made of an annotation without a namespace.
    return StrawberryAnnotation(annotation, namespace={})


class _Forward(StrawberryAnnotation):
    """An annotation with a type that is declared further below: Strawberry asks until it is there."""

    def evaluate(self) -> type[Any]:
        """Return the evaluated annotation; raises NameError."""
        return _evaluated(str(self.raw_annotation), self.namespace).evaluate()


def _text(cls: type[Any]) -> str:
    """Return the docstring of a class as one line."""
    return " ".join((cls.__doc__ or "").split())
