"""Writes of the usage of models, which adds up in the totals of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from agentdata.checks import check, check_not_empty
from agentdata.errors import LimitExceededError, not_found
from agentdata.operations import activity
from agentdata.operations.unit_of_work import columns_of, document, from_document, sqlstate, stored_row
from models import Session, UsageRecord

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_RECORDS = 10_000
"""How many usage records one write makes."""

_TOO_LARGE = {"22003", "23514"}
"""A number that a column, or its constraint, cannot hold. The records' own were looked at before."""

_NAMES, _VALUES, _TYPES = from_document(
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
    -- What is unknown and what is known make what is known.
    cost_usd = coalesce(sessions.cost_usd + grown.cost_usd, sessions.cost_usd, grown.cost_usd),
    last_activity_at = least(clock_timestamp(), greatest(
      last_activity_at, grown.last, CASE WHEN grown.now THEN clock_timestamp() END
    )),
    updated_at = clock_timestamp()
  FROM grown
  -- The keys by themselves too, so that they are looked up however many rows PostgreSQL takes a set for.
  WHERE sessions.project_id = $1 AND sessions.id = ANY($2) AND sessions.id = grown.session_id
  RETURNING sessions.id, agent_id, updated_at,
    -- The two times were taken one after the other; nothing happens after the last activity.
    least(updated_at, last_activity_at) AS now
)
INSERT INTO usage_records (project_id, session_id, agent_id, created_at, timestamp, {_NAMES})
SELECT $1, session.id, CASE WHEN given.of_session THEN session.agent_id ELSE given.agent_id END,
  session.updated_at, coalesce(given.timestamp, session.now), {_VALUES}
FROM session JOIN given ON given.session_id = session.id
RETURNING {columns_of(UsageRecord)}"""  # noqa: S608 - names of the models
"""Adds usage to its sessions, which locks them, and stores it."""

_DELETE = """
WITH gone AS (
  DELETE FROM usage_records WHERE project_id = $1 AND id = $2
  RETURNING session_id, prompt_tokens, completion_tokens, coalesce(cost_usd, 0) AS cost_usd
)
UPDATE sessions SET
  prompt_tokens = sessions.prompt_tokens - gone.prompt_tokens,
  completion_tokens = sessions.completion_tokens - gone.completion_tokens,
  -- A client may have written a smaller cost, or that it is unknown.
  cost_usd = CASE WHEN sessions.cost_usd IS NOT NULL THEN greatest(sessions.cost_usd - gone.cost_usd, 0) END,
  updated_at = clock_timestamp()
FROM gone WHERE sessions.project_id = $1 AND sessions.id = gone.session_id
RETURNING sessions.id"""
"""Deletes usage and takes it off its session."""


async def record(write: UnitOfWork, records: list[dict[str, Any]]) -> list[UsageRecord]:
    """Record usage of models, in one statement, and add it to the totals of its sessions.

    A record's values are those of its columns. One that says no time is of now, and one that names no agent
    is of the session's.

    Raises:
        NotFoundError: A record is of a session, or an agent, that is not in the project.
        BadUserInputError: A record is wrong in itself, or there are none or too many.
        LimitExceededError: A session would cost more than can be written.

    """
    check_not_empty("records", records, MAX_RECORDS)
    for place, values in enumerate(records):
        check(UsageRecord, values, f"records.{place}.")
    rows = [{"id": uuid7(), "of_session": "agent_id" not in values, **values} for values in records]
    # Where the client first named each session.
    fields: dict[UUID, str] = {}
    for place, row in enumerate(rows):
        fields.setdefault(row["session_id"], f"records.{place}.sessionId")
    session_ids = [*fields]
    if len(session_ids) > 1:
        # Locked in the order of their keys, so that two writers cannot wait for each other.
        await write.get_all(Session, session_ids, field=fields, lock=True)
    try:
        made = await write.fetch(
            _RECORD, write.project_id, session_ids, document(rows), alone=len(session_ids) == 1
        )
    except DBAPIError as error:
        if sqlstate(error) not in _TOO_LARGE:
            raise
        raise LimitExceededError(
            "a session may cost at most 999,999,999 US dollars, and these records bring it above that",
            field="records",
        ) from error
    if not made:
        raise not_found(Session, session_ids[0], fields[session_ids[0]])
    stored = {row.id: row for row in map(stored_row(UsageRecord), made)}
    return [stored[row["id"]] for row in rows]


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a usage record, and take its tokens and its cost off its session.

    Raises:
        NotFoundError: There is no such record.

    """
    record = await write.get(UsageRecord, id_)
    # The session comes first, as for every writer of its usage.
    session = await write.get(Session, record.session_id, lock=True)
    if not await write.fetch(_DELETE, write.project_id, id_):
        raise not_found(UsageRecord, id_, "id")
    await activity.lower(write, session, record.timestamp)
    return [id_]
