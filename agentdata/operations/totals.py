"""The counts and totals that a session keeps of its messages, tool calls, events and usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlalchemy import update as update_rows

from models import Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

ERROR_EVENT = "error"
"""The type of the events that count as errors."""


async def add(write: UnitOfWork, session_id: UUID, increments: Mapping[str, int]) -> None:
    """Add increments to the counts and totals of a session, by column, in the transaction of a write.

    The write has locked the session, as every writer of its contents does first. A count that is too low, as
    after direct writes to the database, becomes zero and does not keep the write from being done.
    """
    changes = {
        name: getattr(Session, name) + by if by > 0 else func.greatest(getattr(Session, name) + by, 0)
        for name, by in increments.items()
        if by
    }
    if changes:
        statement = update_rows(Session).where(*write.in_project(Session), Session.id == session_id)
        await write.execute(statement.values(changes | {"updated_at": func.clock_timestamp()}))


def as_decimal(column: str) -> str:
    """Return the SQL of a double as the decimal that it is written as, as ``resolvers.sums.exact`` does."""
    return f"numeric_in(float8out({column}), 0, -1)"
