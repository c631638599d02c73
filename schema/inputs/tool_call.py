"""What clients say of tool calls."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Message, Session
from schema.enums import OrderDirection
from schema.inputs.filters import (
    DateTimeFilter,
    FloatFilter,
    IDFilter,
    StringFilter,
    ToMany,
    ToolCallStatusFilter,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.message import MessageFilter
    from schema.inputs.session import SessionFilter


@strawberry.input(description="Selects tool calls. All conditions that are given must hold.")
class ToolCallFilter:
    """Selects tool calls. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    session_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their sessions.")
    message_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the messages that make them."
    )
    call_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By the ids that the model gave them."
    )
    name: StringFilter | None = strawberry.field(default=UNSET, description="By the names of their tools.")
    status: ToolCallStatusFilter | None = strawberry.field(default=UNSET, description="By their statuses.")
    error: StringFilter | None = strawberry.field(default=UNSET, description="By why they failed.")
    duration_ms: FloatFilter | None = strawberry.field(
        default=UNSET, description="By how long they took, in milliseconds."
    )
    started_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when the tool began.")
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were recorded."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    message: Annotated["MessageFilter", strawberry.lazy("schema.inputs.message")] | None = linked(
        Message, "By the messages that make them.", local="message_id"
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    and_: list[ToolCallFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[ToolCallFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: ToolCallFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the tool calls behind a relation to many.")
class ToolCallsFilter(ToMany):
    """Conditions on the tool calls behind a relation to many."""

    some: ToolCallFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: ToolCallFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that tool calls can be ordered by.")
class ToolCallOrderField(Enum):
    """The fields that tool calls can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were made.")
    POSITION = strawberry.enum_value("position", description="Their places in their messages.")
    DURATION_MS = strawberry.enum_value("duration_ms", description="How long they took.")
    NAME = strawberry.enum_value("name", description="The names of their tools.")


@strawberry.input(description="A field to order tool calls by, and the direction.")
class ToolCallOrder:
    """A field to order tool calls by, and the direction."""

    field: ToolCallOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="The outcome of a tool call.")
class ToolResultValues:
    """The outcome of a tool call."""

    result: JSON | None = strawberry.field(
        default=UNSET,
        description="What the tool returned; it settles the call as SUCCEEDED, even if it is null.",
    )
    error: str | None = strawberry.field(
        default=UNSET,
        description="Why the tool failed; it settles the call as FAILED. Not together with `result`.",
    )
    started_at: datetime | None = strawberry.field(default=UNSET, description="When the tool began.")
    duration_ms: float | None = strawberry.field(
        default=UNSET, description="How long the tool took, in milliseconds, from 0 to 1e12."
    )


@strawberry.input(description="A tool call that a message makes.")
class NewToolCallInput(ToolResultValues):
    """A tool call that a message makes."""

    call_id: str | None = strawberry.field(
        default=UNSET,
        description="The id that the model gave it, which its answer names; at most 255 characters.",
    )
    name: str = strawberry.field(description="The name of the tool; at most 255 characters.")
    arguments: JSON = strawberry.field(
        description="The arguments for the tool: any JSON value, usually an object."
    )


@strawberry.input(description="The outcome of a tool call: either `result` or `error`.")
class RecordToolResultInput(ToolResultValues):
    """The outcome of a tool call: either `result` or `error`."""


@strawberry.input(
    description=(
        "What to change of a tool call. A new result or error replaces what it had; what is left out"
        " stays as it is; null clears."
    )
)
class UpdateToolCallInput(ToolResultValues):
    """What to change of a tool call. A new result or error replaces what it had."""

    call_id: str | None = strawberry.field(
        default=UNSET, description="The id that the model gave it; at most 255 characters."
    )
    name: str | None = strawberry.field(
        default=UNSET, description="The name of the tool; at most 255 characters."
    )
    arguments: JSON | None = strawberry.field(
        default=UNSET, description="The arguments for the tool: any JSON value, usually an object."
    )
