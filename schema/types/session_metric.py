"""A measurement of a session at one time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Session as SessionRow
from models import SessionMetric as SessionMetricRow
from schema.declarations import object_type
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.session import Session


@object_type(model=SessionMetricRow)
class SessionMetric(Node):
    """A measurement of a session at one time. It never changes."""

    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session that was measured.", local="session_id"
    )
    metric_type: str = column(
        "The kind of metric: `response_time`, `token_usage`, `user_engagement` or another value."
    )
    metric_value: float = column("The measured value, in the unit of its kind.")
    timestamp: datetime = column("When the session was measured.")
    metadata_: JSON = column("Any other data: a JSON object.", name="metadata")
