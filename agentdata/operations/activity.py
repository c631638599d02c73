"""When something last happened in a session, once what happened last is deleted.

Writers raise ``last_activity_at`` as they add rows, and never beyond the present: otherwise one row from a
client whose clock is wrong would be the last for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from agentdata.operations.unit_of_work import UnitOfWork
    from models import Session

# Reads the ends of indexes, so that it takes the same time for any number of rows. Rows that are dated in the
# future counted when they were written; they do not count here.
_LOWER = """
UPDATE sessions SET last_activity_at = least(last_activity_at, greatest(started_at, ended_at,
    (SELECT max(created_at) FROM messages
     WHERE project_id = $1 AND session_id = $2 AND created_at <= statement_timestamp()),
    (SELECT max(timestamp) FROM session_events
     WHERE project_id = $1 AND session_id = $2 AND timestamp <= statement_timestamp()),
    (SELECT max(timestamp) FROM usage_records
     WHERE project_id = $1 AND session_id = $2 AND timestamp <= statement_timestamp()))),
  updated_at = clock_timestamp()
WHERE project_id = $1 AND id = $2"""


async def lower(write: UnitOfWork, session: Session, gone: datetime) -> None:
    """Derive a locked session's last activity from what is left, where what is gone may have been the last.

    ``gone`` is when the deleted row happened.
    """
    if gone >= session.last_activity_at:
        await write.fetch(_LOWER, write.project_id, session.id)
