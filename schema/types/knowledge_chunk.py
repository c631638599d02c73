"""A passage of a document of a knowledge base."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Cost, Gives, batch, column, relation
from models import KnowledgeBase as KnowledgeBaseRow
from models import KnowledgeChunk as KnowledgeChunkRow
from models import KnowledgeDocument as KnowledgeDocumentRow
from resolvers import embeddings
from schema.declarations import object_type
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.knowledge_base import KnowledgeBase
    from schema.types.knowledge_document import KnowledgeDocument


_NUMBERS = Cost(parent_points=0.5)
"""A vector of 1,536 numbers is read and written in some 50 µs."""


@object_type(model=KnowledgeChunkRow)
class KnowledgeChunk(Node):
    """A passage of a document, which searches find. Chunks do not change; they are replaced."""

    knowledge_base: Annotated["KnowledgeBase", strawberry.lazy("schema.types.knowledge_base")] = relation(
        KnowledgeBaseRow, "The knowledge base of the chunk.", local="knowledge_base_id"
    )
    version: str = column("The version of the knowledge base that the chunk belongs to.")
    document: Annotated["KnowledgeDocument", strawberry.lazy("schema.types.knowledge_document")] = relation(
        KnowledgeDocumentRow, "The document of the chunk.", local="document_id"
    )
    position: int = column("The position in the document: 1, 2, 3 and so on.")
    content: str = column("The text of the chunk.")
    metadata_: JSON = column(
        "Any other data, such as the heading above the passage: a JSON object.", name="metadata"
    )
    tags: list[str] = column("The tags of the chunk, in the order in which they were given.")
    embedding: list[float] | None = batch(
        embeddings.of_chunks,
        "The vector of the text by the `embeddingModel` of the base; null if it has none.",
        Gives.VALUE,
        cost=_NUMBERS,
    )
    embedded_at: datetime | None = batch(
        embeddings.times_of_chunks, "When the `embedding` was written; null if there is none.", Gives.VALUE
    )
