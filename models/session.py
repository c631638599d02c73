"""The table of sessions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    MAX_COST_USD,
    Base,
    Changing,
    belongs_to_project,
    in_range,
    json_index,
    one_of,
    order_index,
    refers_to,
)
from models.enums import SessionStatus

MAX_DEPTH = 100
"""The maximum depth of a session in its tree, which bounds the length of ``ancestor_ids``."""

SUMMED = [
    "message_count",
    "interaction_count",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "error_count",
]
"""The counts and totals that a session keeps of its contents."""

RANKED = ["status", *SUMMED, "last_activity_at"]
"""The columns that rankings of users and agents aggregate; indexes cover them."""

COUNTED = ["status", "is_active", *SUMMED, "quality_score", "user_satisfaction"]
"""The columns that statistics add up; an index covers them."""


class Session(Changing, Base):
    """One conversation or run of an agent, in a tree of sessions.

    The parent is fixed when the session is created, so there are no cycles. ``root_id``, ``depth`` and
    ``ancestor_ids`` (the root first, the parent last) follow from it and never change. The operations that
    write messages, calls, events and usage maintain the counts and totals, in the same transaction.
    ``last_sequence`` and ``last_event_sequence`` are the sequences last assigned to a message and to an
    event; they stay when these are deleted.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        belongs_to_project(),
        refers_to("user_id", "users"),
        refers_to("agent_id", "agents"),
        refers_to("team_id", "teams"),
        ForeignKeyConstraint(
            ["project_id", "agent_id", "agent_version_id"],
            ["agent_versions.project_id", "agent_versions.agent_id", "agent_versions.id"],
            name="sessions_agent_version_id_fkey",
            ondelete="SET NULL (agent_version_id)",
        ),
        # A parent with children cannot be deleted. A tree can, in one statement: keys are checked at its end.
        ForeignKeyConstraint(["project_id", "parent_id"], ["sessions.project_id", "sessions.id"]),
        ForeignKeyConstraint(["project_id", "root_id"], ["sessions.project_id", "sessions.id"]),
        UniqueConstraint("project_id", "external_id"),
        one_of("status", SessionStatus),
        in_range("quality_score", 0, 1),
        in_range("user_satisfaction", 0, 1),
        CheckConstraint("ended_at >= started_at", name="ended_at"),
        CheckConstraint("(ended_at IS NULL) = (status IN ('ACTIVE', 'PAUSED'))", name="status_ended_at"),
        CheckConstraint(
            f"depth BETWEEN 0 AND {MAX_DEPTH} AND depth = cardinality(ancestor_ids)", name="depth"
        ),
        CheckConstraint(
            "CASE WHEN parent_id IS NULL THEN depth = 0 AND root_id = id"
            " ELSE parent_id = ancestor_ids[depth] AND root_id = ancestor_ids[1] AND parent_id <> id END",
            name="parent",
        ),
        CheckConstraint("agent_version_id IS NULL OR agent_id IS NOT NULL", name="agent_version"),
        in_range("message_count", 0),
        in_range("interaction_count", 0),
        in_range("error_count", 0),
        in_range("prompt_tokens", 0),
        in_range("completion_tokens", 0),
        in_range("cost_usd", 0, MAX_COST_USD),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(None, "project_id", "started_at", "id", postgresql_include=COUNTED),
        order_index("sessions", "ended_at"),
        Index(None, "project_id", "last_activity_at", "id"),
        order_index("sessions", "quality_score"),
        order_index("sessions", "user_satisfaction"),
        Index(None, "project_id", "message_count", "id"),
        Index(None, "project_id", "interaction_count", "id"),
        Index(None, "project_id", "error_count", "id"),
        Index(None, "project_id", "prompt_tokens", "id"),
        Index(None, "project_id", "completion_tokens", "id"),
        order_index("sessions", "cost_usd"),
        Index(None, "project_id", "status", "started_at", "id"),
        Index(None, "project_id", "user_id", "started_at", "id", postgresql_include=RANKED),
        Index(None, "project_id", "user_id", "last_activity_at", "id"),
        Index(None, "project_id", "agent_id", "started_at", "id", postgresql_include=RANKED),
        Index(None, "project_id", "agent_id", "last_activity_at", "id"),
        Index(None, "project_id", "agent_version_id", "started_at", "id"),
        Index(None, "project_id", "team_id", "started_at", "id"),
        Index(None, "project_id", "parent_id", "started_at", "id"),
        Index(None, "project_id", "root_id"),
        # Few distinct values, which PostgreSQL stores once for many rows. These indexes find rare values;
        # common ones are found soon enough in the order of the page.
        Index(None, "project_id", "is_active"),
        Index(None, "project_id", "platform"),
        Index(None, "project_id", "provider"),
        Index(None, "project_id", "source"),
        Index("sessions_ancestor_ids_idx", "ancestor_ids", postgresql_using="gin"),
        Index("sessions_tags_idx", "tags", postgresql_using="gin"),
        json_index("sessions", "metadata"),
        json_index("sessions", "state"),
        json_index("sessions", "context"),
    )

    external_id: Mapped[str | None] = mapped_column(String(255, "C"))
    title: Mapped[str | None] = mapped_column(String(1000, "C"))
    user_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]
    agent_version_id: Mapped[UUID | None]
    team_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(16), server_default=SessionStatus.ACTIVE)
    platform: Mapped[str | None] = mapped_column(String(255, "C"))
    provider: Mapped[str | None] = mapped_column(String(255, "C"))
    purpose: Mapped[str | None]
    business_context: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    tags: Mapped[list[str]] = mapped_column(server_default="{}")
    quality_score: Mapped[float | None]
    user_satisfaction: Mapped[float | None]
    learning_outcomes: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    source: Mapped[str | None] = mapped_column(String(255, "C"))
    context: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    state: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    # The class attribute `metadata` is SQLAlchemy's own; the column keeps the domain's name.
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    last_activity_at: Mapped[datetime]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(Computed("status IN ('ACTIVE', 'PAUSED')", persisted=True))
    interaction_count: Mapped[int] = mapped_column(Integer, server_default="0")
    message_count: Mapped[int] = mapped_column(Integer, server_default="0")
    error_count: Mapped[int] = mapped_column(Integer, server_default="0")
    last_sequence: Mapped[int] = mapped_column(Integer, server_default="0")
    last_event_sequence: Mapped[int] = mapped_column(Integer, server_default="0")
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    completion_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric)
    parent_id: Mapped[UUID | None]
    root_id: Mapped[UUID]
    depth: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    ancestor_ids: Mapped[list[UUID]] = mapped_column(server_default="{}")
