"""The table of API keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, belongs_to_project
from models.enums import ApiKeyScope

_SCOPES = ",".join(f"'{scope}'" for scope in ApiKeyScope)


class ApiKey(Changing, Base):
    """A key to one project. The secret is shown once and stored only as a SHA-256 hash."""

    __tablename__ = "api_keys"
    __table_args__ = (
        belongs_to_project(),
        UniqueConstraint("project_id", "secret_hash"),
        CheckConstraint(f"scopes <@ ARRAY[{_SCOPES}] AND cardinality(scopes) > 0", name="scopes"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
        # Looked up before the project of a request is known.
        Index(None, "secret_hash"),
        Index(None, "project_id", "created_at", "id"),
    )

    name: Mapped[str] = mapped_column(String(255, "C"))
    prefix: Mapped[str] = mapped_column(String(16, "C"))
    secret_hash: Mapped[bytes]
    scopes: Mapped[list[str]]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
