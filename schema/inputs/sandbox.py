"""Inputs of sandboxes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import filter_on
from models import Session, User
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection, SandboxStatus
from schema.inputs.filters import DateTimeFilter, IDFilter, JSONFilter, SandboxStatusFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter
    from schema.inputs.user import UserFilter


@input_type
class SandboxFilter:
    """Selects sandboxes. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the sandbox.")
    session_id: IDFilter | None = optional("The id of the session of the sandbox.")
    user_id: IDFilter | None = optional("The id of the user whom the sandbox runs for.")
    kind: StringFilter | None = optional("The kind of server.")
    external_server_id: StringFilter | None = optional("The id of the server that the sandbox runs on.")
    status: SandboxStatusFilter | None = optional("Whether the sandbox is running.")
    selection: JSONFilter | None = optional("What is selected in the sandbox.")
    created_at: DateTimeFilter | None = optional("When the sandbox was recorded.")
    updated_at: DateTimeFilter | None = optional("When the sandbox last changed.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session of the sandbox.", local="session_id"
    )
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = filter_on(
        User, "Conditions on the user whom the sandbox runs for.", local="user_id"
    )
    and_: list[SandboxFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[SandboxFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: SandboxFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class SandboxOrderField(Enum):
    """The fields that sandboxes can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the sandbox was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the sandbox last changed.")


@input_type
class SandboxOrder:
    """A field to order sandboxes by, and the direction."""

    field: SandboxOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class SandboxValues:
    """The values of a sandbox."""

    user_id: strawberry.ID | None = optional("The id of the user whom the sandbox runs for.")
    kind: str | None = optional("The kind of server, such as `mock_game_server`; at most 255 characters.")
    external_server_id: str | None = optional(
        "The id of the server that the sandbox runs on; at most 255 characters."
    )
    status: SandboxStatus | None = optional("Whether the sandbox is running; STOPPED by default on creation.")
    selection: JSON | None = optional(
        "What is selected in the sandbox: a JSON object; `{}` by default on creation."
    )


@input_type
class SetSandboxInput(SandboxValues):
    """The values of a session's sandbox.

    Fields that are left out stay as they are, or take their defaults if the session has no sandbox yet;
    null clears a field that may be null.
    """


@input_type
class UpdateSandboxInput(SandboxValues):
    """The changes to a sandbox.

    Fields that are left out stay as they are; null clears a field that may be null.
    """
