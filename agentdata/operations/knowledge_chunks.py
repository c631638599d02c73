"""Write operations of chunks, which replace or extend those of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentdata.checks import check, check_count, check_tags
from agentdata.errors import BadUserInputError, LimitExceededError
from agentdata.operations import knowledge_bases
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
) -> KnowledgeDocument:
    """Replace the chunks of a document, or add chunks after those that it has; set the document's status.

    Raises:
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
    await write.insert(
        KnowledgeChunk, [row | own | {"position": place} for place, row in enumerate(rows, start=last + 1)]
    )
    more = len(rows) - cleared
    changes: dict[str, Any] = {"chunk_count": len(rows) if replace else document.chunk_count + len(rows)}
    if status is not None:
        changes |= {"status": status, "status_message": None}
    document = await write.update(document, changes)
    await knowledge_bases.count(write, {document.version_id: (0, more)})
    return document


def _normalize(values: dict[str, Any], path: str) -> dict[str, Any]:
    """Check a chunk's values, and return them without repeated tags."""
    check(KnowledgeChunk, values, path)
    if values.get("tags") is None:
        return values
    return values | {"tags": check_tags(f"{path}tags", values["tags"])}
