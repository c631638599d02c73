"""The tables of memories, their links, sources and revisions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    Base,
    Changing,
    Owned,
    ProjectId,
    belongs_to_project,
    in_range,
    json_index,
    one_of,
    order_index,
    owned_by,
    present_index,
    refers_to,
    search_index,
)
from models.enums import VerificationStatus

_USEFULNESS = (
    "CASE WHEN rated_count = 0 THEN NULL"
    " WHEN usefulness_total / round(rated_count::numeric, 30) < 2.5e-324 THEN 0.0::float8"
    " ELSE (usefulness_total / round(rated_count::numeric, 30))::float8 END"
)
"""The mean of the accesses' usefulness, rounded once to a double, as by ``resolvers.sums.mean``."""


class Memory(Changing, Base):
    """A memory; it may be about a user, belong to an agent, and come from a session.

    The operations of accesses maintain ``access_count``, ``last_accessed_at`` and the usefulness, in the same
    transaction; an access does not change ``updated_at``. A replaced content is kept as a revision.
    """

    __tablename__ = "memories"
    __table_args__ = (
        belongs_to_project(),
        refers_to("user_id", "users"),
        refers_to("agent_id", "agents"),
        refers_to("session_id", "sessions"),
        UniqueConstraint("project_id", "external_id"),
        one_of("verification_status", VerificationStatus),
        in_range("importance", 0),
        in_range("confidence", 0, 1),
        in_range("access_count", 0),
        in_range("rated_count", 0),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(None, "project_id", "importance", "id"),
        Index(None, "project_id", "access_count", "id"),
        Index(None, "project_id", "rated_count", "id"),
        order_index("memories", "name"),
        order_index("memories", "confidence"),
        order_index("memories", "expires_at"),
        order_index("memories", "last_accessed_at"),
        order_index("memories", "usefulness"),
        # Agents recall the newest or most important memories of themselves and of their users.
        Index(None, "project_id", "user_id", "created_at", "id"),
        Index(None, "project_id", "user_id", "importance", "id"),
        Index(None, "project_id", "agent_id", "created_at", "id"),
        Index(None, "project_id", "agent_id", "importance", "id"),
        Index(None, "project_id", "session_id", "created_at", "id"),
        Index(None, "project_id", "memory_type"),
        Index(None, "project_id", "source_type"),
        Index(None, "project_id", "verification_status"),
        present_index("read_mode"),
        Index("memories_topics_idx", "topics", postgresql_using="gin"),
        json_index("memories", "data"),
        json_index("memories", "metadata"),
        search_index("memories", "name", "description", "content"),
    )

    external_id: Mapped[str | None] = mapped_column(String(255, "C"))
    name: Mapped[str | None] = mapped_column(String(255, "C"))
    description: Mapped[str | None]
    content: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    memory_type: Mapped[str | None] = mapped_column(String(255, "C"))
    user_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    importance: Mapped[float] = mapped_column(server_default="1")
    confidence: Mapped[float | None]
    source_type: Mapped[str | None] = mapped_column(String(255, "C"))
    verification_status: Mapped[str] = mapped_column(String(16), server_default=VerificationStatus.UNVERIFIED)
    topics: Mapped[list[str]] = mapped_column(server_default="{}")
    read_mode: Mapped[str | None] = mapped_column(String(255, "C"))
    expires_at: Mapped[datetime | None]
    last_accessed_at: Mapped[datetime | None]
    access_count: Mapped[int] = mapped_column(Integer, server_default="0")
    rated_count: Mapped[int] = mapped_column(Integer, server_default="0")
    usefulness_total: Mapped[Decimal] = mapped_column(Numeric, server_default="0")
    usefulness: Mapped[float | None] = mapped_column(Computed(_USEFULNESS, persisted=True))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")


class MemoryLink(Base):
    """One direction of a link between two memories. Both directions exist, or neither."""

    __tablename__ = "memory_links"
    __table_args__ = (
        owned_by("memory_id", "memories"),
        owned_by("related_id", "memories"),
        ForeignKeyConstraint(
            ["project_id", "related_id", "memory_id"],
            ["memory_links.project_id", "memory_links.memory_id", "memory_links.related_id"],
            name="memory_links_both_ways_fkey",
            ondelete="CASCADE",
        ),
        CheckConstraint("memory_id <> related_id", name="related_id"),
        # Finds the referring rows when a row is deleted.
        Index(None, "project_id", "related_id", "memory_id"),
    )

    project_id: Mapped[ProjectId]
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    related_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MemorySource(Base):
    """A message that is a source of a memory."""

    __tablename__ = "memory_sources"
    __table_args__ = (
        owned_by("memory_id", "memories"),
        owned_by("message_id", "messages"),
        Index(None, "project_id", "message_id", "memory_id"),
    )

    project_id: Mapped[ProjectId]
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MemoryRevision(Owned, Base):
    """A content that a memory had until ``created_at``, when it was replaced.

    Sequences are assigned under the memory's lock: 1, 2, 3 …, without gaps or duplicates.
    """

    __tablename__ = "memory_revisions"
    __table_args__ = (
        owned_by("memory_id", "memories"),
        refers_to("annotation_id", "memory_annotations"),
        UniqueConstraint("project_id", "memory_id", "sequence"),
        # An annotation is applied at most once.
        UniqueConstraint("project_id", "annotation_id"),
        in_range("sequence", 1),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "memory_id", "created_at", "id"),
    )

    memory_id: Mapped[UUID]
    sequence: Mapped[int] = mapped_column(Integer)
    content: Mapped[str]
    annotation_id: Mapped[UUID | None]
