"""What clients say of users."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent, Memory, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
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


@input_type
class UserFilter:
    """Selects users. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    external_id: StringFilter | None = optional("By their ids in another system.")
    email: StringFilter | None = optional("By their e-mail addresses, as they are written.")
    name: StringFilter | None = optional("By their names.")
    created_at: DateTimeFilter | None = optional("By when they were recorded.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    user_data: JSONFilter | None = optional("By their `userData`.")
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", remote="user_id"
    )
    agents: Annotated["AgentsFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents that they own.", remote="owner_id"
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", remote="user_id"
    )
    and_: list[UserFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[UserFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: UserFilter | None = optional("This filter must not hold.", name="not")


@input_type
class UsersFilter(ToMany):
    """Conditions on the users behind a relation to many."""

    some: UserFilter | None = optional("At least one of them meets this filter.")
    none: UserFilter | None = optional("None of them meets this filter.")


@enum_type
class UserOrderField(Enum):
    """The fields that users can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were recorded.")
    UPDATED_AT = enum_value("updated_at", "When they last changed.")
    NAME = enum_value("name", "Their names.")
    EMAIL = enum_value("email", "Their e-mail addresses.")


@input_type
class UserOrder:
    """A field to order users by, and the direction."""

    field: UserOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class UserValues:
    """What may be said of a user."""

    external_id: str | None = optional(
        "Its id in another system, unique among the project's users; at most 255 characters."
    )
    email: str | None = optional(
        "The e-mail address, unique among the project's users without regard to case; at most 320 characters."
    )
    phone_number: str | None = optional("The phone number; at most 64 characters.")
    name: str | None = optional("What the user is called; at most 255 characters.")
    user_data: JSON | None = optional(
        "Whatever else is known of the user: a JSON object; on creation `{}` by default."
    )


@input_type
class CreateUserInput(UserValues):
    """A user to add."""


@input_type
class UpdateUserInput(UserValues):
    """The changes to a user. What is left out stays as it is; null clears what may be null."""
