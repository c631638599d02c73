"""The table of agent versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, owned_by, refers_to


class AgentVersion(Changing, Base):
    """A version of an agent. At most one version of an agent is active."""

    __tablename__ = "agent_versions"
    __table_args__ = (
        owned_by("agent_id", "agents"),
        refers_to("created_by_user_id", "users"),
        refers_to("created_by_agent_id", "agents"),
        UniqueConstraint("project_id", "agent_id", "version_number"),
        # The target of a session's foreign key, so that its version belongs to its agent.
        UniqueConstraint("project_id", "agent_id", "id"),
        Index(
            "agent_versions_one_active_key",
            "project_id",
            "agent_id",
            unique=True,
            postgresql_where=text("is_active"),
        ),
        CheckConstraint("num_nonnulls(created_by_user_id, created_by_agent_id) <= 1", name="created_by"),
        Index(None, "project_id", "agent_id", "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(None, "project_id", "version_number", "id"),
    )

    agent_id: Mapped[UUID]
    version_number: Mapped[str] = mapped_column(String(64, "C"))
    changes: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    system_prompt: Mapped[str | None]
    config: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info={"json": "{}"})
    created_by_user_id: Mapped[UUID | None]
    created_by_agent_id: Mapped[UUID | None]
    is_active: Mapped[bool] = mapped_column(server_default="false")
    activated_at: Mapped[datetime | None]
    deactivated_at: Mapped[datetime | None]
    performance: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
