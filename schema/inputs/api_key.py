"""What clients say of API keys."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import ApiKeyScope, OrderDirection
from schema.inputs.filters import (
    DateTimeFilter,
    IDFilter,
    ListFilter,
    StringFilter,
)


@input_type
class ApiKeyFilter:
    """Selects API keys. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    name: StringFilter | None = optional("By their names.")
    prefix: StringFilter | None = optional("By what their secrets begin with.")
    scopes: ListFilter | None = optional("By what they may do: READ, WRITE, ADMIN.")
    created_at: DateTimeFilter | None = optional("By when they were made.")
    last_used_at: DateTimeFilter | None = optional("By when they were last used.")
    expires_at: DateTimeFilter | None = optional("By when they expire.")
    revoked_at: DateTimeFilter | None = optional("By when they were revoked.")
    and_: list[ApiKeyFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ApiKeyFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ApiKeyFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class ApiKeyOrderField(Enum):
    """The fields that API keys can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were made.")


@input_type
class ApiKeyOrder:
    """A field to order API keys by, and the direction."""

    field: ApiKeyOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class CreateApiKeyInput:
    """An API key to create."""

    name: str = required("What it is for; at most 255 characters.")
    scopes: list[ApiKeyScope] = required("What it may do; at least one.")
    expires_at: datetime | None = optional("When it expires, a time in the future; never by default.")


@input_type
class UpdateApiKeyInput:
    """The changes to an API key. What is left out stays as it is."""

    name: str | None = optional("What it is for; at most 255 characters.")
    scopes: list[ApiKeyScope] | None = optional("What it may do; at least one.")
    expires_at: datetime | None = optional("When it expires; null if it never does.")
