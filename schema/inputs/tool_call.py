"""What clients say of tool calls."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Message, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
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


@input_type
class ToolCallFilter:
    """Selects tool calls. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    session_id: IDFilter | None = optional("By the ids of their sessions.")
    message_id: IDFilter | None = optional("By the ids of the messages that make them.")
    call_id: StringFilter | None = optional("By the ids that the model gave them.")
    name: StringFilter | None = optional("By the names of their tools.")
    status: ToolCallStatusFilter | None = optional("By their statuses.")
    error: StringFilter | None = optional("By why they failed.")
    duration_ms: FloatFilter | None = optional("By how long they took, in milliseconds.")
    started_at: DateTimeFilter | None = optional("By when the tool began.")
    created_at: DateTimeFilter | None = optional("By when they were recorded.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    message: Annotated["MessageFilter", strawberry.lazy("schema.inputs.message")] | None = linked(
        Message, "By the messages that make them.", local="message_id"
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    and_: list[ToolCallFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ToolCallFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ToolCallFilter | None = optional("This filter must not hold.", name="not")


@input_type
class ToolCallsFilter(ToMany):
    """Conditions on the tool calls behind a relation to many."""

    some: ToolCallFilter | None = optional("At least one of them meets this filter.")
    none: ToolCallFilter | None = optional("None of them meets this filter.")


@enum_type
class ToolCallOrderField(Enum):
    """The fields that tool calls can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were made.")
    POSITION = enum_value("position", "Their places in their messages.")
    DURATION_MS = enum_value("duration_ms", "How long they took.")
    NAME = enum_value("name", "The names of their tools.")


@input_type
class ToolCallOrder:
    """A field to order tool calls by, and the direction."""

    field: ToolCallOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class ToolResultValues:
    """The outcome of a tool call."""

    result: JSON | None = optional(
        "What the tool returned; it settles the call as SUCCEEDED, even if it is null."
    )
    error: str | None = optional(
        "Why the tool failed; it settles the call as FAILED. Not together with `result`."
    )
    started_at: datetime | None = optional("When the tool began.")
    duration_ms: float | None = optional("How long the tool took, in milliseconds.")


@input_type
class NewToolCallInput(ToolResultValues):
    """A tool call that a message makes."""

    call_id: str | None = optional(
        "The id that the model gave it, which its answer names; at most 255 characters."
    )
    name: str = required("The name of the tool; at most 255 characters.")
    arguments: JSON = required("The arguments for the tool: any JSON value, usually an object.")


@input_type
class RecordToolResultInput(ToolResultValues):
    """The outcome of a tool call: either `result` or `error`."""


@input_type
class UpdateToolCallInput(ToolResultValues):
    """What to change of a tool call.

    A new result or error replaces what it had; what is left out stays as it is; null clears.
    """

    call_id: str | None = optional("The id that the model gave it; at most 255 characters.")
    name: str | None = optional("The name of the tool; at most 255 characters.")
    arguments: JSON | None = optional("The arguments for the tool: any JSON value, usually an object.")
