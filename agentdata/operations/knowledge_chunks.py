"""Write operations of chunks, which replace or extend those of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentdata.checks import check, check_count, check_tags
from agentdata.errors import BadUserInputError, LimitExceededError
from agentdata.operations import embedding_jobs, knowledge_bases, knowledge_embeddings
from agentdata.operations.embeddings import CHUNKS, EMBEDDING, store
from models import KnowledgeChunk, KnowledgeDocument
from models.enums import KnowledgeDocumentStatus
from models.knowledge_document import MAX_CHUNKS

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_PUT = 1_000
"""How many chunks one write may put."""

_CLEAR = """
WITH cleared AS (
  DELETE FROM knowledge_chunks WHERE project_id = $1 AND document_id = $2 RETURNING 1
)
SELECT count(*) AS cleared FROM cleared"""

_LAST = """
SELECT coalesce(max(position), 0) AS last FROM knowledge_chunks WHERE project_id = $1 AND document_id = $2"""


async def put(
    write: UnitOfWork,
    document_id: UUID,
    chunks: list[dict[str, Any]],
    *,
    replace: bool = True,
    status: str | None = KnowledgeDocumentStatus.READY,
    embedding_model: str | None = None,
) -> KnowledgeDocument:
    """Replace the chunks of a document, or add chunks after those that it has; set the document's status.

    The vectors of the chunks are those of a model of the base, by default of the one that searches compare.

    Raises:
        BadUserInputError: A vector is not one of the base's.
        LimitExceededError: The document would have too many chunks.

    """
    if replace and len(chunks) > MAX_PUT:
        raise BadUserInputError(
            f"chunks has {len(chunks)} items; it may have at most {MAX_PUT}. Send the others with another"
            " putKnowledgeChunks and replace: false",
            field="chunks",
        )
    if not replace:
        check_count("chunks", chunks, MAX_PUT)
    rows = [_normalize(values, f"chunks.{place}.") for place, values in enumerate(chunks)]
    # The document's lock serializes the writers of its chunks, so that positions are right.
    document = await write.get(KnowledgeDocument, document_id, field="documentId", lock=True)
    cleared = last = 0
    if replace:
        [record] = await write.fetch(_CLEAR, write.project_id, document_id)
        cleared = record["cleared"]
    else:
        [record] = await write.fetch(_LAST, write.project_id, document_id)
        last = record["last"]
    if last + len(rows) > MAX_CHUNKS:
        raise LimitExceededError(
            f"the document would have {last + len(rows):,} chunks; it may have at most {MAX_CHUNKS:,}:"
            " split it into several documents",
            field="chunks",
        )
    own = {
        "document_id": document_id,
        "knowledge_base_id": document.knowledge_base_id,
        "version_id": document.version_id,
        "version": document.version,
    }
    made = await write.insert(
        KnowledgeChunk,
        [
            {name: value for name, value in row.items() if name != EMBEDDING} | own | {"position": place}
            for place, row in enumerate(rows, start=last + 1)
        ],
    )
    await _embed(write, document, made, rows, embedding_model)
    if any(row.get(EMBEDDING) is None for row in rows):
        await embedding_jobs.wake(write)
    more = len(rows) - cleared
    changes: dict[str, Any] = {"chunk_count": len(rows) if replace else document.chunk_count + len(rows)}
    if status is not None:
        changes |= {"status": status, "status_message": None}
    document = await write.update(document, changes)
    await knowledge_bases.count(write, {document.version_id: (0, more)})
    return document


async def _embed(
    write: UnitOfWork,
    document: KnowledgeDocument,
    made: list[KnowledgeChunk],
    rows: list[dict[str, Any]],
    model: str | None,
) -> None:
    """Store the vectors of new chunks, if they have any."""
    places = [place for place, row in enumerate(rows) if row.get(EMBEDDING) is not None]
    if not places:
        return
    vectors = [rows[place][EMBEDDING] for place in places]
    paths = [f"chunks.{place}.embedding" for place in places]
    base_id = document.knowledge_base_id
    used = await knowledge_embeddings.hold(write, base_id, model, vectors, paths, "embeddingModel")
    ids = [made[place].id for place in places]
    await store(write, CHUNKS, used, zip(ids, vectors, strict=True), field=paths[0])


def _normalize(values: dict[str, Any], path: str) -> dict[str, Any]:
    """Check a chunk's values, and return them without repeated tags."""
    check(KnowledgeChunk, values, path)
    if values.get("tags") is None:
        return values
    return values | {"tags": check_tags(f"{path}tags", values["tags"])}
