"""The table of session events."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Float, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import MAX_DURATION_MS, Base, Owned, in_range, json_index, order_index, owned_by


class SessionEvent(Owned, Base):
    """One event. Sequences are assigned under the session's lock: 1, 2, 3 …, without gaps or duplicates."""

    __tablename__ = "session_events"
    __table_args__ = (
        owned_by("session_id", "sessions"),
        UniqueConstraint("project_id", "session_id", "sequence"),
        in_range("sequence", 1),
        in_range("duration_ms", 0, MAX_DURATION_MS),
        Index(None, "project_id", "timestamp", "id"),
        Index(None, "project_id", "session_id", "timestamp", "id"),
        Index(None, "project_id", "event_type", "timestamp", "id"),
        # Few events are errors; the series of a session counts these.
        Index(
            "session_events_error_idx",
            "project_id",
            "session_id",
            postgresql_where=text("event_type = 'error'"),
        ),
        order_index("session_events", "duration_ms"),
        json_index("session_events", "event_data"),
    )

    session_id: Mapped[UUID]
    sequence: Mapped[int] = mapped_column(Integer)
    event_type: Mapped[str] = mapped_column(String(255, "C"))
    event_data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    timestamp: Mapped[datetime]
    duration_ms: Mapped[float | None] = mapped_column(Float)
