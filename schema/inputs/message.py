"""What clients say of messages."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.execution.links import Via
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
    ToMany,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.memory import MemoriesFilter
    from schema.inputs.session import SessionFilter
    from schema.inputs.tool_call import NewToolCallInput, ToolCallFilter, ToolCallsFilter
    from schema.inputs.user import UserFilter


@input_type
class MessageFilter:
    """Selects messages. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    session_id: IDFilter | None = optional("By the ids of their sessions.")
    user_id: IDFilter | None = optional("By the ids of the users who speak.")
    agent_id: IDFilter | None = optional("By the ids of the agents that speak.")
    external_id: StringFilter | None = optional("By their ids in another system.")
    role: MessageRoleFilter | None = optional("By who speaks.")
    sequence: IntFilter | None = optional("By their places in their sessions, from 1.")
    model: StringFilter | None = optional("By the models that made them.")
    media_type: StringFilter | None = optional("By the media types of their files.")
    feedback: StringFilter | None = optional("By what the user thought of them.")
    flagged: BooleanFilter | None = optional("By whether someone should look at them.")
    token_count: IntFilter | None = optional("By how many tokens they have.")
    latency_ms: IntFilter | None = optional("By how long models took to write them, in milliseconds.")
    redacted_at: DateTimeFilter | None = optional("By when they were redacted.")
    created_at: DateTimeFilter | None = optional("By when they were said.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    metadata_: JSONFilter | None = optional("By their `metadata`.", name="metadata")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = linked(
        User, "By the users who speak.", local="user_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents that speak.", local="agent_id"
    )
    tool_calls: Annotated["ToolCallsFilter", strawberry.lazy("schema.inputs.tool_call")] | None = linked(
        ToolCall, "By the tool calls that they make.", remote="message_id"
    )
    tool_call: Annotated["ToolCallFilter", strawberry.lazy("schema.inputs.tool_call")] | None = linked(
        ToolCall, "By the tool call that they answer.", remote="answer_id"
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By the memories that were made from them.", via=Via(MemorySource, "message_id", "memory_id")
    )
    and_: list[MessageFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MessageFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MessageFilter | None = optional("This filter must not hold.", name="not")


@input_type
class MessagesFilter(ToMany):
    """Conditions on the messages behind a relation to many."""

    some: MessageFilter | None = optional("At least one of them meets this filter.")
    none: MessageFilter | None = optional("None of them meets this filter.")


@enum_type
class MessageOrderField(Enum):
    """The fields that messages can be ordered by."""

    SEQUENCE = enum_value("sequence", "Their places in their sessions.")
    CREATED_AT = enum_value("created_at", "When they were said.")


@input_type
class MessageOrder:
    """A field to order messages by, and the direction."""

    field: MessageOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class MessageValues:
    """What may be said of a message."""

    content: str | None = optional("What is said, as plain text.")
    parts: JSON | None = optional("The original structured content, where there is more than text.")
    media_url: str | None = optional("Where an attached file is; at most 2,048 characters.")
    media_type: str | None = optional("The media type of that file, such as `image/png`.")
    user_id: strawberry.ID | None = optional(
        "The id of the user who speaks; a new USER message takes the session's otherwise."
    )
    agent_id: strawberry.ID | None = optional(
        "The id of the agent that speaks; a new ASSISTANT message takes the session's otherwise."
    )
    model: str | None = optional("The model that wrote it.")
    token_count: int | None = optional("How many tokens it has.")
    prompt_tokens: int | None = optional(
        "How many tokens the model read to write it; they count towards the session's total. Leave this"
        " out where `recordUsage` reports them, or they count twice."
    )
    completion_tokens: int | None = optional(
        "How many tokens the model wrote for it; they count towards the session's total. Leave this"
        " out where `recordUsage` reports them, or they count twice."
    )
    latency_ms: int | None = optional("How long the model took to write it, in milliseconds.")
    feedback: str | None = optional("What the user thought of it, such as `positive` or `negative`.")
    flagged: bool | None = optional("Whether someone should look at it; on creation false by default.")
    raw_payload: JSON | None = optional("What came from the platform or the model, untouched.")
    metadata_: JSON | None = optional(
        "Anything else: a JSON object; on creation `{}` by default.", name="metadata"
    )


@input_type
class AppendMessageInput(MessageValues):
    """A message to append."""

    external_id: str | None = optional(
        "Its id in another system, unique among the project's messages; at most 255 characters."
    )
    role: MessageRole = required("Who speaks.")
    created_at: datetime | None = optional("When it was said; now by default.")
    tool_calls: list[Annotated["NewToolCallInput", strawberry.lazy("schema.inputs.tool_call")]] | None = (
        optional("The tool calls that an ASSISTANT message makes; at most 1,000.")
    )
    tool_call_id: str | None = optional(
        "The `callId` of the call that a TOOL message answers. The call is settled with the message's"
        " text as its result: as JSON where the text is a JSON object or array."
    )
    tool_error: str | None = optional("Why the call failed; it settles the call as FAILED.")


@input_type
class UpdateMessageInput(MessageValues):
    """The changes to a message. What is left out stays as it is; null clears what may be null."""

    external_id: str | None = optional(
        "Its id in another system, unique among the project's messages; at most 255 characters."
    )
