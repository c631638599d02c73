"""The table of memory accesses."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Owned, in_range, one_of, order_index, owned_by
from models.enums import AccessorType


class MemoryAccess(Owned, Base):
    """One access to a memory, which counts it. It never changes and is deleted with its memory."""

    __tablename__ = "memory_accesses"
    __table_args__ = (
        owned_by("memory_id", "memories"),
        one_of("accessor_type", AccessorType),
        in_range("usefulness", 0, 1),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "memory_id", "created_at", "id"),
        Index(None, "project_id", "accessed_by", "created_at", "id"),
        # Few distinct values, which PostgreSQL stores once for many rows.
        Index(None, "project_id", "access_type"),
        Index(None, "project_id", "accessor_type"),
        order_index("memory_accesses", "usefulness"),
    )

    memory_id: Mapped[UUID]
    access_type: Mapped[str] = mapped_column(String(255, "C"))
    accessed_by: Mapped[str] = mapped_column(String(255, "C"))
    accessor_type: Mapped[str] = mapped_column(String(16))
    context: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    usefulness: Mapped[float | None]
