"""Write operations of memories, with their revisions, links and sources."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete as delete_from
from sqlalchemy import func, select

from agentdata.checks import check, check_count, check_tags
from agentdata.errors import BadUserInputError, not_found
from agentdata.operations import deletion, embedding_jobs
from agentdata.operations.embeddings import EMBEDDING, MEMORIES, forget, split, store, store_new
from models import Memory, MemoryRevision, MemorySource, Message

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_MEMORIES = 1_000
"""How many memories one write may create, link or unlink."""

MAX_SOURCES = 1_000
"""How many source messages a memory may have."""

_SOURCES = "source_message_ids"
_TEXTS = ("name", "description", "content")
"""The texts that searches read, of which vectors are made."""

_KEEP_MESSAGES = """
SELECT id FROM messages WHERE project_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR KEY SHARE"""

_ADD_SOURCES = """
INSERT INTO memory_sources (project_id, memory_id, message_id)
SELECT $1, source.* FROM unnest($2::uuid[], $3::uuid[]) AS source"""

_LINK = """
INSERT INTO memory_links (project_id, memory_id, related_id)
SELECT $1, pair.* FROM unnest($3::uuid[]) AS other, LATERAL (VALUES ($2::uuid, other), (other, $2)) AS pair
ORDER BY 2, 3 ON CONFLICT DO NOTHING"""
"""Inserts both directions at once, as a constraint requires, and in the order that all writers use."""

_UNLINK = """
WITH held AS MATERIALIZED (
  SELECT memory_id, related_id FROM memory_links
  WHERE project_id = $1 AND ((memory_id = $2 AND related_id = ANY($3::uuid[]))
    OR (related_id = $2 AND memory_id = ANY($3::uuid[])))
  ORDER BY memory_id, related_id FOR UPDATE
)
DELETE FROM memory_links USING held
WHERE project_id = $1 AND memory_links.memory_id = held.memory_id
  AND memory_links.related_id = held.related_id"""
"""Locks links in the order of their keys, as all statements do that delete links."""

_HOLD_LINKS = """
SELECT FROM memory_links WHERE project_id = $1 AND (memory_id = $2 OR related_id = $2)
ORDER BY memory_id, related_id FOR UPDATE"""
"""Locks links in the order of their keys: concurrent deletions of linked memories would deadlock."""


async def create(write: UnitOfWork, values: dict[str, Any]) -> Memory:
    """Add a memory; its sources are the messages in ``source_message_ids``."""
    [memory] = await _create(write, [values], "")
    return memory


async def create_all(write: UnitOfWork, memories: list[dict[str, Any]]) -> list[Memory]:
    """Add memories in one statement, and their sources in another."""
    check_count("memories", memories, MAX_MEMORIES)
    return await _create(write, memories, "memories.{}.")


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Memory:
    """Update a memory. A replaced content is kept as a revision; sources are replaced as a whole.

    A vector replaces that of its model, and null deletes those of the model, or of all models.
    """
    clears = EMBEDDING in values
    values, vector, model = split(values)
    columns, sources = _normalize(values, "")
    memory = await write.get(Memory, id_, lock=True)
    memory = await revise(write, memory, columns)
    if vector is not None and model is not None:
        await store(write, MEMORIES, model, [(id_, vector)], field="embedding")
    elif clears:
        await forget(write, MEMORIES, id_, model)
    if sources is not None:
        await write.execute(
            delete_from(MemorySource).where(*write.in_project(MemorySource), MemorySource.memory_id == id_)
        )
        await _add_sources(write, [("", id_, sources)])
    return memory


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a memory with its accesses, annotations, revisions and links."""
    await deletion.clear(write, Memory, [id_])
    await write.fetch(_HOLD_LINKS, write.project_id, id_)
    return await write.delete(Memory, id_)


async def link(write: UnitOfWork, memory_id: UUID, related_memory_ids: list[UUID]) -> Memory:
    """Link a memory with others, in both directions; existing links stay."""
    memory, related = await _keep_memories(write, memory_id, related_memory_ids)
    await write.fetch(_LINK, write.project_id, memory_id, related)
    return memory


async def unlink(write: UnitOfWork, memory_id: UUID, related_memory_ids: list[UUID]) -> Memory:
    """Remove the links of a memory with others, in both directions; ignore memories that are not linked."""
    memory, related = await _keep_memories(write, memory_id, related_memory_ids)
    await write.fetch(_UNLINK, write.project_id, memory_id, related)
    return memory


async def revise(
    write: UnitOfWork, memory: Memory, values: dict[str, Any], *, annotation_id: UUID | None = None
) -> Memory:
    """Update a locked memory; keep a replaced content as a revision, with the annotation that replaced it.

    If a text changes, the vectors that were made of it are deleted.
    """
    if any(values.get(name, getattr(memory, name)) != getattr(memory, name) for name in _TEXTS):
        await forget(write, MEMORIES, memory.id)
        await embedding_jobs.wake(write)
    if values.get("content", memory.content) != memory.content:
        # Not `now()`: if this waited for the lock, the transaction may have begun before the last revision.
        last = select(func.coalesce(func.max(MemoryRevision.sequence), 0) + 1, func.clock_timestamp()).where(
            *write.in_project(MemoryRevision), MemoryRevision.memory_id == memory.id
        )
        sequence, now = (await write.execute(last)).one()
        revision = {
            "memory_id": memory.id,
            "sequence": sequence,
            "content": memory.content,
            "annotation_id": annotation_id,
            "created_at": now,
        }
        await write.insert(MemoryRevision, [revision])
    return await write.update(memory, values)


async def _create(write: UnitOfWork, memories: list[dict[str, Any]], path: str) -> list[Memory]:
    """Add memories; ``path``, formatted with an index, is the client's path to each of them."""
    paths = [path.format(place) for place in range(len(memories))]
    embedded = [split(*each) for each in zip(memories, paths, strict=True)]
    checked = [_normalize(values, each) for (values, *_), each in zip(embedded, paths, strict=True)]
    now = datetime.now(UTC)
    rows = [{"created_at": now, **columns} for columns, _ in checked]
    sources = any(ids for _, ids in checked)
    vectors_given = [vector for _, vector, _ in embedded if vector is not None]
    wakes = write.embedding_model is not None and len(vectors_given) < len(rows)
    made = await write.insert(Memory, rows, alone=not (sources or vectors_given or wakes))
    if sources:
        triples = zip(paths, made, checked, strict=True)
        await _add_sources(write, [(each, memory.id, ids or []) for each, memory, (_, ids) in triples])
    if vectors_given:
        new = [(memory.id, vector, model) for memory, (_, vector, model) in zip(made, embedded, strict=True)]
        await store_new(write, MEMORIES, new, field=path.format(0) + "embedding")
    if wakes:
        await embedding_jobs.wake(write)
    return made


def _normalize(values: dict[str, Any], path: str) -> tuple[dict[str, Any], list[UUID] | None]:
    """Check a memory's values; return those of its columns, and the ids of its sources or None if unset."""
    check(Memory, values, path)
    # Do not change `values`: a retried write gets them again.
    columns = {name: value for name, value in values.items() if name != _SOURCES}
    if columns.get("topics") is not None:
        columns["topics"] = check_tags(f"{path}topics", columns["topics"])
    if _SOURCES not in values:
        return columns, None
    field = f"{path}sourceMessageIds"
    if values[_SOURCES] is None:
        raise BadUserInputError(f"{field} may not be null; omit it instead", field=field)
    ids = list(dict.fromkeys(values[_SOURCES]))
    if len(ids) > MAX_SOURCES:
        raise BadUserInputError(
            f"{field} has {len(ids)} items; it may have at most {MAX_SOURCES}", field=field
        )
    return columns, ids


async def _add_sources(write: UnitOfWork, sources: list[tuple[str, UUID, list[UUID]]]) -> None:
    """Insert the sources of memories, each given by its path, its id, and the ids of its messages."""
    ids = [id_ for *_, ids in sources for id_ in ids]
    found = {row["id"] for row in await write.fetch(_KEEP_MESSAGES, write.project_id, ids)}
    for path, _, wanted in sources:
        for id_ in wanted:
            if id_ not in found:
                raise not_found(Message, id_, f"{path}sourceMessageIds")
    memory_ids = [memory_id for _, memory_id, wanted in sources for _ in wanted]
    await write.fetch(_ADD_SOURCES, write.project_id, memory_ids, ids)


async def _keep_memories(
    write: UnitOfWork, memory_id: UUID, related: list[UUID]
) -> tuple[Memory, list[UUID]]:
    """Return a memory and the unique ids of others; all are locked against deletion."""
    check_count("relatedMemoryIds", related, MAX_MEMORIES)
    if memory_id in related:
        raise BadUserInputError("a memory cannot be related to itself", field="relatedMemoryIds")
    ids = list(dict.fromkeys(related))
    memory = await write.get(Memory, memory_id, field="memoryId")
    await write.get_all(Memory, [*ids, memory_id], field="relatedMemoryIds", keep=True)
    return memory, ids
