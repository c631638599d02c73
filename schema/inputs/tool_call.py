"""Inputs of tool calls."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Message, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, FloatFilter, IDFilter, StringFilter, ToolCallStatusFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.message import MessageFilter
    from schema.inputs.session import SessionFilter


@input_type
class ToolCallFilter:
    """Selects tool calls. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the tool call.")
    session_id: IDFilter | None = optional("The id of the session of the call.")
    message_id: IDFilter | None = optional("The id of the ASSISTANT message that makes the call.")
    call_id: StringFilter | None = optional("The id that the model gave the call.")
    name: StringFilter | None = optional("The name of the tool.")
    status: ToolCallStatusFilter | None = optional(
        "Whether the call is pending, and how it was settled if not."
    )
    error: StringFilter | None = optional("Why the call failed.")
    duration_ms: FloatFilter | None = optional("How long the tool took, in milliseconds.")
    started_at: DateTimeFilter | None = optional("When the tool started.")
    created_at: DateTimeFilter | None = optional("When the tool call was recorded.")
    updated_at: DateTimeFilter | None = optional("When the tool call last changed.")
    message: Annotated["MessageFilter", strawberry.lazy("schema.inputs.message")] | None = filter_on(
        Message, "Conditions on the ASSISTANT message that makes the call.", local="message_id"
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session of the call.", local="session_id"
    )
    and_: list[ToolCallFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ToolCallFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ToolCallFilter | None = optional("This filter must not hold.", name="not")


@input_type
class ToolCallsFilter(ToMany):
    """Conditions on related tool calls."""

    some: ToolCallFilter | None = optional("At least one related object meets this filter.")
    none: ToolCallFilter | None = optional("No related object meets this filter.")


@enum_type
class ToolCallOrderField(Enum):
    """The fields that tool calls can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the tool call was recorded.")
    POSITION = enum_value("position", "The position among the calls of the message, from 0.")
    DURATION_MS = enum_value("duration_ms", "How long the tool took, in milliseconds.")
    NAME = enum_value("name", "The name of the tool, by code point.")


@input_type
class ToolCallOrder:
    """A field to order tool calls by, and the direction."""

    field: ToolCallOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class ToolResultValues:
    """The outcome of a tool call."""

    result: JSON | None = optional(
        "What the tool returned, which may be null; the call is settled as SUCCEEDED."
    )
    error: str | None = optional(
        "Why the call failed; the call is settled as FAILED. Not together with `result`."
    )
    started_at: datetime | None = optional("When the tool started.")
    duration_ms: float | None = optional("How long the tool took, in milliseconds, from 0 to 1e12.")


@input_type
class NewToolCallInput(ToolResultValues):
    """A tool call that a message makes."""

    call_id: str | None = optional(
        "The id that the model gave the call, which the answer names; at most 255 characters."
    )
    name: str = required("The name of the tool; at most 255 characters.")
    arguments: JSON = required("The arguments for the tool: any JSON value, usually an object.")


@input_type
class RecordToolResultInput(ToolResultValues):
    """The outcome of a tool call: either `result` or `error`."""


@input_type
class UpdateToolCallInput(ToolResultValues):
    """The changes to a tool call.

    A new result or error replaces the present outcome. Fields that are left out stay as they are; null
    clears a field that may be null.
    """

    call_id: str | None = optional("The id that the model gave the call; at most 255 characters.")
    name: str | None = optional("The name of the tool; at most 255 characters.")
    arguments: JSON | None = optional("The arguments for the tool: any JSON value, usually an object.")
