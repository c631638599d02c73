"""What clients sent, as plain values: what was not given is left out, ids are UUIDs, enums are their names."""

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
        raise BadUserInputError(f"{field} is not an id; ids are UUIDs as this API gives them", field=field) from None


def as_uuids(values: list[strawberry.ID], field: str) -> list[UUID]:
    """Give ids as UUIDs.

    Raises:
        BadUserInputError: One of them does not have the form of an id.

    """
    return [as_uuid(value, f"{field}.{index}") for index, value in enumerate(values)]


def values(given: object, path: str = "") -> dict[str, Any]:
    """Give the fields of an input object that were given, null included, under their Python names."""
    plain = {}
    for field in get_object_definition(given, strict=True).fields:
        value = getattr(given, field.python_name)
        if value is not strawberry.UNSET:
            plain[field.python_name] = _plain(value, field.type, path + camel(field.python_name))
    return plain


def _plain(value: Any, type_: Any, field: str) -> Any:
    if isinstance(type_, StrawberryOptional | StrawberryList) and not isinstance(value, list):
        return None if value is None else _plain(value, type_.of_type, field)
    if isinstance(type_, StrawberryOptional):
        return _plain(value, type_.of_type, field)
    if isinstance(type_, StrawberryList):
        return [_plain(each, type_.of_type, f"{field}.{index}") for index, each in enumerate(value)]
    if type_ is strawberry.ID:
        return as_uuid(value, field)
    if isinstance(value, Enum):
        return value.value
    return values(value, f"{field}.") if get_object_definition(value) else value
