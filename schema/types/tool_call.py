"""A call of a tool by a message. The TOOL message that answers it settles it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Message as MessageRow
from models import Session as SessionRow
from models import ToolCall as ToolCallRow
from resolvers.fields import column, relation
from schema.declarations import object_type
from schema.enums import ToolCallStatus
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.message import Message
    from schema.types.session import Session


@object_type(model=ToolCallRow)
class ToolCall(Node):
    """A call of a tool by a message. The TOOL message that answers it settles it."""

    message: Annotated["Message", strawberry.lazy("schema.types.message")] = relation(
        MessageRow, "The ASSISTANT message that makes it.", by="message_id"
    )
    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session that it belongs to.", by="session_id"
    )
    position: int = column("Its place among the calls of its message, from 0.")
    call_id: str | None = column(
        "The id that the model gave it and that its answer names. It may occur again in the same session."
    )
    name: str = column("The name of the tool.")
    arguments: JSON = column("The arguments for the tool: any JSON value, usually an object.")
    result: JSON | None = column("What the tool returned; null while the call is pending and if it failed.")
    error: str | None = column("Why it failed; null if it did not.")
    status: ToolCallStatus = column("Whether it is pending, and how it ended if not.")
    answer: Annotated["Message", strawberry.lazy("schema.types.message")] | None = relation(
        MessageRow, "The TOOL message that answers it; null if there is none.", by="answer_id"
    )
    started_at: datetime | None = column("When the tool began.")
    duration_ms: float | None = column("How long the tool took, in milliseconds.")
    updated_at: datetime = column("When it last changed.")
