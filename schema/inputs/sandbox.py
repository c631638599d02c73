"""What clients say of sandboxes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Session, User
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection, SandboxStatus
from schema.inputs.filters import DateTimeFilter, IDFilter, JSONFilter, SandboxStatusFilter, StringFilter
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter
    from schema.inputs.user import UserFilter


@input_type
class SandboxFilter:
    """Selects sandboxes. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    session_id: IDFilter | None = optional("By the ids of their sessions.")
    user_id: IDFilter | None = optional("By the ids of the users whom they run for.")
    kind: StringFilter | None = optional("By their kinds.")
    external_server_id: StringFilter | None = optional("By the ids of the servers where they run.")
    status: SandboxStatusFilter | None = optional("By their statuses.")
    selection: JSONFilter | None = optional("By what is selected in them.")
    created_at: DateTimeFilter | None = optional("By when they were recorded.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = linked(
        User, "By the users whom they run for.", local="user_id"
    )
    and_: list[SandboxFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[SandboxFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: SandboxFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class SandboxOrderField(Enum):
    """The fields that sandboxes can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were recorded.")
    UPDATED_AT = enum_value("updated_at", "When they last changed.")


@input_type
class SandboxOrder:
    """A field to order sandboxes by, and the direction."""

    field: SandboxOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class SandboxValues:
    """What may be said of a sandbox."""

    user_id: strawberry.ID | None = optional("The id of the user whom it runs for.")
    kind: str | None = optional(
        "What kind of server it is, such as `mock_game_server`; at most 255 characters."
    )
    external_server_id: str | None = optional("The id of the server where it runs; at most 255 characters.")
    status: SandboxStatus | None = optional("Whether it is running; on creation STOPPED by default.")
    selection: JSON | None = optional("What is selected in it: a JSON object; on creation `{}` by default.")


@input_type
class SetSandboxInput(SandboxValues):
    """What the sandbox of a session is to be.

    What is left out stays as it is, or is the default where the session has none yet; null clears what
    may be null.
    """


@input_type
class UpdateSandboxInput(SandboxValues):
    """The changes to a sandbox. What is left out stays as it is; null clears what may be null."""
