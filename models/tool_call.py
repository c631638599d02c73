"""The table of tool calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    MAX_DURATION_MS,
    VERBATIM,
    Base,
    Changing,
    in_range,
    one_of,
    order_index,
    owned_by,
    present_index,
    refers_to,
)
from models.enums import ToolCallStatus


class ToolCall(Changing, Base):
    """A call of a tool by a message. It is settled once: by the TOOL message that answers it, or directly.

    ``session_id`` repeats that of the message, so that a session's calls are found without its messages.
    """

    __tablename__ = "tool_calls"
    __table_args__ = (
        owned_by("message_id", "messages"),
        owned_by("session_id", "sessions"),
        refers_to("answer_id", "messages"),
        UniqueConstraint("project_id", "message_id", "position"),
        UniqueConstraint("project_id", "answer_id"),
        one_of("status", ToolCallStatus),
        in_range("position", 0),
        CheckConstraint(
            "CASE status WHEN 'PENDING' THEN error IS NULL AND result IS NULL AND answer_id IS NULL"
            " WHEN 'FAILED' THEN error IS NOT NULL ELSE error IS NULL END",
            name="settled",
        ),
        in_range("duration_ms", 0, MAX_DURATION_MS),
        # Covers statistics and rankings of some sessions.
        Index(
            None, "project_id", "session_id", "call_id", postgresql_include=["name", "status", "duration_ms"]
        ),
        Index(None, "project_id", "session_id", "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
        # Covers rankings over all sessions.
        Index(None, "project_id", "name", "id", postgresql_include=["session_id", "status", "duration_ms"]),
        present_index("call_id"),
        present_index("started_at"),
        Index(None, "project_id", "updated_at"),
        # Calls that succeed, as most do, are not in the index.
        Index(
            "tool_calls_status_idx",
            "project_id",
            "status",
            "created_at",
            "id",
            postgresql_where=text("status <> 'SUCCEEDED'"),
        ),
        order_index("tool_calls", "duration_ms"),
        # A call has an error if it is FAILED; the series of a session counts these.
        Index("tool_calls_error_idx", "project_id", "session_id", postgresql_where=text("error IS NOT NULL")),
    )

    message_id: Mapped[UUID]
    session_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(SmallInteger)
    call_id: Mapped[str | None] = mapped_column(String(255, "C"))
    name: Mapped[str] = mapped_column(String(255, "C"))
    arguments: Mapped[Any] = mapped_column(VERBATIM)
    result: Mapped[Any | None] = mapped_column(VERBATIM)
    error: Mapped[str | None]
    status: Mapped[str] = mapped_column(String(16), server_default=ToolCallStatus.PENDING)
    answer_id: Mapped[UUID | None]
    started_at: Mapped[datetime | None]
    duration_ms: Mapped[float | None] = mapped_column(Float)
