"""Knowledge bases and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Cost, Gives, Ordering, Via, batch, column, page, relation
from models import Agent as AgentRow
from models import AgentKnowledgeBase
from models import KnowledgeBase as KnowledgeBaseRow
from models import KnowledgeChunk as KnowledgeChunkRow
from models import KnowledgeDocument as KnowledgeDocumentRow
from models import KnowledgeSync as KnowledgeSyncRow
from models import KnowledgeVersion as KnowledgeVersionRow
from resolvers import embeddings, knowledge_bases
from schema.declarations import object_type
from schema.inputs.agent import AgentFilter, AgentOrder
from schema.inputs.knowledge_base import KnowledgeVersionFilter, KnowledgeVersionOrder
from schema.inputs.knowledge_chunk import KnowledgeChunkFilter, KnowledgeChunkOrder
from schema.inputs.knowledge_document import KnowledgeDocumentFilter, KnowledgeDocumentOrder
from schema.inputs.knowledge_sync import KnowledgeSyncFilter, KnowledgeSyncOrder
from schema.scalars import JSON, BigInt
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.knowledge_chunk import KnowledgeChunk
    from schema.types.knowledge_document import KnowledgeDocument
    from schema.types.knowledge_sync import KnowledgeSync


_COUNTED = Cost(parent_points=20)
"""An index is scanned for 100,000 chunks in some 10 ms; most bases have fewer."""


@object_type(model=KnowledgeBaseRow)
class KnowledgeBase(Node):
    """A named collection of documents that agents look things up in."""

    name: str = column("The name of the knowledge base, unique among the project's knowledge bases.")
    external_id: str | None = column(
        "The id of the knowledge base in another system, unique among the project's knowledge bases."
    )
    description: str | None = column("What the knowledge base is about, in words.")
    source: JSON = column(
        "Where the documents come from, such as an address, and how they are split: a JSON object."
    )
    refresh_schedule: str | None = column(
        "When the knowledge base is to be synced, as a cron expression; null if at no fixed times. If the"
        " `source` has a `path`, a worker syncs the base with it at these times; else nobody does but you."
    )
    embedding_model: str | None = column(
        "The model whose vectors searches compare; null if the base has no vectors."
    )
    dimensions: int | None = column(
        "How many numbers the vectors of `embeddingModel` have; null before the first."
    )
    next_embedding_model: str | None = column(
        "The model whose vectors are being filled in, to replace those of `embeddingModel`; null if none is."
    )
    next_dimensions: int | None = column("How many numbers the vectors of `nextEmbeddingModel` have.")
    metadata_: JSON = column("Any other data: a JSON object.", name="metadata")
    updated_at: datetime = column(
        "When the knowledge base itself last changed; documents and syncs do not count as changes."
    )
    document_count: int = batch(
        knowledge_bases.document_counts, "The number of documents of all versions.", Gives.VALUE
    )
    chunk_count: int = batch(
        knowledge_bases.chunk_counts, "The number of chunks of all versions.", Gives.VALUE
    )
    access_count: BigInt = batch(
        knowledge_bases.access_counts,
        "The number of recorded accesses to the documents of all versions.",
        Gives.VALUE,
    )
    last_accessed_at: datetime | None = batch(
        knowledge_bases.last_accessed_at,
        "When an access to a document of the knowledge base was last recorded; null if never.",
        Gives.VALUE,
    )
    embedded_count: int = batch(
        embeddings.counts_of_bases,
        "The number of chunks that have a vector of `embeddingModel`. It is counted anew each time.",
        Gives.VALUE,
        cost=_COUNTED,
        next_=False,
    )
    next_embedded_count: int = batch(
        embeddings.counts_of_bases,
        "The number of chunks that have a vector of `nextEmbeddingModel`. It is counted anew each time.",
        Gives.VALUE,
        cost=_COUNTED,
        next_=True,
    )
    last_sync: Annotated["KnowledgeSync", strawberry.lazy("schema.types.knowledge_sync")] | None = batch(
        knowledge_bases.last_syncs,
        "The sync that started last, in any status; null if there is none.",
        Gives.ROW,
        model=KnowledgeSyncRow,
    )
    last_commit_sha: str | None = batch(
        knowledge_bases.last_commit_shas,
        "The `commitSha` of the latest sync that SUCCEEDED; null if there is none, or if it has none.",
        Gives.VALUE,
    )
    last_synced_at: datetime | None = batch(
        knowledge_bases.last_synced_at,
        "When the latest sync that SUCCEEDED finished; null if there is none.",
        Gives.VALUE,
    )
    versions: Connection[Annotated["KnowledgeVersion", strawberry.lazy("schema.types.knowledge_base")]] = (
        page(
            KnowledgeVersionRow,
            "The versions of the knowledge base, newest first.",
            filter_=KnowledgeVersionFilter,
            order=KnowledgeVersionOrder,
            remote="knowledge_base_id",
        )
    )
    documents: Connection[
        Annotated["KnowledgeDocument", strawberry.lazy("schema.types.knowledge_document")]
    ] = page(
        KnowledgeDocumentRow,
        "The documents of all versions, newest first.",
        filter_=KnowledgeDocumentFilter,
        order=KnowledgeDocumentOrder,
        remote="knowledge_base_id",
    )
    chunks: Connection[Annotated["KnowledgeChunk", strawberry.lazy("schema.types.knowledge_chunk")]] = page(
        KnowledgeChunkRow,
        "The chunks of all versions, newest first.",
        filter_=KnowledgeChunkFilter,
        order=KnowledgeChunkOrder,
        remote="knowledge_base_id",
    )
    syncs: Connection[Annotated["KnowledgeSync", strawberry.lazy("schema.types.knowledge_sync")]] = page(
        KnowledgeSyncRow,
        "The syncs of the knowledge base, latest first.",
        filter_=KnowledgeSyncFilter,
        order=KnowledgeSyncOrder,
        remote="knowledge_base_id",
        default=(Ordering("started_at", descending=True),),
    )
    agents: Connection[Annotated["Agent", strawberry.lazy("schema.types.agent")]] = page(
        AgentRow,
        "The agents that use the knowledge base, ordered by name.",
        filter_=AgentFilter,
        order=AgentOrder,
        via=Via(AgentKnowledgeBase, "knowledge_base_id", "agent_id"),
        default=(Ordering("name"),),
    )


@object_type(model=KnowledgeVersionRow)
class KnowledgeVersion(Node):
    """A version of a knowledge base: a set of documents that stands beside those of other versions."""

    knowledge_base: Annotated["KnowledgeBase", strawberry.lazy("schema.types.knowledge_base")] = relation(
        KnowledgeBaseRow, "The knowledge base of the version.", local="knowledge_base_id"
    )
    version: str = column("The name of the version, unique among those of the knowledge base.")
    document_count: int = column("The number of documents of the version. Maintained automatically.")
    chunk_count: int = column("The number of chunks of the version. Maintained automatically.")
    embedded_count: int = batch(
        embeddings.counts_of_versions,
        "The number of chunks that have a vector of the base's `embeddingModel`. It is counted anew each"
        " time.",
        Gives.VALUE,
        cost=_COUNTED,
        next_=False,
    )
    next_embedded_count: int = batch(
        embeddings.counts_of_versions,
        "The number of chunks that have a vector of the base's `nextEmbeddingModel`. It is counted anew each"
        " time.",
        Gives.VALUE,
        cost=_COUNTED,
        next_=True,
    )
    documents: Connection[
        Annotated["KnowledgeDocument", strawberry.lazy("schema.types.knowledge_document")]
    ] = page(
        KnowledgeDocumentRow,
        "The documents of the version, newest first.",
        filter_=KnowledgeDocumentFilter,
        order=KnowledgeDocumentOrder,
        remote="version_id",
    )
