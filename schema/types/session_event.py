"""Something that happened in a session."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Session as SessionRow
from models import SessionEvent as SessionEventRow
from resolvers.fields import column, relation
from schema.declarations import object_type
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.session import Session


@object_type(model=SessionEventRow)
class SessionEvent(Node):
    """Something that happened in a session. It never changes."""

    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session that it happened in.", by="session_id"
    )
    sequence: int = column(
        "Its place among the session's events: 1, 2, 3 and so on. A deleted event leaves its place empty."
    )
    event_type: str = column(
        "What happened: `user_input`, `agent_response`, `error`, `checkpoint` or another."
    )
    event_data: JSON = column("What there is to say of it: a JSON object.")
    timestamp: datetime = column("When it happened.")
    duration_ms: float | None = column("How long it took, in milliseconds; null if that is unknown.")
