"""Deletions of any size: rows that refer to what goes are cleared first, each batch in its own transaction.

PostgreSQL deletes a row, and deletes or changes all rows that refer to it, in one statement. With hundreds of
thousands of them that takes longer than a statement may, and holds their locks all the while. So where many
rows of a table refer to what goes, batches clear most of them, and the transaction that deletes finds few.
Each batch leaves counts and totals right. A deletion that is broken off leaves the object, with fewer rows
that refer to it, and the next one goes on from there.
"""

from __future__ import annotations

import time
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import DBAPIError

from agentdata.operations.module_states import hold_all
from agentdata.operations.unit_of_work import PASSING, sqlstate
from models import Base, ModuleState, Session, StateTransition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from sqlalchemy import ForeignKeyConstraint, Table

    from agentdata.operations.unit_of_work import UnitOfWork

FEW = 1_000
"""How many rows of a table may refer to what one transaction deletes, and the size of the first batch."""

_MOST = 5_000
_TARGET_S = 0.1
"""How long a batch is to take: it holds locks of sessions and rows that other writers wait for."""

_SMALLER = PASSING | {"57014"}
"""Where fewer rows may go through: deadlocks, and statements that took longer than they may."""


_HELD = """held AS MATERIALIZED (
  SELECT id FROM sessions WHERE project_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE
), """
"""Locks sessions, as all writers do before what is in them."""

_TOGETHER = {("sessions", "agent_id"): ("agent_id", "agent_version_id")}
"""Columns that are cleared with another: a session may not have a version without its agent."""

_COUNTED = {
    ("sessions", "agent_id"): (
        """, less AS (
          SELECT agent_id, count(*) AS all_, count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
            count(*) FILTER (WHERE status = 'FAILED') AS failed FROM cleared GROUP BY agent_id
        ), counted AS (
          UPDATE agents SET total_sessions = greatest(total_sessions - all_, 0),
            completed_sessions = greatest(completed_sessions - completed, 0),
            failed_sessions = greatest(failed_sessions - failed, 0)
          FROM less WHERE agents.project_id = $1 AND agents.id = less.agent_id
        )""",
        "chosen.gone_id AS agent_id, own.status",
    ),
    ("messages", "session_id"): (
        """, less AS (
          SELECT session_id, count(*) AS messages, count(*) FILTER (WHERE role = 'USER') AS interactions,
            coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
            coalesce(sum(completion_tokens), 0) AS completion_tokens FROM cleared GROUP BY session_id
        ), counted AS (
          UPDATE sessions SET message_count = greatest(message_count - messages, 0),
            interaction_count = greatest(interaction_count - interactions, 0),
            prompt_tokens = greatest(sessions.prompt_tokens - less.prompt_tokens, 0),
            completion_tokens = greatest(sessions.completion_tokens - less.completion_tokens, 0)
          FROM less WHERE sessions.project_id = $1 AND sessions.id = less.session_id
        )""",
        "own.session_id, own.role, own.prompt_tokens, own.completion_tokens",
    ),
    ("usage_records", "session_id"): (
        """, less AS (
          SELECT session_id, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
            coalesce(sum(cost_usd), 0) AS cost_usd FROM cleared GROUP BY session_id
        ), counted AS (
          UPDATE sessions SET prompt_tokens = greatest(sessions.prompt_tokens - less.prompt_tokens, 0),
            completion_tokens = greatest(sessions.completion_tokens - less.completion_tokens, 0),
            cost_usd = CASE WHEN sessions.cost_usd IS NOT NULL
              THEN greatest(sessions.cost_usd - less.cost_usd, 0) END
          FROM less WHERE sessions.project_id = $1 AND sessions.id = less.session_id
        )""",
        "own.session_id, own.prompt_tokens, own.completion_tokens, own.cost_usd",
    ),
    ("memory_accesses", "memory_id"): (
        """, less AS (
          SELECT memory_id, count(*) AS accesses FROM cleared GROUP BY memory_id
        ), counted AS (
          UPDATE memories SET access_count = greatest(access_count - accesses, 0)
          FROM less WHERE memories.project_id = $1 AND memories.id = less.memory_id
        )""",
        "own.memory_id",
    ),
}
"""What counts the rows of a table that a batch clears, and what it needs of them.

A count that is wrong, because someone wrote to the database, does not keep its row from being deleted.
"""

_STATES = "SELECT delete_module_states($1, $2, $3) AS cleared"
"""Requests may not delete states by themselves: they are history, and go with their sessions."""


class _Batch(NamedTuple):
    """How rows of a table that refer to others are cleared."""

    few: str
    """Gives a row where more than a few of them refer to given rows."""
    text: str
    """Clears some of those that refer to given rows, and tells how many."""
    prepare: Callable[[UnitOfWork], Awaitable[None]] | None = None
    """What comes first in the batch's transaction."""


async def clear(write: UnitOfWork, model: type[Base], ids: Sequence[UUID]) -> None:
    """Clear what refers to rows that are to be deleted, until few rows of each table are left.

    It is what a deletion does first, while its transaction has not begun.

    Raises:
        DBAPIError: The database refuses a batch, or takes too long for a single row.

    """
    batches = _batches(model)
    while many := await write.apart(partial(_many, batches=batches, ids=ids)):
        for batch in many:
            await _clear(write, batch, ids)


async def _many(write: UnitOfWork, batches: Sequence[_Batch], ids: Sequence[UUID]) -> list[_Batch]:
    """Give the batches of tables of which many rows refer to given rows."""
    if not batches or not ids:
        return []
    text = " UNION ALL ".join(f"(SELECT {place} AS place {batch.few})" for place, batch in enumerate(batches))
    return [batches[record["place"]] for record in await write.fetch(text, write.project_id, ids, alone=True)]


async def _clear(write: UnitOfWork, batch: _Batch, ids: Sequence[UUID]) -> None:
    """Clear rows until none is left, as many at once as take a tenth of a second."""
    size = FEW

    async def run(part: UnitOfWork) -> int:
        if batch.prepare is not None:
            await batch.prepare(part)
        [record] = await part.fetch(batch.text, part.project_id, ids, size, alone=batch.prepare is None)
        return record["cleared"]  # type: ignore[no-any-return]  # a number

    while True:
        began = time.monotonic()
        try:
            cleared = await write.apart(run)
        except DBAPIError as error:
            if size == 1 or write.begun or sqlstate(error) not in _SMALLER:
                raise
            size //= 2
            continue
        if cleared < size:
            return
        took = time.monotonic() - began
        size = max(1, min(_MOST, 2 * size, int(size * _TARGET_S / took)))


@cache
def _batches(model: type[Base]) -> tuple[_Batch, ...]:
    """Give how rows are cleared that refer to a model's, those first that others do not refer to."""
    return tuple(
        _batch(table, key)
        for table in reversed(Base.metadata.sorted_tables)
        for key in table.foreign_key_constraints
        # What has no action holds back a deletion: children of sessions, and later states.
        if key.referred_table is model.__table__
        and key.ondelete is not None
        # Transitions go with their states.
        and (model, table) != (Session, StateTransition.__table__)
    )


def _batch(table: Table, key: ForeignKeyConstraint) -> _Batch:
    """Give how rows of a table are cleared that refer to others by a key."""
    [column] = [each.parent.name for each in key.elements if each.column.name == "id"]
    few = (
        f"FROM unnest($2::uuid[]) AS gone (id), LATERAL (SELECT FROM {table.name} AS own"
        f" WHERE own.project_id = $1 AND own.{column} = gone.id LIMIT {FEW + 1}) AS own"
        f" OFFSET {FEW} LIMIT 1"
    )
    if table is ModuleState.__table__:
        return _Batch(few, _STATES, hold_all)
    own = [each.name for each in table.primary_key if each.name != "project_id"]
    same = " AND ".join(f"own.{name} = chosen.{name}" for name in own)
    # Rows that a session counts are cleared under its lock.
    held = column == "session_id" and (table.name, column) in _COUNTED
    # All that is written into the text are names of the models.
    chosen = f"""
      WITH {_HELD if held else ""}chosen AS MATERIALIZED (
        SELECT own.* FROM {"held" if held else "unnest($2::uuid[])"} AS gone (id), LATERAL (
          SELECT gone.id AS gone_id, {", ".join(own)} FROM {table.name} AS own
          WHERE own.project_id = $1 AND own.{column} = gone.id LIMIT $3
        ) AS own LIMIT $3
      ), cleared AS ("""  # noqa: S608 - see above
    which = f"own.project_id = $1 AND own.{column} = ANY($2) AND {same}"
    counted, returned = _COUNTED.get((table.name, column), ("", "1"))
    if key.ondelete == "CASCADE":
        change = f"DELETE FROM {table.name} AS own USING chosen WHERE {which} RETURNING {returned}"  # noqa: S608
    else:
        nulls = ", ".join(f"{name} = NULL" for name in _TOGETHER.get((table.name, column), (column,)))
        change = f"UPDATE {table.name} AS own SET {nulls} FROM chosen WHERE {which} RETURNING {returned}"  # noqa: S608
    return _Batch(few, f"{chosen}{change}){counted} SELECT count(*) AS cleared FROM cleared")  # noqa: S608 - see above
