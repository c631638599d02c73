"""What clients say of messages."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from agentdata.engine.sql.links import Via
from models import Agent, Memory, MemorySource, Session, ToolCall, User
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


@strawberry.input(description="Selects messages. All conditions that are given must hold.")
class MessageFilter:
    """Selects messages. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    session_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their sessions.")
    user_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the users who speak."
    )
    agent_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the agents that speak."
    )
    external_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By their ids in another system."
    )
    role: MessageRoleFilter | None = strawberry.field(default=UNSET, description="By who speaks.")
    sequence: IntFilter | None = strawberry.field(
        default=UNSET, description="By their places in their sessions, from 1."
    )
    model: StringFilter | None = strawberry.field(default=UNSET, description="By the models that made them.")
    media_type: StringFilter | None = strawberry.field(
        default=UNSET, description="By the media types of their files."
    )
    feedback: StringFilter | None = strawberry.field(
        default=UNSET, description="By what the user thought of them."
    )
    flagged: BooleanFilter | None = strawberry.field(
        default=UNSET, description="By whether someone should look at them."
    )
    token_count: IntFilter | None = strawberry.field(
        default=UNSET, description="By how many tokens they have."
    )
    latency_ms: IntFilter | None = strawberry.field(
        default=UNSET, description="By how long models took to write them, in milliseconds."
    )
    redacted_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were redacted."
    )
    created_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when they were said.")
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    metadata_: JSONFilter | None = strawberry.field(
        default=UNSET, name="metadata", description="By their `metadata`."
    )
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
    and_: list[MessageFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[MessageFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: MessageFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the messages behind a relation to many.")
class MessagesFilter(ToMany):
    """Conditions on the messages behind a relation to many."""

    some: MessageFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: MessageFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that messages can be ordered by.")
class MessageOrderField(Enum):
    """The fields that messages can be ordered by."""

    SEQUENCE = strawberry.enum_value("sequence", description="Their places in their sessions.")
    CREATED_AT = strawberry.enum_value("created_at", description="When they were said.")


@strawberry.input(description="A field to order messages by, and the direction.")
class MessageOrder:
    """A field to order messages by, and the direction."""

    field: MessageOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="What may be said of a message.")
class MessageValues:
    """What may be said of a message."""

    content: str | None = strawberry.field(default=UNSET, description="What is said, as plain text.")
    parts: JSON | None = strawberry.field(
        default=UNSET, description="The original structured content, where there is more than text."
    )
    media_url: str | None = strawberry.field(
        default=UNSET, description="Where an attached file is; at most 2,048 characters."
    )
    media_type: str | None = strawberry.field(
        default=UNSET, description="The media type of that file, such as `image/png`."
    )
    user_id: strawberry.ID | None = strawberry.field(
        default=UNSET,
        description="The id of the user who speaks; a new USER message takes the session's otherwise.",
    )
    agent_id: strawberry.ID | None = strawberry.field(
        default=UNSET,
        description="The id of the agent that speaks; a new ASSISTANT message takes the session's otherwise.",
    )
    model: str | None = strawberry.field(default=UNSET, description="The model that wrote it.")
    token_count: int | None = strawberry.field(default=UNSET, description="How many tokens it has.")
    prompt_tokens: int | None = strawberry.field(
        default=UNSET,
        description=(
            "How many tokens the model read to write it; they count towards the session's total. Leave this"
            " out where `recordUsage` reports them, or they count twice."
        ),
    )
    completion_tokens: int | None = strawberry.field(
        default=UNSET,
        description=(
            "How many tokens the model wrote for it; they count towards the session's total. Leave this"
            " out where `recordUsage` reports them, or they count twice."
        ),
    )
    latency_ms: int | None = strawberry.field(
        default=UNSET, description="How long the model took to write it, in milliseconds."
    )
    feedback: str | None = strawberry.field(
        default=UNSET, description="What the user thought of it, such as `positive` or `negative`."
    )
    flagged: bool | None = strawberry.field(
        default=UNSET, description="Whether someone should look at it; on creation false by default."
    )
    raw_payload: JSON | None = strawberry.field(
        default=UNSET, description="What came from the platform or the model, untouched."
    )
    metadata_: JSON | None = strawberry.field(
        default=UNSET,
        description="Anything else: a JSON object; on creation `{}` by default.",
        name="metadata",
    )


@strawberry.input(description="A message to append.")
class AppendMessageInput(MessageValues):
    """A message to append."""

    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's messages; at most 255 characters.",
    )
    role: MessageRole = strawberry.field(description="Who speaks.")
    created_at: datetime | None = strawberry.field(
        default=UNSET, description="When it was said; now by default."
    )
    tool_calls: list[Annotated["NewToolCallInput", strawberry.lazy("schema.inputs.tool_call")]] | None = (
        strawberry.field(
            default=UNSET, description="The tool calls that an ASSISTANT message makes; at most 1,000."
        )
    )
    tool_call_id: str | None = strawberry.field(
        default=UNSET,
        description=(
            "The `callId` of the call that a TOOL message answers. The call is settled with the message's"
            " text as its result: as JSON where the text is a JSON object or array."
        ),
    )
    tool_error: str | None = strawberry.field(
        default=UNSET, description="Why the call failed; it settles the call as FAILED."
    )


@strawberry.input(
    description="The changes to a message. What is left out stays as it is; null clears what may be null."
)
class UpdateMessageInput(MessageValues):
    """The changes to a message. What is left out stays as it is; null clears what may be null."""

    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's messages; at most 255 characters.",
    )
