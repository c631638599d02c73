"""What clients sent, as plain values: what was not given is left out, ids are UUIDs, enums are names."""

from __future__ import annotations

from enum import Enum
from typing import Any
from uuid import UUID

import strawberry
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition

from agentdata.errors import BadUserInputError
from agentdata.operations.values import camel


def as_uuid(value: str, field: str) -> UUID:
    """Give an id as a UUID.

    Raises:
        BadUserInputError: It does not have the form of an id.

    """
    try:
        return UUID(value)
    except ValueError:
        raise BadUserInputError(
            f"{field} is not an id; ids are UUIDs as this API gives them", field=field
        ) from None


def values(given: object, path: str = "") -> dict[str, Any]:
    """Give the fields of an input object that were given, null included, under their Python names."""
    given_values = {}
    for field in get_object_definition(given, strict=True).fields:
        value = getattr(given, field.python_name)
        if value is not strawberry.UNSET:
            given_values[field.python_name] = plain(value, field.type, path + camel(field.python_name))
    return given_values


def plain(value: Any, type_: Any, field: str) -> Any:
    """Give a value of the contract's type as operations take it.

    Raises:
        BadUserInputError: What should be an id does not have the form of one.

    """
    if value is None:
        return None
    if isinstance(type_, StrawberryOptional):
        return plain(value, type_.of_type, field)
    if isinstance(type_, StrawberryList):
        return [plain(each, type_.of_type, f"{field}.{index}") for index, each in enumerate(value)]
    if type_ is strawberry.ID:
        return as_uuid(value, field)
    if get_object_definition(value) is not None:
        return values(value, "" if field == "input" else f"{field}.")
    return value.value if isinstance(value, Enum) else value
