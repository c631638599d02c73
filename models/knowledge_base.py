"""The tables of knowledge bases, their versions, and the agents that use them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    Base,
    Changing,
    Owned,
    ProjectId,
    belongs_to_project,
    in_range,
    json_index,
    owned_by,
    present_index,
)
from models.embedding import MAX_DIMENSIONS


class KnowledgeBase(Changing, Base):
    """A named collection of documents that agents look things up in.

    Searches compare the vectors of ``embedding_model``. While those of ``next_embedding_model`` are being
    written, both stand side by side.
    """

    __tablename__ = "knowledge_bases"
    __table_args__ = (
        belongs_to_project(),
        UniqueConstraint("project_id", "external_id"),
        UniqueConstraint("project_id", "name"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        in_range("dimensions", 1, MAX_DIMENSIONS),
        in_range("next_dimensions", 1, MAX_DIMENSIONS),
        CheckConstraint("dimensions IS NULL OR embedding_model IS NOT NULL", name="embedding_model"),
        CheckConstraint(
            "(next_embedding_model IS NULL) = (next_dimensions IS NULL)"
            " AND (next_embedding_model IS NULL OR next_embedding_model <> embedding_model)",
            name="next_embedding_model",
        ),
        present_index("refresh_schedule"),
        json_index("knowledge_bases", "source"),
        json_index("knowledge_bases", "metadata"),
    )

    name: Mapped[str] = mapped_column(String(255, "C"))
    external_id: Mapped[str | None] = mapped_column(String(255, "C"))
    description: Mapped[str | None]
    source: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    refresh_schedule: Mapped[str | None] = mapped_column(String(255, "C"))
    embedding_model: Mapped[str | None] = mapped_column(String(255, "C"))
    dimensions: Mapped[int | None] = mapped_column(Integer)
    next_embedding_model: Mapped[str | None] = mapped_column(String(255, "C"))
    next_dimensions: Mapped[int | None] = mapped_column(Integer)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")


class KnowledgeVersion(Owned, Base):
    """A version of a knowledge base: a set of documents that stands beside those of other versions.

    The operations that write documents and chunks create it, and maintain both counts in the same
    transaction.
    """

    __tablename__ = "knowledge_versions"
    __table_args__ = (
        owned_by("knowledge_base_id", "knowledge_bases"),
        UniqueConstraint("project_id", "knowledge_base_id", "version"),
        in_range("document_count", 0),
        in_range("chunk_count", 0),
        Index(None, "project_id", "created_at", "id"),
        Index(
            "knowledge_versions_base_created_at_idx", "project_id", "knowledge_base_id", "created_at", "id"
        ),
        Index(None, "project_id", "version", "id"),
        Index(None, "project_id", "document_count", "id"),
        Index(None, "project_id", "chunk_count", "id"),
    )

    knowledge_base_id: Mapped[UUID]
    version: Mapped[str] = mapped_column(String(255, "C"))
    document_count: Mapped[int] = mapped_column(Integer, server_default="0")
    chunk_count: Mapped[int] = mapped_column(Integer, server_default="0")


class AgentKnowledgeBase(Base):
    """A knowledge base that an agent uses."""

    __tablename__ = "agent_knowledge_bases"
    __table_args__ = (
        owned_by("agent_id", "agents"),
        owned_by("knowledge_base_id", "knowledge_bases"),
        Index(None, "project_id", "knowledge_base_id"),
    )

    project_id: Mapped[ProjectId]
    agent_id: Mapped[UUID] = mapped_column(primary_key=True)
    knowledge_base_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
