"""Input objects and arguments as operations take them: with UUIDs, enum values, and no unset fields.

graphql-core coerces arguments under the names of the contract. The conversion of each type is made once and
touches only the values that it must.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import strawberry
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType

from agentdata.errors import BadUserInputError
from agentdata.naming import camel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from enum import Enum

    from strawberry.types.arguments import StrawberryArgument
    from strawberry.types.field import StrawberryField

    Convert = Callable[[Any], Any]
    """Converts a value of the contract, which is not null, into what operations take."""

    Fields = Mapping[str, tuple[str, Convert | None]]
    """By the name in the contract: the name in Python, and the conversion, or None if there is none."""


class _NotAnIdError(Exception):
    """An id does not have the form of one; the path to it grows while the error rises."""

    def __init__(self) -> None:
        self.path: list[str] = []


def as_uuid(value: str, field: str) -> UUID:
    """Return an id as a UUID.

    Raises:
        BadUserInputError: The text does not have the form of an id.

    """
    try:
        return UUID(value)
    except ValueError:
        raise _not_an_id(field) from None


def fields_of(declared: Iterable[StrawberryArgument | StrawberryField]) -> Fields:
    """Return the conversions of arguments, or of the fields of an input object."""
    return {
        each.graphql_name or camel(each.python_name): (each.python_name, _conversion(each.type))
        for each in declared
    }


def values_of(fields: Fields, given: Mapping[str, Any]) -> dict[str, Any]:
    """Convert coerced arguments, null included; arguments that the fields do not name are left out.

    Raises:
        BadUserInputError: An id does not have the form of one.

    """
    try:
        return _converted(fields, {name: value for name, value in given.items() if name in fields})
    except _NotAnIdError as error:
        # The fields of the only input object are named without it.
        path = [*reversed(error.path)]
        raise _not_an_id(".".join(path[path[0] == "input" and len(path) > 1 :])) from None


def _converted(fields: Fields, given: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, value in given.items():
        python_name, convert = fields[name]
        if convert is None or value is None:
            values[python_name] = value
        else:
            try:
                values[python_name] = convert(value)
            except _NotAnIdError as error:
                error.path.append(name)
                raise
    return values


def _conversion(type_: Any) -> Convert | None:
    """Return the conversion of values of a type, or None for values that are taken as they are."""
    if isinstance(type_, StrawberryOptional):
        return _conversion(type_.of_type)
    if isinstance(type_, LazyType):
        return _conversion(type_.resolve_type())
    if isinstance(type_, StrawberryList):
        item = _conversion(type_.of_type)
        return partial(_list, item) if item else None
    if type_ is strawberry.ID:
        return _id
    if has_enum_definition(type_) or isinstance(type_, StrawberryEnumDefinition):
        return _name
    return _object(type_) if get_object_definition(type_) else None


@cache
def _object(type_: Any) -> Convert:
    return partial(_converted, fields_of(get_object_definition(type_, strict=True).fields))


def _list(item: Convert, values: list[Any]) -> list[Any]:
    converted: list[Any] = []
    for place, value in enumerate(values):
        try:
            converted.append(None if value is None else item(value))
        except _NotAnIdError as error:
            error.path.append(str(place))
            raise
    return converted


def _id(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise _NotAnIdError from None


def _name(member: Enum) -> Any:
    return member.value


def _not_an_id(field: str) -> BadUserInputError:
    return BadUserInputError(f"{field} is not an id; ids are UUIDs as this API gives them", field=field)
