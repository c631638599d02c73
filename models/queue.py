"""The table of queues."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Computed, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, belongs_to_project


class Queue(Changing, Base):
    """A queue of jobs. The first job or schedule that names a queue creates it."""

    __tablename__ = "queues"
    __table_args__ = (
        belongs_to_project(),
        UniqueConstraint("project_id", "name"),
        Index(None, "project_id", "created_at", "id"),
        # Workers look for the queues of a name in all projects.
        Index("queues_name_idx", "name", "project_id"),
    )

    name: Mapped[str] = mapped_column(String(255, "C"))
    is_paused: Mapped[bool] = mapped_column(Computed("paused_at IS NOT NULL", persisted=True))
    paused_at: Mapped[datetime | None]
