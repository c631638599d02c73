"""What agents do with tools."""

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
    one_of,
    order_index,
    owned_by,
    present_index,
    refers_to,
    within,
)
from models.enums import ToolCallStatus


class ToolCall(Changing, Base):
    """A call of a tool by a message. It is settled once: by the TOOL message that answers it, or by itself.

    ``session_id`` repeats the message's, so that a session's calls are found without its messages.
    """

    __tablename__ = "tool_calls"
    __table_args__ = (
        owned_by("message_id", "messages"),
        owned_by("session_id", "sessions"),
        refers_to("answer_id", "messages"),
        UniqueConstraint("project_id", "message_id", "position"),
        UniqueConstraint("project_id", "answer_id"),
        one_of("status", ToolCallStatus),
        within("position", 0),
        CheckConstraint(
            "CASE status WHEN 'PENDING' THEN error IS NULL AND result IS NULL AND answer_id IS NULL"
            " WHEN 'FAILED' THEN error IS NOT NULL ELSE error IS NULL END",
            name="settled",
        ),
        within("duration_ms", 0, MAX_DURATION_MS),
        Index(None, "project_id", "session_id", "call_id"),
        Index(None, "project_id", "session_id", "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
        # Rankings read it instead of the rows.
        Index(None, "project_id", "name", "id", postgresql_include=["session_id", "status", "duration_ms"]),
        present_index("call_id"),
        present_index("started_at"),
        Index(None, "project_id", "updated_at"),
        # Most calls succeed, and cost nothing here.
        Index(
            "tool_calls_status_idx",
            "project_id",
            "status",
            "created_at",
            "id",
            postgresql_where=text("status <> 'SUCCEEDED'"),
        ),
        order_index("tool_calls", "duration_ms"),
        # A call has an error where it is FAILED; trees count these.
        Index("tool_calls_error_idx", "project_id", "session_id", postgresql_where=text("error IS NOT NULL")),
    )

    message_id: Mapped[UUID]
    session_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(SmallInteger)
    call_id: Mapped[str | None] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    arguments: Mapped[Any] = mapped_column(VERBATIM)
    result: Mapped[Any | None] = mapped_column(VERBATIM)
    error: Mapped[str | None]
    status: Mapped[str] = mapped_column(String(16), server_default=ToolCallStatus.PENDING)
    answer_id: Mapped[UUID | None]
    started_at: Mapped[datetime | None]
    duration_ms: Mapped[float | None] = mapped_column(Float)
