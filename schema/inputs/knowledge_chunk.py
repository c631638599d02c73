"""Inputs of chunks of documents."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from agentdata.vectors import Vector
from models import KnowledgeBase, KnowledgeDocument, KnowledgeEmbedding
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.embedding import KnowledgeEmbeddingsFilter
from schema.inputs.filters import DateTimeFilter, IDFilter, IntFilter, JSONFilter, ListFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.knowledge_base import KnowledgeBaseFilter
    from schema.inputs.knowledge_document import KnowledgeDocumentFilter


@input_type
class KnowledgeChunkFilter:
    """Selects chunks of documents. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the chunk.")
    knowledge_base_id: IDFilter | None = optional("The id of the knowledge base of the chunk.")
    version: StringFilter | None = optional("The version of the knowledge base that the chunk belongs to.")
    document_id: IDFilter | None = optional("The id of the document of the chunk.")
    position: IntFilter | None = optional("The position in the document, from 1.")
    tags: ListFilter | None = optional("The tags of the chunk.")
    embeddings: KnowledgeEmbeddingsFilter | None = filter_on(
        KnowledgeEmbedding, "Conditions on the vectors of the chunk.", remote="chunk_id"
    )
    created_at: DateTimeFilter | None = optional("When the chunk was recorded.")
    metadata_: JSONFilter | None = optional("Any other data.", name="metadata")
    knowledge_base: (
        Annotated["KnowledgeBaseFilter", strawberry.lazy("schema.inputs.knowledge_base")] | None
    ) = filter_on(KnowledgeBase, "Conditions on the knowledge base of the chunk.", local="knowledge_base_id")
    document: (
        Annotated["KnowledgeDocumentFilter", strawberry.lazy("schema.inputs.knowledge_document")] | None
    ) = filter_on(KnowledgeDocument, "Conditions on the document of the chunk.", local="document_id")
    and_: list[KnowledgeChunkFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[KnowledgeChunkFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: KnowledgeChunkFilter | None = optional("This filter must not hold.", name="not")


@input_type
class KnowledgeChunksFilter(ToMany):
    """Conditions on related chunks."""

    some: KnowledgeChunkFilter | None = optional("At least one related object meets this filter.")
    none: KnowledgeChunkFilter | None = optional("No related object meets this filter.")


@enum_type
class KnowledgeChunkOrderField(Enum):
    """The fields that chunks can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the chunk was recorded.")
    POSITION = enum_value("position", "The position in the document, from 1.")


@input_type
class KnowledgeChunkOrder:
    """A field to order chunks by, and the direction."""

    field: KnowledgeChunkOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class KnowledgeChunkInput:
    """A chunk to write."""

    content: str = required("The text of the chunk.")
    tags: list[str] | None = optional(
        "The tags of the chunk, each of at most 255 characters; duplicates are dropped; none by default."
    )
    metadata_: JSON | None = optional(
        "Any other data, such as the heading above the passage: a JSON object; `{}` by default.",
        name="metadata",
    )
    embedding: Vector | None = optional(
        "The vector of the text; without one, searches by meaning do not find the chunk."
    )
