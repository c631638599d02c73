"""What clients say of API keys."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry
from strawberry import UNSET

from schema.enums import ApiKeyScope, OrderDirection
from schema.inputs.filters import (
    DateTimeFilter,
    IDFilter,
    ListFilter,
    StringFilter,
)


@strawberry.input(description="Selects API keys. All conditions that are given must hold.")
class ApiKeyFilter:
    """Selects API keys. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    name: StringFilter | None = strawberry.field(default=UNSET, description="By their names.")
    prefix: StringFilter | None = strawberry.field(
        default=UNSET, description="By what their secrets begin with."
    )
    scopes: ListFilter | None = strawberry.field(
        default=UNSET, description="By what they may do: READ, WRITE, ADMIN."
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when they were made.")
    last_used_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were last used."
    )
    expires_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when they expire.")
    revoked_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were revoked."
    )
    and_: list[ApiKeyFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[ApiKeyFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: ApiKeyFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that API keys can be ordered by.")
class ApiKeyOrderField(Enum):
    """The fields that API keys can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were made.")


@strawberry.input(description="A field to order API keys by, and the direction.")
class ApiKeyOrder:
    """A field to order API keys by, and the direction."""

    field: ApiKeyOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="An API key to create.")
class CreateApiKeyInput:
    """An API key to create."""

    name: str = strawberry.field(description="What it is for; at most 255 characters.")
    scopes: list[ApiKeyScope] = strawberry.field(description="What it may do; at least one.")
    expires_at: datetime | None = strawberry.field(
        default=UNSET, description="When it expires, a time in the future; never by default."
    )


@strawberry.input(description="The changes to an API key. What is left out stays as it is.")
class UpdateApiKeyInput:
    """The changes to an API key. What is left out stays as it is."""

    name: str | None = strawberry.field(default=UNSET, description="What it is for; at most 255 characters.")
    scopes: list[ApiKeyScope] | None = strawberry.field(
        default=UNSET, description="What it may do; at least one."
    )
    expires_at: datetime | None = strawberry.field(
        default=UNSET, description="When it expires; null if it never does."
    )
