"""Inputs of users."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Agent, Memory, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, JSONFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentsFilter
    from schema.inputs.memory import MemoriesFilter
    from schema.inputs.session import SessionsFilter


@input_type
class UserFilter:
    """Selects users. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the user.")
    external_id: StringFilter | None = optional("The id of the user in another system.")
    email: StringFilter | None = optional("The e-mail address, compared with regard to case.")
    name: StringFilter | None = optional("The name of the user.")
    created_at: DateTimeFilter | None = optional("When the user was recorded.")
    updated_at: DateTimeFilter | None = optional("When the user last changed.")
    user_data: JSONFilter | None = optional("Any other data on the user.")
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the sessions with the user.", remote="user_id"
    )
    agents: Annotated["AgentsFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent, "Conditions on the agents that the user owns.", remote="owner_id"
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = filter_on(
        Memory, "Conditions on the memories about the user.", remote="user_id"
    )
    and_: list[UserFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[UserFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: UserFilter | None = optional("This filter must not hold.", name="not")


@input_type
class UsersFilter(ToMany):
    """Conditions on related users."""

    some: UserFilter | None = optional("At least one related object meets this filter.")
    none: UserFilter | None = optional("No related object meets this filter.")


@enum_type
class UserOrderField(Enum):
    """The fields that users can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the user was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the user last changed.")
    NAME = enum_value("name", "The name of the user, by code point.")
    EMAIL = enum_value("email", "The e-mail address, by code point.")


@input_type
class UserOrder:
    """A field to order users by, and the direction."""

    field: UserOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class UserValues:
    """The values of a user."""

    external_id: str | None = optional(
        "The id of the user in another system, unique among the project's users; at most 255 characters."
    )
    email: str | None = optional(
        "The e-mail address, unique among the project's users without regard to case; at most 320 characters."
    )
    phone_number: str | None = optional("The phone number; at most 64 characters.")
    name: str | None = optional("The name of the user; at most 255 characters.")
    user_data: JSON | None = optional(
        "Any other data on the user: a JSON object; `{}` by default on creation."
    )


@input_type
class CreateUserInput(UserValues):
    """A user to add."""


@input_type
class UpdateUserInput(UserValues):
    """The changes to a user.

    Fields that are left out stay as they are; null clears a field that may be null.
    """
