"""What clients say of sandboxes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Session, User
from schema.enums import OrderDirection, SandboxStatus
from schema.inputs.filters import DateTimeFilter, IDFilter, JSONFilter, SandboxStatusFilter, StringFilter
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter
    from schema.inputs.user import UserFilter


@strawberry.input(description="Selects sandboxes. All conditions that are given must hold.")
class SandboxFilter:
    """Selects sandboxes. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    session_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their sessions.")
    user_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the users whom they run for."
    )
    kind: StringFilter | None = strawberry.field(default=UNSET, description="By their kinds.")
    external_server_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the servers where they run."
    )
    status: SandboxStatusFilter | None = strawberry.field(default=UNSET, description="By their statuses.")
    selection: JSONFilter | None = strawberry.field(default=UNSET, description="By what is selected in them.")
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were recorded."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = linked(
        User, "By the users whom they run for.", local="user_id"
    )
    and_: list[SandboxFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[SandboxFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: SandboxFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that sandboxes can be ordered by.")
class SandboxOrderField(Enum):
    """The fields that sandboxes can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were recorded.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When they last changed.")


@strawberry.input(description="A field to order sandboxes by, and the direction.")
class SandboxOrder:
    """A field to order sandboxes by, and the direction."""

    field: SandboxOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="What may be said of a sandbox.")
class SandboxValues:
    """What may be said of a sandbox."""

    user_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the user whom it runs for."
    )
    kind: str | None = strawberry.field(
        default=UNSET,
        description="What kind of server it is, such as `mock_game_server`; at most 255 characters.",
    )
    external_server_id: str | None = strawberry.field(
        default=UNSET, description="The id of the server where it runs; at most 255 characters."
    )
    status: SandboxStatus | None = strawberry.field(
        default=UNSET, description="Whether it is running; on creation STOPPED by default."
    )
    selection: JSON | None = strawberry.field(
        default=UNSET, description="What is selected in it: a JSON object; on creation `{}` by default."
    )


@strawberry.input(
    description=(
        "What the sandbox of a session is to be. What is left out stays as it is, or is the default where the"
        " session has none yet; null clears what may be null."
    )
)
class SetSandboxInput(SandboxValues):
    """What the sandbox of a session is to be, whether the session has one yet or not."""


@strawberry.input(
    description="The changes to a sandbox. What is left out stays as it is; null clears what may be null."
)
class UpdateSandboxInput(SandboxValues):
    """The changes to a sandbox. What is left out stays as it is; null clears what may be null."""
