"""One message of a session."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Cost, Gives, Ordering, Via, batch, column, page, relation
from models import Agent as AgentRow
from models import Memory as MemoryRow
from models import MemorySource
from models import Message as MessageRow
from models import Session as SessionRow
from models import ToolCall as ToolCallRow
from models import User as UserRow
from resolvers import embeddings
from schema.declarations import object_type
from schema.enums import MessageRole
from schema.inputs.memory import MemoryFilter, MemoryOrder
from schema.inputs.tool_call import ToolCallFilter, ToolCallOrder
from schema.scalars import JSON
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.memory import Memory
    from schema.types.session import Session
    from schema.types.tool_call import ToolCall
    from schema.types.user import User


_NUMBERS = Cost(parent_points=0.5)
"""A vector of 1,536 numbers is read and written in some 50 µs."""


@object_type(model=MessageRow)
class Message(Node):
    """One message of a session."""

    created_at: datetime = column(
        "When the message was said: the time that its writer gave or, without one, when it was recorded."
    )
    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session of the message.", local="session_id"
    )
    external_id: str | None = column(
        "The id of the message in another system, unique among the project's messages."
    )
    sequence: int = column(
        "The position in the session: 1, 2, 3 and so on. The position of a deleted message stays empty."
    )
    role: MessageRole = column("The role of the speaker.")
    content: str | None = column("What is said, as plain text.")
    parts: JSON | None = column("The original structured content, if the message has more than text.")
    media_url: str | None = column("The address of an attached file.")
    media_type: str | None = column("The media type of the attached file, such as `image/png`.")
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user who speaks.", local="user_id"
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow, "The agent that speaks.", local="agent_id"
    )
    model: str | None = column("The model that wrote the message.")
    token_count: int | None = column("The number of tokens in the message.")
    prompt_tokens: int | None = column("The number of tokens that the model read to write the message.")
    completion_tokens: int | None = column("The number of tokens that the model wrote for the message.")
    latency_ms: int | None = column("How long the model took to write the message, in milliseconds.")
    feedback: str | None = column("The user's feedback on the message, such as `positive` or `negative`.")
    flagged: bool = column("Whether the message is flagged for review.")
    raw_payload: JSON | None = column("The unmodified payload of the platform or model.")
    metadata_: JSON = column("Any other data: a JSON object.", name="metadata")
    redacted_at: datetime | None = column("When `redactMessage` removed the contents; null if it did not.")
    updated_at: datetime = column("When the message last changed.")
    embedding: list[float] | None = batch(
        embeddings.of_messages,
        "A vector of the message, of the model that is given or else the latest; null if there is none.",
        Gives.VALUE,
        arguments=[embeddings.MODEL],
        bind=embeddings.bind_model,
        cost=_NUMBERS,
    )
    embedded_at: datetime | None = batch(
        embeddings.times_of_messages,
        "When the vector was written that `embedding` gives; null if there is none.",
        Gives.VALUE,
        arguments=[embeddings.MODEL],
        bind=embeddings.bind_model,
    )
    embedding_model: str | None = batch(
        embeddings.models_of_messages,
        "The model of the vector that came last; null if there is none.",
        Gives.VALUE,
    )
    tool_calls: Connection[Annotated["ToolCall", strawberry.lazy("schema.types.tool_call")]] = page(
        ToolCallRow,
        "The tool calls that the message makes, in order.",
        filter_=ToolCallFilter,
        order=ToolCallOrder,
        remote="message_id",
        default=(Ordering("position"),),
    )
    tool_call: Annotated["ToolCall", strawberry.lazy("schema.types.tool_call")] | None = relation(
        ToolCallRow,
        "The tool call that the message answers; null unless it is a TOOL message that answers one.",
        remote="answer_id",
    )
    memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories that were made from the message, newest first.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        via=Via(MemorySource, "message_id", "memory_id"),
    )
