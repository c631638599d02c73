"""Write operations of schedules, which claims of their queues act on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from uuid_utils.compat import uuid7

from agentdata.checks import check, time_zone
from agentdata.errors import BadUserInputError
from agentdata.operations import deletion, queues
from agentdata.operations.cron import next_tick
from agentdata.operations.unit_of_work import columns_of, row_factory, rows_as_json
from models import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

_DUE = f"""
SELECT statement_timestamp() AS now, {columns_of(Schedule)} FROM schedules
WHERE project_id = $1 AND next_run_at <= statement_timestamp()
  AND queue_id = (SELECT id FROM queues WHERE project_id = $1 AND name = $2)
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"""  # noqa: S608  # columns of the model
"""A schedule that another worker acts on is left to it."""

_ENQUEUE = """
INSERT INTO jobs (project_id, id, queue_id, schedule_id, name, data, priority, max_attempts, backoff,
  backoff_ms, run_at)
SELECT $1, given.id, queue_id, schedules.id, coalesce(job_name, schedules.name), data, priority, max_attempts,
  backoff, backoff_ms, next_run_at
FROM json_to_recordset($2::json) AS given (id uuid, schedule_id uuid)
JOIN schedules ON schedules.project_id = $1 AND schedules.id = given.schedule_id
RETURNING id"""
"""Adds the job of the tick that each schedule is due for."""

_ADVANCE = """
UPDATE schedules SET last_run_at = schedules.next_run_at, next_run_at = given.next_run_at
FROM json_to_recordset($2::json) AS given (schedule_id uuid, next_run_at timestamptz)
WHERE schedules.project_id = $1 AND schedules.id = given.schedule_id
RETURNING schedules.id"""


_LOCK = """
SELECT clock_timestamp() AS now FROM (
  SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || ' schedule ' || $2::text, 0))
) AS locked"""
"""Locks the name of a schedule, for which there may be no row yet, and returns the time."""

_TIMING = ("cron", "time_zone", "is_active")
"""The columns that decide when the ticks of a schedule are."""

_TIMING_DEFAULTS = {"time_zone": "UTC", "is_active": True}


async def put(write: UnitOfWork, values: dict[str, Any]) -> Schedule:
    """Update the schedule of a name, or add it if there is none.

    Its next tick stays as it is unless the expression, the time zone or the activity changes: programs put
    their schedules whenever they start, and that neither repeats nor leaves out a tick.

    Raises:
        BadUserInputError: The expression or the time zone is none, or another value cannot be stored.

    """
    check(Schedule, values)
    queues.check_name("queue", values["queue"])
    # Wrong times are refused even if the schedule is not active.
    next_tick(values["cron"], time_zone(values.get("time_zone")), datetime.now(UTC))
    await queues.add(write, [values["queue"]])
    queue = await queues.find(write, values["queue"])
    [record] = await write.fetch(_LOCK, write.project_id, values["name"])
    columns = {name: value for name, value in values.items() if name != "queue"} | {"queue_id": queue.id}
    ours = [*write.in_project(Schedule), Schedule.name == values["name"]]
    found = await write.scalars(select(Schedule).where(*ours).with_for_update(key_share=True))
    schedule: Schedule | None = found.one_or_none()
    if schedule is None:
        new = {"data": {}} | columns | {"next_run_at": _next(_TIMING_DEFAULTS | columns, record["now"])}
        [schedule] = await write.insert(Schedule, [new])
        return schedule
    before = _timing_of(schedule)
    timing = before | {name: columns[name] for name in _TIMING if name in columns}
    if timing != before:
        columns["next_run_at"] = _next(timing, record["now"])
    return await write.update(schedule, columns)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a schedule. Its jobs are kept, without a schedule."""
    await deletion.clear(write, Schedule, [id_])
    return await write.delete(Schedule, id_)


async def enqueue_due(write: UnitOfWork, queue: str) -> None:
    """Add one job for each schedule of a queue that is due, and move the schedule to its next tick.

    Both happen in one transaction under the schedule's lock, so there is exactly one job for a tick. Ticks
    that were missed, while no worker claimed, are made up for by this one job.
    """
    records = await write.fetch(_DUE, write.project_id, queue)
    if not records:
        return
    as_row = row_factory(Schedule)
    due = [as_row(record[1:]) for record in records]
    jobs = [{"id": uuid7(), "schedule_id": schedule.id} for schedule in due]
    await write.fetch(_ENQUEUE, write.project_id, rows_as_json(jobs))
    now = records[0]["now"]
    ticks = [{"schedule_id": each.id, "next_run_at": _next(_timing_of(each), now)} for each in due]
    await write.fetch(_ADVANCE, write.project_id, rows_as_json(ticks))


def _timing_of(schedule: Schedule) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in _TIMING}


def _next(timing: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return the next tick of a schedule; None if it is not active or has none."""
    if not timing["is_active"]:
        return None
    try:
        return next_tick(timing["cron"], time_zone(timing["time_zone"]), now)
    except BadUserInputError:
        # An upgrade of the machine may remove a time zone, which is to hold up no other job of the queue.
        return None
