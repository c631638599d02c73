"""The table of sandboxes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, json_index, one_of, owned_by, present_index, refers_to
from models.enums import SandboxStatus


class Sandbox(Changing, Base):
    """The sandbox of a session; a session has at most one."""

    __tablename__ = "sandboxes"
    __table_args__ = (
        owned_by("session_id", "sessions"),
        refers_to("user_id", "users"),
        UniqueConstraint("project_id", "session_id"),
        one_of("status", SandboxStatus),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(None, "project_id", "status", "created_at", "id"),
        present_index("user_id", "created_at", "id"),
        present_index("kind"),
        present_index("external_server_id"),
        json_index("sandboxes", "selection"),
    )

    session_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    kind: Mapped[str | None] = mapped_column(String(255, "C"))
    external_server_id: Mapped[str | None] = mapped_column(String(255, "C"))
    status: Mapped[str] = mapped_column(String(16), server_default=SandboxStatus.STOPPED)
    selection: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
