"""The table of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import VERBATIM, Base, Changing, in_range, one_of, order_index, owned_by
from models.enums import JobBackoff
from models.job import MAX_ATTEMPTS, MAX_BACKOFF_MS


class Schedule(Changing, Base):
    """A rule by which jobs are enqueued at the times of a cron expression.

    ``next_run_at`` is the first tick that no job stands for yet; null if the schedule is not active, or if
    its expression has no further tick.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        owned_by("queue_id", "queues"),
        UniqueConstraint("project_id", "name"),
        one_of("backoff", JobBackoff),
        in_range("max_attempts", 1, MAX_ATTEMPTS),
        in_range("backoff_ms", 0, MAX_BACKOFF_MS),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "queue_id", "next_run_at"),
        order_index("schedules", "next_run_at"),
    )

    queue_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(255, "C"))
    cron: Mapped[str] = mapped_column(String(255, "C"))
    time_zone: Mapped[str] = mapped_column(String(255, "C"), server_default="UTC")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    job_name: Mapped[str | None] = mapped_column(String(255, "C"))
    data: Mapped[dict[str, Any]] = mapped_column(VERBATIM, info={"json": "{}"})
    priority: Mapped[int] = mapped_column(Integer, server_default="0")
    max_attempts: Mapped[int] = mapped_column(Integer, server_default="5")
    backoff: Mapped[str] = mapped_column(String(16), server_default=JobBackoff.EXPONENTIAL)
    backoff_ms: Mapped[int] = mapped_column(Integer, server_default="1000")
    next_run_at: Mapped[datetime | None]
    last_run_at: Mapped[datetime | None]
