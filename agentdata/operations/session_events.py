"""Writes of the events of sessions: their order, and the activity of their session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uuid_utils.compat import uuid7

from agentdata.checks import check, check_not_empty
from agentdata.errors import not_found
from agentdata.operations import activity
from agentdata.operations.unit_of_work import columns_of, document, from_document, stored_row
from models import Session, SessionEvent

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_EVENTS = 10_000
"""How many events one write records."""

_NAMES, _VALUES, _TYPES = from_document(SessionEvent, ("id", "event_type", "event_data", "duration_ms"))
_RECORD = f"""
WITH session AS (
  UPDATE sessions SET
    last_event_sequence = last_event_sequence + $3,
    last_activity_at = least(clock_timestamp(), greatest(
      last_activity_at, $4::timestamptz, CASE WHEN $5::boolean THEN clock_timestamp() END
    )),
    updated_at = clock_timestamp()
  WHERE project_id = $1 AND id = $2
  RETURNING id, updated_at, last_event_sequence - $3 AS before,
    -- The two times were taken one after the other; nothing happens after the last activity.
    least(updated_at, last_activity_at) AS now
)
INSERT INTO session_events (project_id, session_id, sequence, created_at, timestamp, {_NAMES})
SELECT $1, session.id, session.before + given.place, session.updated_at,
  coalesce(given.timestamp, session.now), {_VALUES}
FROM session, json_to_recordset($6::json) AS given (place int, timestamp timestamptz, {_TYPES})
RETURNING {columns_of(SessionEvent)}"""  # noqa: S608 - names of the models
"""Counts events into their session, which locks it, and stores them."""


async def record(write: UnitOfWork, session_id: UUID, events: list[dict[str, Any]]) -> list[SessionEvent]:
    """Record events of a session, in order; one that says no time happens now.

    Sequences are given under the session's lock, so that none is given twice and none is left out.

    Raises:
        NotFoundError: There is no such session.
        BadUserInputError: An event is wrong in itself, or there are none or too many.

    """
    check_not_empty("events", events, MAX_EVENTS)
    for place, event in enumerate(events):
        check(SessionEvent, event, f"events.{place}.")
    times = [event["timestamp"] for event in events if "timestamp" in event]
    records = await write.fetch(
        _RECORD,
        write.project_id,
        session_id,
        len(events),
        max(times, default=None),
        len(times) < len(events),
        document([{"id": uuid7(), "place": place, **event} for place, event in enumerate(events, start=1)]),
        alone=True,
    )
    if not records:
        raise not_found(Session, session_id, "sessionId")
    return sorted(map(stored_row(SessionEvent), records), key=lambda event: event.sequence)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete an event. The sequences of the others stay as they are."""
    event = await write.get(SessionEvent, id_)
    session = await write.get(Session, event.session_id, lock=True)
    ids = await write.delete(SessionEvent, id_)
    await activity.lower(write, session, event.timestamp)
    return ids
