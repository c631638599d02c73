"""A document of a knowledge base."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Ordering, column, page, relation
from models import KnowledgeBase as KnowledgeBaseRow
from models import KnowledgeChunk as KnowledgeChunkRow
from models import KnowledgeDocument as KnowledgeDocumentRow
from schema.declarations import object_type
from schema.enums import KnowledgeDocumentStatus
from schema.inputs.knowledge_chunk import KnowledgeChunkFilter, KnowledgeChunkOrder
from schema.scalars import JSON, BigInt
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.knowledge_base import KnowledgeBase
    from schema.types.knowledge_chunk import KnowledgeChunk


@object_type(model=KnowledgeDocumentRow)
class KnowledgeDocument(Node):
    """A document of a knowledge base, such as a file or a page."""

    knowledge_base: Annotated["KnowledgeBase", strawberry.lazy("schema.types.knowledge_base")] = relation(
        KnowledgeBaseRow, "The knowledge base of the document.", local="knowledge_base_id"
    )
    version: str = column("The version of the knowledge base that the document belongs to.")
    external_id: str | None = column(
        "The id of the document in another system, such as the path of a file, unique in its version of the"
        " knowledge base."
    )
    name: str = column("The name of the document, such as its title or file name.")
    type: str | None = column("The kind of document, such as `text/markdown`.")
    size: BigInt | None = column("The size of the document, in bytes.")
    hash: str | None = column("A hash of the contents, by which a sync finds out whether they have changed.")
    status: KnowledgeDocumentStatus = column("Whether the document is complete.")
    status_message: str | None = column("Why the document has its status, such as the reason of a failure.")
    metadata_: JSON = column("Any other data: a JSON object.", name="metadata")
    chunk_count: int = column("The number of chunks of the document. Maintained automatically.")
    access_count: int = column("The number of recorded accesses to the document. Maintained automatically.")
    last_accessed_at: datetime | None = column(
        "When an access to the document was last recorded; null if never. Maintained automatically."
    )
    updated_at: datetime = column(
        "When the document or its chunks last changed; accesses do not count as changes."
    )
    chunks: Connection[Annotated["KnowledgeChunk", strawberry.lazy("schema.types.knowledge_chunk")]] = page(
        KnowledgeChunkRow,
        "The chunks of the document, in order.",
        filter_=KnowledgeChunkFilter,
        order=KnowledgeChunkOrder,
        remote="document_id",
        default=(Ordering("position"),),
    )
