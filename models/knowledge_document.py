"""The table of knowledge documents."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    Base,
    Changing,
    in_range,
    json_index,
    one_of,
    order_index,
    owned_by,
    present_index,
)
from models.enums import KnowledgeDocumentStatus

MAX_CHUNKS = 100_000
"""How many chunks a document may have: they are replaced in one transaction."""


class KnowledgeDocument(Changing, Base):
    """A document of a version of a knowledge base, such as a file.

    ``knowledge_base_id`` and ``version`` repeat those of its version, which never change. The operations of
    chunks maintain ``chunk_count``, and those of accesses ``access_count`` and ``last_accessed_at``, in the
    same transaction; an access does not change ``updated_at``.
    """

    __tablename__ = "knowledge_documents"
    __table_args__ = (
        owned_by("knowledge_base_id", "knowledge_bases"),
        owned_by("version_id", "knowledge_versions"),
        UniqueConstraint(
            "project_id",
            "knowledge_base_id",
            "version",
            "external_id",
            name="knowledge_documents_external_id_key",
        ),
        one_of("status", KnowledgeDocumentStatus),
        in_range("size", 0),
        in_range("chunk_count", 0, MAX_CHUNKS),
        in_range("access_count", 0),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(
            "knowledge_documents_base_created_at_idx", "project_id", "knowledge_base_id", "created_at", "id"
        ),
        Index(None, "project_id", "version_id", "created_at", "id"),
        Index(None, "project_id", "version"),
        present_index("external_id"),
        Index(None, "project_id", "name", "id"),
        present_index("type"),
        present_index("hash"),
        order_index("knowledge_documents", "size"),
        Index(None, "project_id", "status", "created_at", "id"),
        Index(None, "project_id", "access_count", "id"),
        order_index("knowledge_documents", "last_accessed_at"),
        # The most used documents of a base, those that nobody uses, and the sums over its documents.
        Index(
            "knowledge_documents_base_access_count_idx",
            "project_id",
            "knowledge_base_id",
            "access_count",
            "id",
        ),
        Index(
            "knowledge_documents_base_last_accessed_at_idx",
            "project_id",
            "knowledge_base_id",
            text("last_accessed_at NULLS FIRST"),
            "id",
        ),
        json_index("knowledge_documents", "metadata"),
    )

    knowledge_base_id: Mapped[UUID]
    version_id: Mapped[UUID]
    version: Mapped[str] = mapped_column(String(255, "C"))
    external_id: Mapped[str | None] = mapped_column(String(255, "C"))
    name: Mapped[str] = mapped_column(String(255, "C"))
    type: Mapped[str | None] = mapped_column(String(255, "C"))
    size: Mapped[int | None] = mapped_column(BigInteger)
    hash: Mapped[str | None] = mapped_column(String(255, "C"))
    status: Mapped[str] = mapped_column(String(16), server_default=KnowledgeDocumentStatus.PENDING)
    status_message: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    chunk_count: Mapped[int] = mapped_column(Integer, server_default="0")
    access_count: Mapped[int] = mapped_column(Integer, server_default="0")
    last_accessed_at: Mapped[datetime | None]
