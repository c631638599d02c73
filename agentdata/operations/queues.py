"""Write operations of queues. A queue is created by the first job or schedule that names it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select
from uuid_utils.compat import uuid7

from agentdata.checks import check_range, check_text
from agentdata.errors import BadUserInputError, NotFoundError
from agentdata.operations import deletion
from agentdata.operations.unit_of_work import rows_as_json
from models import Queue
from models.enums import FINISHED_STATES, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_NAME = 255
"""How many characters the name of a queue or a worker may have."""

MAX_CLEANED = 10_000
"""How many jobs one write may remove from a queue."""

_ADD = """
INSERT INTO queues (project_id, id, name)
SELECT $1, given.id, given.name FROM json_to_recordset($2::json) AS given (id uuid, name varchar(255))
ORDER BY given.name ON CONFLICT DO NOTHING RETURNING id"""
"""Adds queues in the order of their names, so that two writers cannot deadlock."""

_CLEAN = """
WITH chosen AS MATERIALIZED (
  SELECT id FROM jobs WHERE project_id = $1 AND queue_id = $2 AND state = ANY($3::text[]) AND finished_at < $4
  LIMIT $5 FOR UPDATE SKIP LOCKED
), released AS (
  UPDATE knowledge_syncs SET job_id = NULL
  WHERE project_id = $1 AND job_id = ANY(ARRAY(SELECT id FROM chosen))
)
DELETE FROM jobs WHERE project_id = $1 AND id = ANY(ARRAY(SELECT id FROM chosen)) RETURNING id"""


_RELEASE_SYNCS = """
UPDATE knowledge_syncs SET job_id = NULL WHERE project_id = $1
AND job_id = ANY(ARRAY(SELECT id FROM jobs WHERE project_id = $1 AND queue_id = $2))"""


async def add(write: UnitOfWork, names: Iterable[str]) -> None:
    """Add the queues that do not exist yet."""
    rows = [{"id": uuid7(), "name": name} for name in sorted(set(names))]
    await write.fetch(_ADD, write.project_id, rows_as_json(rows))


async def find(write: UnitOfWork, name: str, *, lock: bool = False) -> Queue:
    """Return a queue by its name; ``lock`` locks it against other writers.

    Raises:
        BadUserInputError: The name contains a NUL character.
        NotFoundError: There is no such queue in this project.

    """
    check_text("name", name)
    statement = select(Queue).where(*write.in_project(Queue), Queue.name == name)
    found = await write.scalars(statement.with_for_update(key_share=True) if lock else statement)
    queue: Queue | None = found.one_or_none()
    if queue is None:
        raise NotFoundError(f"there is no queue {name}; the first job of a queue creates it", field="name")
    return queue


async def pause(write: UnitOfWork, name: str) -> Queue:
    """Pause a queue: its jobs stay, and none is claimed."""
    queue = await find(write, name, lock=True)
    return queue if queue.is_paused else await write.update(queue, {"paused_at": datetime.now(UTC)})


async def resume(write: UnitOfWork, name: str) -> Queue:
    """Resume a paused queue."""
    queue = await find(write, name, lock=True)
    return await write.update(queue, {"paused_at": None}) if queue.is_paused else queue


async def clean(
    write: UnitOfWork,
    name: str,
    states: Sequence[str] | None = None,
    finished_before: datetime | None = None,
    limit: int = 1_000,
) -> list[UUID]:
    """Delete jobs of a queue that have ended, and return their ids.

    Raises:
        BadUserInputError: One of the states is not one that ends a job, or the limit is out of range.
        NotFoundError: There is no such queue in this project.

    """
    check_range("limit", limit, 1, MAX_CLEANED)
    chosen = [JobState.COMPLETED] if states is None else states
    if not chosen or set(chosen) - set(FINISHED_STATES):
        raise BadUserInputError(
            f"states must be some of {', '.join(FINISHED_STATES)}: other jobs have not ended; cancel them"
            " first",
            field="states",
        )
    queue = await find(write, name)
    before = datetime.now(UTC) if finished_before is None else finished_before
    records = await write.fetch(_CLEAN, write.project_id, queue.id, [*chosen], before, limit)
    return [record["id"] for record in records]


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a queue with its jobs and schedules."""
    await deletion.clear(write, Queue, [id_])
    await write.fetch(_RELEASE_SYNCS, write.project_id, id_)
    return await write.delete(Queue, id_)


def check_name(field: str, name: str) -> None:
    """Refuse a name that a queue or a worker cannot have.

    Raises:
        BadUserInputError: It is blank, too long, or contains a NUL character.

    """
    check_text(field, name, MAX_NAME)
    if not name.strip():
        raise BadUserInputError(f"{field} may not be blank", field=field)
