"""Write operations of jobs: workers claim them from queues, and settle those that they hold.

A claim gives the jobs that it returns a lease, a random id that expires. A job is settled under its lease, so
a worker whose lease has passed to another one changes nothing. Nothing runs in the background: claims bring
stored states up to date and enqueue the jobs of schedules that are due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from uuid_utils.compat import uuid7

from agentdata.checks import check, check_count, check_json, check_range, check_text
from agentdata.errors import BadUserInputError, ConflictError, not_found
from agentdata.operations import queues, schedules
from agentdata.operations.access_records import mark
from agentdata.operations.unit_of_work import (
    columns_of,
    json_columns,
    plain_row_class,
    row_factory,
    rows_as_json,
)
from models import Job
from models.enums import FINISHED_STATES, JobState
from models.job import MAX_BACKOFF_MS, state_in_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from asyncpg import Record

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_JOBS = 1_000
"""How many jobs one write may enqueue, claim or change."""

DEFAULT_LEASE_MS = 30_000
MIN_LEASE_MS = 1_000
MAX_LEASE_MS = 86_400_000
"""How long a lease may last: from a second to a day."""

_PROMOTED = 1_000
"""How many jobs that came due, and how many whose lease ran out, one claim brings up to date at most."""

_ATTEMPTS = 5
"""How often a write tries again to add jobs while others add or delete their queues or jobs."""

_GIVEN, _VALUES, _TYPES = json_columns(
    Job, ("id", "external_id", "name", "data", "priority", "max_attempts", "backoff", "backoff_ms")
)
_COLUMNS = columns_of(Job)
_JOB_COLUMNS = ", ".join(f"jobs.{column.name}" for column in Job.__mapper__.columns)
_NOW = "statement_timestamp()"

# Writes nothing unless all queues exist. Jobs with an external id that is taken are returned as they are; the
# order of the ids keeps two writers of the same jobs from deadlocks.
_ENQUEUE = f"""
WITH given AS MATERIALIZED (
  SELECT * FROM json_to_recordset($2::json) AS given (queue varchar(255), run_at timestamptz, {_TYPES})
), queue AS MATERIALIZED (
  SELECT id, name FROM queues WHERE project_id = $1 AND name IN (SELECT queue FROM given)
), made AS (
  INSERT INTO jobs (project_id, queue_id, run_at, state, {_GIVEN})
  SELECT $1, queue.id, coalesce(given.run_at, {_NOW}),
    CASE WHEN given.run_at > {_NOW} THEN 'DELAYED' ELSE 'WAITING' END, {_VALUES}
  FROM given JOIN queue ON queue.name = given.queue
  WHERE (SELECT count(*) FROM queue) = (SELECT count(DISTINCT queue) FROM given)
  ORDER BY given.external_id, given.id
  ON CONFLICT (project_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
  RETURNING {_COLUMNS}
) {mark("made", ids=True)}
SELECT {_COLUMNS} FROM made
UNION ALL
SELECT {_COLUMNS} FROM jobs WHERE project_id = $1 AND external_id = ANY($3::text[])"""  # noqa: S608  # columns of the model

# Of a queue that is paused nothing is claimed or brought up to date. Unless $6, nothing is claimed while
# stored states are out of date, because jobs that came due may precede others.
_CLAIM = f"""
WITH queue AS MATERIALIZED (
  SELECT id FROM queues WHERE project_id = $1 AND name = $2 AND NOT is_paused
), stale AS MATERIALIZED (
  SELECT EXISTS (
    SELECT FROM schedules
    WHERE project_id = $1 AND queue_id = (SELECT id FROM queue) AND next_run_at <= {_NOW}
  ) AS schedules, EXISTS (
    SELECT FROM jobs WHERE project_id = $1 AND queue_id = (SELECT id FROM queue) AND state = 'DELAYED'
      AND run_at <= {_NOW}
  ) OR EXISTS (
    SELECT FROM jobs WHERE project_id = $1 AND queue_id = (SELECT id FROM queue) AND state = 'ACTIVE'
      AND lease_expires_at <= {_NOW}
  ) AS jobs
), chosen AS MATERIALIZED (
  SELECT id FROM jobs
  WHERE project_id = $1 AND queue_id = (SELECT id FROM queue) AND state = 'WAITING'
    AND ($6 OR NOT (SELECT schedules OR jobs FROM stale))
  ORDER BY priority DESC, run_at, id LIMIT $5 FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE jobs SET state = 'ACTIVE', attempts = attempts + 1, worker = $3, lease = $7, progress = NULL,
    lease_expires_at = {_NOW} + $4 * interval '1 millisecond', started_at = {_NOW}, updated_at = {_NOW}
  WHERE project_id = $1 AND id = ANY (ARRAY(SELECT id FROM chosen))
  RETURNING {_COLUMNS}
) {mark("claimed", ids=True)}
SELECT stale.schedules AS stale_schedules, stale.jobs AS stale_jobs, {_COLUMNS}
FROM stale LEFT JOIN claimed ON true ORDER BY priority DESC, run_at, id"""  # noqa: S608  # columns of the model

_PROMOTE = f"""
WITH queue AS MATERIALIZED (
  SELECT id FROM queues WHERE project_id = $1 AND name = $2
), due AS MATERIALIZED (
  SELECT id FROM jobs
  WHERE project_id = $1 AND queue_id = (SELECT id FROM queue) AND state = 'DELAYED' AND run_at <= {_NOW}
  ORDER BY run_at LIMIT {_PROMOTED} FOR UPDATE SKIP LOCKED
), lost AS MATERIALIZED (
  SELECT id FROM jobs
  WHERE project_id = $1 AND queue_id = (SELECT id FROM queue) AND state = 'ACTIVE'
    AND lease_expires_at <= {_NOW}
  ORDER BY lease_expires_at LIMIT {_PROMOTED} FOR UPDATE SKIP LOCKED
), promoted AS (
  UPDATE jobs SET state = 'WAITING' WHERE project_id = $1 AND id = ANY (ARRAY(SELECT id FROM due))
), returned AS (
  UPDATE jobs SET
    state = CASE WHEN attempts < max_attempts THEN 'WAITING' ELSE 'FAILED' END,
    finished_at = CASE WHEN attempts < max_attempts THEN NULL ELSE lease_expires_at END,
    error = 'the lease of the worker ' || worker || ' ran out before it settled the job',
    lease = NULL, lease_expires_at = NULL, updated_at = {_NOW}
  WHERE project_id = $1 AND id = ANY (ARRAY(SELECT id FROM lost))
)
SELECT"""  # noqa: S608  # numbers of this file


def _change(changes: str, allowed: str, given: str) -> str:
    """Return the statement that changes jobs if all of them are ``allowed`` to be changed.

    It takes the rows that a client gave, and their ids: conditions with the ids use the index whatever
    number of rows PostgreSQL expects. ``held`` are the jobs as they are now, under a lock.
    """
    return f"""
WITH given AS MATERIALIZED (
  SELECT * FROM json_to_recordset($2::json) AS given (id uuid, {given})
), held AS MATERIALIZED (
  SELECT id, {state_in_sql()} AS now, state, lease, worker FROM jobs
  WHERE project_id = $1 AND id = ANY($3::uuid[]) ORDER BY id FOR NO KEY UPDATE
), changed AS (
  UPDATE jobs SET {changes}, updated_at = {_NOW} FROM given
  WHERE jobs.project_id = $1 AND jobs.id = ANY($3::uuid[]) AND jobs.id = given.id AND NOT EXISTS (
    SELECT FROM given LEFT JOIN held ON held.id = given.id WHERE ({allowed}) IS NOT TRUE
  )
  RETURNING {_JOB_COLUMNS}
) {mark("changed")}
SELECT given.id AS given_id, held.now, held.worker AS held_by, ({allowed}) IS TRUE AS allowed,
  {", ".join(f"changed.{column.name}" for column in Job.__mapper__.columns)}
FROM given LEFT JOIN held ON held.id = given.id LEFT JOIN changed ON changed.id = given.id"""  # noqa: S608  # of this file


_HELD = "held.state = 'ACTIVE' AND held.lease = given.lease"
_WITHOUT_LEASE = "lease = NULL, lease_expires_at = NULL"
_ENDED = ", ".join(f"'{state}'" for state in FINISHED_STATES)
_PAUSE = f"""least({MAX_BACKOFF_MS}, CASE backoff
  WHEN 'EXPONENTIAL' THEN backoff_ms * power(2, least(attempts - 1, 30)) ELSE backoff_ms END)"""
_AGAIN = "given.retry AND attempts < max_attempts"

_EXTEND = _change(
    f"lease_expires_at = {_NOW} + given.lease_ms * interval '1 millisecond',"
    " progress = coalesce(given.progress, jobs.progress)",
    _HELD,
    "lease uuid, lease_ms int, progress float",
)
_COMPLETE = _change(
    f"state = 'COMPLETED', result = given.result, error = NULL, finished_at = {_NOW}, {_WITHOUT_LEASE}",
    _HELD,
    "lease uuid, result json",
)
_FAIL = _change(
    f"state = CASE WHEN {_AGAIN} THEN 'DELAYED' ELSE 'FAILED' END, error = given.error,"
    f" run_at = CASE WHEN {_AGAIN} THEN {_NOW} + {_PAUSE} * interval '1 millisecond' ELSE run_at END,"
    f" finished_at = CASE WHEN {_AGAIN} THEN NULL ELSE {_NOW} END, {_WITHOUT_LEASE}",
    _HELD,
    "lease uuid, error text, retry boolean",
)
_RETRY = _change(
    f"state = 'WAITING', attempts = 0, run_at = {_NOW}, result = NULL, progress = NULL, finished_at = NULL,"
    f" {_WITHOUT_LEASE}",
    f"held.now IN ({_ENDED})",
    "lease uuid",
)
_CANCEL = _change(
    f"state = 'CANCELLED', finished_at = {_NOW}, {_WITHOUT_LEASE}",
    f"held.now NOT IN ({_ENDED})",
    "lease uuid",
)

_RETURN = _change(
    f"state = 'WAITING', attempts = greatest(attempts - 1, 0), run_at = {_NOW}, {_WITHOUT_LEASE}",
    _HELD,
    "lease uuid",
)

_RELEASE_SYNCS = "UPDATE knowledge_syncs SET job_id = NULL WHERE project_id = $1 AND job_id = $2"


async def enqueue(write: UnitOfWork, values: dict[str, Any]) -> Job:
    """Add a job to a queue; return the one that has its external id if there is one."""
    [job] = await _enqueue(write, [values], "")
    return job


async def enqueue_all(write: UnitOfWork, jobs: list[dict[str, Any]]) -> list[Job]:
    """Add jobs to queues in one statement; one whose external id is taken is returned as it is."""
    check_count("jobs", jobs, MAX_JOBS)
    return await _enqueue(write, jobs, "jobs.{}.")


async def claim(
    write: UnitOfWork, queue: str, worker: str, lease_ms: int = DEFAULT_LEASE_MS, limit: int = 1
) -> list[Job]:
    """Claim the next jobs of a queue for a worker, under a new lease; a paused queue has none.

    Jobs that came due and jobs whose lease ran out are among them, and so are those of schedules that are
    due, which the claim enqueues.
    """
    queues.check_name("queue", queue)
    queues.check_name("worker", worker)
    check_range("leaseMs", lease_ms, MIN_LEASE_MS, MAX_LEASE_MS)
    check_range("limit", limit, 1, MAX_JOBS)

    async def attempt(part: UnitOfWork, *, regardless: bool) -> list[Record]:
        values = (queue, worker, lease_ms, limit, regardless, uuid4())
        return await part.fetch(_CLAIM, part.project_id, *values, alone=True)

    async def once(part: UnitOfWork) -> list[Record]:
        return await attempt(part, regardless=False)

    async def again(part: UnitOfWork) -> list[Record]:
        return await attempt(part, regardless=True)

    async def promote(part: UnitOfWork) -> None:
        await part.fetch(_PROMOTE, part.project_id, queue, alone=True)

    records = await write.run_separately(once, recorded=True)
    stale_schedules, stale_jobs = records[0][:2]
    if stale_schedules:
        await write.run_separately(lambda part: schedules.enqueue_due(part, queue))
    if stale_jobs:
        await write.run_separately(promote)
    if stale_schedules or stale_jobs:
        # Another worker may be bringing the same jobs up to date, which is no reason to wait for it.
        records = await write.run_separately(again, recorded=True)
    as_row = row_factory(Job)
    return [as_row(record[2:]) for record in records if record["id"] is not None]


async def extend(
    write: UnitOfWork,
    id_: UUID,
    lease: UUID,
    lease_ms: int = DEFAULT_LEASE_MS,
    progress: float | None = None,
) -> Job:
    """Let the lease of a job run out later, and store how far the work is."""
    given = {"id": id_, "lease": lease, "lease_ms": lease_ms, "progress": progress}
    [job] = await _extend(write, [given], "")
    return job


async def extend_all(write: UnitOfWork, jobs: list[dict[str, Any]]) -> list[Job]:
    """Let the leases of jobs run out later: of all of them, or of none."""
    return await _extend(write, jobs, "jobs.{}.")


async def complete(write: UnitOfWork, id_: UUID, lease: UUID, result: Any = None) -> Job:
    """Complete a job that the caller holds."""
    [job] = await _complete(write, [{"id": id_, "lease": lease, "result": result}], "")
    return job


async def complete_all(write: UnitOfWork, jobs: list[dict[str, Any]]) -> list[Job]:
    """Complete jobs that the caller holds: all of them, or none."""
    return await _complete(write, jobs, "jobs.{}.")


async def fail(write: UnitOfWork, id_: UUID, lease: UUID, error: str, *, retry: bool = True) -> Job:
    """Fail a job that the caller holds; it waits for its next attempt if ``retry`` and if it has one."""
    [job] = await _fail(write, [{"id": id_, "lease": lease, "error": error, "retry": retry}], "")
    return job


async def fail_all(write: UnitOfWork, jobs: list[dict[str, Any]]) -> list[Job]:
    """Fail jobs that the caller holds: all of them, or none."""
    return await _fail(write, jobs, "jobs.{}.")


async def release(write: UnitOfWork, id_: UUID, lease: UUID) -> Job:
    """Return a job that the caller holds, so that it waits as if it had not been claimed."""
    [job] = await _write(write, _RETURN, [{"id": id_, "lease": lease}], "")
    return job


async def retry(write: UnitOfWork, id_: UUID) -> Job:
    """Let a job that has ended wait again, with all of its attempts."""
    [job] = await _write(write, _RETRY, [{"id": id_}], "")
    return job


async def retry_all(write: UnitOfWork, ids: list[UUID]) -> list[Job]:
    """Let jobs that have ended wait again: all of them, or none."""
    return await _write(write, _RETRY, [{"id": id_} for id_ in ids], "ids.{}")


async def cancel(write: UnitOfWork, id_: UUID) -> Job:
    """Cancel a job that has not ended; a worker that holds it loses its lease."""
    [job] = await _write(write, _CANCEL, [{"id": id_}], "")
    return job


async def cancel_all(write: UnitOfWork, ids: list[UUID]) -> list[Job]:
    """Cancel jobs that have not ended: all of them, or none."""
    return await _write(write, _CANCEL, [{"id": id_} for id_ in ids], "ids.{}")


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a job. Syncs of knowledge bases that it stands for stay."""
    await write.fetch(_RELEASE_SYNCS, write.project_id, id_)
    return await write.delete(Job, id_)


async def _enqueue(write: UnitOfWork, jobs: list[dict[str, Any]], path: str) -> list[Job]:
    """Add jobs; ``path``, formatted with an index, is the client's path to each of them."""
    for place, values in enumerate(jobs):
        at = path.format(place)
        check(Job, values, at)
        queues.check_name(f"{at}queue", values["queue"])
    rows = [{"data": {}, **values, "id": uuid7()} for values in jobs]
    external_ids = [row["external_id"] for row in rows if row.get("external_id") is not None]
    written = rows_as_json(rows)

    async def insert(part: UnitOfWork) -> list[Record]:
        return await part.fetch(_ENQUEUE, part.project_id, written, external_ids, alone=True)

    for _ in range(_ATTEMPTS):
        stored = list(map(row_factory(Job), await write.run_separately(insert, recorded=True)))
        by_key: dict[Any, Job] = {job.id: job for job in stored}
        by_key |= {job.external_id: job for job in stored if job.external_id is not None}
        found = [by_key.get(row["id"]) or by_key.get(row.get("external_id")) for row in rows]
        if None not in found:
            return [job for job in found if job is not None]
        await write.run_separately(lambda part: queues.add(part, {row["queue"] for row in rows}))
    raise ConflictError("other writes add or delete the same queues or jobs all the time; try again")


async def _extend(write: UnitOfWork, jobs: list[dict[str, Any]], path: str) -> list[Job]:
    rows = [{"lease_ms": DEFAULT_LEASE_MS, **values} for values in jobs]
    for place, row in enumerate(rows):
        at = path.format(place)
        if row["lease_ms"] is None:
            raise BadUserInputError(f"{at}leaseMs may not be null; omit it instead", field=f"{at}leaseMs")
        check_range(f"{at}leaseMs", row["lease_ms"], MIN_LEASE_MS, MAX_LEASE_MS)
        check(Job, {"progress": row.get("progress")}, at)
    return await _write(write, _EXTEND, rows, f"{path}lease")


async def _complete(write: UnitOfWork, jobs: list[dict[str, Any]], path: str) -> list[Job]:
    for place, values in enumerate(jobs):
        check_json(f"{path.format(place)}result", values.get("result"))
    return await _write(write, _COMPLETE, jobs, f"{path}lease")


async def _fail(write: UnitOfWork, jobs: list[dict[str, Any]], path: str) -> list[Job]:
    for place, values in enumerate(jobs):
        check_text(f"{path.format(place)}error", values["error"])
    rows = [{**values, "retry": values.get("retry") is not False} for values in jobs]
    return await _write(write, _FAIL, rows, f"{path}lease")


async def _write(write: UnitOfWork, statement: str, rows: Sequence[dict[str, Any]], path: str) -> list[Job]:
    """Change jobs by a statement of ``_change``: all of them, or none.

    ``path``, formatted with an index, is the client's path to the input that decides over each of them.

    Raises:
        ConflictError: A job is in a state, or under a lease, that does not allow the change.
        NotFoundError: A job is not in this project.

    """
    many = "{}" in path
    name = path.partition(".")[0] if many else "id"
    if many:
        check_count(name, rows, MAX_JOBS)
    ids = [row["id"] for row in rows]
    seen: set[UUID] = set()
    for place, id_ in enumerate(ids):
        if id_ in seen:
            raise BadUserInputError(f"{name} has the job {id_} twice; send it once", field=f"{name}.{place}")
        seen.add(id_)
    records = await write.fetch(statement, write.project_id, rows_as_json(rows), ids, alone=True, ids=ids)
    found = {record["given_id"]: record for record in records}
    for place, row in enumerate(rows):
        record, field = found[row["id"]], path.format(place) or "id"
        if record["now"] is None:
            raise not_found(Job, row["id"], field.replace("lease", "id"))
        if not record["allowed"]:
            raise ConflictError(_refusal(row, record), field=field)
    return [_PlainJob(dict(zip(_NAMES, tuple(found[id_])[4:], strict=True))) for id_ in ids]


def _refusal(row: dict[str, Any], record: Record) -> str:
    """Return why a job may not be changed."""
    state = record["now"]
    if "lease" not in row:
        if state in FINISHED_STATES:
            return f"the job {row['id']} has ended: it is {state}"
        return f"the job {row['id']} has not ended: it is {state}; cancel it first"
    if state == JobState.ACTIVE:
        return (
            f"the lease of the job {row['id']} ran out, and the worker {record['held_by']} holds the job now;"
            " leave the job to it"
        )
    return (
        f"nobody holds the job {row['id']}, which is {state}: the lease ran out, or the job was settled or"
        " cancelled; claim jobs again"
    )


_PlainJob = plain_row_class(Job)
_NAMES = Job.__mapper__.columns.keys()
