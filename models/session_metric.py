"""The table of session metrics."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from models.base import Base, in_range, owned_by
from models.metric import MAX_VALUE, Metric


class SessionMetric(Metric, Base):
    """A measurement of a session."""

    __tablename__ = "session_metrics"
    __table_args__ = (
        owned_by("session_id", "sessions"),
        in_range("metric_value", -MAX_VALUE, MAX_VALUE),
        Index(None, "project_id", "timestamp", "id"),
        Index(None, "project_id", "metric_value", "id"),
        # Covers series over the project.
        Index(None, "project_id", "metric_type", "timestamp", "id", postgresql_include=["metric_value"]),
        Index(None, "project_id", "session_id", "timestamp", "id"),
        # Covers series over one session.
        Index(
            None, "project_id", "session_id", "metric_type", "timestamp", postgresql_include=["metric_value"]
        ),
    )

    session_id: Mapped[UUID]
