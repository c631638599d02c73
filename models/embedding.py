"""The tables of embeddings: the vectors of chunks, memories and messages, by the model that made them.

A vector is stored as the client sent it, in single precision, so these tables need no extension. Searches by
meaning need pgvector: the server creates an index for each size in use, in half precision.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads annotations at run time
from uuid import UUID

from sqlalchemy import ARRAY, REAL, CheckConstraint, Index, Integer, String, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ProjectId, in_range, owned_by

MAX_DIMENSIONS = 4_000
"""How many numbers a vector may have: as many as an index in half precision can hold."""


INDEX_SUFFIX = "_hnsw_idx"
"""How the names of the indexes end that the server creates, a size at a time."""


def index_name(table: str, dimensions: int) -> str:
    """Return the name of the index on the vectors of a size."""
    return f"{table}_{dimensions}{INDEX_SUFFIX}"


class Embedding:
    """A vector that a model made of a text. It goes with the text."""

    model: Mapped[str] = mapped_column(String(255, "C"), primary_key=True)
    dimensions: Mapped[int] = mapped_column(Integer)
    embedding: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def _checks() -> tuple[CheckConstraint, ...]:
    return (
        in_range("dimensions", 1, MAX_DIMENSIONS),
        CheckConstraint("cardinality(embedding) = dimensions", name="embedding"),
    )


def _by_size() -> Index:
    """Return the index by which the server finds the sizes in use."""
    return Index(None, "dimensions")


def _by_model(table: str) -> Index:
    """Return the index by which searches find the models and sizes of a project."""
    return Index(f"{table}_model_idx", "project_id", "model", "dimensions")


class KnowledgeEmbedding(Embedding, Base):
    """The vector of a chunk.

    ``knowledge_base_id`` and ``version_id`` repeat those of the chunk, which never change, so that searches
    and counts find the vectors of a base without its chunks.
    """

    __tablename__ = "knowledge_embeddings"
    __table_args__ = (
        owned_by("chunk_id", "knowledge_chunks"),
        *_checks(),
        Index(
            "knowledge_embeddings_base_idx",
            "project_id",
            "knowledge_base_id",
            "version_id",
            "model",
            "dimensions",
        ),
        _by_size(),
    )

    project_id: Mapped[ProjectId]
    chunk_id: Mapped[UUID] = mapped_column(primary_key=True)
    knowledge_base_id: Mapped[UUID]
    version_id: Mapped[UUID]


class MemoryEmbedding(Embedding, Base):
    """The vector of a memory."""

    __tablename__ = "memory_embeddings"
    __table_args__ = (
        owned_by("memory_id", "memories"),
        *_checks(),
        _by_size(),
        _by_model("memory_embeddings"),
    )

    project_id: Mapped[ProjectId]
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)


class MessageEmbedding(Embedding, Base):
    """The vector of a message. ``session_id`` repeats that of the message, which decides who sees it."""

    __tablename__ = "message_embeddings"
    __table_args__ = (
        owned_by("message_id", "messages"),
        *_checks(),
        _by_size(),
        _by_model("message_embeddings"),
    )

    project_id: Mapped[ProjectId]
    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID]
