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


@strawberry.input(description="Which API keys.")
class ApiKeyFilter:
    """Which API keys."""

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
        default=UNSET, name="and", description="All of these hold."
    )
    or_: list[ApiKeyFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these holds."
    )
    not_: ApiKeyFilter | None = strawberry.field(default=UNSET, name="not", description="This does not hold.")


@strawberry.enum(description="What API keys are ordered by.")
class ApiKeyOrderField(Enum):
    """What API keys are ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were made.")


@strawberry.input(description="One key of an order of API keys.")
class ApiKeyOrder:
    """One key of an order of API keys."""

    field: ApiKeyOrderField = strawberry.field(description="What to order by.")
    direction: OrderDirection = strawberry.field(description="Which way.")


@strawberry.input(description="An API key to make.")
class CreateApiKeyInput:
    """An API key to make."""

    name: str = strawberry.field(description="What it is for; at most 255 characters.")
    scopes: list[ApiKeyScope] = strawberry.field(description="What it may do; at least one.")
    expires_at: datetime | None = strawberry.field(
        default=UNSET, description="When it stops to be valid; never by default."
    )


@strawberry.input(description="What to change of an API key. What is left out stays as it is.")
class UpdateApiKeyInput:
    """What to change of an API key. What is left out stays as it is."""

    name: str | None = strawberry.field(default=UNSET, description="What it is for; at most 255 characters.")
    scopes: list[ApiKeyScope] | None = strawberry.field(
        default=UNSET, description="What it may do; at least one."
    )
    expires_at: datetime | None = strawberry.field(
        default=UNSET, description="When it stops to be valid; null: never."
    )
