"""How sessions go."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from models.base import Base, owned_by, within
from models.metric import MAX_VALUE, Metric


class SessionMetric(Metric, Base):
    """A measurement of a session."""

    __tablename__ = "session_metrics"
    __table_args__ = (
        owned_by("session_id", "sessions"),
        within("metric_value", -MAX_VALUE, MAX_VALUE),
        Index(None, "project_id", "timestamp", "id"),
        Index(None, "project_id", "metric_value", "id"),
        # All that a series of the project reads.
        Index(None, "project_id", "metric_type", "timestamp", "id", postgresql_include=["metric_value"]),
        Index(None, "project_id", "session_id", "timestamp", "id"),
        # All that a series of one reads.
        Index(
            None, "project_id", "session_id", "metric_type", "timestamp", postgresql_include=["metric_value"]
        ),
    )

    session_id: Mapped[UUID]
