"""Inputs of vectors: those of chunks, memories and messages, and a filter on those of chunks."""

from __future__ import annotations

import strawberry

from agentdata.engine.fields import ToMany
from agentdata.vectors import Vector
from schema.declarations import input_type, optional, required
from schema.inputs.filters import StringFilter

_EMBEDDING = "The vector that the model made of the text."


@input_type
class KnowledgeEmbeddingFilter:
    """Selects vectors of chunks. All given conditions must hold."""

    model: StringFilter | None = optional("The model that made the vector.")
    and_: list[KnowledgeEmbeddingFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[KnowledgeEmbeddingFilter] | None = optional(
        "At least one of these filters must hold.", name="or"
    )
    not_: KnowledgeEmbeddingFilter | None = optional("This filter must not hold.", name="not")


@input_type
class KnowledgeEmbeddingsFilter(ToMany):
    """Conditions on the vectors of a chunk, such as that it has none of a model."""

    some: KnowledgeEmbeddingFilter | None = optional("At least one related object meets this filter.")
    none: KnowledgeEmbeddingFilter | None = optional("No related object meets this filter.")


@input_type
class KnowledgeEmbeddingInput:
    """The vector of a chunk."""

    chunk_id: strawberry.ID = required("The id of the chunk.")
    embedding: Vector = required(_EMBEDDING)


@input_type
class MemoryEmbeddingInput:
    """The vector of a memory."""

    memory_id: strawberry.ID = required("The id of the memory.")
    embedding: Vector = required(_EMBEDDING)


@input_type
class MessageEmbeddingInput:
    """The vector of a message."""

    message_id: strawberry.ID = required("The id of the message.")
    embedding: Vector = required(_EMBEDDING)
