"""The table of knowledge chunks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Owned, in_range, json_index, owned_by, search_index


class KnowledgeChunk(Owned, Base):
    """A passage of a document. Positions count from 1, and are assigned under the document's lock.

    ``knowledge_base_id``, ``version_id`` and ``version`` repeat those of the document, which never change, so
    that searches and deletions find the chunks of a base without its documents.
    """

    __tablename__ = "knowledge_chunks"
    __table_args__ = (
        owned_by("knowledge_base_id", "knowledge_bases"),
        owned_by("version_id", "knowledge_versions"),
        owned_by("document_id", "knowledge_documents"),
        UniqueConstraint("project_id", "document_id", "position"),
        in_range("position", 1),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "knowledge_base_id", "created_at", "id"),
        Index(None, "project_id", "version_id"),
        Index(None, "project_id", "version"),
        Index("knowledge_chunks_tags_idx", "tags", postgresql_using="gin"),
        json_index("knowledge_chunks", "metadata"),
        search_index("knowledge_chunks", "content"),
    )

    knowledge_base_id: Mapped[UUID]
    version_id: Mapped[UUID]
    version: Mapped[str] = mapped_column(String(255, "C"))
    document_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(Integer)
    content: Mapped[str]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    tags: Mapped[list[str]] = mapped_column(server_default="{}")
