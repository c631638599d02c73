"""What clients say of users."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Agent, Memory, Session
from schema.enums import OrderDirection
from schema.inputs.filters import (
    DateTimeFilter,
    IDFilter,
    JSONFilter,
    StringFilter,
    ToMany,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentsFilter
    from schema.inputs.memory import MemoriesFilter
    from schema.inputs.session import SessionsFilter


@strawberry.input(description="Selects users. All conditions that are given must hold.")
class UserFilter:
    """Selects users. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    external_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By their ids in another system."
    )
    email: StringFilter | None = strawberry.field(
        default=UNSET, description="By their e-mail addresses, as they are written."
    )
    name: StringFilter | None = strawberry.field(default=UNSET, description="By their names.")
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were recorded."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    user_data: JSONFilter | None = strawberry.field(default=UNSET, description="By their `userData`.")
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", remote="user_id"
    )
    agents: Annotated["AgentsFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents that they own.", remote="owner_id"
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", remote="user_id"
    )
    and_: list[UserFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[UserFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: UserFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the users behind a relation to many.")
class UsersFilter(ToMany):
    """Conditions on the users behind a relation to many."""

    some: UserFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: UserFilter | None = strawberry.field(default=UNSET, description="None of them meets this filter.")


@strawberry.enum(description="The fields that users can be ordered by.")
class UserOrderField(Enum):
    """The fields that users can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were recorded.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When they last changed.")
    NAME = strawberry.enum_value("name", description="Their names.")
    EMAIL = strawberry.enum_value("email", description="Their e-mail addresses.")


@strawberry.input(description="A field to order users by, and the direction.")
class UserOrder:
    """A field to order users by, and the direction."""

    field: UserOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="What may be said of a user.")
class UserValues:
    """What may be said of a user."""

    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's users; at most 255 characters.",
    )
    email: str | None = strawberry.field(
        default=UNSET,
        description=(
            "The e-mail address, unique among the project's users without regard to case; at most 320"
            " characters."
        ),
    )
    phone_number: str | None = strawberry.field(
        default=UNSET, description="The phone number; at most 64 characters."
    )
    name: str | None = strawberry.field(
        default=UNSET, description="What the user is called; at most 255 characters."
    )
    user_data: JSON | None = strawberry.field(
        default=UNSET,
        description="Whatever else is known of the user: a JSON object; on creation `{}` by default.",
    )


@strawberry.input(description="A user to add.")
class CreateUserInput(UserValues):
    """A user to add."""


@strawberry.input(
    description="The changes to a user. What is left out stays as it is; null clears what may be null."
)
class UpdateUserInput(UserValues):
    """The changes to a user. What is left out stays as it is; null clears what may be null."""
