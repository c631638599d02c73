"""One message of a session."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.execution.links import Via
from models import Agent as AgentRow
from models import Memory as MemoryRow
from models import MemorySource
from models import Message as MessageRow
from models import Session as SessionRow
from models import ToolCall as ToolCallRow
from models import User as UserRow
from resolvers.fields import column, page, relation
from resolvers.paging import Ordering
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


@object_type(model=MessageRow)
class Message(Node):
    """One message of a session."""

    created_at: datetime = column("When it was said, as its writer gave it, or else when it was recorded.")
    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session that it belongs to.", by="session_id"
    )
    external_id: str | None = column("Its id in another system, unique among the project's messages.")
    sequence: int = column(
        "Its place in the session: 1, 2, 3 and so on. A deleted message leaves its place empty."
    )
    role: MessageRole = column("Who speaks.")
    content: str | None = column("What is said, as plain text.")
    parts: JSON | None = column("The original structured content, where there is more than text.")
    media_url: str | None = column("Where an attached file is.")
    media_type: str | None = column("The media type of that file, such as `image/png`.")
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user who speaks.", by="user_id"
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow, "The agent that speaks.", by="agent_id"
    )
    model: str | None = column("The model that wrote it.")
    token_count: int | None = column("How many tokens it has.")
    prompt_tokens: int | None = column("How many tokens the model read to write it.")
    completion_tokens: int | None = column("How many tokens the model wrote for it.")
    latency_ms: int | None = column("How long the model took to write it, in milliseconds.")
    feedback: str | None = column("What the user thought of it, such as `positive` or `negative`.")
    flagged: bool = column("Whether someone should look at it.")
    raw_payload: JSON | None = column("What came from the platform or the model, untouched.")
    metadata_: JSON = column("Anything else: a JSON object.", name="metadata")
    redacted_at: datetime | None = column(
        "When its contents were removed by `redactMessage`; null if they were not."
    )
    updated_at: datetime = column("When it last changed.")
    tool_calls: Connection[Annotated["ToolCall", strawberry.lazy("schema.types.tool_call")]] = page(
        ToolCallRow,
        "The tool calls that it makes, in order.",
        filter_=ToolCallFilter,
        order=ToolCallOrder,
        by="message_id",
        default=(Ordering("position"),),
    )
    tool_call: Annotated["ToolCall", strawberry.lazy("schema.types.tool_call")] | None = relation(
        ToolCallRow, "The tool call that it answers, if it is a TOOL message that does.", remote="answer_id"
    )
    memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories that were made from it, the newest first.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        via=Via(MemorySource, "message_id", "memory_id"),
    )
