"""The counts and totals that a session keeps of its messages, tool calls, events and usage.

The totals of the project count what each session adds to them, until its ``updated_at`` changes. So a write
that changes what a session contains updates the session, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlalchemy import update as update_rows

from models import Session
from models.total import BY_GRAIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

ERROR_EVENT = "error"
"""The type of the events that count as errors."""

_CHANGED = """
UPDATE sessions SET updated_at = clock_timestamp() WHERE project_id = $1 AND id = $2 AND EXISTS (
  SELECT FROM session_shares AS kept WHERE kept.project_id = $1 AND kept.session_id = $2
)"""

FORGET = f"""
WITH shares AS (
  DELETE FROM session_shares WHERE project_id = $1 AND session_id = ANY($2) RETURNING started_at, share
), gone AS ({BY_GRAIN})
INSERT INTO session_totals (project_id, id, grain, measure, started_at, name, bucket, value)
SELECT $1, gen_random_uuid(), grain, measure, started_at, name, bucket, -value FROM gone"""  # noqa: S608 - a constant
"""Subtracts what sessions added to the totals of their project, after they are deleted."""


async def add(write: UnitOfWork, session_id: UUID, increments: Mapping[str, int]) -> None:
    """Add increments to the counts and totals of a session, by column, in the transaction of a write.

    The write must have locked the session, as every writer of its contents does first. Call this after each
    change of the contents, even of one that adds nothing. A count that is too low, as
    after direct writes to the database, becomes zero and does not keep the write from being done.
    """
    changes: dict[str, Any] = {
        name: getattr(Session, name) + by if by > 0 else func.greatest(getattr(Session, name) + by, 0)
        for name, by in increments.items()
        if by
    }
    if not changes:
        # Most sessions are not among the totals while they are written to, and need no update.
        await write.fetch(_CHANGED, write.project_id, session_id)
    else:
        statement = update_rows(Session).where(*write.in_project(Session), Session.id == session_id)
        await write.execute(statement.values(changes | {"updated_at": func.clock_timestamp()}))


def as_decimal(column: str) -> str:
    """Return the SQL of a double as the decimal that it is written as, as ``resolvers.sums.exact`` does."""
    return f"numeric_in(float8out({column}), 0, -1)"
