"""An event in a session."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Session as SessionRow
from models import SessionEvent as SessionEventRow
from schema.declarations import object_type
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.session import Session


@object_type(model=SessionEventRow)
class SessionEvent(Node):
    """An event in a session. It never changes."""

    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session of the event.", local="session_id"
    )
    sequence: int = column(
        "The position among the session's events: 1, 2, 3 and so on. The position of a deleted event stays"
        " empty."
    )
    event_type: str = column(
        "The kind of event: `user_input`, `agent_response`, `error`, `checkpoint` or another value."
    )
    event_data: JSON = column("The details of the event: a JSON object.")
    timestamp: datetime = column("When the event happened.")
    duration_ms: float | None = column("How long the event took, in milliseconds; null if unknown.")
