"""The table of memory annotations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, one_of, order_index, owned_by, present_index, refers_to
from models.enums import VerificationStatus


class MemoryAnnotation(Changing, Base):
    """A note on a memory. It may be applied to the memory, once."""

    __tablename__ = "memory_annotations"
    __table_args__ = (
        owned_by("memory_id", "memories"),
        refers_to("created_by_user_id", "users"),
        refers_to("created_by_agent_id", "agents"),
        CheckConstraint("num_nonnulls(created_by_user_id, created_by_agent_id) <= 1", name="created_by"),
        one_of("verification_status", VerificationStatus),
        CheckConstraint(
            "(annotation_type = 'verification') = (verification_status IS NOT NULL)", name="verification"
        ),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(None, "project_id", "memory_id", "created_at", "id"),
        Index(None, "project_id", "annotation_type"),
        Index(None, "project_id", "is_applied"),
        order_index("memory_annotations", "applied_at"),
        present_index("verification_status"),
        # Find the referring rows when a user or agent is deleted.
        present_index("created_by_user_id"),
        present_index("created_by_agent_id"),
    )

    memory_id: Mapped[UUID]
    annotation_type: Mapped[str] = mapped_column(String(255, "C"))
    content: Mapped[str]
    verification_status: Mapped[str | None] = mapped_column(String(16))
    created_by_user_id: Mapped[UUID | None]
    created_by_agent_id: Mapped[UUID | None]
    is_applied: Mapped[bool] = mapped_column(Computed("applied_at IS NOT NULL", persisted=True))
    applied_at: Mapped[datetime | None]
