"""What clients sent, as operations take it: what was not given is left out, ids are UUIDs, enums are names.

graphql-core gives arguments by the names of the contract. What reads them is made once for each type, and
does no more for a value than it needs: most are taken as they are.
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
from agentdata.operations.values import camel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from enum import Enum

    from strawberry.types.arguments import StrawberryArgument
    from strawberry.types.field import StrawberryField

    Read = Callable[[Any], Any]
    """Makes a value of the contract, which is not null, into what operations take."""

    Fields = Mapping[str, tuple[str, Read | None]]
    """By the contract's names: Python's, and how a value is read that is not taken as it is."""


class _NotAnIdError(Exception):
    """An id that does not have the form of one; the path to it grows on the way out."""

    def __init__(self) -> None:
        self.path: list[str] = []


def as_uuid(value: str, field: str) -> UUID:
    """Give an id as a UUID.

    Raises:
        BadUserInputError: It does not have the form of an id.

    """
    try:
        return UUID(value)
    except ValueError:
        raise _not_an_id(field) from None


def fields_of(declared: Iterable[StrawberryArgument | StrawberryField]) -> Fields:
    """Tell how arguments, or the fields of an input object, are read."""
    return {
        each.graphql_name or camel(each.python_name): (each.python_name, _reading(each.type))
        for each in declared
    }


def read(fields: Fields, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read arguments, null included; those that nobody declared are left out.

    Raises:
        BadUserInputError: What should be an id does not have the form of one.

    """
    try:
        return _read(fields, {name: value for name, value in given.items() if name in fields})
    except _NotAnIdError as error:
        # The fields of the only input object are named without it.
        path = [*reversed(error.path)]
        raise _not_an_id(".".join(path[path[0] == "input" and len(path) > 1 :])) from None


def _read(fields: Fields, given: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, value in given.items():
        python_name, reading = fields[name]
        if reading is None or value is None:
            values[python_name] = value
        else:
            try:
                values[python_name] = reading(value)
            except _NotAnIdError as error:
                error.path.append(name)
                raise
    return values


def _reading(type_: Any) -> Read | None:
    """Give what reads values of a type, or None where they are taken as they are."""
    if isinstance(type_, StrawberryOptional):
        return _reading(type_.of_type)
    if isinstance(type_, LazyType):
        return _reading(type_.resolve_type())
    if isinstance(type_, StrawberryList):
        item = _reading(type_.of_type)
        return partial(_list, item) if item else None
    if type_ is strawberry.ID:
        return _id
    if has_enum_definition(type_) or isinstance(type_, StrawberryEnumDefinition):
        return _name
    return _object(type_) if get_object_definition(type_) else None


@cache
def _object(type_: Any) -> Read:
    return partial(_read, fields_of(get_object_definition(type_, strict=True).fields))


def _list(item: Read, values: list[Any]) -> list[Any]:
    read_values: list[Any] = []
    for place, value in enumerate(values):
        try:
            read_values.append(None if value is None else item(value))
        except _NotAnIdError as error:
            error.path.append(str(place))
            raise
    return read_values


def _id(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise _NotAnIdError from None


def _name(member: Enum) -> Any:
    return member.value


def _not_an_id(field: str) -> BadUserInputError:
    return BadUserInputError(f"{field} is not an id; ids are UUIDs as this API gives them", field=field)
