"""Inputs of API keys."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import ApiKeyScope, OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, ListFilter, StringFilter


@input_type
class ApiKeyFilter:
    """Selects API keys. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the API key.")
    name: StringFilter | None = optional("The name of the key.")
    prefix: StringFilter | None = optional(
        "The first characters of the secret, by which keys can be told apart."
    )
    scopes: ListFilter | None = optional(
        "What the key may do: the names of scopes, such as `MESSAGES_WRITE`."
    )
    created_at: DateTimeFilter | None = optional("When the key was created.")
    last_used_at: DateTimeFilter | None = optional("When the key was last used.")
    expires_at: DateTimeFilter | None = optional("When the key expires.")
    revoked_at: DateTimeFilter | None = optional("When the key was revoked.")
    and_: list[ApiKeyFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ApiKeyFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ApiKeyFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class ApiKeyOrderField(Enum):
    """The fields that API keys can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the key was created.")


@input_type
class ApiKeyOrder:
    """A field to order API keys by, and the direction."""

    field: ApiKeyOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class CreateApiKeyInput:
    """An API key to create."""

    name: str = required("The name of the key, such as its purpose; at most 255 characters.")
    scopes: list[ApiKeyScope] = required("What the key may do; at least one scope.")
    expires_at: datetime | None = optional("When the key expires, a time in the future; never by default.")


@input_type
class UpdateApiKeyInput:
    """The changes to an API key. Fields that are left out stay as they are."""

    name: str | None = optional("The name of the key, such as its purpose; at most 255 characters.")
    scopes: list[ApiKeyScope] | None = optional("What the key may do; at least one scope.")
    expires_at: datetime | None = optional("When the key expires; null if never.")
