"""A call of a tool by a message."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Message as MessageRow
from models import Session as SessionRow
from models import ToolCall as ToolCallRow
from schema.declarations import object_type
from schema.enums import ToolCallStatus
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.message import Message
    from schema.types.session import Session


@object_type(model=ToolCallRow)
class ToolCall(Node):
    """A call of a tool by a message. The TOOL message that answers the call settles it."""

    message: Annotated["Message", strawberry.lazy("schema.types.message")] = relation(
        MessageRow, "The ASSISTANT message that makes the call.", local="message_id"
    )
    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session of the call.", local="session_id"
    )
    position: int = column("The position among the calls of the message, from 0.")
    call_id: str | None = column(
        "The id that the model gave the call, which the answer names. It may occur again in the same session."
    )
    name: str = column("The name of the tool.")
    arguments: JSON = column("The arguments for the tool: any JSON value, usually an object.")
    result: JSON | None = column("What the tool returned; null while the call is pending and if it failed.")
    error: str | None = column("Why the call failed; null if it did not.")
    status: ToolCallStatus = column("Whether the call is pending, and how it was settled if not.")
    answer: Annotated["Message", strawberry.lazy("schema.types.message")] | None = relation(
        MessageRow, "The TOOL message that answers the call; null if there is none.", local="answer_id"
    )
    started_at: datetime | None = column("When the tool started.")
    duration_ms: float | None = column("How long the tool took, in milliseconds.")
    updated_at: datetime = column("When the tool call last changed.")
