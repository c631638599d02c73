"""Write operations of session events: they number them, count errors and update the last activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uuid_utils.compat import uuid7

from agentdata.checks import check, check_count
from agentdata.errors import not_found
from agentdata.operations import activity, totals
from agentdata.operations.access_records import mark
from agentdata.operations.unit_of_work import columns_of, json_columns, row_factory, rows_as_json
from models import Session, SessionEvent

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_EVENTS = 10_000
"""How many events one write may record."""

_NAMES, _VALUES, _TYPES = json_columns(SessionEvent, ("id", "event_type", "event_data", "duration_ms"))
_RECORD = f"""
WITH session AS (
  UPDATE sessions SET
    last_event_sequence = last_event_sequence + $3,
    error_count = error_count + $7,
    last_activity_at = least(clock_timestamp(), greatest(
      last_activity_at, $4::timestamptz, CASE WHEN $5::boolean THEN clock_timestamp() END
    )),
    updated_at = clock_timestamp()
  WHERE project_id = $1 AND id = $2
  RETURNING id, updated_at, last_event_sequence - $3 AS before,
    -- The clock may have advanced between the two: no event is later than the last activity.
    least(updated_at, last_activity_at) AS now
) {mark("session")}
INSERT INTO session_events (project_id, session_id, sequence, created_at, timestamp, {_NAMES})
SELECT $1, session.id, session.before + given.place, session.updated_at,
  coalesce(given.timestamp, session.now), {_VALUES}
FROM session, json_to_recordset($6::json) AS given (place int, timestamp timestamptz, {_TYPES})
RETURNING {columns_of(SessionEvent)}"""  # noqa: S608 - names of the models
"""Updates the session, which locks it, and inserts the events."""


async def record(write: UnitOfWork, session_id: UUID, events: list[dict[str, Any]]) -> list[SessionEvent]:
    """Record events of a session in order; the default time is now.

    Sequences are assigned under the session's lock, so they have no duplicates and no gaps.

    Raises:
        NotFoundError: There is no such session.
        BadUserInputError: An event is invalid, or there are none or too many.

    """
    check_count("events", events, MAX_EVENTS)
    for place, event in enumerate(events):
        check(SessionEvent, event, f"events.{place}.")
    times = [event["timestamp"] for event in events if "timestamp" in event]
    rows = [{"id": uuid7(), "place": place, **event} for place, event in enumerate(events, start=1)]
    records = await write.fetch(
        _RECORD,
        write.project_id,
        session_id,
        len(events),
        max(times, default=None),
        len(times) < len(events),
        rows_as_json(rows),
        sum(event["event_type"] == totals.ERROR_EVENT for event in events),
        alone=True,
        ids=[row["id"] for row in rows],
    )
    if not records:
        raise not_found(Session, session_id, "sessionId")
    return sorted(map(row_factory(SessionEvent), records), key=lambda event: event.sequence)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete an event. The sequences of the others stay as they are."""
    event = await write.get(SessionEvent, id_)
    session = await write.get(Session, event.session_id, lock=True)
    ids = await write.delete(SessionEvent, id_)
    await totals.add(write, session.id, {"error_count": -(event.event_type == totals.ERROR_EVENT)})
    await activity.lower(write, session, event.timestamp)
    return ids
