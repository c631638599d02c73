"""Deletions of any size: batches in separate transactions first clear the rows that refer to a deleted row.

PostgreSQL deletes a row, and deletes or updates all rows that refer to it, in one statement. With hundreds of
thousands of them that exceeds the statement timeout, and holds their locks all the time. So if many rows of a
table refer to a row, batches clear most of them (delete them, or set their reference to null), and only a few
are left for the deletion itself. Each batch keeps counts and totals right. If a deletion is interrupted, the
row is still there, with fewer rows that refer to it; deleting it again continues from there.
"""

from __future__ import annotations

import time
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import DBAPIError

from agentdata.errors import TimedOutError
from agentdata.operations.module_states import lock_all_chains
from agentdata.operations.totals import ERROR_EVENT, as_decimal
from agentdata.operations.unit_of_work import RETRYABLE, sqlstate
from models import Base, ModuleState, Session, StateTransition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from sqlalchemy import ForeignKeyConstraint, Table

    from agentdata.operations.unit_of_work import UnitOfWork

FEW = 1_000
"""How many rows of a table may refer to the rows that one transaction deletes; also the first batch size."""

_MAX_SIZE = 5_000
_TARGET_S = 0.1
"""The target duration of a batch, which holds locks that other writers wait for."""

_RETRY_WITH_FEWER = RETRYABLE | {"57014"}
"""Errors after which a smaller batch may succeed: deadlocks and statement timeouts."""


_LOCKED_OWNERS = {"session_id": "sessions", "document_id": "knowledge_documents"}
"""By column: the owners that all writers of their contents lock first."""

_CLEARED_TOGETHER = {("sessions", "agent_id"): ("agent_id", "agent_version_id")}
"""Columns that are cleared together: a session may not have a version without an agent."""

_CLEARED_CHUNKS = (
    """, less AS (
      SELECT document_id, version_id, count(*) AS chunks FROM cleared GROUP BY document_id, version_id
    ), counted AS (
      UPDATE knowledge_documents AS own SET chunk_count = greatest(own.chunk_count - less.chunks, 0)
      FROM less WHERE own.project_id = $1 AND own.id = less.document_id
    ), counted_too AS (
      UPDATE knowledge_versions AS own SET chunk_count = greatest(own.chunk_count - less.chunks, 0)
      FROM (SELECT version_id, sum(chunks) AS chunks FROM less GROUP BY version_id) AS less
      WHERE own.project_id = $1 AND own.id = less.version_id
    )""",
    "own.document_id, own.version_id",
)
_CLEARED_DOCUMENTS = (
    """, less AS (
      SELECT version_id, count(*) AS documents, sum(chunk_count) AS chunks FROM cleared GROUP BY version_id
    ), counted AS (
      UPDATE knowledge_versions AS own SET document_count = greatest(document_count - documents, 0),
        chunk_count = greatest(chunk_count - chunks, 0)
      FROM less WHERE own.project_id = $1 AND own.id = less.version_id
    )""",
    "own.version_id, own.chunk_count",
)


def _less_errors(is_error: str) -> str:
    """Return the SQL that subtracts the errors among the cleared rows from their sessions."""
    return f""", less AS (
      SELECT session_id, count(*) FILTER (WHERE {is_error}) AS errors FROM cleared GROUP BY session_id
    ), counted AS (
      UPDATE sessions SET error_count = greatest(error_count - errors, 0), updated_at = clock_timestamp()
      FROM less WHERE sessions.project_id = $1 AND sessions.id = less.session_id
    )"""  # noqa: S608 - a condition of this module


_CLEARED_CALLS = (_less_errors("error IS NOT NULL"), "own.session_id, own.error")

_COUNT_UPDATES = {
    **{
        ("knowledge_chunks", f"{owner}_id"): _CLEARED_CHUNKS
        for owner in ("document", "version", "knowledge_base")
    },
    **{("knowledge_documents", f"{owner}_id"): _CLEARED_DOCUMENTS for owner in ("version", "knowledge_base")},
    ("jobs", "queue_id"): (
        """, released AS (
          UPDATE knowledge_syncs AS own SET job_id = NULL
          FROM cleared WHERE own.project_id = $1 AND own.job_id = cleared.id
        )""",
        "own.id",
    ),
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
            coalesce(sum(completion_tokens), 0) AS completion_tokens, sum(errors) AS errors
          FROM cleared LEFT JOIN LATERAL (
            -- The calls of a message are deleted with it; this statement still sees them.
            SELECT count(*) AS errors FROM tool_calls
            WHERE project_id = $1 AND message_id = cleared.id AND error IS NOT NULL
          ) AS calls ON true GROUP BY session_id
        ), counted AS (
          UPDATE sessions SET message_count = greatest(message_count - messages, 0),
            interaction_count = greatest(interaction_count - interactions, 0),
            error_count = greatest(error_count - errors, 0),
            prompt_tokens = greatest(sessions.prompt_tokens - less.prompt_tokens, 0),
            completion_tokens = greatest(sessions.completion_tokens - less.completion_tokens, 0),
            updated_at = clock_timestamp()
          FROM less WHERE sessions.project_id = $1 AND sessions.id = less.session_id
        )""",
        "own.id, own.session_id, own.role, own.prompt_tokens, own.completion_tokens",
    ),
    **{("tool_calls", f"{owner}_id"): _CLEARED_CALLS for owner in ("session", "message")},
    ("session_events", "session_id"): (
        _less_errors(f"event_type = '{ERROR_EVENT}'"),
        "own.session_id, own.event_type",
    ),
    ("usage_records", "session_id"): (
        """, less AS (
          SELECT session_id, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
            coalesce(sum(cost_usd), 0) AS cost_usd FROM cleared GROUP BY session_id
        ), counted AS (
          UPDATE sessions SET prompt_tokens = greatest(sessions.prompt_tokens - less.prompt_tokens, 0),
            completion_tokens = greatest(sessions.completion_tokens - less.completion_tokens, 0),
            cost_usd = CASE WHEN sessions.cost_usd IS NOT NULL
              THEN greatest(sessions.cost_usd - less.cost_usd, 0) END,
            updated_at = clock_timestamp()
          FROM less WHERE sessions.project_id = $1 AND sessions.id = less.session_id
        )""",
        "own.session_id, own.prompt_tokens, own.completion_tokens, own.cost_usd",
    ),
    ("memory_accesses", "memory_id"): (
        f""", less AS (
          SELECT memory_id, count(*) AS accesses, count(usefulness) AS rated,
            coalesce(sum({as_decimal("usefulness")}), 0) AS useful
          FROM cleared GROUP BY memory_id
        ), counted AS (
          UPDATE memories SET access_count = greatest(access_count - accesses, 0),
            rated_count = greatest(rated_count - rated, 0),
            usefulness_total = greatest(usefulness_total - useful, 0)
          FROM less WHERE memories.project_id = $1 AND memories.id = less.memory_id
        )""",  # noqa: S608 - a column
        "own.memory_id, own.usefulness",
    ),
}
"""By table and column: the SQL that updates counts after a batch, and the values it needs of cleared rows.

That of jobs clears references that have no action, because a sync outlives its job.

``greatest`` keeps a wrong count, after direct writes to the database, from blocking the deletion.
"""

_DELETE_STATES = "SELECT delete_module_states($1, $2, $3) AS cleared"
"""A function, because requests may not delete states: they are history, and deleted only with sessions."""


class _Batch(NamedTuple):
    """How to clear the rows of a table that refer to deleted rows by one foreign key."""

    probe: str
    """The end of a query that returns a row if more than a few rows refer to the deleted ones."""
    text: str
    """The statement that clears a number of rows, and returns how many it cleared."""
    prepare: Callable[[UnitOfWork, Sequence[UUID]], Awaitable[None]] | None = None
    """Run first in the batch's transaction."""


async def clear(write: UnitOfWork, model: type[Base], ids: Sequence[UUID]) -> bool:
    """Clear rows that refer to rows about to be deleted, until few rows of each table are left.

    A deletion calls this first, before its transaction has begun. Returns whether it cleared any.

    Raises:
        DBAPIError: The database refuses a batch, or a single row takes too long.
        TimedOutError: The operation has reached its time limit; a part of the rows is cleared.

    """
    batches = _batches(model)
    cleared = False
    find = partial(_batches_with_many_rows, batches=batches, ids=ids)
    try:
        while many := await write.run_separately(find):
            if not cleared:
                # The write's own record comes with its end, which a deletion may not reach.
                await write.run_separately(lambda part: write.record(ids, by=part))
            for batch in many:
                await _clear(write, batch, ids)
            cleared = True
    except TimedOutError as error:
        # Each batch is a transaction of its own, so those before the time limit are done.
        error.message = (
            "the operation reached its time limit during a large deletion, a part of which is done; send the"
            " same deletion again, and it goes on"
        )
        raise
    return cleared


async def _batches_with_many_rows(
    write: UnitOfWork, batches: Sequence[_Batch], ids: Sequence[UUID]
) -> list[_Batch]:
    """Return the batches for tables of which many rows refer to the given rows."""
    if not batches or not ids:
        return []
    text = " UNION ALL ".join(
        f"(SELECT {index} AS index {batch.probe})" for index, batch in enumerate(batches)
    )
    return [batches[record["index"]] for record in await write.fetch(text, write.project_id, ids, alone=True)]


async def _clear(write: UnitOfWork, batch: _Batch, ids: Sequence[UUID]) -> None:
    """Clear rows until none is left, in batches that take about ``_TARGET_S``."""
    size = FEW

    async def run(part: UnitOfWork) -> int:
        if batch.prepare is not None:
            await batch.prepare(part, ids)
        [record] = await part.fetch(batch.text, part.project_id, ids, size, alone=batch.prepare is None)
        return record["cleared"]  # type: ignore[no-any-return]  # a number

    while True:
        start = time.monotonic()
        try:
            cleared = await write.run_separately(run)
        except DBAPIError as error:
            if size == 1 or write.has_begun or sqlstate(error) not in _RETRY_WITH_FEWER:
                raise
            size //= 2
            continue
        if cleared < size:
            return
        duration = time.monotonic() - start
        size = max(1, min(_MAX_SIZE, 2 * size, int(size * _TARGET_S / duration)))


@cache
def _batches(model: type[Base]) -> tuple[_Batch, ...]:
    """Return the batches for rows that refer to a model's rows; tables that others refer to come last."""
    return tuple(
        _batch(table, key)
        for table in reversed(Base.metadata.sorted_tables)
        for key in table.foreign_key_constraints
        # Keys without an action block a deletion: those of child sessions, and of later states.
        if key.referred_table is model.__table__
        and key.ondelete is not None
        # Transitions are deleted with their states.
        and (model, table) != (Session, StateTransition.__table__)
    )


def _batch(table: Table, key: ForeignKeyConstraint) -> _Batch:
    """Return the batch that clears rows of a table by one of its foreign keys."""
    [column] = [each.parent.name for each in key.elements if each.column.name == "id"]
    probe = (
        f"FROM unnest($2::uuid[]) AS gone (id), LATERAL (SELECT FROM {table.name} AS own"
        f" WHERE own.project_id = $1 AND own.{column} = gone.id LIMIT {FEW + 1}) AS own"
        f" OFFSET {FEW} LIMIT 1"
    )
    if table is ModuleState.__table__:
        return _Batch(probe, _DELETE_STATES, _lock_chains)
    own = [each.name for each in table.primary_key if each.name != "project_id"]
    same = " AND ".join(f"own.{name} = chosen.{name}" for name in own)
    # Rows that count towards their session or document are cleared under its lock. A statement of its own
    # takes the lock, so that the batch sees the rows of writers that held it before.
    held = column in _LOCKED_OWNERS and (table.name, column) in _COUNT_UPDATES
    lock = partial(_lock_owners, owners=_LOCKED_OWNERS[column]) if held else None
    # Only names of the models are interpolated.
    chosen = f"""
      WITH chosen AS MATERIALIZED (
        SELECT own.* FROM unnest($2::uuid[]) AS gone (id), LATERAL (
          SELECT gone.id AS gone_id, {", ".join(own)} FROM {table.name} AS own
          WHERE own.project_id = $1 AND own.{column} = gone.id LIMIT $3
        ) AS own LIMIT $3
      ), cleared AS ("""  # noqa: S608 - see above
    which = f"own.project_id = $1 AND own.{column} = ANY($2) AND {same}"
    counted, returned = _COUNT_UPDATES.get((table.name, column), ("", "1"))
    if key.ondelete == "CASCADE":
        change = f"DELETE FROM {table.name} AS own USING chosen WHERE {which} RETURNING {returned}"  # noqa: S608
    else:
        nulls = ", ".join(f"{name} = NULL" for name in _CLEARED_TOGETHER.get((table.name, column), (column,)))
        change = f"UPDATE {table.name} AS own SET {nulls} FROM chosen WHERE {which} RETURNING {returned}"  # noqa: S608
    text = f"{chosen}{change}){counted} SELECT count(*) AS cleared FROM cleared"  # noqa: S608 - see above
    return _Batch(probe, text, lock)


async def _lock_owners(write: UnitOfWork, ids: Sequence[UUID], *, owners: str) -> None:
    lock = f"SELECT FROM {owners} WHERE project_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE"
    await write.fetch(lock, write.project_id, ids)


async def _lock_chains(write: UnitOfWork, _ids: Sequence[UUID]) -> None:
    await lock_all_chains(write)
