"""What is said in a session."""

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
    json_index,
    one_of,
    owned_by,
    present_index,
    refers_to,
    search_index,
    within,
)
from models.enums import MessageRole


class Message(Changing, Base):
    """One message. Its sequence is given under the session's lock: 1, 2, 3 …, without gaps or ties."""

    __tablename__ = "messages"
    __table_args__ = (
        owned_by("session_id", "sessions"),
        refers_to("user_id", "users"),
        refers_to("agent_id", "agents"),
        UniqueConstraint("project_id", "external_id"),
        UniqueConstraint("project_id", "session_id", "sequence"),
        one_of("role", MessageRole),
        within("sequence", 1),
        within("token_count", 0),
        within("prompt_tokens", 0),
        within("completion_tokens", 0),
        within("latency_ms", 0),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at"),
        Index(None, "project_id", "session_id", "created_at", "id"),
        # Appending is what is done most: what most messages do not have costs them nothing.
        present_index("user_id", "created_at", "id"),
        present_index("agent_id", "created_at", "id"),
        # Rankings read it instead of the rows; it has all messages that tell what a model was used for.
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
        # All that series read: without it they go to every message, wherever it lies.
        Index(
            "messages_measured_idx",
            "project_id",
            "created_at",
            postgresql_include=["session_id", "model", "latency_ms", "prompt_tokens", "completion_tokens"],
            postgresql_where=text(
                "latency_ms IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL"
            ),
        ),
        # What users thought may be longer than an index can hold; few messages have any of it.
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
    external_id: Mapped[str | None] = mapped_column(String(255))
    sequence: Mapped[int] = mapped_column(Integer)
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str | None]
    parts: Mapped[Any | None] = mapped_column(VERBATIM)
    media_url: Mapped[str | None] = mapped_column(String(2048))
    media_type: Mapped[str | None] = mapped_column(String(255))
    user_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]
    model: Mapped[str | None] = mapped_column(String(255))
    token_count: Mapped[int | None]
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    latency_ms: Mapped[int | None]
    feedback: Mapped[str | None]
    flagged: Mapped[bool] = mapped_column(server_default="false")
    raw_payload: Mapped[Any | None] = mapped_column(VERBATIM)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    redacted_at: Mapped[datetime | None]
