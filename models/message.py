"""The table of messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    VERBATIM,
    Base,
    Changing,
    in_range,
    json_index,
    one_of,
    owned_by,
    present_index,
    refers_to,
    search_index,
)
from models.enums import MessageRole

USED = ["model", "prompt_tokens", "completion_tokens", "latency_ms"]
"""The columns that statistics and rankings aggregate; an index covers them."""


class Message(Changing, Base):
    """One message. Sequences are assigned under the session's lock: 1, 2, 3 …, without gaps or duplicates."""

    __tablename__ = "messages"
    __table_args__ = (
        owned_by("session_id", "sessions"),
        refers_to("user_id", "users"),
        refers_to("agent_id", "agents"),
        # Covers statistics and rankings, which would otherwise read every message from the table.
        UniqueConstraint("project_id", "session_id", "sequence", postgresql_include=USED),
        one_of("role", MessageRole),
        in_range("sequence", 1),
        in_range("token_count", 0),
        in_range("prompt_tokens", 0),
        in_range("completion_tokens", 0),
        in_range("latency_ms", 0),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at"),
        Index(None, "project_id", "session_id", "created_at", "id"),
        # Appending is the most frequent write, so messages without these values do not pay for the indexes.
        Index(
            "messages_project_id_external_id_key",
            "project_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        present_index("user_id", "created_at", "id"),
        present_index("agent_id", "created_at", "id"),
        # Covers rankings; contains all messages that record the use of a model.
        Index(
            "messages_model_idx",
            "project_id",
            "model",
            postgresql_include=["session_id", "prompt_tokens", "completion_tokens"],
            postgresql_where=text(
                "model IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL"
            ),
        ),
        present_index("media_type"),
        present_index("latency_ms"),
        present_index("redacted_at"),
        # Covers series, which would otherwise read every message from the table.
        Index(
            "messages_measured_idx",
            "project_id",
            "created_at",
            postgresql_include=["session_id", "model", "latency_ms", "prompt_tokens", "completion_tokens"],
            postgresql_where=text(
                "latency_ms IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL"
            ),
        ),
        # Feedback may be too long for an index entry, so it is not a column; few messages have any.
        Index(
            "messages_feedback_idx",
            "project_id",
            "created_at",
            "id",
            postgresql_where=text("feedback IS NOT NULL"),
        ),
        Index("messages_flagged_idx", "project_id", "created_at", "id", postgresql_where=text("flagged")),
        json_index("messages", "metadata"),
        search_index("messages", "content"),
    )

    session_id: Mapped[UUID]
    external_id: Mapped[str | None] = mapped_column(String(255, "C"))
    sequence: Mapped[int] = mapped_column(Integer)
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str | None]
    parts: Mapped[Any | None] = mapped_column(VERBATIM)
    media_url: Mapped[str | None] = mapped_column(String(2048))
    media_type: Mapped[str | None] = mapped_column(String(255, "C"))
    user_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]
    model: Mapped[str | None] = mapped_column(String(255, "C"))
    token_count: Mapped[int | None]
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    latency_ms: Mapped[int | None]
    feedback: Mapped[str | None]
    flagged: Mapped[bool] = mapped_column(server_default="false")
    raw_payload: Mapped[Any | None] = mapped_column(VERBATIM)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    redacted_at: Mapped[datetime | None]
