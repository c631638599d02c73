"""The last activity of a session after one of its rows is deleted.

Writers raise ``last_activity_at`` when they add rows, but never beyond the present: otherwise one row from a
client with a wrong clock would be the last activity forever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from agentdata.operations.unit_of_work import UnitOfWork
    from models import Session

# Each max() reads the end of an index, so the time does not depend on the number of rows. Rows dated in the
# future counted as of the time when they were written; here they are ignored.
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


async def lower(write: UnitOfWork, session: Session, deleted: datetime) -> None:
    """Recompute a locked session's last activity if the deleted row may have been the last.

    ``deleted`` is the time of the deleted row.
    """
    if deleted >= session.last_activity_at:
        await write.fetch(_LOWER, write.project_id, session.id)
