"""The table of users."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, belongs_to_project, json_index, order_index


class User(Changing, Base):
    """A person whom agents serve."""

    __tablename__ = "users"
    __table_args__ = (
        belongs_to_project(),
        UniqueConstraint("project_id", "external_id"),
        Index(
            "users_project_id_email_key", "project_id", text('lower(email COLLATE "default")'), unique=True
        ),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        order_index("users", "name"),
        order_index("users", "email"),
        json_index("users", "user_data"),
    )

    external_id: Mapped[str | None] = mapped_column(String(255, "C"))
    email: Mapped[str | None] = mapped_column(String(320, "C"))
    phone_number: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str | None] = mapped_column(String(255, "C"))
    user_data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
