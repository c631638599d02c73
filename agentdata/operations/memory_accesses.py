"""Write operations of memory accesses, which the memories count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uuid_utils.compat import uuid7

from agentdata.checks import check, check_count
from agentdata.errors import not_found
from agentdata.operations.access_records import mark
from agentdata.operations.totals import as_decimal
from agentdata.operations.unit_of_work import plain_row_class, rows_as_json
from models import Memory, MemoryAccess

if TYPE_CHECKING:
    from agentdata.operations.unit_of_work import UnitOfWork

MAX_ACCESSES = 1_000
"""How many accesses one write may record."""

_COLUMNS = [column.name for column in MemoryAccess.__mapper__.columns]

# One statement takes one round trip. It locks memories in the order of their keys, so that two writers cannot
# deadlock, and writes nothing unless all memories exist. Readers do not wait for it.
_RECORD = f"""
WITH given AS MATERIALIZED (
  SELECT id, memory_id, access_type, accessed_by, accessor_type, coalesce(context, '{{}}') AS context,
    usefulness, coalesce(created_at, clock_timestamp()) AS created_at
  FROM json_to_recordset($2::json) AS given (id uuid, memory_id uuid, access_type text, accessed_by text,
    accessor_type text, context jsonb, usefulness float, created_at timestamptz)
), counted AS MATERIALIZED (
  SELECT memory_id, count(*) AS count, max(created_at) AS latest, count(usefulness) AS rated,
    coalesce(sum({as_decimal("usefulness")}), 0) AS useful FROM given GROUP BY memory_id
), held AS MATERIALIZED (
  SELECT id FROM memories WHERE project_id = $1 AND id IN (SELECT memory_id FROM counted)
  ORDER BY id FOR NO KEY UPDATE
), raised AS (
  UPDATE memories
  SET access_count = access_count + count,
    last_accessed_at = least(clock_timestamp(), greatest(last_accessed_at, latest)),
    rated_count = rated_count + rated, usefulness_total = usefulness_total + useful
  FROM counted JOIN held ON held.id = counted.memory_id
  WHERE memories.project_id = $1 AND memories.id = counted.memory_id
    AND (SELECT count(*) FROM held) = (SELECT count(*) FROM counted)
  RETURNING memories.id
), made AS (
  INSERT INTO memory_accesses (project_id, id, memory_id, access_type, accessed_by, accessor_type, context,
    usefulness, created_at)
  SELECT $1, given.id, memory_id, access_type, accessed_by, accessor_type, context, usefulness, created_at
  FROM given JOIN raised ON raised.id = given.memory_id
  RETURNING {", ".join(_COLUMNS)}
) {mark("raised")}
SELECT given.id AS given_id, held.id IS NOT NULL AS there, {", ".join(f"made.{name}" for name in _COLUMNS)}
FROM given LEFT JOIN held ON held.id = given.memory_id LEFT JOIN made ON made.id = given.id"""  # noqa: S608  # columns of the model


async def record(write: UnitOfWork, values: dict[str, Any]) -> MemoryAccess:
    """Record an access to a memory."""
    [access] = await _record(write, [values], "")
    return access


async def record_all(write: UnitOfWork, accesses: list[dict[str, Any]]) -> list[MemoryAccess]:
    """Record accesses in one statement; several may be to the same memory."""
    check_count("accesses", accesses, MAX_ACCESSES)
    return await _record(write, accesses, "accesses.{}.")


async def _record(write: UnitOfWork, accesses: list[dict[str, Any]], path: str) -> list[MemoryAccess]:
    """Record accesses and update the counts of memories; ``path`` is the client's path to each, by its index.

    Raises:
        NotFoundError: A memory is not in this project. Nothing is written.

    """
    for place, values in enumerate(accesses):
        check(MemoryAccess, values, path.format(place))
    rows = [{"id": uuid7(), **values} for values in accesses]
    records = await write.fetch(
        _RECORD, write.project_id, rows_as_json(rows), alone=True, ids=[row["id"] for row in rows]
    )
    made = {record["given_id"]: record for record in records}
    for place, row in enumerate(rows):
        if not made[row["id"]]["there"]:
            raise not_found(Memory, row["memory_id"], f"{path.format(place)}memoryId")
    return [_PlainAccess(dict(zip(_COLUMNS, tuple(made[row["id"]])[2:], strict=True))) for row in rows]


_PlainAccess = plain_row_class(MemoryAccess)
