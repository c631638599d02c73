"""Inputs of messages."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, Via, filter_on
from agentdata.vectors import Vector
from models import Agent, Memory, MemorySource, Session, ToolCall, User
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import MessageRole, OrderDirection
from schema.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    IDFilter,
    IntFilter,
    JSONFilter,
    MessageRoleFilter,
    StringFilter,
)
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.memory import MemoriesFilter
    from schema.inputs.session import SessionFilter
    from schema.inputs.tool_call import NewToolCallInput, ToolCallFilter, ToolCallsFilter
    from schema.inputs.user import UserFilter


@input_type
class MessageFilter:
    """Selects messages. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the message.")
    session_id: IDFilter | None = optional("The id of the session of the message.")
    user_id: IDFilter | None = optional("The id of the user who speaks.")
    agent_id: IDFilter | None = optional("The id of the agent that speaks.")
    external_id: StringFilter | None = optional("The id of the message in another system.")
    role: MessageRoleFilter | None = optional("The role of the speaker.")
    sequence: IntFilter | None = optional("The position in the session, from 1.")
    model: StringFilter | None = optional("The model that wrote the message.")
    media_type: StringFilter | None = optional("The media type of the attached file.")
    feedback: StringFilter | None = optional("The user's feedback on the message.")
    flagged: BooleanFilter | None = optional("Whether the message is flagged for review.")
    token_count: IntFilter | None = optional("The number of tokens in the message.")
    latency_ms: IntFilter | None = optional("How long the model took to write the message, in milliseconds.")
    redacted_at: DateTimeFilter | None = optional("When `redactMessage` removed the contents.")
    created_at: DateTimeFilter | None = optional("When the message was said.")
    updated_at: DateTimeFilter | None = optional("When the message last changed.")
    metadata_: JSONFilter | None = optional("Any other data.", name="metadata")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session of the message.", local="session_id"
    )
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = filter_on(
        User, "Conditions on the user who speaks.", local="user_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent, "Conditions on the agent that speaks.", local="agent_id"
    )
    tool_calls: Annotated["ToolCallsFilter", strawberry.lazy("schema.inputs.tool_call")] | None = filter_on(
        ToolCall, "Conditions on the tool calls that the message makes.", remote="message_id"
    )
    tool_call: Annotated["ToolCallFilter", strawberry.lazy("schema.inputs.tool_call")] | None = filter_on(
        ToolCall, "Conditions on the tool call that the message answers.", remote="answer_id"
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = filter_on(
        Memory,
        "Conditions on the memories that were made from the message.",
        via=Via(MemorySource, "message_id", "memory_id"),
    )
    and_: list[MessageFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MessageFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MessageFilter | None = optional("This filter must not hold.", name="not")


@input_type
class MessagesFilter(ToMany):
    """Conditions on related messages."""

    some: MessageFilter | None = optional("At least one related object meets this filter.")
    none: MessageFilter | None = optional("No related object meets this filter.")


@enum_type
class MessageOrderField(Enum):
    """The fields that messages can be ordered by."""

    SEQUENCE = enum_value("sequence", "The position in the session, from 1.")
    CREATED_AT = enum_value("created_at", "When the message was said.")


@input_type
class MessageOrder:
    """A field to order messages by, and the direction."""

    field: MessageOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class MessageValues:
    """The values of a message."""

    content: str | None = optional("What is said, as plain text.")
    parts: JSON | None = optional("The original structured content, if the message has more than text.")
    media_url: str | None = optional("The address of an attached file; at most 2,048 characters.")
    media_type: str | None = optional("The media type of the attached file, such as `image/png`.")
    user_id: strawberry.ID | None = optional(
        "The id of the user who speaks. A new USER message takes the session's user by default."
    )
    agent_id: strawberry.ID | None = optional(
        "The id of the agent that speaks. A new ASSISTANT message takes the session's agent by default."
    )
    model: str | None = optional("The model that wrote the message.")
    token_count: int | None = optional("The number of tokens in the message.")
    prompt_tokens: int | None = optional(
        "The number of tokens that the model read to write the message; they count towards the session's"
        " total. Leave this out if `recordUsage` reports them, or they count twice."
    )
    completion_tokens: int | None = optional(
        "The number of tokens that the model wrote for the message; they count towards the session's total."
        " Leave this out if `recordUsage` reports them, or they count twice."
    )
    latency_ms: int | None = optional("How long the model took to write the message, in milliseconds.")
    feedback: str | None = optional("The user's feedback on the message, such as `positive` or `negative`.")
    flagged: bool | None = optional(
        "Whether the message is flagged for review; false by default on creation."
    )
    raw_payload: JSON | None = optional("The unmodified payload of the platform or model.")
    metadata_: JSON | None = optional(
        "Any other data: a JSON object; `{}` by default on creation.", name="metadata"
    )


@input_type
class AppendMessageInput(MessageValues):
    """A message to append."""

    external_id: str | None = optional(
        "The id of the message in another system, unique among the project's messages; at most 255"
        " characters."
    )
    role: MessageRole = required("The role of the speaker.")
    created_at: datetime | None = optional("When the message was said; now by default.")
    tool_calls: list[Annotated["NewToolCallInput", strawberry.lazy("schema.inputs.tool_call")]] | None = (
        optional("The tool calls that the message makes; only for ASSISTANT messages; at most 1,000.")
    )
    tool_call_id: str | None = optional(
        "The `callId` of the tool call that a TOOL message answers. The text of the message becomes the"
        " result of the call: as JSON if the text is a JSON object or array."
    )
    tool_error: str | None = optional("Why the tool call failed; the call is settled as FAILED.")
    embedding: Vector | None = optional(
        "The vector of the content, for searches by meaning. At most 1,000 messages of a request have one."
        " `putMessageEmbeddings` adds vectors later, and those of other models."
    )
    embedding_model: str | None = optional(
        "The name of the model that made the `embedding`, which needs it; at most 255 characters."
    )


@input_type
class UpdateMessageInput(MessageValues):
    """The changes to a message.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    external_id: str | None = optional(
        "The id of the message in another system, unique among the project's messages; at most 255"
        " characters."
    )
