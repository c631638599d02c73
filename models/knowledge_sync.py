"""The table of knowledge syncs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, in_range, one_of, order_index, owned_by, present_index
from models.enums import KnowledgeSyncStatus


class KnowledgeSync(Changing, Base):
    """One run that brought a knowledge base up to date with its source, or tried to."""

    __tablename__ = "knowledge_syncs"
    __table_args__ = (
        owned_by("knowledge_base_id", "knowledge_bases"),
        # Without an action: a sync outlives its job, and the deletions of jobs clear this reference first.
        ForeignKeyConstraint(["project_id", "job_id"], ["jobs.project_id", "jobs.id"]),
        one_of("status", KnowledgeSyncStatus),
        in_range("added", 0),
        in_range("modified", 0),
        in_range("removed", 0),
        in_range("chunks_written", 0),
        CheckConstraint("finished_at >= started_at", name="finished_at"),
        CheckConstraint("(finished_at IS NULL) = (status = 'RUNNING')", name="status_finished_at"),
        CheckConstraint("error IS NULL OR status = 'FAILED'", name="error"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(None, "project_id", "started_at", "id"),
        order_index("knowledge_syncs", "finished_at"),
        Index(None, "project_id", "knowledge_base_id", "started_at", "id"),
        # Finds the latest sync of a base that succeeded.
        Index(
            "knowledge_syncs_succeeded_idx",
            "project_id",
            "knowledge_base_id",
            "finished_at",
            "id",
            postgresql_where=text("status = 'SUCCEEDED'"),
        ),
        Index(None, "project_id", "status", "started_at", "id"),
        present_index("kind"),
        present_index("commit_sha"),
        present_index("job_id"),
    )

    knowledge_base_id: Mapped[UUID]
    job_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(16), server_default=KnowledgeSyncStatus.RUNNING)
    kind: Mapped[str | None] = mapped_column(String(255, "C"))
    commit_sha: Mapped[str | None] = mapped_column(String(255, "C"))
    added: Mapped[int] = mapped_column(Integer, server_default="0")
    modified: Mapped[int] = mapped_column(Integer, server_default="0")
    removed: Mapped[int] = mapped_column(Integer, server_default="0")
    chunks_written: Mapped[int] = mapped_column(Integer, server_default="0")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None]
