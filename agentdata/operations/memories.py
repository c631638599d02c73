"""Writes of memories: what they say and said before, what they are related with and come from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete as delete_from
from sqlalchemy import func, select

from agentdata.checks import check, check_not_empty, check_tags
from agentdata.errors import BadUserInputError, not_found
from agentdata.operations import deletion
from models import Memory, MemoryRevision, MemorySource, Message

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_MEMORIES = 1_000
"""How many memories one write makes, links or unlinks."""

MAX_SOURCES = 1_000
"""How many messages a memory is made from at the most."""

_SOURCES = "source_message_ids"

_KEEP_MESSAGES = """
SELECT id FROM messages WHERE project_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR KEY SHARE"""

_ADD_SOURCES = """
INSERT INTO memory_sources (project_id, memory_id, message_id)
SELECT $1, source.* FROM unnest($2::uuid[], $3::uuid[]) AS source"""

_LINK = """
INSERT INTO memory_links (project_id, memory_id, related_id)
SELECT $1, pair.* FROM unnest($3::uuid[]) AS other, LATERAL (VALUES ($2::uuid, other), (other, $2)) AS pair
ORDER BY 2, 3 ON CONFLICT DO NOTHING"""
"""Both ways in one statement: the database refuses one without the other. All writers take the same order."""

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
"""Locks links in the order of their keys, as all do that take some away."""

_HOLD_LINKS = """
SELECT FROM memory_links WHERE project_id = $1 AND (memory_id = $2 OR related_id = $2)
ORDER BY memory_id, related_id FOR UPDATE"""
"""A link goes with either of its memories: those that delete both would wait for each other."""


async def create(write: UnitOfWork, values: dict[str, Any]) -> Memory:
    """Add a memory, made from the messages under ``source_message_ids``."""
    [memory] = await _create(write, [values], "")
    return memory


async def create_all(write: UnitOfWork, memories: list[dict[str, Any]]) -> list[Memory]:
    """Add memories, in one statement."""
    check_not_empty("memories", memories, MAX_MEMORIES)
    return await _create(write, memories, "memories.{}.")


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Memory:
    """Change a memory. A content that is replaced goes to its history, sources are replaced as a whole."""
    columns, sources = _checked(values, "")
    memory = await write.get(Memory, id_, lock=True)
    memory = await revise(write, memory, columns)
    if sources is not None:
        await write.execute(
            delete_from(MemorySource).where(*write.owns(MemorySource), MemorySource.memory_id == id_)
        )
        await _add_sources(write, [("", id_, sources)])
    return memory


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a memory with its accesses, annotations, history and links."""
    await deletion.clear(write, Memory, [id_])
    await write.fetch(_HOLD_LINKS, write.project_id, id_)
    return await write.delete(Memory, id_)


async def link(write: UnitOfWork, memory_id: UUID, related_memory_ids: list[UUID]) -> Memory:
    """Relate a memory with others, both ways; those that it is related with already stay."""
    memory, related = await _pair(write, memory_id, related_memory_ids)
    await write.fetch(_LINK, write.project_id, memory_id, related)
    return memory


async def unlink(write: UnitOfWork, memory_id: UUID, related_memory_ids: list[UUID]) -> Memory:
    """End that a memory is related with others, both ways; those that it is not are left alone."""
    memory, related = await _pair(write, memory_id, related_memory_ids)
    await write.fetch(_UNLINK, write.project_id, memory_id, related)
    return memory


async def revise(
    write: UnitOfWork, memory: Memory, values: dict[str, Any], *, annotation_id: UUID | None = None
) -> Memory:
    """Change a memory that is locked; a content that is replaced is kept, with the annotation that did it."""
    if values.get("content", memory.content) != memory.content:
        # The lock may have been waited for: `now()`, when the transaction began, can lie before the last one.
        last = select(func.coalesce(func.max(MemoryRevision.sequence), 0) + 1, func.clock_timestamp()).where(
            *write.owns(MemoryRevision), MemoryRevision.memory_id == memory.id
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
    """Add memories; ``path`` is where the client gave each of them, by its place."""
    paths = [path.format(place) for place in range(len(memories))]
    checked = [_checked(*each) for each in zip(memories, paths, strict=True)]
    now = datetime.now(UTC)
    rows = [{"created_at": now, **columns} for columns, _ in checked]
    sources = any(ids for _, ids in checked)
    made = await write.insert(Memory, rows, alone=not sources)
    if sources:
        given = zip(paths, made, checked, strict=True)
        await _add_sources(write, [(where, memory.id, ids or []) for where, memory, (_, ids) in given])
    return made


def _checked(values: dict[str, Any], path: str) -> tuple[dict[str, Any], list[UUID] | None]:
    """Give the values of a memory's columns, and the messages that it was made from, where they are given."""
    check(Memory, values, path)
    # A write that is tried again gets the same values: they are left as they were given.
    columns = {name: value for name, value in values.items() if name != _SOURCES}
    if columns.get("topics") is not None:
        columns["topics"] = check_tags(f"{path}topics", columns["topics"])
    if _SOURCES not in values:
        return columns, None
    field = f"{path}sourceMessageIds"
    if values[_SOURCES] is None:
        raise BadUserInputError(
            f"{field} may not be null; leave it out where there is nothing to say", field=field
        )
    ids = list(dict.fromkeys(values[_SOURCES]))
    if len(ids) > MAX_SOURCES:
        raise BadUserInputError(
            f"{field} has {len(ids)} items; it may have at most {MAX_SOURCES}", field=field
        )
    return columns, ids


async def _add_sources(write: UnitOfWork, given: list[tuple[str, UUID, list[UUID]]]) -> None:
    """Say which messages memories were made from: of each memory the path, its id, and theirs."""
    ids = [id_ for *_, ids in given for id_ in ids]
    found = {row["id"] for row in await write.fetch(_KEEP_MESSAGES, write.project_id, ids)}
    for path, _, wanted in given:
        for id_ in wanted:
            if id_ not in found:
                raise not_found(Message, id_, f"{path}sourceMessageIds")
    memory_ids = [memory_id for _, memory_id, wanted in given for _ in wanted]
    await write.fetch(_ADD_SOURCES, write.project_id, memory_ids, ids)


async def _pair(write: UnitOfWork, memory_id: UUID, related: list[UUID]) -> tuple[Memory, list[UUID]]:
    """Give a memory and the ids of others, all of which are there and stay until the write is done."""
    check_not_empty("relatedMemoryIds", related, MAX_MEMORIES)
    if memory_id in related:
        raise BadUserInputError("a memory is not related with itself", field="relatedMemoryIds")
    ids = list(dict.fromkeys(related))
    memory = await write.get(Memory, memory_id, field="memoryId")
    await write.get_all(Memory, [*ids, memory_id], field="relatedMemoryIds", keep=True)
    return memory, ids
