"""The table of module states."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Owned, belongs_to_project, in_range, json_index, owned_by, present_index


class ModuleState(Owned, Base):
    """One state of a module, within a session or outside of sessions. Rows are added, and never change.

    The states of a module in a session form a chain: versions are 1, 2, 3 and so on, without gaps or
    duplicates, and each row except the first refers to its predecessor. ``previous_state_id`` is unique, so a
    chain never forks. A chain is deleted as a whole, with its session.
    """

    __tablename__ = "module_states"
    __table_args__ = (
        belongs_to_project(),
        owned_by("session_id", "sessions"),
        ForeignKeyConstraint(
            ["project_id", "previous_state_id"], ["module_states.project_id", "module_states.id"]
        ),
        # States outside of sessions have the session null; their versions must be unique too.
        UniqueConstraint(
            "project_id", "session_id", "module_id", "version", postgresql_nulls_not_distinct=True
        ),
        UniqueConstraint("project_id", "previous_state_id"),
        in_range("version", 1),
        CheckConstraint("(version = 1) = (previous_state_id IS NULL)", name="previous_state_id"),
        CheckConstraint("jsonb_typeof(state) = 'object'", name="state"),
        CheckConstraint("is_snapshot OR snapshot_reason IS NULL", name="snapshot_reason"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "session_id", "created_at", "id"),
        Index(None, "project_id", "module_id", "created_at", "id"),
        present_index("state_type", "created_at", "id"),
        Index(None, "project_id", "state_hash"),
        present_index("expires_at"),
        Index(
            "module_states_is_snapshot_idx",
            "project_id",
            "created_at",
            "id",
            postgresql_where=text("is_snapshot"),
        ),
        json_index("module_states", "state"),
    )

    module_id: Mapped[str] = mapped_column(String(255, "C"))
    session_id: Mapped[UUID | None]
    version: Mapped[int]
    state_type: Mapped[str | None] = mapped_column(String(255, "C"))
    state: Mapped[Any] = mapped_column(JSONB, info={"json": "{}"})
    state_hash: Mapped[str] = mapped_column(String(64, "C"))
    previous_state_id: Mapped[UUID | None]
    is_snapshot: Mapped[bool] = mapped_column(server_default="false")
    snapshot_reason: Mapped[str | None]
    expires_at: Mapped[datetime | None]
