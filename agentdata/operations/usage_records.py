"""Write operations of the usage of models, which adds to the totals of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from agentdata.checks import check, check_count
from agentdata.errors import LimitExceededError, not_found
from agentdata.operations import activity
from agentdata.operations.access_records import mark
from agentdata.operations.unit_of_work import columns_of, json_columns, row_factory, rows_as_json, sqlstate
from models import Session, UsageRecord

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_RECORDS = 10_000
"""How many usage records one write may add."""

_TOO_LARGE = {"22003", "23514"}
"""Errors for numbers out of range. The records are checked beforehand, so these concern the totals."""

_NAMES, _VALUES, _TYPES = json_columns(
    UsageRecord,
    ("id", "run_id", "model", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd"),
)
_RECORD = f"""
WITH given AS (
  SELECT * FROM json_to_recordset($3::json) AS given (
    session_id uuid, agent_id uuid, of_session boolean, timestamp timestamptz, {_TYPES}
  )
), grown AS (
  SELECT session_id, coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
    coalesce(sum(completion_tokens), 0) AS completion_tokens, sum(cost_usd) AS cost_usd,
    max(timestamp) AS last, bool_or(timestamp IS NULL) AS now
  FROM given GROUP BY session_id
), session AS (
  UPDATE sessions SET
    prompt_tokens = sessions.prompt_tokens + grown.prompt_tokens,
    completion_tokens = sessions.completion_tokens + grown.completion_tokens,
    -- null plus a number is that number.
    cost_usd = coalesce(sessions.cost_usd + grown.cost_usd, sessions.cost_usd, grown.cost_usd),
    last_activity_at = least(clock_timestamp(), greatest(
      last_activity_at, grown.last, CASE WHEN grown.now THEN clock_timestamp() END
    )),
    updated_at = clock_timestamp()
  FROM grown
  -- The keys are repeated so that PostgreSQL uses the index whatever number of rows it expects from a set.
  WHERE sessions.project_id = $1 AND sessions.id = ANY($2) AND sessions.id = grown.session_id
  RETURNING sessions.id, agent_id, updated_at,
    -- The clock may have advanced between the two: no use is later than the last activity.
    least(updated_at, last_activity_at) AS now
) {mark("session")}
INSERT INTO usage_records (project_id, session_id, agent_id, created_at, timestamp, {_NAMES})
SELECT $1, session.id, CASE WHEN given.of_session THEN session.agent_id ELSE given.agent_id END,
  session.updated_at, coalesce(given.timestamp, session.now), {_VALUES}
FROM session JOIN given ON given.session_id = session.id
RETURNING {columns_of(UsageRecord)}"""  # noqa: S608 - names of the models
"""Updates the sessions' totals, which locks the sessions, and inserts the records."""

_DELETE = """
WITH gone AS (
  DELETE FROM usage_records WHERE project_id = $1 AND id = $2
  RETURNING session_id, prompt_tokens, completion_tokens, coalesce(cost_usd, 0) AS cost_usd
)
UPDATE sessions SET
  prompt_tokens = sessions.prompt_tokens - gone.prompt_tokens,
  completion_tokens = sessions.completion_tokens - gone.completion_tokens,
  -- A client may have set a smaller cost, or null.
  cost_usd = CASE WHEN sessions.cost_usd IS NOT NULL THEN greatest(sessions.cost_usd - gone.cost_usd, 0) END,
  updated_at = clock_timestamp()
FROM gone WHERE sessions.project_id = $1 AND sessions.id = gone.session_id
RETURNING sessions.id"""
"""Deletes a usage record and subtracts it from its session's totals."""


async def record(write: UnitOfWork, records: list[dict[str, Any]]) -> list[UsageRecord]:
    """Record usage of models in one statement, and add it to the totals of its sessions.

    A record's values are those of its columns. The default time is now, and the default agent that of the
    session.

    Raises:
        NotFoundError: A record names a session or an agent that is not in the project.
        BadUserInputError: A record is invalid, or there are none or too many.
        LimitExceededError: A session's cost would exceed its limit.

    """
    check_count("records", records, MAX_RECORDS)
    for place, values in enumerate(records):
        check(UsageRecord, values, f"records.{place}.")
    rows = [{"id": uuid7(), "of_session": "agent_id" not in values, **values} for values in records]
    # The client's path to the first mention of each session.
    fields: dict[UUID, str] = {}
    for place, row in enumerate(rows):
        fields.setdefault(row["session_id"], f"records.{place}.sessionId")
    session_ids = [*fields]
    if len(session_ids) > 1:
        # Locked in the order of their keys, so that two writers cannot deadlock.
        await write.get_all(Session, session_ids, field=fields, lock=True)
    try:
        made = await write.fetch(
            _RECORD,
            write.project_id,
            session_ids,
            rows_as_json(rows),
            alone=len(session_ids) == 1,
            ids=[row["id"] for row in rows],
        )
    except DBAPIError as error:
        if sqlstate(error) not in _TOO_LARGE:
            raise
        raise LimitExceededError(
            "a session may cost at most 999,999,999 US dollars; these records would exceed that",
            field="records",
        ) from error
    if not made:
        raise not_found(Session, session_ids[0], fields[session_ids[0]])
    stored = {row.id: row for row in map(row_factory(UsageRecord), made)}
    return [stored[row["id"]] for row in rows]


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a usage record, and subtract its tokens and cost from its session's totals.

    Raises:
        NotFoundError: There is no such record.

    """
    record = await write.get(UsageRecord, id_)
    # The session is locked first, as by every writer of its usage.
    session = await write.get(Session, record.session_id, lock=True)
    if not await write.fetch(_DELETE, write.project_id, id_):
        raise not_found(UsageRecord, id_, "id")
    await activity.lower(write, session, record.timestamp)
    return [id_]
