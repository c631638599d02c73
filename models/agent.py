"""The table of agents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Computed, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, belongs_to_project, in_range, order_index, refers_to


class Agent(Changing, Base):
    """An AI agent and its configuration.

    The operations that start, end and delete sessions maintain ``total_sessions`` and the two counts behind
    ``success_rate``, in the same transaction.
    """

    __tablename__ = "agents"
    __table_args__ = (
        belongs_to_project(),
        refers_to("owner_id", "users"),
        UniqueConstraint("project_id", "external_id"),
        UniqueConstraint("project_id", "name"),
        in_range("temperature", 0, 100),
        in_range("max_tokens", 1),
        in_range("total_sessions", 0),
        in_range("completed_sessions", 0),
        in_range("failed_sessions", 0),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(None, "project_id", "total_sessions", "id"),
        order_index("agents", "success_rate"),
        Index(None, "project_id", "owner_id", "created_at", "id"),
    )

    name: Mapped[str] = mapped_column(String(255, "C"))
    external_id: Mapped[str | None] = mapped_column(String(255, "C"))
    type: Mapped[str | None] = mapped_column(String(255, "C"))
    description: Mapped[str | None]
    provider: Mapped[str | None] = mapped_column(String(255, "C"))
    model: Mapped[str | None] = mapped_column(String(255, "C"))
    temperature: Mapped[float | None]
    max_tokens: Mapped[int | None]
    system_prompt: Mapped[str | None]
    config: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    tools: Mapped[list[Any]] = mapped_column(server_default="[]")
    active: Mapped[bool] = mapped_column(server_default="true")
    run_id: Mapped[int | None]
    owner_id: Mapped[UUID | None]
    specializations: Mapped[list[str]] = mapped_column(server_default="{}")
    learning_mode: Mapped[str | None] = mapped_column(String(255, "C"))
    training_status: Mapped[str | None] = mapped_column(String(255, "C"))
    total_sessions: Mapped[int] = mapped_column(Integer, server_default="0")
    completed_sessions: Mapped[int] = mapped_column(Integer, server_default="0")
    failed_sessions: Mapped[int] = mapped_column(Integer, server_default="0")
    success_rate: Mapped[float | None] = mapped_column(
        Computed(
            "completed_sessions::double precision / nullif(completed_sessions + failed_sessions, 0)",
            persisted=True,
        ),
    )
